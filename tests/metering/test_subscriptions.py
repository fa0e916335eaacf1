"""What Stripe tells of subscriptions: in whichever order its events come, and however often, the same comes of it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metering.making import Clock, a_user
from tests.shop import MONTH, NOW, checkout, subscription
from tollkeeper.activity import Actor
from tollkeeper.metering.plans import catalogue, changes, own_plan, terms
from tollkeeper.metering.plans.changes import Wish
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.selling import events, subscriptions
from tollkeeper.selling.providing import Held
from tollkeeper.selling.subscriptions import Event, Subscription, held_by
from tollkeeper.store.database import Database

ME = Actor("stripe")
CATALOGUE = """
[plans.free]
rank = 0
[plans.basic]
rank = 10
stripe_price_monthly = "price_basic"
[plans.team]
rank = 15
[plans.pro]
rank = 20
price_per_year = 29000
stripe_price_monthly = "price_pro_monthly"
stripe_price_yearly = "price_pro_yearly"
[plans.enterprise]
rank = 40
"""
KNOWN = {plan.name: plan for plan in catalogue.parse(CATALOGUE)}
_numbers = itertools.count(1)
END = datetime.fromtimestamp(NOW + MONTH, UTC)


@pytest.fixture
async def _catalogue(db: Database, clock: Clock) -> None:
    await clock.hold(datetime.fromtimestamp(NOW + 60, UTC))
    await catalogue.apply(db, catalogue.parse(CATALOGUE))


pytestmark = pytest.mark.usefixtures("_catalogue")


async def somebody(db: Database, plan: str) -> UUID:
    """Add a user of one's own."""
    return await a_user(db, plan, email=f"user-{next(_numbers)}@example.com")


def of(user: UUID) -> dict[str, Any]:
    """Say in an event whose a subscription is."""
    return {"metadata": {events.USER: str(user)}}


async def told(db: Database, *said: dict[str, Any]) -> list[str]:
    """Take in events, one after the other."""
    found: list[str] = []
    for each in said:
        heard = events.read(msgspec.json.encode(each))
        assert heard is not None
        found.append(await events.take_in(db, heard, ME))
    return found


async def state_of(db: Database, user: UUID) -> tuple[Any, ...]:
    """What a user has: plan, cycle, trial, end, and what follows."""
    async with db.transaction() as tx:
        await tx.value("bring_current", user_ids=[user])
        own = await own_plan.current(tx, user)
    return own.plan.name, own.plan.billing_cycle, own.is_trial, own.expires_at, own.next_plan


def history_of(user: UUID) -> list[dict[str, Any]]:
    """A subscription's whole life, with events of one second among them."""
    mine = of(user)
    return [
        subscription("created", status="incomplete", price="price_basic", **mine),
        subscription("updated", status="active", price="price_basic", **mine),
        subscription("updated", at=NOW + 10, price="price_pro_yearly", **mine),
        subscription("updated", at=NOW + 20, price="price_pro_yearly", cancel_at_period_end=True, **mine),
        subscription("updated", at=NOW + 30, price="price_pro_yearly", **mine),
        subscription("updated", at=NOW + 40, price="price_pro_yearly", status="past_due", **mine),
        subscription("deleted", at=NOW + 40, price="price_pro_yearly", **mine),
    ]


EXPECTED = [
    ("team", "monthly", False, None, None),
    ("basic", "monthly", False, None, None),
    ("pro", "yearly", False, None, None),
    ("pro", "yearly", False, END, None),
    ("pro", "yearly", False, None, None),
    ("pro", "yearly", False, None, None),
    ("free", "monthly", False, None, None),
]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7])
async def test_each_step_of_a_subscriptions_life_moves_the_plan(db: Database, length: int) -> None:
    user = await somebody(db, "team")
    assert set(await told(db, *history_of(user)[:length])) == {"done"}
    assert await state_of(db, user) == EXPECTED[length - 1]
    assert (await verify(db)).differences == []


async def test_every_order_of_five_events_ends_in_the_same_state(db: Database) -> None:
    """All 120 of them, with one of them twice, for lives that end and lives that go on."""
    for number, order in enumerate(itertools.permutations(range(5))):
        steps = [(1, 2, 3, 4, 6), (1, 2, 3, 4, 5), (0, 1, 2, 4, 5)][number % 3]
        user = await somebody(db, "team")
        life = history_of(user)
        for each in life:
            each["data"]["object"]["customer"] = f"cus_{number}"
        wanted = [life[steps[place]] for place in order]
        again = wanted[number % 5]
        assert set(await told(db, *wanted, again)) == {"done"}
        assert await state_of(db, user) == EXPECTED[steps[-1]], order


