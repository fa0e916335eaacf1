"""What the log is told: of an error its kind and its place, and its words only where they are ours.

Whatever others word (Python, a library, PostgreSQL) may quote what somebody sent: a prompt, a secret, a key. So their
words are left out, however deep in a chain of causes they stand.
"""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec

from tollkeeper.errors import TollkeeperError

log = logging.getLogger(__name__)

_LINE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def start_logging(level: str, form: str) -> None:
    """Log to standard error, nothing about single requests that were answered. Of others no more than their warnings.

    What libraries have to say at lesser levels is what they send and hear, headers and all.
    """
    ours = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(ours, logging.WARNING), handlers=[handler(form)], force=True)
    logging.getLogger("tollkeeper").setLevel(ours)


def handler(form: str, stream: Any = None) -> logging.Handler:
    """Write to a stream, standard error if none is given: lines of text, or one JSON object a line."""
    made = logging.StreamHandler(stream)
    made.setFormatter(_JsonLines(_LINE) if form == "json" else _Lines(_LINE))
    return made


def tell_of_the_unnoticed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG001
    """Log what nobody waits for, as asyncio does, but without its objects: they show themselves with the error."""
    log.error("%s", context.get("message"), exc_info=context.get("exception"))


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # what another one wrote of the error
        return super().format(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - as there
        """Tell UTC, as everything here does."""
        at = datetime.fromtimestamp(record.created, UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as the library names it
        return "".join(_told(ei[1], set())).rstrip("\n")


class _JsonLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            # In which there may be names of files, whose bytes are not always UTF-8.
            "message": record.getMessage().encode(errors="backslashreplace").decode(),
            "exception": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return msgspec.json.encode({name: value for name, value in told.items() if value is not None}).decode()


def _told(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    """Tell what led to an error before the error itself, as Python does."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _told(before, seen)
        yield "\nfrom which came:\n\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}{_words(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _told(each, seen)


def _words(error: BaseException) -> str:
    if isinstance(error, TollkeeperError) and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f": {error.detail}"
    if isinstance(error, OSError) and error.errno is not None:
        return f": {os.strerror(error.errno)}"
    return ""
