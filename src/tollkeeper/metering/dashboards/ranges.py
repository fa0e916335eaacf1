"""Stretches of time that are asked about: half-open, cut into hours, days, weeks or months."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final, Literal

from tollkeeper.errors import Invalid

__all__ = ["Granularity", "Moment", "Range", "asked_range", "oldest_hour"]

Granularity = Literal["hour", "day", "week", "month"]
Moment = date | datetime
"""A day, or an instant that says its offset from UTC."""

HOURS_KEPT_FOR: Final = timedelta(days=60)
USUAL_LENGTH: Final = timedelta(days=30)
MOST_BUCKETS: Final = {"hour": 1500, "day": 400, "week": 400, "month": 400}

_EARLIEST: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - local days
_LATEST: Final = datetime(2200, 1, 1)  # noqa: DTZ001
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Range:
    """From ``since`` until just before ``until``: days of some zone, or hours of UTC, and so without an offset."""

    granularity: Granularity
    since: datetime
    until: datetime

    @property
    def before(self) -> datetime:
        """Where the range of the same length begins that ends where this one begins."""
        return self.since - (self.until - self.since)

    def buckets(self) -> Iterator[tuple[datetime, datetime]]:
        """Give start and end of each bucket; the first and the last may be cut."""
        start = self.since
        while start < self.until:
            end = min(_next(self.granularity, start), self.until)
            yield start, end
            start = end


def asked_range(
    granularity: Granularity, since: Moment | None, until: Moment | None, *, today: date, now: datetime
) -> Range:
    """Make a range of what was asked; without a start 30 days, without an end up to and with ``today``.

    ``Invalid`` names ``from`` or ``to``: an instant where a day is meant, an end that does not lie after the start, too
    many buckets, hours that lie more than 60 days before ``now``.
    """
    oldest = oldest_hour(now) if granularity == "hour" else _EARLIEST
    ends = _midnight(today) + timedelta(days=1) if until is None else _local(granularity, until, "to")
    begins = max(ends - USUAL_LENGTH, oldest) if since is None else _local(granularity, since, "from")
    if begins < oldest:
        raise Invalid.field("from", "must lie within the last 60 days: sums by the hour are kept so long")
    if begins >= ends:
        raise Invalid.field("from" if until is None else "to", "must leave some time between from and to")
    asked = Range(granularity, begins, ends)
    most = MOST_BUCKETS[granularity]
    if len(list(islice(asked.buckets(), most + 1))) > most:
        raise Invalid.field("to" if since is None else "from", f"makes more than {most} buckets: take longer ones")
    return asked


def oldest_hour(now: datetime) -> datetime:
    """Tell the first hour that is still kept whole."""
    return _up(now.astimezone(UTC).replace(tzinfo=None) - HOURS_KEPT_FOR)


def _local(granularity: Granularity, moment: Moment, field: str) -> datetime:
    is_instant = isinstance(moment, datetime)
    if is_instant and granularity != "hour":
        raise Invalid.field(field, "must be a date, such as 2026-05-13: only hours are asked for by instants")
    local = moment.astimezone(UTC).replace(tzinfo=None) if is_instant else _midnight(moment)
    if not _EARLIEST <= local <= _LATEST:
        raise Invalid.field(field, f"must lie between {_EARLIEST:%Y-%m-%d} and {_LATEST:%Y-%m-%d}")
    # An hour that is asked for in part is given whole.
    return _down(local) if field == "from" else _up(local)


def _down(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _up(at: datetime) -> datetime:
    whole = _down(at)
    return whole if whole == at else whole + _HOUR


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001


def _next(granularity: Granularity, at: datetime) -> datetime:
    match granularity:
        case "hour":
            return at + _HOUR
        case "day":
            return at + timedelta(days=1)
        case "week":
            return at + timedelta(days=7 - at.weekday())
        case "month":
            return at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1, day=1)
