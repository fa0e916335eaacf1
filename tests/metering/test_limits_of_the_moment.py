"""How many requests a minute may bring, and how many may be under way at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import PENDING_FOR, Clock, a_plan, a_request, a_user, an_outcome, outcomes_of, started
from tests.metering.racers import race_apart
from tollkeeper.errors import LimitReached
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

AT = datetime(2026, 5, 13, 12, 0, 30, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
async def _verified(db: Database) -> AsyncGenerator[None]:
    yield
    assert (await verify(db)).differences == []


async def refusal(ledger: Ledger, user: UUID) -> dict[str, Any]:
    with pytest.raises(LimitReached) as refused:
        await started(ledger, user)
    return refused.value.fields


async def test_a_minute_admits_what_the_plan_says_and_the_next_begins_at_its_reset(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(AT)
    user = await a_user(db, await a_plan(owner, "slow", requests_per_minute=3))
    for _ in range(3):
        await started(ledger, user)
    told = await refusal(ledger, user)
    resets_at = datetime(2026, 5, 13, 12, 1, tzinfo=UTC)
    assert (told["limit"], told["used"], told["allowed"], told["resetsAt"]) == ("perMinute", 3, 3, resets_at)
    assert (told["limits"].can_make_request, told["limits"].reason) == (False, "perMinute")
    # Nobody tells when the minute is over, so what is read later does not say that it is used up.
    assert (await dashboard.read(db, ledger, user)).limits.can_make_request
    await clock.hold(resets_at - INSTANT)
    assert (await refusal(ledger, user))["limit"] == "perMinute"
    await clock.hold(resets_at)
    assert (await started(ledger, user)).limits.minute_used == 1


async def test_a_clock_that_goes_back_counts_in_the_minute_in_which_it_says_the_request_began(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    midnight = datetime(2026, 5, 14, tzinfo=UTC)
    await clock.hold(AT)
    user = await a_user(db, await a_plan(owner, "slow", requests_per_minute=2))
    await started(ledger, user)
    await clock.hold(midnight)
    await ledger.bring_current([user])
    # The day has begun, so what comes now begins with it.
    await clock.hold(midnight - timedelta(minutes=10))
    limits = (await started(ledger, user)).limits
    assert (limits.minute_used, limits.resets_at("perMinute")) == (1, midnight + timedelta(minutes=1))
    await clock.hold(midnight)
    assert (await started(ledger, user)).limits.minute_used == 2
    assert (await refusal(ledger, user))["limit"] == "perMinute"


async def test_a_refund_gives_no_unit_of_a_minute_back(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(AT)
    user = await a_user(db, await a_plan(owner, "slow", requests_per_minute=1, daily_requests=5))
    failed = await started(ledger, user)
    settled = await ledger.finish(an_outcome(user, failed.id, "failed", trusted=True))
    assert settled.limits.daily_used == 0
    assert (await refusal(ledger, user))["limit"] == "perMinute"


async def test_as_many_are_under_way_as_the_plan_says(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(AT)
    user = await a_user(db, await a_plan(owner, "narrow", concurrent_requests=2))
    first, second = await started(ledger, user), await started(ledger, user)
    told = await refusal(ledger, user)
    assert (told["limit"], told["used"], told["allowed"], told["resetsAt"]) == ("concurrent", 2, 2, None)
    assert (await ledger.finish(an_outcome(user, first.id))).limits.pending == 1
    await started(ledger, user)
    assert (await refusal(ledger, user))["limit"] == "concurrent"
    # What expires makes room, and makes no more when it is finished late.
    await clock.step(PENDING_FOR)
    await started(ledger, user)
    assert (await ledger.finish(an_outcome(user, second.id))).limits.pending == 1
    await started(ledger, user)
    assert (await refusal(ledger, user))["used"] == 2


async def test_a_plan_without_refunds_keeps_the_unit(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, await a_plan(owner, "strict", refund="never", daily_requests=2))
    failed = await started(ledger, user)
    assert (await ledger.finish(an_outcome(user, failed.id, "failed", trusted=True))).limits.daily_used == 1


TIGHTEST = ("daily_requests", "monthly_requests", "monthly_tokens", "requests_per_minute", "concurrent_requests")


@pytest.mark.parametrize("tightest", TIGHTEST)
async def test_a_thousand_starts_at_once_meet_five_limits_and_the_tightest_is_exact(
    dsns: Addresses, db: Database, owner: asyncpg.Connection, clock: Clock, tightest: str
) -> None:
    # The minute must not end meanwhile.
    await clock.hold(AT)
    limits = dict.fromkeys(TIGHTEST, 300) | {tightest: 123}
    user = await a_user(db, await a_plan(owner, "five", **limits))
    shares = [[a_request(user, client_id=f"{node}-{each}") for each in range(500)] for node in (1, 2)]
    attempts = await race_apart(dsns.service, *shares)
    admitted = [each for each in attempts if each.id is not None]
    names = {
        "daily_requests": "daily",
        "monthly_requests": "monthly",
        "monthly_tokens": "tokens",
        "requests_per_minute": "perMinute",
        "concurrent_requests": "concurrent",
    }
    assert len(admitted) == 123
    assert {each.refused_by for each in attempts if each.id is None} == {names[tightest]}


async def test_room_that_a_finish_makes_is_taken_once(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, await a_plan(owner, "one", concurrent_requests=1))
    for _ in range(5):
        found = await outcomes_of([started(ledger, user) for _ in range(20)])
        admitted = [each for each in found if not isinstance(each, LimitReached)]
        assert len(admitted) == 1
        await ledger.finish(an_outcome(user, admitted[0].id))


async def test_who_has_as_much_under_way_as_the_plan_allows_is_told_so_until_one_ends(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "narrow", concurrent_requests=2))
    first = await started(ledger, user)
    second = await started(ledger, user)
    assert [each.limits.reason for each in (first, second)] == [None, "concurrent"]
    refused = await refusal(ledger, user)
    assert (refused["limit"], refused["limits"].reason) == ("concurrent", "concurrent")
    assert (await dashboard.read(db, ledger, user)).limits.reason == "concurrent"
    settled = await ledger.finish(an_outcome(user, first.id))
    assert (settled.limits.can_make_request, settled.limits.reason) == (True, None)