def kept(told_in_order: Sequence[Event]) -> dict[str, Subscription]:
    """What the database keeps of events, said again: for properties over many histories."""
    latest: dict[str, Event] = {}
    counted: dict[str, bool] = {}
    priced = {"price_basic", "price_pro_monthly", "price_pro_yearly"}
    for event in told_in_order:
        before = latest.get(event.subscription_id)
        if before is None or order_of(before) < order_of(event):
            latest[event.subscription_id] = event
        counts = not event.status.startswith("incomplete") and bool(priced & {*event.prices})
        counted[event.subscription_id] = counted.get(event.subscription_id, False) or counts
    return {
        name: Subscription(name, each.status, each.prices, each.ends_at, has_counted=counted[name])
        for name, each in latest.items()
    }


def order_of(event: Event) -> tuple[datetime, int, str]:
    return event.at, event.precedence, event.id


STATUSES = ["incomplete", "incomplete_expired", "trialing", "active", "past_due", "unpaid", "paused", "canceled"]
SAID = st.tuples(
    st.sampled_from(["created", "updated", "deleted"]),
    st.integers(0, 3),
    st.sampled_from(STATUSES),
    st.sampled_from(["price_basic", "price_pro_monthly", "price_pro_yearly"]),
    st.booleans(),
    st.sampled_from(["sub_1", "sub_2"]),
)


def events_of(said: Sequence[tuple[str, int, str, str, bool, str]]) -> list[dict[str, Any]]:
    return [
        subscription(kind, at=NOW + at, price=price, cancel_at_period_end=ends, id=name) | {"id": f"evt_{place}"}
        for place, (kind, at, _, price, ends, name) in enumerate(said)
    ]


def with_status(event: dict[str, Any], status: str) -> dict[str, Any]:
    if event["type"] != "customer.subscription.deleted":
        event["data"]["object"]["status"] = status
    return event


@settings(max_examples=25, deadline=None)
@given(said=st.lists(SAID, min_size=1, max_size=6), seed=st.integers(0, 1000))
def test_whatever_comes_twice_and_in_any_order_is_kept_as_one(
    said: list[tuple[str, int, str, str, bool, str]], seed: int
) -> None:
    made = [with_status(event, each[2]) for event, each in zip(events_of(said), said, strict=True)]
    read = [heard.event for each in made if (heard := events.read(msgspec.json.encode(each))) and heard.event]
    assert len(read) == len(said)
    mixed = random.Random(seed).sample(read * 2, k=2 * len(read))
    assert kept(mixed) == kept(read)
    assert held_by(kept(mixed).values(), KNOWN) == held_by(kept(read).values(), KNOWN)
    # Whatever came before the end of all of them: none is left on.
    ended = kept(read)
    if all(each.status == "canceled" for each in ended.values()):
        assert held_by(ended.values(), KNOWN) in {None, Held("free")}


async def test_histories_at_random_end_alike_in_the_database(db: Database) -> None:
    """The same events in two orders, for two users: both have the same in the end."""
    chance = random.Random(7)
    for number in range(25):
        said = [
            (
                chance.choice(["created", "updated", "updated", "deleted"]),
                chance.randrange(3),
                chance.choice(STATUSES),
                chance.choice(["price_basic", "price_pro_monthly", "price_pro_yearly"]),
                chance.random() < 0.3,
                chance.choice(["sub_1", "sub_2"]),
            )
            for _ in range(chance.randrange(2, 7))
        ]
        ends: list[tuple[Any, ...]] = []
        for who in ("one", "other"):
            user = await somebody(db, "team")
            made = [with_status(event, each[2]) for event, each in zip(events_of(said), said, strict=True)]
            for each in made:
                each["data"]["object"] |= {
                    "customer": f"cus_{number}_{who}",
                    "metadata": {events.USER: str(user)},
                    "id": f"{each['data']['object']['id']}_{number}_{who}",
                }
            await told(db, *(made if who == "one" else chance.sample(made * 2, k=2 * len(made))))
            ends.append(await state_of(db, user))
        assert ends[0] == ends[1], said
    assert (await verify(db)).differences == []


