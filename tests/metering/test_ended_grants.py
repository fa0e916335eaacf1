"""What comes back to a grant that has expired or was ended is gone with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

import asyncpg
import pytest

from tests.metering.excepting import AT, OPERATOR, admitted, burned, grant
from tests.metering.making import Clock, a_plan, a_user, an_outcome, started
from tollkeeper.errors import LimitReached
from tollkeeper.metering.plans import exceptions, terms
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database


@pytest.fixture(autouse=True)
async def _verified(db: Database, clock: Clock) -> AsyncGenerator[None]:
    await clock.hold(AT)
    yield
    assert (await verify(db)).differences == []


@pytest.mark.parametrize("how", ["expired", "ended"])
async def test_what_comes_back_to_a_grant_that_is_over_is_gone(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock, how: str
) -> None:
    user = await a_user(db, await a_plan(owner, "five", monthly_requests=5))
    ends = AT + timedelta(minutes=10)
    made = await grant(db, user, 3, expires_at=ends if how == "expired" else None)
    begun = [await started(ledger, user) for _ in range(8)]
    if how == "ended":
        # All of it is used now, and more of it might come back.
        assert (await exceptions.end_grant(db, user, made.id, actor=OPERATOR)).burned == 3
    await clock.hold(ends)
    assert await admitted(ledger, user) == 0
    for place, each in enumerate(begun[:5]):
        failed = (await ledger.finish(an_outcome(user, each.id, "failed", trusted=True))).limits
        assert (failed.monthly_used, failed.monthly_limit) == (7 - place, max(7 - place, 5))
    assert await burned(db, user) == {3: 0}
    # Not the three of the grant again.
    assert await admitted(ledger, user) == 2


async def test_tokens_that_come_back_to_a_grant_that_is_over_are_gone(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "tokens", monthly_tokens=100))
    ends = AT + timedelta(minutes=10)
    await grant(db, user, 50, "tokens", expires_at=ends)
    finished, expires = [await started(ledger, user, max_tokens=74) for _ in range(2)]
    await clock.hold(ends)
    with pytest.raises(LimitReached, match="150 of 150"):
        await started(ledger, user)
    told = (await ledger.finish(an_outcome(user, finished.id, tokens_input=1, tokens_output=44))).limits
    assert (told.tokens_used, told.tokens_limit) == (120, 120)
    assert await burned(db, user) == {50: 20}
    # Nor does what expires make room beyond the plan.
    await clock.hold(expires.expires_at)
    again = (await started(ledger, user, max_tokens=54)).limits
    assert (again.tokens_used, again.tokens_limit) == (100, 100)
    assert await burned(db, user) == {50: 0}


async def test_what_comes_back_goes_to_grants_that_hold_before_those_that_are_over(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "one", monthly_requests=1))
    ends = AT + timedelta(minutes=10)
    await grant(db, user, 2, expires_at=ends)
    begun = [await started(ledger, user) for _ in range(3)]
    await clock.hold(ends)
    await grant(db, user, 4)
    begun += [await started(ledger, user) for _ in range(2)]
    limits = [
        (await ledger.finish(an_outcome(user, each.id, "failed", trusted=True))).limits.monthly_limit
        for each in begun[:4]
    ]
    assert limits == [7, 7, 6, 5]
    assert await burned(db, user) == {2: 0, 4: 0}
    assert await admitted(ledger, user) == 4


@pytest.mark.parametrize("how", ["another plan", "an override"])
async def test_a_larger_allowance_covers_what_a_grant_did_that_is_over_and_nothing_is_left_of_it(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, how: str
) -> None:
    user = await a_user(db, await a_plan(owner, "five", monthly_requests=5))
    made = await grant(db, user, 1)
    assert await admitted(ledger, user) == 6
    await exceptions.end_grant(db, user, made.id, actor=OPERATOR)
    if how == "another plan":
        await terms.set_plan(db, user, await a_plan(owner, "six", monthly_requests=6), actor=OPERATOR)
    else:
        await exceptions.override(db, user, {"monthly_requests": 6}, reason="x", ends_at=None, actor=OPERATOR)
    assert await burned(db, user) == {1: 0}
    assert await admitted(ledger, user) == 0
