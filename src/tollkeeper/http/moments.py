"""Dates and instants in query strings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from tollkeeper.http.body import Fault

MomentText: TypeAlias = Annotated[str, Meta(max_length=40)]

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NO_MOMENT: Final = "must be a date, 2026-05-13, or an instant, 2026-05-13T08:00:00Z"


def moment(text: str | None) -> date | datetime | None:
    """Read a date, or an instant with its offset from UTC; ``None`` for what ``faults_of_moments`` names."""
    try:
        if text is None or _DATE.fullmatch(text):
            return text and date.fromisoformat(text)  # type: ignore[return-value]
        return datetime.fromisoformat(text).astimezone(UTC) if _INSTANT.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None


def start_of(text: str | None) -> datetime | None:
    """Read an instant; of a date it is the beginning in UTC."""
    given = moment(text)
    return given if given is None or isinstance(given, datetime) else datetime.combine(given, time(), UTC)


def faults_of_moments(**given: str | None) -> Iterator[Fault]:
    """Name those that are neither; ``from`` is a word of Python, so a trailing underscore is left out."""
    for name, text in given.items():
        if text is not None and moment(text) is None:
            yield Fault(name.rstrip("_"), _beyond_utc(text) or _NO_MOMENT)


def _beyond_utc(text: str) -> str | None:
    """Say so of an instant that UTC has no year for, though its own zone has."""
    try:
        known = _INSTANT.fullmatch(text) and datetime.fromisoformat(text)
    except ValueError:
        return None
    return "must lie in a year that UTC can name, 1 to 9999" if known else None


def contradictions_of_range(*, from_: str | None, to: str | None) -> Iterator[Fault]:
    """Name an end that lies before the beginning."""
    since, until = start_of(from_), start_of(to)
    if since is not None and until is not None and until < since:
        yield Fault("to", "must not lie before from")
