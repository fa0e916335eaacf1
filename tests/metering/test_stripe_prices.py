"""Which price at Stripe means which plan."""

from __future__ import annotations

import pytest

from tests.metering.test_subscriptions import CATALOGUE, KNOWN
from tollkeeper.metering import plans
from tollkeeper.selling.providing import Held
from tollkeeper.selling.subscriptions import Subscription, held_by
from tollkeeper.store.database import Database


def test_a_plan_has_prices_of_its_own() -> None:
    for toml in (
        '[plans.a]\nrank=1\nstripe_price_monthly="price_1"\nstripe_price_yearly="price_1"',
        '[plans.a]\nrank=1\nstripe_price_monthly="price_1"\n[plans.b]\nrank=2\nstripe_price_yearly="price_1"',
        '[plans.a]\nrank=1\nstripe_price_monthly=""',
        "[plans.a]\nrank=1\nstripe_price_monthly=7",
        '[plans.a]\nrank=1\nstripe_price_yearly="price 1"',
    ):
        with pytest.raises(plans.Invalid, match="stripe_price"):
            plans.parse(toml)


async def test_prices_are_no_part_of_what_users_agree_to(db: Database) -> None:
    await plans.apply(db, plans.parse(CATALOGUE))
    before = {plan.name: plan.version for plan in await plans.catalogue(db)}
    (changed,) = [
        each
        for each in await plans.apply(db, plans.parse('[plans.basic]\nrank = 10\nstripe_price_monthly = "price_2"'))
        if each.name == "basic"
    ]
    assert [(each.field, each.old, each.new) for each in changed.changes] == [
        ("stripe_price_monthly", "price_basic", "price_2")
    ]
    assert {plan.name: plan.version for plan in await plans.catalogue(db)} == before
    with pytest.raises(plans.Invalid, match="stripe_price_monthly of pro"):
        await plans.apply(db, plans.parse('[plans.basic]\nrank = 10\nstripe_price_monthly = "price_pro_monthly"'))


def test_the_plan_that_means_a_price_is_found() -> None:
    one = Subscription("sub_1", "active", ("price_else", "price_pro_yearly"), None, has_counted=True)
    assert held_by([one], KNOWN) == Held("pro", "yearly")
