"""What users are told of: each once in its period, written with what caused it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import (
    OWN_MODEL,
    Clock,
    a_plan,
    a_request,
    a_user,
    an_outcome,
    outcomes_of,
    price_own_model,
    started,
    usage_of,
)
from tests.metering.racers import race_apart
from tollkeeper.accounts import preferences
from tollkeeper.activity import Actor
from tollkeeper.errors import LimitReached
from tollkeeper.metering import events
from tollkeeper.metering.events import Event
from tollkeeper.metering.plans import changes, exceptions, terms
from tollkeeper.metering.plans.changes import Wish
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

AT = datetime(2026, 5, 13, 12, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
ME = Actor("test")


@pytest.fixture(autouse=True)
async def _verified(db: Database, clock: Clock) -> AsyncGenerator[None]:
    await clock.hold(AT)
    yield
    assert (await verify(db)).differences == []


async def told(db: Database, user: UUID, *kinds: str) -> list[Event]:
    """List what a user was told, the oldest first, at one instant by percent and alphabet; without kinds all of it."""
    found = await events.of_user(db, user, limit=200)
    wanted = [each for each in found if not kinds or each.kind in kinds]
    return sorted(wanted, key=lambda each: (each.created_at, each.data.get("percent", 0), each.kind))


async def limits_told(db: Database, user: UUID) -> list[tuple[str, int]]:
    found = await told(db, user, "limit.threshold", "limit.reached")
    return [(each.data["limit"], each.data["percent"]) for each in found]


async def refused(ledger: Ledger, user: UUID, **given: Any) -> str:
    with pytest.raises(LimitReached) as error:
        await started(ledger, user, **given)
    return error.value.fields["limit"]


async def spend(ledger: Ledger, user: UUID, dollars: float) -> None:
    """Complete one request that costs so much; a token in costs 1,000 nano-USD."""
    begun = await started(ledger, user, model=OWN_MODEL)
    await ledger.finish(an_outcome(user, begun.id, tokens_input=round(dollars * 1_000_000), tokens_output=0))


async def test_thresholds_of_a_day_are_told_as_they_are_passed_and_again_the_next_day(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "ten", daily_requests=10))
    expected: list[tuple[str, int]] = []
    for used in range(1, 11):
        await started(ledger, user)
        expected += [("dailyRequests", percent) for percent in {5: [50], 8: [80], 10: [100]}.get(used, [])]
        assert await limits_told(db, user) == expected
    assert await refused(ledger, user) == "daily"
    assert await limits_told(db, user) == expected
    reached = (await told(db, user))[-1]
    assert reached.kind == "limit.reached"
    assert reached.data == {
        "limit": "dailyRequests",
        "percent": 100,
        "plan": "ten",
        "used": 10,
        "allowed": 10,
        "windowStart": "2026-05-13T00:00:00.000Z",
        "resetsAt": "2026-05-14T00:00:00.000Z",
    }
    await clock.hold(AT + DAY)
    for _ in range(10):
        await started(ledger, user)
    assert await limits_told(db, user) == expected * 2


async def test_starts_at_once_on_two_nodes_tell_each_threshold_once(
    dsns: Addresses, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "hundred", daily_requests=100, monthly_requests=150))
    shares = [[a_request(user, client_id=f"{node}-{each}") for each in range(200)] for node in (1, 2)]
    await race_apart(dsns.service, *shares)
    assert sorted(await limits_told(db, user)) == [
        *[("dailyRequests", percent) for percent in (50, 80, 100)],
        ("monthlyRequests", 50),
    ]


async def test_a_unit_given_back_and_taken_again_tells_nothing_twice(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "two", daily_requests=2))
    for _ in range(3):
        begun = await started(ledger, user)
        await ledger.finish(an_outcome(user, begun.id, "failed", trusted=True))
    assert await limits_told(db, user) == [("dailyRequests", 50)]


async def test_a_limit_that_refuses_what_is_too_large_for_its_rest_is_reached_where_nothing_less_is_to_tell(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "tokens", monthly_tokens=100))

    async def use(tokens: int) -> None:
        begun = await started(ledger, user)
        await ledger.finish(an_outcome(user, begun.id, tokens_input=tokens, tokens_output=0))

    # That one asks for too much is no news, nor that others have reserved what was left.
    assert await refused(ledger, user, max_tokens=200) == "tokens"
    begun = await started(ledger, user, max_tokens=90)
    assert await refused(ledger, user, max_tokens=20) == "tokens"
    assert await limits_told(db, user) == []
    await ledger.finish(an_outcome(user, begun.id, tokens_input=60, tokens_output=0))
    assert await refused(ledger, user, max_tokens=50) == "tokens"
    assert await limits_told(db, user) == [("monthlyTokens", 50)]
    await use(25)
    held = await started(ledger, user, max_tokens=10)
    assert await refused(ledger, user, max_tokens=10) == "tokens"
    assert await limits_told(db, user) == [("monthlyTokens", 50), ("monthlyTokens", 80)]
    for _ in range(5):
        assert await refused(ledger, user, max_tokens=20) == "tokens"
    expected = [("monthlyTokens", percent) for percent in (50, 80, 100)]
    assert await limits_told(db, user) == expected
    await ledger.finish(an_outcome(user, held.id, tokens_input=15, tokens_output=0))
    assert await limits_told(db, user) == expected
    await clock.hold(datetime(2026, 6, 1, tzinfo=UTC))
    await use(80)
    assert await limits_told(db, user) == [*expected, ("monthlyTokens", 50), ("monthlyTokens", 80)]


async def test_nothing_less_is_told_after_a_limit_was_reached_unless_more_is_allowed(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "ten", daily_requests=10, warn_at=[50]))
    for _ in range(10):
        await started(ledger, user)
    await preferences.change(db, user, actor=ME, warn_at=[40, 90])
    assert await refused(ledger, user) == "daily"
    expected = [("dailyRequests", 50), ("dailyRequests", 100)]
    assert await limits_told(db, user) == expected
    await exceptions.override(db, user, {"daily_requests": 20}, reason="more", ends_at=None, actor=ME)
    for _ in range(8):
        await started(ledger, user)
    assert await limits_told(db, user) == sorted([*expected, ("dailyRequests", 40), ("dailyRequests", 90)])


async def test_money_is_told_in_cents_when_it_is_booked(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    await price_own_model(owner)
    user = await a_user(db, await a_plan(owner, "dollar", monthly_cost_nanos=1_000_000_000))
    await spend(ledger, user, 0.505)
    (event,) = await told(db, user)
    assert (event.data["limit"], event.data["used"], event.data["allowed"]) == ("monthlyCost", 50.5, 100)


async def test_nothing_is_told_of_limits_that_allow_nothing_or_everything(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "none", daily_requests=0))
    assert await refused(ledger, user) == "daily"
    free = await a_user(db, await a_plan(owner, "all"), email="bob@example.com")
    await started(ledger, free)
    assert await told(db, user) == await told(db, free) == []


async def test_percentages_of_the_plan_and_ones_own(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, await a_plan(owner, "ten", daily_requests=10, warn_at=[30]))
    chosen = await preferences.change(db, user, actor=ME, warn_at=[90, 20])
    assert (chosen.warn_at, chosen.plan_warn_at) == ((20, 90), (30,))
    for _ in range(3):
        await started(ledger, user)
    await preferences.change(db, user, actor=ME, warn_at="plan")
    for _ in range(7):
        await started(ledger, user)
    # The plan's own was passed when it came into force: it is told with the next use.
    assert await limits_told(db, user) == [("dailyRequests", percent) for percent in (20, 30, 100)]


async def test_a_larger_allowance_tells_of_its_own_percentages_what_was_not_told_before(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    small = await a_plan(owner, "small", monthly_requests=10)
    user = await a_user(db, small)
    for _ in range(5):
        await started(ledger, user)
    await exceptions.grant(db, user, "requests", 10, reason="asked nicely", expires_at=None, priority=0, actor=ME)
    for _ in range(15):
        await started(ledger, user)
    assert await limits_told(db, user) == [("monthlyRequests", percent) for percent in (50, 80, 100)]
    assert [each.data["used"] for each in await told(db, user)] == [5, 16, 20]


async def test_changes_of_plan_are_told_but_previews_are_not(db: Database, owner: asyncpg.Connection) -> None:
    await a_plan(owner, "solo")
    user = await a_user(db, "free")
    await changes.preview(db, user, Wish("solo"), actor=ME, by_themselves=False)
    assert await told(db, user) == []
    await changes.change(db, user, Wish("solo"), actor=ME, by_themselves=False)
    (event,) = await told(db, user)
    assert (event.kind, event.data) == (
        "plan.changed",
        {"kind": "upgraded", "from": "free", "to": "solo", "at": "2026-05-13T12:00:00.000Z", "expiresAt": None},
    )


async def test_the_same_plan_to_the_same_end_is_no_change(db: Database) -> None:
    user = await a_user(db, "free")
    await terms.set_plan(db, user, "free", actor=ME)
    assert await told(db, user) == []
    await terms.set_plan(db, user, "free", actor=ME, expires_at=AT + 10 * DAY)
    assert [each.data["expiresAt"] for each in await told(db, user)] == ["2026-05-23T12:00:00.000Z"]
    await terms.set_plan(db, user, "free", actor=ME, expires_at=AT + 10 * DAY)
    assert len(await told(db, user)) == 1
    await terms.set_plan(db, user, "free", actor=ME)
    assert len(await told(db, user)) == 2


async def test_a_plan_that_ends_is_told_three_days_before_and_when_it_has(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, "free")
    await a_plan(owner, "pass")
    await terms.set_plan(db, user, "pass", actor=ME, expires_at=AT + 10 * DAY)
    await clock.hold(AT + 7 * DAY - INSTANT)
    await started(ledger, user)
    assert await told(db, user, "plan.expiring") == []
    # The sweep tells it, whether or not the user comes.
    await clock.hold(AT + 7 * DAY)
    await ledger.expire(most=10)
    (event,) = await told(db, user, "plan.expiring")
    assert event.data == {"plan": "pass", "expiresAt": "2026-05-23T12:00:00.000Z", "nextPlan": "free"}
    await clock.hold(AT + 10 * DAY)
    await ledger.expire(most=10)
    await ledger.expire(most=10)
    kinds = [each.kind for each in await told(db, user)]
    assert kinds == ["plan.changed", "plan.expiring", "plan.changed", "plan.expired"]
    assert (await told(db, user))[-1].data == {"plan": "pass", "at": "2026-05-23T12:00:00.000Z", "nextPlan": "free"}


async def test_after_a_long_pause_all_that_ended_meanwhile_is_told(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, "free")
    await a_plan(owner, "pass")
    await terms.set_plan(db, user, "pass", actor=ME, expires_at=AT + 10 * DAY)
    await clock.hold(AT + 100 * DAY)
    await started(ledger, user)
    kinds = [each.kind for each in await told(db, user)]
    assert kinds == ["plan.changed", "plan.changed", "plan.expired", "plan.expiring"]


async def test_what_is_shorter_than_three_days_or_renews_itself_is_not_told_to_end(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, "free")
    await a_plan(owner, "pass")
    await terms.set_plan(db, user, "pass", actor=ME, expires_at=AT + 2 * DAY)
    await clock.hold(AT + 2 * DAY)
    await started(ledger, user)
    assert [each.kind for each in await told(db, user)] == ["plan.changed", "plan.changed", "plan.expired"]


async def test_a_model_without_a_price_is_told_once_a_month(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "all"))

    async def completed(model: str | None) -> None:
        begun = await started(ledger, user, model=model)
        await ledger.finish(an_outcome(user, begun.id, tokens_input=1, tokens_output=1))

    await outcomes_of([completed(model) for model in ["nobody-s", "nobody-s", "nobody-s", None, None]])
    found = [each.data for each in await told(db, user, "request.unpriced")]
    assert sorted(found, key=json.dumps) == [
        {"model": "nobody-s", "monthStart": "2026-05-01T00:00:00.000Z"},
        {"model": None, "monthStart": "2026-05-01T00:00:00.000Z"},
    ]
    await clock.hold(datetime(2026, 6, 1, tzinfo=UTC))
    await completed("nobody-s")
    assert len(await told(db, user, "request.unpriced")) == 3


async def test_callers_who_make_up_models_are_told_of_twenty_a_month(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "all"))

    async def made_up(first: int, last: int) -> int:
        for number in range(first, last):
            begun = await started(ledger, user, model=f"made-up-{number}")
            await ledger.finish(an_outcome(user, begun.id, tokens_input=1, tokens_output=1))
        return len(await told(db, user, "request.unpriced"))

    assert await made_up(0, 25) == 20
    await clock.hold(datetime(2026, 6, 1, tzinfo=UTC))
    assert await made_up(25, 27) == 22


@pytest.mark.parametrize(("days", "times"), [(6, 0), (7, 1)])
async def test_spend_is_unusual_from_three_times_the_usual_on_once_a_day(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock, *, days: int, times: int
) -> None:
    await price_own_model(owner)
    user = await a_user(db, await a_plan(owner, "all"))
    for day in range(days):
        await clock.hold(AT + day * DAY)
        await spend(ledger, user, 1)
    # The month ends in between; a day without use is none of the usual ones.
    await clock.hold(datetime(2026, 6, 1, 1, tzinfo=UTC))
    await spend(ledger, user, 2.9)
    assert await told(db, user, "spend.unusual") == []
    for _ in range(2):
        await spend(ledger, user, 0.2)
    found = [each.data for each in await told(db, user, "spend.unusual")]
    assert found == [{"day": "2026-06-01", "cost": 310, "usual": 100}] * times
    assert (await usage_of(owner, user))["unusual_at_nanos"] is None


async def test_less_than_a_dollar_is_never_unusual(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await price_own_model(owner)
    user = await a_user(db, await a_plan(owner, "all"))
    for day in range(8):
        await clock.hold(AT + day * DAY)
        await spend(ledger, user, 0.01)
    await spend(ledger, user, 0.9)
    assert await told(db, user, "spend.unusual") == []


async def test_what_was_seen_stays_seen_and_what_is_old_is_forgotten(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, await a_plan(owner, "two", daily_requests=2))
    await started(ledger, user)
    assert await events.unseen(db, user) == 1
    await events.see(db, user, (await told(db, user))[-1].id)
    await started(ledger, user)
    assert await events.unseen(db, user) == 2
    await clock.hold(AT + 90 * DAY + timedelta(seconds=1))
    assert await events.forget(db, most=2) == 2
    assert await events.forget(db, most=2) == 1
    assert await told(db, user) == []
