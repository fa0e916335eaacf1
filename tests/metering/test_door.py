"""The door for providers: told once for each key, and the same in whichever order changes arrive."""

from __future__ import annotations

import asyncio
import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.metering.making import Clock, a_user, started
from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Invalid, KeyReused, NotFound
from tollkeeper.metering.plans import catalogue, own_plan, terms
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.selling import door
from tollkeeper.selling.door import Arrived, Told
from tollkeeper.store.database import Database

AT = datetime(2026, 5, 13, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ME = Actor("test")
CATALOGUE = """
[plans.free]
rank = 0
daily_requests = 2
[plans.basic]
rank = 10
daily_requests = 5
trial_days = 14
[plans.pro]
rank = 20
price_per_year = 29000
[plans.enterprise]
rank = 40
"""
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
async def _catalogue(db: Database, clock: Clock) -> None:
    await clock.hold(AT)
    await catalogue.apply(db, catalogue.parse(CATALOGUE))


async def somebody(db: Database, plan: str = "free") -> UUID:
    """Add a user of one's own."""
    return await a_user(db, plan, email=f"user-{next(_numbers)}@example.com")


def shown(arrived: Arrived) -> bytes:
    own = arrived.own
    return repr(
        (arrived.is_superseded, arrived.is_changed, own.plan.name, own.expires_at, own.next_plan, own.limits.version)
    ).encode()


async def tell(db: Database, user: UUID, plan: str, hours: float = -1, *, key: str = "", **said: Any) -> Arrived:
    """Tell of a change so many hours from now."""
    found: list[Arrived] = []

    def answer(arrived: Arrived) -> bytes:
        found.append(arrived)
        return shown(arrived)

    told = Told(plan=plan, occurred_at=AT + hours * HOUR, **said)
    await door.arrive(db, user, told, key=key or f"key-{next(_numbers)}", actor=ME, answer=answer)
    return found[0]


async def state_of(db: Database, user: UUID) -> tuple[Any, ...]:
    async with db.transaction() as tx:
        await tx.value("bring_current", user_ids=[user])
        own = await own_plan.current(tx, user)
    return own.plan.name, own.plan.billing_cycle, own.is_trial, own.expires_at, own.next_plan, own.next_cycle


async def test_a_change_holds_at_once_whatever_the_rank_and_what_is_used_stays_used(
    db: Database, ledger: Ledger
) -> None:
    user = await somebody(db)
    await started(ledger, user)
    for hours, plan in ((-5, "pro"), (-4, "basic"), (-3, "enterprise"), (-2, "free")):
        made = await tell(db, user, plan, hours)
        assert (made.is_superseded, made.is_changed, made.own.plan.name) == (False, True, plan)
        assert made.own.limits.daily_used == 1
    had = await own_plan.history(db, user, limit=9, after=None)
    assert sorted(each.kind for each in had) == ["cancelled", "downgraded", "given", "upgraded", "upgraded"]
    assert (await verify(db)).differences == []


async def test_what_occurred_earlier_and_comes_later_is_superseded(db: Database) -> None:
    user = await somebody(db)
    await tell(db, user, "pro", -1)
    late = await tell(db, user, "basic", -2)
    assert (late.is_superseded, late.is_changed, late.own.plan.name) == (True, False, "pro")
    assert late.latest_at == AT - HOUR
    wanted = activity.Wanted(user_id=user, action="plan.superseded")
    noted = await activity.listed(db, wanted, limit=9)
    assert [each.detail["plan"] for each in noted] == ["basic"]


async def test_every_order_of_changes_ends_in_the_same_state(db: Database) -> None:
    """At once and at the end of a period, with an end, tried, of one instant: all orders of five of them."""
    until = AT + 100 * HOUR
    told: list[tuple[str, float, dict[str, Any]]] = [
        ("basic", -9, {"trial": True}),
        ("pro", -8, {"billing_cycle": "yearly"}),
        ("free", -7, {"at_period_end": True}),
        ("enterprise", -6, {"until": until}),
        ("basic", -5, {"at_period_end": True}),
        ("enterprise", -4, {}),
        ("free", -4, {}),
    ]
    ends: set[tuple[Any, ...]] = set()
    for last in range(3, len(told) + 1):
        some = told[max(0, last - 4) : last]
        ends.clear()
        for order in itertools.permutations(some):
            user = await somebody(db)
            for plan, hours, said in order:
                await tell(db, user, plan, hours, **said)
            ends.add(await state_of(db, user))
        assert len(ends) == 1, (some, ends)
    assert ends == {("free", "monthly", False, None, None, None)}
    assert (await verify(db)).differences == []


async def test_histories_at_random_end_alike_in_two_orders(db: Database) -> None:
    chance = random.Random(3)
    for _ in range(40):
        told: list[tuple[str, int, dict[str, Any]]] = []
        for _ in range(chance.randrange(2, 6)):
            later = {"at_period_end": True} if chance.random() < 0.4 else {}
            if not later and chance.random() < 0.3:
                later = {"until": AT + chance.randrange(-1, 50) * HOUR + HOUR / 2}
            told.append((chance.choice(["free", "basic", "pro", "enterprise"]), -chance.randrange(2, 7), later))
        ends: list[tuple[Any, ...]] = []
        for order in (told, chance.sample(told, k=len(told))):
            user = await somebody(db, "pro")
            for plan, hours, said in order:
                await tell(db, user, plan, hours, **said)
            ends.append(await state_of(db, user))
        assert ends[0] == ends[1], told


async def test_what_is_to_follow_waits_for_the_end_of_the_period(db: Database, clock: Clock) -> None:
    user = await somebody(db)
    await tell(db, user, "pro", -3)
    made = await tell(db, user, "basic", -2, at_period_end=True)
    end = datetime(2026, 6, 13, 12, tzinfo=UTC)
    assert (made.is_changed, made.own.plan.name, made.own.next_plan, made.own.expires_at) == (True, "pro", "basic", end)
    # What occurred between the two is what holds until then.
    between = await tell(db, user, "enterprise", -2.5)
    assert (between.is_superseded, between.own.plan.name, between.own.next_plan) == (False, "enterprise", "basic")
    await clock.hold(end)
    assert (await state_of(db, user))[0] == "basic"


async def test_the_present_plan_takes_back_what_was_to_follow(db: Database) -> None:
    user = await somebody(db)
    await tell(db, user, "pro", -5)
    await tell(db, user, "free", -4, at_period_end=True)
    await tell(db, user, "pro", -3, at_period_end=True)
    assert await state_of(db, user) == ("pro", "monthly", False, None, None, None)


async def test_an_end_comes_by_itself_and_one_that_is_over_has_come(db: Database, clock: Clock) -> None:
    user = await somebody(db)
    made = await tell(db, user, "pro", -1, until=AT + HOUR)
    assert (made.own.plan.name, made.own.expires_at) == ("pro", AT + HOUR)
    moved = await tell(db, user, "pro", -0.5, until=AT + 2 * HOUR)
    assert (moved.own.expires_at, moved.is_changed) == (AT + 2 * HOUR, True)
    assert len(await own_plan.history(db, user, limit=9, after=None)) == 2
    await clock.hold(AT + 2 * HOUR)
    assert (await state_of(db, user))[0] == "free"
    other = await somebody(db, "enterprise")
    assert (await tell(db, other, "pro", -3, until=AT - HOUR)).own.plan.name == "free"


async def test_a_trial_is_counted_from_when_it_began_and_may_be_had_twice(db: Database) -> None:
    user = await somebody(db)
    for hours in (-9, -3):
        made = await tell(db, user, "basic", hours, trial=True)
        assert (made.own.is_trial, made.own.expires_at) == (True, AT + hours * HOUR + timedelta(days=14))
    with pytest.raises(Invalid, match="until"):
        await tell(db, user, "pro", -1, trial=True)
    assert (await tell(db, user, "pro", -1, trial=True, until=AT + HOUR)).own.is_trial


async def test_a_key_answers_byte_for_byte_and_takes_nothing_else(db: Database) -> None:
    user, other = await somebody(db), await somebody(db)
    told = Told(plan="pro", occurred_at=AT - HOUR, reference="sub_1")
    first = await door.arrive(db, user, told, key="k", actor=ME, answer=shown)
    await terms.set_plan(db, user, "basic", actor=ME)
    assert await door.arrive(db, user, told, key="k", actor=ME, answer=shown) == (first[0], True)
    assert (await state_of(db, user))[0] == "basic"
    for changed in ({"plan": "basic"}, {"reference": None}, {"trial": True}, {"until": AT + HOUR}):
        said: dict[str, Any] = {"plan": "pro", "occurred_at": AT - HOUR, "reference": "sub_1"} | changed
        with pytest.raises(KeyReused):
            await door.arrive(db, user, Told(**said), key="k", actor=ME, answer=shown)
    # Of another user it is another key; and the same change under another key is no change.
    assert not (await door.arrive(db, other, told, key="k", actor=ME, answer=shown))[1]
    again = await tell(db, user, "pro", -1, reference="sub_1")
    assert (again.is_superseded, again.is_changed, again.own.plan.name) == (False, False, "basic")


async def test_what_a_provider_calls_a_change_is_noted_with_it(db: Database, clock: Clock) -> None:
    user, until = await somebody(db), AT + HOUR
    told: list[dict[str, Any]] = [{"reference": "sub_1"}, {"reference": "sub_2", "until": until}, {}]
    for hours, said in zip((-2, -1, 0), told, strict=True):
        await clock.step(timedelta(seconds=1))
        await tell(db, user, "pro", hours, **said)
    noted = await activity.listed(db, activity.Wanted(user_id=user, action="plan.set"), limit=9)
    assert [each.detail for each in noted] == [
        {"plan": "pro", "expires_at": None},
        {"plan": "pro", "expires_at": until.isoformat(), "reference": "sub_2"},
        {"plan": "pro", "expires_at": None, "reference": "sub_1"},
    ]


async def test_what_is_refused_leaves_its_key_free(db: Database) -> None:
    user = await somebody(db)
    with pytest.raises(NotFound):
        await tell(db, user, "nowhere", key="k")
    assert (await tell(db, user, "pro", key="k")).is_changed


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (0.1, {}),
        (-24 * 3651, {}),
        (-1, {"until": AT - HOUR}),
        (-1, {"until": AT + timedelta(days=36_501)}),
        (-1, {"billing_cycle": "yearly"}),
    ],
)
async def test_what_cannot_be_is_refused(db: Database, hours: float, said: dict[str, Any]) -> None:
    user = await somebody(db)
    with pytest.raises(Invalid):
        await tell(db, user, "basic", hours, **said)
    assert (await state_of(db, user))[0] == "free"


async def test_of_many_with_one_key_at_once_one_is_carried_out(db: Database) -> None:
    user = await somebody(db)
    told = Told(plan="pro", occurred_at=AT - HOUR)
    answers = await asyncio.gather(*(door.arrive(db, user, told, key="k", actor=ME, answer=shown) for _ in range(20)))
    assert len({body for body, _ in answers}) == 1
    assert sum(not is_replayed for _, is_replayed in answers) == 1
    assert len(await own_plan.history(db, user, limit=9, after=None)) == 2


async def test_it_is_forgotten_after_ninety_days_but_for_what_was_the_latest(db: Database, clock: Clock) -> None:
    user = await somebody(db)
    await tell(db, user, "pro", -1, key="k")
    await clock.hold(AT + timedelta(days=90))
    await door.forget(db)
    assert await db.one("door_change", user_id=user, key="k") is not None
    await clock.hold(AT + timedelta(days=90, seconds=1))
    await door.forget(db)
    assert await db.one("door_change", user_id=user, key="k") is None
    assert (await tell(db, user, "basic", -2)).is_superseded