async def test_an_event_of_one_second_is_ordered_by_the_course_of_a_subscription(db: Database) -> None:
    """Stripe tells time in seconds: created and paid at once, ended and updated at once."""
    for first, second, plan in (
        (("created", "incomplete"), ("updated", "active"), "pro"),
        (("created", "trialing"), ("updated", "active"), "pro"),
        (("updated", "active"), ("deleted", "canceled"), "free"),
        (("updated", "past_due"), ("deleted", "canceled"), "free"),
        (("updated", "past_due"), ("updated", "unpaid"), "free"),
    ):
        for turned in (False, True):
            user = await somebody(db, "team")
            mine: dict[str, Any] = of(user) | {"customer": f"cus_{user}", "id": f"sub_{user}"}
            pair = [subscription(kind, status=status, **mine) for kind, status in (first, second)]
            await told(db, *(reversed(pair) if turned else pair))
            assert (await state_of(db, user))[0] == plan, (first, second, turned)


async def test_a_trial_at_stripe_is_a_trial_until_stripe_says_that_it_is_paid(db: Database) -> None:
    user = await somebody(db, "free")
    mine = of(user)
    await told(db, subscription("created", status="trialing", **mine))
    assert await state_of(db, user) == ("pro", "monthly", True, None, None)
    await told(db, subscription("updated", at=NOW + 5, status="active", **mine))
    assert await state_of(db, user) == ("pro", "monthly", False, None, None)


async def test_of_two_subscriptions_the_higher_counts_and_the_end_of_one_does_not_end_the_other(db: Database) -> None:
    user = await somebody(db, "free")
    mine = of(user)
    await told(db, subscription("created", price="price_basic", id="sub_1", **mine))
    await told(db, subscription("created", at=NOW + 5, id="sub_2", **mine))
    assert (await state_of(db, user))[0] == "pro"
    await told(db, subscription("deleted", at=NOW + 9, price="price_basic", id="sub_1", **mine))
    assert (await state_of(db, user))[0] == "pro"
    await told(db, subscription("deleted", at=NOW + 12, id="sub_2", **mine))
    assert (await state_of(db, user))[0] == "free"


async def test_what_was_never_paid_for_or_is_no_plan_of_ours_changes_nothing(db: Database) -> None:
    user = await somebody(db, "enterprise")
    mine = of(user)
    await told(db, subscription("created", status="incomplete", id="sub_1", **mine))
    await told(db, subscription("updated", at=NOW + 5, status="incomplete_expired", id="sub_1", **mine))
    assert await told(db, subscription("created", price="price_support", id="sub_2", **mine)) == ["unknown-price"]
    assert await told(db, subscription("deleted", at=NOW + 9, price="price_support", id="sub_2", **mine)) == ["done"]
    assert (await state_of(db, user))[0] == "enterprise"
    noted = await db.all("activity_of_all", action="stripe.unmatched", since=None, until=None, below=None, most=9)
    assert [each["detail"]["reason"] for each in noted] == ["unknown-price"]


async def test_a_price_that_the_catalogue_learns_is_told_by_the_same_event_again(db: Database) -> None:
    user = await somebody(db, "free")
    event = subscription("created", price="price_team", metadata={events.USER: str(user)})
    assert await told(db, event, event) == ["unknown-price"] * 2
    await catalogue.apply(db, catalogue.parse('[plans.team]\nrank = 15\nstripe_price_monthly = "price_team"'))
    assert await told(db, event) == ["done"]
    assert (await state_of(db, user))[0] == "team"


async def test_a_price_that_the_catalogue_has_forgotten_leaves_who_pays_it_where_they_are(db: Database) -> None:
    user = await somebody(db, "free")
    mine = of(user)
    await told(db, subscription("created", **mine))
    await catalogue.apply(db, catalogue.parse('[plans.pro]\nrank = 20\nstripe_price_monthly = "price_new"'))
    assert await told(db, subscription("updated", at=NOW + 9, **mine)) == ["unknown-price"]
    assert (await state_of(db, user))[0] == "pro"
    assert await told(db, subscription("deleted", at=NOW + 12, **mine)) == ["done"]
    assert (await state_of(db, user))[0] == "free"


async def test_who_a_customer_is_may_be_told_after_what_they_bought(db: Database) -> None:
    for turned in (False, True):
        user = await somebody(db, "free")
        customer: dict[str, Any] = {"customer": f"cus_{user}"}
        bought, said = subscription("created", **customer), checkout(client_reference_id=str(user), **customer)
        outcomes = await told(db, *((said, bought) if turned else (bought, said)))
        assert outcomes == (["done", "done"] if turned else ["unknown-user", "done"])
        assert (await state_of(db, user))[0] == "pro"


