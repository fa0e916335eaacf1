"""A user's numbers, all of one instant, from the usage row and the rollups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.metering.tracking.records import ChatRequest
from tollkeeper.store.database import Record, Statements

SERIES_DAYS: Final = 30
NEWEST: Final = 10


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the series, a day in the user's zone."""

    on: date
    requests: int
    failed: int
    tokens_used: int
    cost_nanos: int


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What ``GET /api/user/dashboard`` shows. Requests count from their start, all else from their finish.

    As long as ``stamps`` answers the same ``stamp`` of the user, a new reading would find the same.
    """

    user_id: UUID
    email: str | None
    name: str | None
    plan_expires_at: datetime | None
    time_zone: str
    limits: Limits
    total_requests: int
    completed: int
    failed: int
    pending: int
    total_tokens_used: int
    total_cost_nanos: int
    unpriced: int
    average_response_ms: int | None
    requests_today: int
    requests_this_month: int
    success_rate: float | None
    average_rating: float | None
    rated: int
    p50: float | None
    p95: float | None
    p99: float | None
    by_category: dict[str, int]
    by_model: dict[str, int]
    by_type: dict[str, int]
    series: list[Day]
    recent: list[ChatRequest]
    calculated_at: datetime | None
    stamp: str


async def read(database: Statements, ledger: Ledger, user_id: UUID) -> Dashboard:
    """Read a user's dashboard. What has ended meanwhile (a window, a plan, a deadline) is brought current first."""
    return _dashboard(await ledger.current(database, "dashboard", user_id, days=SERIES_DAYS, newest=NEWEST))


async def stamps(database: Statements, user_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Tell the stamps of many users' dashboards at once; one that is due (something of theirs has ended) has none."""
    rows = await database.all("dashboard_stamps", user_ids=list(user_ids))
    return {row["user_id"]: row["stamp"] for row in rows}


def _dashboard(row: Record) -> Dashboard:
    finished = row["total_completed"] + row["total_failed"]
    p50, p95, p99 = percentiles(row["percentiles"])
    return Dashboard(
        user_id=row["user_id"],
        email=row["email"],
        name=row["name"],
        plan_expires_at=row["plan_expires_at"],
        time_zone=row["time_zone"],
        limits=Limits.of(row["limits"]),
        total_requests=row["total_requests"],
        completed=row["total_completed"],
        failed=row["total_failed"],
        pending=row["pending"],
        total_tokens_used=row["total_tokens_used"],
        total_cost_nanos=row["total_cost_nanos"],
        unpriced=row["total_unpriced"],
        average_response_ms=rounded_mean(row["total_duration_ms"], row["total_timed"]),
        requests_today=row["day_requests"],
        requests_this_month=row["month_requests"],
        success_rate=row["total_completed"] / finished if finished else None,
        average_rating=row["total_rating"] / row["total_rated"] if row["total_rated"] else None,
        rated=row["total_rated"],
        p50=p50,
        p95=p95,
        p99=p99,
        by_category=_largest_first(row["by_category"]),
        by_model=_largest_first(row["by_model"]),
        by_type=_largest_first(row["by_type"]),
        series=_series(row["series"] or {}, row["day_on"]),
        recent=[ChatRequest.of(each) for each in row["newest"]],
        calculated_at=row["last_calculated_at"],
        stamp=row["stamp"],
    )


def _series(numbers: dict[str, list[int]], last: date) -> list[Day]:
    """Give every day up to the last its numbers, or none."""
    days = [last - timedelta(days=back) for back in reversed(range(SERIES_DAYS))]
    return [Day(day, *numbers.get(day.isoformat(), (0, 0, 0, 0))) for day in days]


def rounded_mean(total: int, count: int) -> int | None:
    """Round the mean half up, in whole numbers."""
    return (2 * total + count) // (2 * count) if count else None


def percentiles(found: list[Any] | None) -> tuple[float | None, ...]:
    """Read what ``tk_percentiles`` found for three ranks."""
    return tuple(None if each is None else float(each) for each in found or (None, None, None))


def _largest_first(counts: dict[str, int] | None) -> dict[str, int]:
    return dict(sorted((counts or {}).items(), key=lambda pair: (-pair[1], pair[0])))
