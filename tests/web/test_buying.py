"""Buying a plan in the app: paid elsewhere, had here as soon as that is heard of, and managed where it was bought."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Route, expect

from tests.shop import NOW, FakeStripe, fake_stripe, signed, subscription
from tests.web.hands import button, dialog
from tests.web.selling import selling
from tests.web.visitors import Served, Visitor, visiting

CATALOGUE = """
[plans.studio]
rank = 15
daily_requests = 77
price_per_month = 2000
price_per_year = 20000
trial_days = 9
stripe_price_monthly = "price_studio_monthly"
stripe_price_yearly = "price_studio_yearly"
"""
CHECKOUT = "https://checkout.stripe.com/c/pay/cs_test_1"
PORTAL = "https://billing.stripe.com/p/session/test_1"


@pytest.fixture(scope="module")
async def stripe() -> AsyncGenerator[FakeStripe]:
    async with fake_stripe() as stripe:
        yield stripe


@pytest.fixture(scope="module")
async def shop(open_dir: Path, stripe: FakeStripe) -> AsyncGenerator[Served]:
    """A service of its own, that sells."""
    async with selling(open_dir / "buying", CATALOGUE, stripe=stripe) as served:
        yield served


async def tell(shop: Served, user_id: str, kind: str, **said: Any) -> None:
    """Tell the service of a subscription, as Stripe does."""
    mine = {"customer": f"cus_{user_id}", "id": f"sub_{user_id}", "metadata": {"tollkeeper_user": user_id}}
    raw, signature = signed(subscription(kind, price="price_studio_yearly", **mine, **said))
    async with (
        aiohttp.ClientSession() as client,
        client.post(
            f"{shop.url}/api/billing/stripe/webhook",
            data=raw,
            headers={"Content-Type": "application/json", "Stripe-Signature": signature},
        ) as answer,
    ):
        assert (await answer.json())["outcome"] == "done"


async def let_out(visitor: Visitor) -> None:
    """Stand in for the pages of Stripe, which a browser is sent to."""

    async def on(route: Route) -> None:
        await route.fulfill(content_type="text/html", body="<!doctype html><title>Stripe</title><h1>Stripe</h1>")

    await visitor.context.route("https://*.stripe.com/**", on)


async def test_a_plan_is_bought_managed_and_ended(chromium: Browser, shop: Served, stripe: FakeStripe) -> None:
    async with visiting(chromium, shop, width=390) as visitor:
        page = visitor.page
        await let_out(visitor)
        await visitor.sign_in(await shop.newcomer())
        user_id = (await visitor.fetch("/api/account"))["account"]["id"]
        await visitor.open("/plan")
        # What is not sold has no button, nor has what there is nothing to manage of.
        await expect(page.get_by_role("button", name="Buy ")).to_have_count(1)
        await expect(page.get_by_role("button", name="Change to")).to_have_count(0)
        await expect(button(visitor, "See invoices")).to_have_count(0)

        await button(visitor, "Buy Studio").click()
        asked = dialog(visitor, "Buy Studio?")
        await asked.get_by_text("It costs $20 a month. You pay at the checkout").wait_for()
        await asked.get_by_text("Yearly").click()
        await asked.get_by_text("Try it for 9 days first").click()
        await asked.get_by_text("Nothing for 9 days, then $200 a year.").wait_for()
        await asked.get_by_role("button", name="Go to checkout").click()
        await page.wait_for_url(CHECKOUT)
        path, order = stripe.asked[-1]
        assert path == "/v1/checkout/sessions"
        assert (order["line_items[0][price]"], order["subscription_data[trial_period_days]"]) == (
            "price_studio_yearly",
            "9",
        )
        assert order["client_reference_id"] == user_id

        # Whoever is back before the service has heard of it sees it come.
        await page.goto(order["success_url"])
        await visitor.live()
        await expect(button(visitor, "Buy Studio")).to_be_visible()
        await tell(shop, user_id, "created", status="active")
        await expect(button(visitor, "Manage subscription")).to_be_visible()
        await page.get_by_role("paragraph").filter(has_text="of 77").wait_for()
        await page.get_by_text("$200 a year", exact=True).first.wait_for()
        await expect(page.get_by_role("button", name="Buy ")).to_have_count(0)
        await expect(page.get_by_role("button", name="Change to")).to_have_count(0)
        await button(visitor, "Manage subscription").click()
        await page.wait_for_url(PORTAL)

        await page.go_back()
        await visitor.live()
        await tell(shop, user_id, "deleted", at=NOW + 60)
        await expect(button(visitor, "See invoices")).to_be_visible()
        await expect(button(visitor, "Buy Studio")).to_be_visible()
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_a_checkout_that_is_away_is_told_and_another_try_works(
    chromium: Browser, shop: Served, stripe: FakeStripe
) -> None:
    async with visiting(chromium, shop) as visitor:
        await let_out(visitor)
        await visitor.sign_in(await shop.newcomer())
        await visitor.open("/plan")
        await button(visitor, "Buy Studio").click()
        asked = dialog(visitor, "Buy Studio?")
        stripe.mood = "fails"
        try:
            await asked.get_by_role("button", name="Go to checkout").click()
            await expect(asked.get_by_role("alert")).to_contain_text("Stripe")
        finally:
            stripe.mood = "well"
        assert all("status of 503" in each for each in visitor.troubles)
        visitor.troubles.clear()
        await asked.get_by_role("button", name="Go to checkout").click()
        await visitor.page.wait_for_url(CHECKOUT)
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_an_operator_who_acts_as_a_user_is_not_offered_to_buy(chromium: Browser, shop: Served) -> None:
    async with visiting(chromium, shop) as operator:
        email = await shop.newcomer()
        await operator.sign_in(await shop.operator())
        (user,) = (await operator.fetch(f"/api/admin/users?q={email}"))["items"]
        await operator.open(f"/admin/users/{user['id']}")
        await button(operator, "Act as …").click()
        await button(dialog(operator, f"Act as {email}?"), "Act as them").click()
        await operator.page.get_by_role("region", name="Acting as somebody else").wait_for()
        await operator.open("/plan")
        await operator.page.get_by_text("A plan without a button").wait_for()
        await operator.live()
        await expect(operator.page.get_by_role("button", name="Buy ")).to_have_count(0)
        await tell(shop, user["id"], "created", status="active")
        await operator.page.get_by_text("Your plan is paid by subscription").wait_for()
        await expect(button(operator, "Manage subscription")).to_have_count(0)
        assert (operator.troubles, operator.elsewhere) == ([], [])
