"""Overrides hold for a time; grants are burned after the allowance, soonest-expiring first, and roll over."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.metering.excepting import AT, OPERATOR, admitted, burned, grant
from tests.metering.making import Clock, a_plan, a_request, a_user, an_outcome, started
from tests.metering.racers import race_apart
from tollkeeper.errors import Contradiction, Invalid, LimitReached, NotFound
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.plans import exceptions, terms
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

JUNE, JULY, AUGUST = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7, 8))
INSTANT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
async def _verified(db: Database, clock: Clock) -> AsyncGenerator[None]:
    await clock.hold(AT)
    yield
    assert (await verify(db)).differences == []


async def test_an_override_holds_until_the_instant_at_which_it_ends(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "two", daily_requests=2))
    ends_at = AT + timedelta(hours=1)
    made = await exceptions.override(db, user, {"daily_requests": 3}, reason="launch", ends_at=ends_at, actor=OPERATOR)
    assert await admitted(ledger, user) == 3
    await clock.hold(ends_at - INSTANT)
    with pytest.raises(LimitReached) as refused:
        await started(ledger, user)
    assert refused.value.fields["allowed"] == 3
    await clock.hold(ends_at)
    with pytest.raises(LimitReached) as refused:
        await started(ledger, user)
    assert (refused.value.fields["used"], refused.value.fields["allowed"]) == (3, 2)
    assert [(each.id, each.ended_at) for each in await exceptions.overrides(db, user)] == [(made.id, ends_at)]
    with pytest.raises(NotFound):
        await exceptions.end_override(db, user, made.id, actor=OPERATOR)


async def test_operators_see_what_holds_though_nobody_met_the_end_of_what_did(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    async def listed(user: UUID) -> tuple[int | None, ...]:
        row = await db.one("directory_entry", user_id=user)
        assert row is not None
        entry = row["entry"]
        return entry["requests_this_month"], entry["monthly_limit"], entry["daily_limit"]

    plan = await a_plan(owner, "ten", monthly_requests=10, daily_requests=5, rollover_percent=50)
    excepted, given, resting = [await a_user(db, plan, email=f"{name}@example.com") for name in ("a", "b", "c")]
    limits = {"monthly_requests": 20, "daily_requests": 8}
    await exceptions.override(db, excepted, limits, reason="launch", ends_at=AT + timedelta(hours=1), actor=OPERATOR)
    await grant(db, given, 7, expires_at=AT + timedelta(hours=1))
    for user in (excepted, given, resting):
        await started(ledger, user)
    assert [await listed(user) for user in (excepted, given, resting)] == [(1, 20, 8), (1, 17, 5), (1, 10, 5)]
    await clock.hold(AT + timedelta(hours=1))
    assert [await listed(user) for user in (excepted, given)] == [(1, 10, 5), (1, 10, 5)]
    await clock.hold(JUNE)
    assert await listed(resting) == (0, 14, 5)
    assert (await dashboard.read(db, ledger, resting)).limits.monthly_limit == 14


async def test_what_rolled_over_under_a_plan_that_has_ended_is_read_as_it_is(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    async def limits() -> set[int | None]:
        rows = await owner.fetch(
            "SELECT requests_limit FROM users WHERE id = $1"
            " UNION ALL SELECT monthly_limit FROM directory WHERE id = $1",
            user,
        )
        return {row[0] for row in rows}

    user = await a_user(db)
    plan = await a_plan(owner, "ten", monthly_requests=10, period="anniversary", rollover_percent=50)
    await terms.set_plan(db, user, plan, actor=OPERATOR, expires_at=AT.replace(month=6, day=20))
    for _ in range(4):
        await started(ledger, user)
    # A month of the plan ends on 13 June and leaves 3; the next one outlives the plan, until 13 July.
    seen = dict[datetime, set[int | None]]()
    for at in (AT.replace(month=6, day=13), AT.replace(month=7, day=5), AT.replace(month=7, day=13), AUGUST):
        await clock.hold(at)
        seen[at] = await limits()
    assert list(seen.values()) == [{13}, {103}, {100}, {100}]
    for at, limit in seen.items():
        await clock.hold(at)
        assert {(await dashboard.read(db, ledger, user)).limits.monthly_limit} == limit


async def test_the_newest_override_counts_and_what_is_ended_gives_way_to_the_one_before(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "one", daily_requests=1, concurrent_requests=1))
    await exceptions.override(
        db, user, {"daily_requests": 2, "concurrent_requests": None}, reason="a", ends_at=None, actor=OPERATOR
    )
    await clock.step(timedelta(seconds=1))
    newest = await exceptions.override(db, user, {"daily_requests": None}, reason="b", ends_at=None, actor=OPERATOR)
    assert await admitted(ledger, user, 5) == 5
    await exceptions.end_override(db, user, newest.id, actor=OPERATOR)
    assert (await ledger.preview(a_request(await a_user(db, "pro", email="b@example.com")))).limits.daily_limit == 50
    with pytest.raises(LimitReached) as refused:
        await started(ledger, user)
    assert refused.value.fields["allowed"] == 2


async def test_an_override_holds_though_the_clock_goes_back_behind_its_beginning(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "one", daily_requests=1))
    await exceptions.override(db, user, {"daily_requests": 3}, reason="a", ends_at=None, actor=OPERATOR)
    await clock.step(-timedelta(seconds=1))
    await terms.set_plan(db, user, "free", actor=OPERATOR)
    assert await admitted(ledger, user) == 3


@pytest.mark.parametrize(
    ("limit", "told"), [("requests_per_minute", "perMinute"), ("concurrent_requests", "concurrent")]
)
async def test_a_limit_of_the_moment_that_refuses_says_that_no_request_can_be_made(
    ledger: Ledger, db: Database, limit: str, told: str
) -> None:
    for allowed in (1, 0):
        user = await a_user(db, email=f"{allowed}@example.com")
        await exceptions.override(db, user, {limit: allowed}, reason="x", ends_at=None, actor=OPERATOR)
        assert await admitted(ledger, user) == allowed
        with pytest.raises(LimitReached) as refused:
            await started(ledger, user)
        limits = refused.value.fields["limits"]
        assert (limits.can_make_request, limits.reason) == (False, told)
    assert (await dashboard.read(db, ledger, user)).limits.reason == told


async def test_an_override_of_another_plan_stays_with_the_user(ledger: Ledger, db: Database) -> None:
    user = await a_user(db, "free")
    await exceptions.override(db, user, {"daily_requests": 77}, reason="beta", ends_at=None, actor=OPERATOR)
    await terms.set_plan(db, user, "pro", actor=OPERATOR)
    assert (await started(ledger, user)).limits.daily_limit == 77


@pytest.mark.parametrize("ends_at", [AT, AT - INSTANT, datetime(2099, 1, 1)])  # noqa: DTZ001 - without a zone: refused
async def test_an_end_that_is_over_or_has_no_zone_is_refused(db: Database, ends_at: datetime) -> None:
    user = await a_user(db)
    with pytest.raises(Invalid, match="endsAt"):
        await exceptions.override(db, user, {"daily_requests": 1}, reason="x", ends_at=ends_at, actor=OPERATOR)
    with pytest.raises(Invalid, match="expiresAt"):
        await grant(db, user, 1, expires_at=ends_at)
    assert await exceptions.overrides(db, user) == []


async def test_grants_are_burned_after_the_allowance_the_soonest_expiring_first(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "two", monthly_requests=2))
    await grant(db, user, 2)
    await grant(db, user, 3, expires_at=JULY)
    await grant(db, user, 1, priority=-1)
    assert await admitted(ledger, user, 2) == 2
    assert await burned(db, user) == {2: 0, 3: 0, 1: 0}
    assert await admitted(ledger, user, 2) == 2
    assert await burned(db, user) == {2: 0, 3: 1, 1: 1}
    assert await admitted(ledger, user) == 4
    assert await burned(db, user) == {2: 2, 3: 3, 1: 1}


async def test_what_is_left_of_a_grant_outlives_the_month_and_what_is_burned_does_not_come_back(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "two", monthly_requests=2))
    await grant(db, user, 3)
    assert await admitted(ledger, user, 3) == 3
    await clock.hold(JUNE)
    assert await admitted(ledger, user) == 4
    await clock.hold(JULY)
    assert await admitted(ledger, user) == 2
    assert await burned(db, user) == {3: 3}


async def test_a_grant_that_expires_takes_what_is_left_of_it_along_and_no_more(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "two", monthly_requests=2))
    expires_at = AT + timedelta(days=2)
    await grant(db, user, 4, expires_at=expires_at)
    assert await admitted(ledger, user, 3) == 3
    await clock.hold(expires_at)
    with pytest.raises(LimitReached) as refused:
        await started(ledger, user)
    assert (refused.value.fields["used"], refused.value.fields["allowed"]) == (3, 3)
    await grant(db, user, 1)
    assert await admitted(ledger, user) == 1


async def test_an_ended_grant_keeps_what_is_burned(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, await a_plan(owner, "two", monthly_requests=2))
    made = await grant(db, user, 4)
    assert await admitted(ledger, user, 3) == 3
    ended = await exceptions.end_grant(db, user, made.id, actor=OPERATOR)
    assert (ended.burned, ended.ended_at) == (1, AT)
    assert await admitted(ledger, user) == 0
    with pytest.raises(NotFound):
        await exceptions.end_grant(db, user, made.id, actor=OPERATOR)


async def test_an_upgrade_burns_no_grant_again(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, await a_plan(owner, "two", monthly_requests=2))
    await grant(db, user, 3)
    assert await admitted(ledger, user, 3) == 3
    await terms.set_plan(db, user, await a_plan(owner, "four", monthly_requests=4), actor=OPERATOR)
    # Four of the plan and three of the grant: what the smaller plan burned of it is within the larger one.
    assert await admitted(ledger, user) == 4
    assert await burned(db, user) == {3: 3}


@pytest.mark.usefixtures("own_model")
async def test_tokens_and_money_are_granted_and_settled_too(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    plan = await a_plan(owner, "tokens", monthly_tokens=100, monthly_cost_nanos=300_000)
    user = await a_user(db, plan)
    with pytest.raises(LimitReached):
        await started(ledger, user, model="house-1", max_tokens=149)
    await grant(db, user, 50, "tokens")
    with pytest.raises(LimitReached) as refused:
        await started(ledger, user, model="house-1", max_tokens=149)
    assert refused.value.fields["limit"] == "cost"
    await grant(db, user, 148_000, "cost")
    first = await started(ledger, user, model="house-1", max_tokens=149)
    assert (first.limits.tokens_used, first.limits.tokens_limit) == (150, 150)
    assert await burned(db, user) == {50: 50, 148_000: 148_000}
    # What was not used of the reservation is there again: nothing had been settled.
    await ledger.finish(an_outcome(user, first.id, tokens_input=1, tokens_output=9))
    assert await burned(db, user) == {50: 0, 148_000: 0}
    assert (await started(ledger, user, model="house-1", max_tokens=100)).limits.tokens_used == 111


@pytest.mark.parametrize("swept", [False, True])
async def test_what_is_under_way_when_a_month_ends_burns_the_same_whether_or_not_a_job_comes_by(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock, *, swept: bool
) -> None:
    user = await a_user(db, await a_plan(owner, "tokens", monthly_tokens=100))
    await grant(db, user, 50, "tokens")
    await clock.hold(JUNE - timedelta(minutes=5))
    await started(ledger, user, max_tokens=119)
    if swept:
        await clock.hold(JUNE)
        await ledger.bring_current([user])
    await clock.hold(JUNE + timedelta(hours=1))
    assert (await started(ledger, user)).limits.tokens_limit == 130
    assert await burned(db, user) == {50: 20}


async def test_what_a_reservation_gives_back_is_not_burned(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "tokens", monthly_tokens=100, daily_requests=2))
    await grant(db, user, 50, "tokens", expires_at=JULY)
    first = await started(ledger, user, max_tokens=129)
    # Settles: 30 are beyond the allowance.
    await grant(db, user, 70, "tokens")
    assert await burned(db, user) == {50: 30, 70: 0}
    await ledger.finish(an_outcome(user, first.id, tokens_input=1, tokens_output=109))
    assert await burned(db, user) == {50: 10, 70: 0}
    assert (await started(ledger, user)).limits.tokens_limit == 220
    await clock.hold(JUNE)
    # The other one has expired.
    assert (await started(ledger, user)).limits.tokens_limit == 210
    assert await burned(db, user) == {50: 10, 70: 0}


async def test_a_refund_gives_back_what_it_burned_to_the_grant_that_was_burned_last(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "one", monthly_requests=1))
    await grant(db, user, 3)
    assert await admitted(ledger, user, 2) == 2
    await clock.hold(JUNE)
    # One of the three was burned in May, and stays so.
    await grant(db, user, 2, expires_at=JULY)
    begun = [await started(ledger, user) for _ in range(4)]
    await exceptions.override(db, user, {"daily_requests": 9}, reason="settles", ends_at=None, actor=OPERATOR)
    assert await burned(db, user) == {3: 2, 2: 2}
    for each in begun[:2]:
        await ledger.finish(an_outcome(user, each.id, "failed", trusted=True))
    assert await burned(db, user) == {3: 1, 2: 1}
    assert (await ledger.preview(a_request(user))).limits.monthly_limit == 5
    await clock.hold(JULY)
    assert await burned(db, user) == {3: 1, 2: 1}
    assert await admitted(ledger, user) == 3


async def test_what_a_larger_plan_allowed_burns_no_grant_of_the_smaller_one(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "six", monthly_requests=6))
    await grant(db, user, 3)
    assert await admitted(ledger, user, 5) == 5
    # Five of two and three are used: the grant cannot help this month, and nothing of it is taken.
    await terms.set_plan(db, user, await a_plan(owner, "two", monthly_requests=2), actor=OPERATOR)
    assert await admitted(ledger, user) == 0
    assert await burned(db, user) == {3: 0}
    await clock.hold(JUNE)
    assert await admitted(ledger, user) == 5
    assert await burned(db, user) == {3: 3}


@pytest.mark.parametrize("months_away", [1, 3])
async def test_what_a_month_leaves_rolls_over_for_one_month_however_long_nobody_comes(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock, months_away: int
) -> None:
    user = await a_user(db, await a_plan(owner, "rolls", monthly_requests=10, rollover_percent=50))
    assert await admitted(ledger, user, 4) == 4
    if months_away > 1:
        await clock.hold(AUGUST - INSTANT)
    await clock.hold(JUNE if months_away == 1 else AUGUST)
    # Half of the six that May left, or of the ten of July.
    assert await admitted(ledger, user) == (13 if months_away == 1 else 15)
    rolled = await exceptions.grants(db, user)
    assert {each.source for each in rolled} == {"rollover"}
    assert all(each.ended_at == each.expires_at for each in rolled[1:])


async def test_grants_and_overrides_are_bounded(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exceptions, "MOST_IN_FORCE", 2)
    user = await a_user(db)
    for _ in range(2):
        await grant(db, user, 1)
        await exceptions.override(db, user, {"daily_requests": 1}, reason="x", ends_at=None, actor=OPERATOR)
    with pytest.raises(Contradiction):
        await grant(db, user, 1)
    with pytest.raises(Contradiction):
        await exceptions.override(db, user, {"daily_requests": 1}, reason="x", ends_at=None, actor=OPERATOR)


async def test_a_grant_that_comes_amid_a_race_of_two_nodes_adds_exactly_itself(
    dsns: Addresses, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "ten", monthly_requests=10))
    await grant(db, user, 7)
    shares = [[a_request(user, client_id=f"{node}-{each}") for each in range(100)] for node in (1, 2)]
    attempts = await race_apart(dsns.service, *shares)
    assert sum(each.id is not None for each in attempts) == 17
    assert await burned(db, user) == {7: 7}
