"""All users at a glance: today, yesterday, and right now."""

from __future__ import annotations

from typing import Final, Literal

from litestar import get

from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Cents, Heard, Instant, instant
from tollkeeper.metering import overview
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.nodes import Second
from tollkeeper.metering.overview import Overview, Sums


class DayMeasures(Heard, frozen=True, kw_only=True):
    """Finished requests of a day of UTC, of all users. Times in ms, percentiles within 2 %."""

    requests: int
    completed: int
    failed: int
    success_rate: float | None
    tokens_used: int
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    tokens_cache_write: int
    tokens_reasoning: int
    cost: Cents
    cost_nanos: int
    unpriced: int
    average_duration: int | None
    p50: float | None
    p95: float | None
    p99: float | None
    average_rating: float | None
    rated_requests: int

    @classmethod
    def of(cls, sums: Sums) -> DayMeasures:
        """Show what was summed."""
        requests = sums.completed + sums.failed
        return cls(
            requests=requests,
            completed=sums.completed,
            failed=sums.failed,
            success_rate=sums.completed / requests if requests else None,
            tokens_used=sums.tokens_used,
            tokens_input=sums.tokens_input,
            tokens_output=sums.tokens_output,
            tokens_cached=sums.tokens_cached,
            tokens_cache_write=sums.tokens_cache_write,
            tokens_reasoning=sums.tokens_reasoning,
            cost=cents_of(sums.cost_nanos),
            cost_nanos=sums.cost_nanos,
            unpriced=sums.unpriced,
            average_duration=(2 * sums.duration_ms + sums.timed) // (2 * sums.timed) if sums.timed else None,
            p50=sums.p50,
            p95=sums.p95,
            p99=sums.p99,
            average_rating=sums.rating / sums.rated if sums.rated else None,
            rated_requests=sums.rated,
        )


class ActiveUsersShown(Heard, frozen=True, kw_only=True):
    """How many users have used anything: today, in the last seven days, in the last thirty."""

    today: int
    week: int
    month: int


class UsersCounted(Heard, frozen=True, kw_only=True):
    """How many users there are, how many of them are not switched off, and how many are on each plan."""

    total: int
    active: int
    by_plan: dict[str, int]


class LiveSecond(Heard, frozen=True, kw_only=True):
    """One second of all nodes."""

    at: Instant
    starts: int
    finishes: int

    @classmethod
    def of(cls, second: Second) -> LiveSecond:
        """Show a second."""
        return cls(at=instant(second.at), starts=second.starts, finishes=second.finishes)


class LiveShown(Heard, frozen=True, kw_only=True):
    """What is admitted and settled in the last minute, second by second, up to three seconds ago."""

    starts_per_minute: int
    finishes_per_minute: int
    pending: int
    series: list[LiveSecond]


class OverviewShown(Heard, frozen=True, kw_only=True):
    """All users at a glance."""

    success: Literal[True] = True
    as_of: Instant
    today: DayMeasures
    yesterday: DayMeasures
    active_users: ActiveUsersShown
    users: UsersCounted
    live: LiveShown

    @classmethod
    def of(cls, found: Overview) -> OverviewShown:
        """Show it all."""
        active = found.active_users
        return cls(
            as_of=instant(found.as_of),
            today=DayMeasures.of(found.today),
            yesterday=DayMeasures.of(found.yesterday),
            active_users=ActiveUsersShown(today=active.today, week=active.week, month=active.month),
            users=UsersCounted(
                total=sum(each.users for each in found.by_plan),
                active=sum(each.active for each in found.by_plan),
                by_plan={each.plan: each.users for each in found.by_plan},
            ),
            live=LiveShown(
                starts_per_minute=sum(each.starts for each in found.live),
                finishes_per_minute=sum(each.finishes for each in found.live),
                pending=found.pending,
                series=[LiveSecond.of(each) for each in found.live],
            ),
        )


SHOW: Final = Operation("admin", summary="Show all users at a glance", query=Said, gives={200: OverviewShown})


@get("/api/admin/overview", opt=SHOW.as_opt())
async def show_overview(request: Exchange) -> Answer:
    """Days are days of UTC, since all users have no other one in common."""
    request.asked(Said)
    return Answer.of(OverviewShown.of(await overview.read(request.backend.database)))
