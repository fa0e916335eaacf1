"""Stripe tells of a customer while something else becomes of them: each waits for the other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import a_user, until_somebody_waits
from tollkeeper.activity import Actor
from tollkeeper.metering.admin import directory
from tollkeeper.metering.plans import catalogue
from tollkeeper.selling import subscriptions
from tollkeeper.selling.subscriptions import Event
from tollkeeper.store.database import Database

ME = Actor("stripe")
CUSTOMER = "cus_Tk000000000001"
CATALOGUE = """
[plans.free]
rank = 0
[plans.basic]
rank = 15
stripe_price_monthly = "price_basic"
"""
BOUGHT = Event(
    id="evt_1",
    at=datetime(2026, 5, 13, 12, tzinfo=UTC),
    precedence=0,
    subscription_id="sub_1",
    status="active",
    prices=("price_basic",),
    ends_at=None,
)


@pytest.fixture
async def people(db: Database) -> tuple[UUID, UUID]:
    await catalogue.apply(db, catalogue.parse(CATALOGUE))
    return await a_user(db, "free"), await a_user(db, "free", email="other@example.com")


async def learn(db: Database, user: UUID | None, event: Event | None = BOUGHT) -> str:
    return await subscriptions.learn(db, CUSTOMER, said_user=user, event=event, actor=ME)


async def plan_of(db: Database, user: UUID) -> str:
    return (await directory.one(db, user)).plan


@pytest.mark.parametrize("is_known", [False, True])
async def test_who_leaves_while_stripe_tells_of_them_leaves_and_neither_locks_the_other_up(
    db: Database, owner: asyncpg.Connection, people: tuple[UUID, UUID], *, is_known: bool
) -> None:
    user, _ = people
    if is_known:
        assert await learn(db, user, None) == "done"
    async with db.transaction() as tx:
        await tx.value("bring_current", user_ids=[user])
        telling = asyncio.create_task(learn(db, user))
        await until_somebody_waits(owner)
        assert await tx.value("begin_leaving", user_id=user, may_be_last=True) == "begun"
    assert await telling == "unknown-user"
    assert await subscriptions.of_user(db, user) == []


async def test_who_a_customer_turns_out_to_be_meanwhile_is_who_gets_what_they_bought(
    db: Database, owner: asyncpg.Connection, people: tuple[UUID, UUID]
) -> None:
    first, second = people
    async with db.transaction() as tx:
        await tx.value("bring_current", user_ids=[second])
        telling = asyncio.create_task(learn(db, second))
        await until_somebody_waits(owner)
        await learn(db, first, None)
    assert await telling == "done"
    assert [await plan_of(db, each) for each in people] == ["basic", "free"]
