"""Our own export: one JSON object a line, a request as the API shows it and what the API keeps back.

That is ``user`` (an e-mail address), ``ipAddress``, ``userAgent``, ``metadata``, ``unitPrices``, ``refunded`` (whether
a failure gave its unit back) and the sub-kinds ``tokensCached``, ``tokensCacheWrite`` and ``tokensReasoning``. Only
``status`` and ``startedAt`` have to be there.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias, cast
from uuid import UUID

import msgspec
from msgspec import Meta

from tollkeeper import token_counts
from tollkeeper.bounds import LONGEST_EMAIL, MOST_CENTS, MOST_COUNT, MOST_NOTE_BYTES, MOST_TEXT_BYTES
from tollkeeper.names import camel
from tollkeeper.traces.reading import LONGEST_NAME, PastRequest, Row, Source, named, raw_rows
from tollkeeper.wording import told

Count: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_COUNT)]
Total: TypeAlias = Annotated[int, Meta(ge=0, le=2 * MOST_COUNT, description="of what went in and what came out")]
Nanos: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Cents: TypeAlias = Annotated[Decimal, Meta(description="exact: with up to 7 decimals it is a whole number of nano-USD")]
Name: TypeAlias = Annotated[str, Meta(max_length=LONGEST_NAME)]
Email: TypeAlias = Annotated[str, Meta(max_length=LONGEST_EMAIL, pattern=r"^[^@\s]+@[^@\s]+$")]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]
_MAX_RATE: Final = 10**12
_MAX_TIERS: Final = 20
_FINE_RATE: Final = re.compile(r"\d{1,12}\.\d{1,18}", re.ASCII)
_RATES: Final = frozenset({"input", "output", "cache_read", "cache_write", "reasoning", "per_request"})
_KINDS: Final = {camel(rate): rate for rate in _RATES}
_ORIGINS: Final = frozenset({"source", "provider", "model"})
_NANOS_PER_CENT: Final = 10**7
_OF_AN_END: Final = (
    "completed_at",
    "duration",
    "error_code",
    "error_message",
    "tokens_used",
    "tokens_input",
    "tokens_output",
    "tokens_cached",
    "tokens_cache_write",
    "tokens_reasoning",
    "cost",
    "cost_nanos",
    "cost_source",
    "reported_cost",
    "user_rating",
)
_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class ExportedRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One line of the export."""

    status: Literal["pending", "completed", "failed"]
    started_at: Instant
    user: Email | None = None
    id: Name | None = None
    request_id: Name | None = None
    session_id: Name | None = None
    prompt: str | None = None
    response: str | None = None
    model: Name | None = None
    request_type: Name = "chat"
    category: Name | None = None
    complexity: Literal["low", "medium", "high"] | None = None
    error_message: str | None = None
    error_code: Name | None = None
    late: bool = False
    refunded: bool | None = None
    tokens_used: Total | None = None
    tokens_input: Count | None = None
    tokens_output: Count | None = None
    tokens_cached: Count | None = None
    tokens_cache_write: Count | None = None
    tokens_reasoning: Count | None = None
    cost: Cents | None = None
    cost_nanos: Nanos | None = None
    cost_source: Literal["computed", "reported", "unpriced"] | None = None
    reported_cost: Cents | None = None
    unit_prices: dict[str, Any] | None = None
    duration: Count | None = None
    user_rating: Annotated[int, Meta(ge=1, le=5)] | None = None
    completed_at: Instant | None = None
    created_at: Instant | None = None
    ip_address: Name | None = None
    user_agent: str | None = None
    metadata: dict[str, Any] | None = None


# Without a pattern in a union with a container: that crashes every fifth interpreter as it exits (msgspec 0.22.0).
_DECODER: Final = msgspec.json.Decoder(ExportedRequest)


def read(source: Source, starting_at: datetime) -> Iterator[PastRequest]:  # noqa: ARG001
    """Read what ``tollkeeper export`` wrote; times are as they are."""
    return map(_request, raw_rows(source))


def _request(row: Row) -> PastRequest:
    given = _decoded(row)
    row.refuse_doubled_names()
    _check_texts(row, given)
    _check_state(row, given)
    started_at, completed_at = _times(row, given)
    into, out = _split(row, given)
    whole = into is None and out is None
    own_id = _own_id(given.id)
    return PastRequest(
        row=row.number,
        id=own_id,
        fingerprint=row.fingerprint if own_id is None else hashlib.sha256(own_id.bytes).digest(),
        started_at=started_at,
        status=given.status,
        duration_ms=given.duration,
        completed_at=completed_at,
        model=given.model,
        tokens_used=given.tokens_used if whole else None,
        input_tokens=into,
        output_tokens=out,
        cached_tokens=given.tokens_cached,
        cache_write_tokens=given.tokens_cache_write,
        reasoning_tokens=given.tokens_reasoning,
        cost_nanos=given.cost_nanos,
        cost_source=given.cost_source,
        reported_cost_nanos=_nanos(row, given.reported_cost),
        session_id=given.session_id,
        request_id=given.request_id if given.request_id != given.id else None,
        request_type=given.request_type,
        category=given.category,
        complexity=given.complexity,
        prompt=given.prompt or "",
        response=given.response,
        error_message=given.error_message,
        error_code=given.error_code,
        late=given.late,
        refunded=given.refunded,
        rating=given.user_rating,
        user=given.user,
        ip_address=given.ip_address,
        user_agent=given.user_agent,
        metadata=given.metadata,
        unit_prices=_checked_prices(row, given.unit_prices),
    )


