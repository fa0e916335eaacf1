"""What all users together do now, and did today and yesterday."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tollkeeper.errors import Unavailable
from tollkeeper.metering import nodes
from tollkeeper.metering.nodes import Second
from tollkeeper.metering.plans import Plan, catalogue
from tollkeeper.store.database import Statements


@dataclass(frozen=True, slots=True)
class Sums:
    """Finished requests of a period, summed. Money in nano-USD, times in ms; ``None`` where nothing was measured."""

    completed: int
    failed: int
    tokens_used: int
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    tokens_cache_write: int
    tokens_reasoning: int
    cost_nanos: int
    unpriced: int
    timed: int
    duration_ms: int
    rated: int
    rating: int
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Sums:
        """Read what the SQL function ``tk_overall_measures`` wrote."""
        percentiles = found["percentiles"] or (None, None, None)
        p50, p95, p99 = (None if each is None else float(each) for each in percentiles)
        counts = {name: int(value) for name, value in found.items() if name != "percentiles"}
        return cls(**counts, p50=p50, p95=p95, p99=p99)


@dataclass(frozen=True, slots=True)
class ActiveUsers:
    """How many users have used anything: today (a day of UTC), in the last seven days, in the last thirty."""

    today: int
    week: int
    month: int


@dataclass(frozen=True, slots=True)
class PlanUsers:
    """How many users are on a plan, and how many of them are not switched off."""

    plan: str
    users: int
    active: int


@dataclass(frozen=True, slots=True)
class Overview:
    """All users at a glance. Days are days of UTC."""

    as_of: datetime
    today: Sums
    yesterday: Sums
    active_users: ActiveUsers
    by_plan: list[PlanUsers]
    pending: int
    live: list[Second]


async def read(database: Statements) -> Overview:
    """Read it all; the parts are some milliseconds apart."""
    periods = await database.one("overall_periods")
    active = await database.one("active_users")
    if periods is None or active is None:
        raise Unavailable("the database did not say what it holds")
    return Overview(
        as_of=periods["as_of"],
        today=Sums.of(periods["today"]),
        yesterday=Sums.of(periods["yesterday"]),
        active_users=ActiveUsers(**active),
        by_plan=await users_by_plan(database),
        pending=await database.value("pending_of_all"),
        live=await nodes.live(database),
    )


async def users_by_plan(database: Statements) -> list[PlanUsers]:
    """Count the users of each plan that has any."""
    return [PlanUsers(**row) for row in await database.all("users_by_plan")]


async def plans_with_users(database: Statements) -> list[tuple[Plan, int]]:
    """List the catalogue by rank, each plan with the number of its users."""
    users = {each.plan: each.users for each in await users_by_plan(database)}
    return [(plan, users.get(plan.name, 0)) for plan in await catalogue(database)]
