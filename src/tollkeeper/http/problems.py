"""Every error as a problem document (RFC 9457): one handler, and a page about each kind."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, cast
from uuid import UUID

from tollkeeper.errors import (
    Crowded,
    LimitReached,
    NobodyKnown,
    NoRoom,
    NotUnderstood,
    TollkeeperError,
    TooLarge,
    TooManyAttempts,
    Unavailable,
)
from tollkeeper.http.call import CLOSE, Header
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.measures import Measures
from tollkeeper.http.pages import problem_page
from tollkeeper.http.wire import LimitsShown, encode, instant
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.tracking.limits import Limits

log = logging.getLogger(__name__)

_LONGEST_INSTANCE: Final = 1000

PROBLEM: Final[Header] = (b"content-type", b"application/problem+json")
_IN_NANOS: Final = ("used", "allowed", "remaining", "needed")


class MethodNotAllowed(TollkeeperError):
    """The path is there, but not for this method; the header ``Allow`` names those that are."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    slug = "method-not-allowed"
    title = "Not a method of this path"

    def __init__(self, allowed: Header) -> None:
        super().__init__("this path has other methods")
        self.allowed = allowed


class TargetTooLong(TollkeeperError):
    """The address is longer than any here."""

    status = HTTPStatus.REQUEST_URI_TOO_LONG
    slug = "target-too-long"
    title = "The address is too long"


class HeadersTooLarge(TollkeeperError):
    """The headers are longer, or more, than are read."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    slug = "headers-too-large"
    title = "The headers are too large"


class TooSlow(TollkeeperError):
    """The request did not arrive within its time limit."""

    status = HTTPStatus.REQUEST_TIMEOUT
    slug = "too-slow"
    title = "The request took too long to arrive"


def answer(exchange: Exchange, error: Exception) -> Answer:
    """Answer any exception. What we did not foresee is logged with its traceback and told without any detail."""
    told = foreseen(error) or TollkeeperError("")
    if isinstance(told, LimitReached):
        exchange.the(Measures).note_refusal(told.fields["limit"])
    # A disk without room is told once, by who watches it: a line each would fill it further, as a crowd would.
    if told.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(told, NoRoom | Crowded):
        _log(told, error, exchange)
    if told.status != HTTPStatus.INTERNAL_SERVER_ERROR and is_a_persons(exchange):
        return problem_page(told, _detail(told), headers=headers_of(told))
    return Answer(
        document(told, exchange.path, exchange.trace_id), status=int(told.status), headers=(PROBLEM, *headers_of(told))
    )


def foreseen(error: BaseException | None) -> TollkeeperError | None:
    """Tell what is known of an error: that there is no memory left passes, when others have been answered."""
    if isinstance(error, MemoryError):
        return Unavailable("this node has no memory left for it")
    return error if isinstance(error, TollkeeperError) else None


def document(error: TollkeeperError, path: str, trace_id: str) -> bytes:
    """Write the problem document."""
    about = {
        "type": f"/problems/{error.slug}",
        "title": error.title,
        "status": int(error.status),
        "detail": _detail(error),
        "instance": "/sign-in" if path.startswith("/sign-in/") else path[:_LONGEST_INSTANCE],
        "traceId": trace_id,
    }
    return encode(about | _fields(error))


def _detail(error: TollkeeperError) -> str:
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return "it has been logged under this trace id"
    if "sqlstate" in error.fields:
        # What the database said is for the log.
        return "the database is not available, and nothing is known to have happened: try again"
    return error.detail


def is_a_persons(exchange: Exchange) -> bool:
    """Whether a browser shows it as a page. What scripts fetch, and all of the API, stays a problem document."""
    if exchange.path.startswith("/api/"):
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in exchange.headers)


def _log(told: TollkeeperError, error: Exception, exchange: Exchange) -> None:
    unforeseen = told.status == HTTPStatus.INTERNAL_SERVER_ERROR
    log.log(
        logging.ERROR if unforeseen else logging.WARNING,
        "%s %s: %s (trace %s)",
        exchange.method,
        exchange.template or "unknown path",
        type(error).__name__ if unforeseen else told.detail,
        exchange.trace_id,
        exc_info=error if unforeseen else None,
    )


def headers_of(told: TollkeeperError) -> Iterator[Header]:
    """Say what a client is to do next, as headers say it."""
    if isinstance(told, LimitReached):
        yield from _rate_limit_headers(told.fields)
    elif isinstance(told, Unavailable | TooManyAttempts):
        yield b"retry-after", b"%d" % told.retry_after_seconds
    elif told.slug == "rebuilt-just-now":
        yield b"retry-after", b"10"
    elif isinstance(told, NobodyKnown):
        yield b"www-authenticate", b'Bearer realm="tollkeeper"'
    elif isinstance(told, TooLarge | HeadersTooLarge | TooSlow):
        # What is left of the request is not worth reading.
        yield CLOSE
    elif isinstance(told, MethodNotAllowed):
        yield told.allowed


def _rate_limit_headers(fields: dict[str, Any]) -> Iterator[Header]:
    """Say it as draft-ietf-httpapi-ratelimit-headers does: structured fields, whole numbers, seconds."""
    limit, limits = fields["limit"], cast("Limits", fields["limits"])
    resets_at: datetime | None = fields["resetsAt"]
    # What is under way may end at any time; all else by the clock that decided.
    seconds = 1 if resets_at is None else max(1, math.ceil((resets_at - limits.decided_at).total_seconds()))
    allowed, remaining = fields["allowed"] or 0, fields["remaining"]
    if limit == "cost":
        allowed, remaining = int(cents_of(allowed)), int(cents_of(remaining))
    window = "" if resets_at is None else f";w={round((resets_at - limits.window_starts_at).total_seconds())}"
    yield b"retry-after", b"%d" % seconds
    yield b"ratelimit", f'"{limit}";r={remaining};t={seconds}'.encode()
    yield b"ratelimit-policy", f'"{limit}";q={allowed}{window}'.encode()


def _fields(error: TollkeeperError) -> dict[str, Any]:
    fields = {name: _shown(value) for name, value in error.fields.items() if value is not None and name != "sqlstate"}
    if isinstance(error, LimitReached) and fields.get("limit") == "cost":
        fields |= {name: cents_of(fields[name]) for name in _IN_NANOS if name in fields}
    if isinstance(error, NotUnderstood) and "field" in fields:
        field = fields.pop("field")
        fields["errors"] = [{"field": field, "message": error.detail.removeprefix(f"{field}: ")}]
    return fields


def _shown(value: Any) -> Any:
    if isinstance(value, Limits):
        return LimitsShown.of(value)
    if isinstance(value, datetime):
        return instant(value)
    return str(value) if isinstance(value, UUID | Decimal) else value
