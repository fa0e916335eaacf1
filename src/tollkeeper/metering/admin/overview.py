"""What all users together do now, and did today and yesterday."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tollkeeper.metering.admin import nodes
from tollkeeper.metering.admin.nodes import Second
from tollkeeper.metering.dashboards.measures import Measures
from tollkeeper.metering.plans.catalogue import Plan, all_plans
from tollkeeper.store.database import Statements


@dataclass(frozen=True, slots=True)
class PlanUsers:
    """How many users are on a plan, how many of them are not switched off, and how many have used anything.

    Today is a day of UTC; a week and a month are the last seven and thirty of them.
    """

    plan: str
    users: int
    active: int
    today: int
    week: int
    month: int


@dataclass(frozen=True, slots=True)
class PlanWithUsers:
    """A plan of the catalogue, how many users it has, and how many of them have terms of an older version."""

    plan: Plan
    users: int
    outdated: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What all users did today and yesterday, days of UTC, and who they are."""

    today: Measures
    yesterday: Measures
    by_plan: list[PlanUsers]


@dataclass(frozen=True, slots=True)
class Now:
    """What is under way, and what was admitted and settled in the last minute."""

    as_of: datetime
    pending: int
    live: list[Second]


async def totals(database: Statements) -> Totals:
    """Read the sums: of two days by the hour, and of all usage rows."""
    periods = await database.one("overall_periods")
    assert periods is not None  # noqa: S101 - it has always one row
    by_plan = await users_by_plan(database)
    return Totals(Measures.of(periods["today"]), Measures.of(periods["yesterday"]), by_plan)


async def now(database: Statements) -> Now:
    """Read what moves every second; it costs a millisecond."""
    row = await database.one("pending_of_all")
    assert row is not None  # noqa: S101 - it has always one row
    return Now(row["as_of"], row["pending"], await nodes.live(database))


async def users_by_plan(database: Statements) -> list[PlanUsers]:
    """Count the users of each plan that has any."""
    return [PlanUsers(**row) for row in await database.all("users_by_plan")]


async def plans_with_users(database: Statements) -> list[PlanWithUsers]:
    """List the catalogue by rank, each plan with the number of its users."""
    users = {each.plan: each.users for each in await users_by_plan(database)}
    outdated = {row["plan"]: row["users"] for row in await database.all("outdated_by_plan")}
    return [
        PlanWithUsers(plan, users.get(plan.name, 0), outdated.get(plan.name, 0)) for plan in await all_plans(database)
    ]
