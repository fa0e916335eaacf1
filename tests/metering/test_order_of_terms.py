"""The terms and overrides of a user come in the order in which they were given, whatever the clock said meanwhile."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import NOON, Clock, a_user
from tollkeeper.activity import OPERATOR
from tollkeeper.metering.plans import exceptions, own_plan, terms
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database

GIVEN = ["free", "pro", "enterprise", "pro", "free", "enterprise", "pro", "free"]
HOUR = timedelta(hours=1)


async def names(db: Database, user: UUID) -> list[str]:
    """The plans that a user had, the oldest first, read one a page."""
    found, after = list[str](), None
    while page := await own_plan.history(db, user, limit=1, after=after):
        found.insert(0, page[0].plan_name)
        after = page[0].id
    return found


async def in_force(db: Database, owner: asyncpg.Connection, user: UUID) -> list[str]:
    """What the history, the view and the usage row say is in force, once each if they agree."""
    had = await own_plan.history(db, user, limit=100, after=None)
    active = await owner.fetch("SELECT id FROM user_plans WHERE user_id = $1 AND is_active", user)
    assert [each.id for each in had if each.is_in_force] == [row["id"] for row in active]
    assert had[0].is_in_force
    assert await owner.fetchval("SELECT plan_terms_id FROM usage WHERE user_id = $1", user) == had[0].id
    return [each.plan_name for each in had if each.is_in_force]


@pytest.mark.parametrize("step", [timedelta(), -HOUR], ids=["at one instant", "while the clock goes back"])
async def test_terms_stand_in_the_order_in_which_they_were_given(
    db: Database, owner: asyncpg.Connection, clock: Clock, step: timedelta
) -> None:
    await clock.hold(NOON)
    user = await a_user(db, GIVEN[0])
    for plan in GIVEN[1:]:
        await clock.step(step)
        await terms.set_plan(db, user, plan, actor=OPERATOR)
        assert await in_force(db, owner, user) == [plan]
    assert await names(db, user) == GIVEN
    taken_out = await db.all("takeout_plans", user_id=user)
    assert [row["plan_name"] for row in taken_out] == GIVEN
    assert (await verify(db)).differences == []


@pytest.mark.parametrize("step", [timedelta(), -HOUR], ids=["at one instant", "while the clock goes back"])
async def test_of_overrides_the_one_that_was_made_last_counts(
    db: Database, ledger: Ledger, clock: Clock, step: timedelta
) -> None:
    await clock.hold(NOON)
    user = await a_user(db)
    for most in range(8):
        await clock.step(step)
        await exceptions.override(db, user, {"daily_requests": most}, reason="x", ends_at=None, actor=OPERATOR)
        assert (await own_plan.read(db, ledger, user)).limits.daily_limit == most
    made = await exceptions.overrides(db, user)
    assert [each.limits["daily_requests"] for each in made] == [*reversed(range(8))]


async def test_a_plan_that_was_seen_to_end_has_ended_where_the_clock_goes_back(
    db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(NOON)
    user = await a_user(db, "free")
    await terms.set_plan(db, user, "pro", expires_at=NOON + HOUR, actor=OPERATOR)
    await clock.hold(NOON + HOUR)
    await db.value("bring_current", user_ids=[user])
    await clock.hold(NOON + HOUR / 2)
    assert await in_force(db, owner, user) == ["free"]
    await terms.set_plan(db, user, "enterprise", actor=OPERATOR)
    assert await in_force(db, owner, user) == ["enterprise"]
    had = await own_plan.history(db, user, limit=100, after=None)
    assert [(each.plan_name, each.ended_at) for each in had] == [
        ("enterprise", None),
        ("free", NOON + HOUR / 2),
        ("pro", NOON + HOUR),
        ("free", NOON),
    ]


async def test_the_id_behind_another_is_the_least_that_is_greater(owner: asyncpg.Connection) -> None:
    for before, behind in (
        ("0198c0de-0000-7000-8000-000000000000", "0198c0de-0000-7000-8000-000000000001"),
        ("0198c0de-0000-7fff-80ff-ffffffffffff", "0198c0de-0000-7fff-8100-000000000000"),
        ("0198c0de-0000-7000-bfff-fffffffffffe", "0198c0de-0000-7000-bfff-ffffffffffff"),
    ):
        assert str(await owner.fetchval("SELECT tk_uuid_behind($1)", UUID(before))) == behind