async def test_a_customer_is_the_first_user_they_are_said_to_be(db: Database) -> None:
    first, second = await somebody(db, "free"), await somebody(db, "free")
    await told(db, checkout(client_reference_id=str(first)), checkout(client_reference_id=str(second)))
    await told(db, subscription("created", metadata={events.USER: str(second)}))
    assert ((await state_of(db, first))[0], (await state_of(db, second))[0]) == ("pro", "free")


async def test_what_operators_do_meanwhile_stays_until_stripe_says_something_new(db: Database) -> None:
    user = await somebody(db, "free")
    mine = of(user)
    await told(db, subscription("created", **mine))
    await terms.set_plan(db, user, "enterprise", actor=ME)
    await told(db, subscription("updated", at=NOW + MONTH, period_end=NOW + 2 * MONTH, **mine))
    assert (await state_of(db, user))[0] == "enterprise"
    await told(db, subscription("updated", at=NOW + MONTH + 5, price="price_basic", **mine))
    assert (await state_of(db, user))[0] == "basic"


async def test_what_was_cancelled_ends_by_itself_and_cannot_be_taken_back_here(db: Database, clock: Clock) -> None:
    user = await somebody(db, "free")
    mine = of(user)
    await told(
        db, subscription("created", **mine), subscription("updated", at=NOW + 5, cancel_at_period_end=True, **mine)
    )
    with pytest.raises(changes.Contradiction):
        await changes.change(db, user, Wish("pro"), actor=ME, by_themselves=False)
    # Not even by cancelling once more and taking that back.
    await changes.change(db, user, Wish("free"), actor=ME, by_themselves=False)
    await changes.change(db, user, Wish("pro"), actor=ME, by_themselves=False)
    assert (await state_of(db, user))[3] == END
    await clock.hold(END - timedelta(microseconds=1))
    assert (await state_of(db, user))[0] == "pro"
    await clock.hold(END)
    assert (await state_of(db, user))[0] == "free"
    await told(db, subscription("deleted", at=NOW + MONTH, **mine))
    assert (await state_of(db, user))[0] == "free"


async def test_nobody_is_sold_to_who_has_left(db: Database) -> None:
    user = await somebody(db, "free")
    await told(db, subscription("created", metadata={events.USER: str(user)}))
    async with db.transaction() as tx:
        await tx.value("begin_leaving", user_id=user, may_be_last=True)
    again = subscription("updated", at=NOW + 9, price="price_basic", metadata={events.USER: str(user)})
    assert await told(db, again) == ["unknown-user"]
    assert await subscriptions.of_user(db, user) == []


async def test_strangers_are_forgotten_after_ninety_days(db: Database, clock: Clock) -> None:
    user = await somebody(db, "free")
    await told(db, subscription("created", customer="cus_stranger"))
    await told(db, subscription("created", metadata={events.USER: str(user)}))
    await clock.step(timedelta(days=90))
    await subscriptions.forget(db)
    assert await db.value("customer_of_user", user_id=user) == "cus_Tk000000000001"
    said = checkout(customer="cus_stranger", client_reference_id=str(user))
    await clock.step(timedelta(seconds=1))
    await subscriptions.forget(db)
    other = await somebody(db, "free")
    said["data"]["object"]["client_reference_id"] = str(other)
    await told(db, said)
    assert (await state_of(db, other))[0] == "free"


def test_an_end_is_read_in_each_of_the_ways_in_which_stripe_tells_it() -> None:
    """A day, the period's end of the items, and of the subscription itself as it was before 2025-03-31."""

    def ends_at(**said: Any) -> datetime | None:
        heard = events.read(msgspec.json.encode(subscription("updated", **said)))
        assert heard is not None
        assert heard.event is not None
        return heard.event.ends_at

    assert ends_at() is None
    assert ends_at(cancel_at_period_end=True) == END
    assert ends_at(cancel_at=NOW + 7) == datetime.fromtimestamp(NOW + 7, UTC)
    assert ends_at(cancel_at=NOW + 7, cancel_at_period_end=True) == datetime.fromtimestamp(NOW + 7, UTC)
    assert ends_at(cancel_at_period_end=True, period_end=None, current_period_end=NOW + MONTH) == END