def _check_state(row: Row, given: ExportedRequest) -> None:
    """Refuse what no request can be: late or expired before its end, or ended without having ended."""
    if given.error_code == "expired" and given.status != "failed":
        raise row.faulty("errorCode", "expired belongs to a request that has failed")
    if given.status != "pending":
        return
    if given.late:
        raise row.faulty("late", "belongs to a request that has ended, and this one is pending")
    for name in _OF_AN_END:
        if getattr(given, name) is not None:
            raise row.faulty(camel(name), "belongs to a request that has ended, and this one is pending")


def _split(row: Row, given: ExportedRequest) -> tuple[int | None, int | None]:
    """Give what went in and what came out, of which one follows from the total and the other, as over HTTP."""
    used, into, out = given.tokens_used, given.tokens_input, given.tokens_output
    # What says all already stays as it was kept.
    if (into is not None or out is not None) and used != (into or 0) + (out or 0):
        used, into, out = token_counts.third(used, into, out)
    parts = {
        "cached": given.tokens_cached,
        "cache_write": given.tokens_cache_write,
        "reasoning": given.tokens_reasoning,
    }
    for field, why in token_counts.faults(used, into, out, **parts):
        raise row.faulty(field, why)
    if max(into or 0, out or 0) > MOST_COUNT:
        raise row.faulty("tokensUsed", f"leaves more than {MOST_COUNT} for the other kind")
    return into, out


def _times(row: Row, given: ExportedRequest) -> tuple[datetime, datetime | None]:
    """Give when it began and when it ended, if it is told: not before that."""
    started_at = _in_utc(row, "startedAt", given.started_at)
    completed_at = _in_utc(row, "completedAt", given.completed_at) if given.completed_at else None
    if completed_at is not None and completed_at < started_at:
        raise row.faulty("completedAt", "must not be before startedAt")
    return started_at, completed_at


def _in_utc(row: Row, name: str, at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise row.faulty(name, "must lie in a year that UTC can name, 1 to 9999") from None


def _own_id(text: str | None) -> UUID | None:
    """Read the id that a server gave; what somebody else wrote there names nothing."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _decoded(row: Row) -> ExportedRequest:
    try:
        return _DECODER.decode(row.content)
    except msgspec.ValidationError as error:
        name, message = told(error, ExportedRequest)
        raise row.faulty(named(name), message) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise row.unread(error) from error


def _check_texts(row: Row, given: ExportedRequest) -> None:
    if _ESCAPED_NUL.search(row.content):
        raise row.faulty("row", "must not contain U+0000")
    _check_length(row, "prompt", given.prompt, MOST_TEXT_BYTES)
    _check_length(row, "response", given.response, MOST_TEXT_BYTES)
    _check_length(row, "errorMessage", given.error_message, MOST_NOTE_BYTES)
    _check_length(row, "userAgent", given.user_agent, MOST_NOTE_BYTES)
    if given.ip_address is not None and not _is_address(given.ip_address):
        raise row.faulty("ipAddress", "must be an IPv4 or IPv6 address")
    if given.metadata is not None and len(msgspec.json.encode(given.metadata)) > MOST_NOTE_BYTES:
        raise row.faulty("metadata", f"must have no more than {MOST_NOTE_BYTES} bytes")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_length(row: Row, name: str, text: str | None, longest: int) -> None:
    if text is not None and len(text.encode()) > longest:
        raise row.faulty(name, f"must have no more than {longest} bytes")


def _nanos(row: Row, cents: Decimal | None) -> int | None:
    if cents is None:
        return None
    if not (cents.is_finite() and 0 <= cents <= MOST_CENTS):
        raise row.faulty("reportedCost", f"must be from 0 to {MOST_CENTS} cents")
    nanos = cents * _NANOS_PER_CENT
    if nanos != int(nanos):
        raise row.faulty("reportedCost", "must have no more than 7 decimals")
    return int(nanos)


def _checked_prices(row: Row, prices: dict[str, Any] | None) -> dict[str, Any] | None:
    """Let only such rates pass as the database can compute with, by its names; older exports have those."""
    if prices is None:
        return None
    known = dict[str, Any]()
    for given, value in prices.items():
        name = _KINDS.get(given, given)
        if not (
            (name in _RATES and (_is_price(value) or _is_tiers(value)))
            or (name in _ORIGINS and isinstance(value, str) and len(value) <= LONGEST_NAME)
        ):
            raise row.faulty("unitPrices", f"has no rate that can be read at {given!r}")
        if name in known:
            raise row.faulty("unitPrices", f"has a second rate at {given!r}")
        known[name] = value
    return known


def _is_price(value: object) -> bool:
    if isinstance(value, str):
        return _FINE_RATE.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_RATE


def _is_tiers(value: object) -> bool:
    if not isinstance(value, list):
        return False
    tiers = cast("list[object]", value)
    return 0 < len(tiers) <= _MAX_TIERS and all(_is_tier(tier) for tier in tiers)


def _is_tier(value: object) -> bool:
    if not isinstance(value, list):
        return False
    match cast("list[object]", value):
        case [int(start), price]:
            return not isinstance(start, bool) and 0 <= start <= MOST_COUNT and _is_price(price)
        case _:
            return False
