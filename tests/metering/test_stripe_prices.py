"""Which price at Stripe means which plan."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import asyncpg
import pytest

from tests.metering.test_subscriptions import CATALOGUE, KNOWN
from tollkeeper.errors import Invalid
from tollkeeper.metering.plans import catalogue
from tollkeeper.selling.providing import Held
from tollkeeper.selling.subscriptions import Subscription, held_by
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

WAITING: Final = "SELECT count(*) FROM pg_locks WHERE relation = 'plans'::regclass AND NOT granted"


def test_a_plan_has_prices_of_its_own() -> None:
    for toml in (
        '[plans.a]\nrank=1\nstripe_price_monthly="price_1"\nstripe_price_yearly="price_1"',
        '[plans.a]\nrank=1\nstripe_price_monthly="price_1"\n[plans.b]\nrank=2\nstripe_price_yearly="price_1"',
        '[plans.a]\nrank=1\nstripe_price_monthly=""',
        "[plans.a]\nrank=1\nstripe_price_monthly=7",
        '[plans.a]\nrank=1\nstripe_price_yearly="price 1"',
    ):
        with pytest.raises(Invalid, match="stripe_price"):
            catalogue.parse(toml)


async def test_prices_are_no_part_of_what_users_agree_to(db: Database) -> None:
    await catalogue.apply(db, catalogue.parse(CATALOGUE))
    before = {plan.name: plan.version for plan in await catalogue.all_plans(db)}
    (changed,) = [
        each
        for each in await catalogue.apply(
            db, catalogue.parse('[plans.basic]\nrank = 10\nstripe_price_monthly = "price_2"')
        )
        if each.name == "basic"
    ]
    assert [(each.field, each.old, each.new) for each in changed.changes] == [
        ("stripe_price_monthly", "price_basic", "price_2")
    ]
    assert {plan.name: plan.version for plan in await catalogue.all_plans(db)} == before
    with pytest.raises(Invalid, match="stripe_price_monthly of pro"):
        await catalogue.apply(
            db, catalogue.parse('[plans.basic]\nrank = 10\nstripe_price_monthly = "price_pro_monthly"')
        )


async def applied_at_once(
    dsns: Addresses, owner: asyncpg.Connection, files: Sequence[Sequence[catalogue.Plan]]
) -> list[Any]:
    """Apply files of plans, each on a node of its own; none goes on before all have come as far as a writer may."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(Database.open(dsns.service, size=1, lock_timeout=60)) for _ in files]
        await owner.execute("BEGIN; LOCK TABLE plans IN SHARE MODE")
        applying = [asyncio.create_task(catalogue.apply(*each)) for each in zip(nodes, files, strict=True)]
        while await owner.fetchval(WAITING) < len(files):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        await owner.execute("COMMIT")
        return await asyncio.gather(*applying, return_exceptions=True)


async def test_of_those_who_give_one_price_to_two_plans_at_once_one_is_heard(
    dsns: Addresses, db: Database, owner: asyncpg.Connection
) -> None:
    files = [
        catalogue.parse(f'[plans.p{n}]\nrank = {30 + n}\nstripe_price_{cycle} = "price_1"')
        for n, cycle in enumerate(["monthly", "yearly", "monthly"])
    ]
    told = await applied_at_once(dsns, owner, files)
    (sold,) = [plan for plan in await catalogue.all_plans(db) if plan.prices_at_stripe]
    assert [isinstance(each, list) for each in told].count(True) == 1
    for file, verdict in zip(files, told, strict=True):
        if not isinstance(verdict, list):
            # What they would have heard alone.
            with pytest.raises(Invalid, match=f"of {sold.name}") as alone:
                await catalogue.apply(db, file)
            assert (type(verdict), verdict.fields) == (Invalid, alone.value.fields)


async def test_of_those_who_give_one_rank_to_two_plans_at_once_one_is_heard(
    dsns: Addresses, db: Database, owner: asyncpg.Connection
) -> None:
    files = [catalogue.parse(f"[plans.p{n}]\nrank = 30") for n in range(3)]
    told = await applied_at_once(dsns, owner, files)
    (ranked,) = [plan.name for plan in await catalogue.all_plans(db) if plan.rank == 30]
    late = [plan.name for (plan,) in files if plan.name != ranked]
    refused = [str(each) for each in told if isinstance(each, Invalid)]
    assert refused == [f"plans.{name}.rank: is the rank of the plan {ranked}, which stays" for name in late]


def test_the_plan_that_means_a_price_is_found() -> None:
    one = Subscription("sub_1", "active", ("price_else", "price_pro_yearly"), None, has_counted=True)
    assert held_by([one], KNOWN) == Held("pro", "yearly")
