"""Somebody has two subscriptions at once, as after two checkouts that were both paid: which counts, and when."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.metering.making import Clock, a_user
from tollkeeper.activity import Actor
from tollkeeper.metering.plans import catalogue, own_plan
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.selling import subscriptions
from tollkeeper.selling.subscriptions import Event
from tollkeeper.store.database import Database

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
END = NOW + timedelta(days=30)
CATALOGUE = """
[plans.free]
rank = 0
[plans.basic]
rank = 10
stripe_price_monthly = "price_basic"
[plans.pro]
rank = 30
stripe_price_monthly = "price_pro"
"""


@pytest.fixture
async def user(db: Database, clock: Clock) -> UUID:
    await clock.hold(NOW)
    await catalogue.apply(db, catalogue.parse(CATALOGUE))
    return await a_user(db, "free")


async def told(db: Database, user: UUID, name: str, at: int, status: str = "active", **said: Any) -> tuple[Any, ...]:
    """Hear of a subscription so many seconds later; gives what plan they have then."""
    at_pro: dict[str, Any] = {"prices": ("price_pro",), "ends_at": None}
    event = Event(
        id=f"evt_{at}",
        at=NOW + timedelta(seconds=at),
        precedence=0,
        subscription_id=name,
        status=status,
        **at_pro | said,
    )
    await subscriptions.learn(db, f"cus_{name}", said_user=user, event=event, actor=Actor("stripe"))
    return await plan_of(db, user)


async def plan_of(db: Database, user: UUID) -> tuple[Any, ...]:
    """Say which plan somebody has, whether it is a trial, when it ends, and what follows."""
    async with db.transaction() as tx:
        await tx.value("bring_current", user_ids=[user])
        own = await own_plan.current(tx, user)
    return own.plan.name, own.is_trial, own.expires_at, own.next_plan


@pytest.mark.parametrize(("one", "other"), [("sub_1", "sub_2"), ("sub_2", "sub_1")])
async def test_of_one_plan_what_lasts_longer_counts_and_what_is_paid_for(
    db: Database, user: UUID, one: str, other: str
) -> None:
    await told(db, user, one, 1)
    assert await told(db, user, other, 2, "trialing") == ("pro", False, None, None)
    assert await told(db, user, one, 3, ends_at=END) == ("pro", True, None, None)
    later = END + timedelta(days=9)
    assert await told(db, user, other, 4, "trialing", ends_at=later) == ("pro", True, later, None)
    assert await told(db, user, one, 5, ends_at=later) == ("pro", False, later, None)
    assert await told(db, user, other, 6) == ("pro", False, None, None)


async def test_when_the_higher_ends_the_lower_follows_without_a_word(db: Database, user: UUID, clock: Clock) -> None:
    basic: dict[str, Any] = {"prices": ("price_basic",)}
    assert await told(db, user, "sub_1", 1, ends_at=END) == ("pro", False, END, None)
    assert await told(db, user, "sub_2", 2, **basic) == ("pro", False, END, "basic")
    await clock.hold(END)
    assert await plan_of(db, user) == ("basic", False, None, None)
    assert await told(db, user, "sub_1", 3, "canceled", ends_at=END) == ("basic", False, None, None)
    assert await told(db, user, "sub_2", 4, "canceled", **basic) == ("free", False, None, None)


@pytest.mark.usefixtures("user")
async def test_in_whichever_order_it_is_told_the_same_holds_and_follows(db: Database) -> None:
    basic: dict[str, Any] = {"prices": ("price_basic",)}
    later = END + timedelta(days=9)
    said: list[tuple[str, int, dict[str, Any]]] = [
        ("sub_1", 1, {}),
        ("sub_1", 2, {"ends_at": END}),
        ("sub_2", 3, basic),
        ("sub_2", 4, basic | {"ends_at": later}),
    ]
    for number, order in enumerate(itertools.permutations(said)):
        somebody = await a_user(db, "free", email=f"user-{number}@example.com")
        for name, at, more in order:
            await told(db, somebody, f"{name}_{number}", at, **more)
        assert await plan_of(db, somebody) == ("pro", False, END, "basic"), order
    assert (await verify(db)).differences == []


async def test_once_the_higher_has_ended_the_lower_counts_whoever_is_late(
    db: Database, user: UUID, clock: Clock
) -> None:
    later = END + timedelta(days=9)
    await clock.hold(END + timedelta(seconds=1))
    assert await told(db, user, "sub_2", 1, prices=("price_basic",), ends_at=later) == ("basic", False, later, None)
    assert await told(db, user, "sub_1", 2, ends_at=END) == ("basic", False, later, None)
    await clock.hold(later)
    assert await told(db, user, "sub_1", 3, ends_at=END) == ("free", False, None, None)
