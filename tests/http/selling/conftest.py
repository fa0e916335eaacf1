"""A service that sells at a Stripe of the tests' own, and what that tells it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.conftest import Server
from tests.http.conftest import JSON, Heard, Person, Site, a_site
from tests.shop import OLD_WEBHOOK_SECRET, SECRET_KEY, WEBHOOK_SECRET, FakeStripe, fake_stripe, signed
from tests.shop import subscription as event_about
from tollkeeper.metering.plans import catalogue
from tollkeeper.selling import events
from tollkeeper.settings import Settings

CATALOGUE = """
[plans.basic]
rank = 501
stripe_price_monthly = "price_basic"
[plans.pro]
rank = 502
trial_days = 7
price_per_year = 29000
stripe_price_monthly = "price_pro_monthly"
stripe_price_yearly = "price_pro_yearly"
[plans.unsold]
rank = 503
"""
ORIGIN = "https://usage.example"
WEBHOOK = "/api/billing/stripe/webhook"


@pytest.fixture(scope="module")
async def stripe() -> AsyncGenerator[FakeStripe]:
    async with fake_stripe() as stripe:
        yield stripe


@pytest.fixture(scope="module")
def settings(stripe: FakeStripe, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.of(
        {
            "TOLLKEEPER_PUBLIC_URL": ORIGIN,
            "TOLLKEEPER_STRIPE_SECRET_KEY": SECRET_KEY,
            "TOLLKEEPER_STRIPE_WEBHOOK_SECRETS": f"{WEBHOOK_SECRET}, {OLD_WEBHOOK_SECRET}",
            "TOLLKEEPER_STRIPE_URL": stripe.url,
        },
        port=0,
        data=str(tmp_path_factory.mktemp("data")),
        database_connections=4,
    )


@pytest.fixture(scope="module")
async def site(server: Server, settings: Settings) -> AsyncGenerator[Site]:
    async with a_site(server, settings) as site:
        await catalogue.apply(site.application.backend.database, catalogue.parse(CATALOGUE))
        yield site


@pytest.fixture
async def ana(site: Site, stripe: FakeStripe) -> Person:
    stripe.mood = "well"
    stripe.asked.clear()
    stripe.is_asked.clear()
    return await site.person("free")


def about(person: Person, kind: str = "created", **said: Any) -> dict[str, Any]:
    """An event about a subscription of somebody's."""
    mine: dict[str, Any] = {
        "customer": f"cus_{person.id}",
        "id": f"sub_{person.id}",
        "metadata": {events.USER: str(person.id)},
    }
    return event_about(kind, **(mine | said))


async def sent(site: Site, raw: bytes, signature: str | None) -> Heard:
    """Send what came from Stripe."""
    by = JSON | ({} if signature is None else {"Stripe-Signature": signature})
    return await site.call("POST", WEBHOOK, by=by, raw=raw)


async def told(site: Site, event: Any) -> str:
    heard = await sent(site, *signed(event))
    assert heard.status == 200, heard.body
    return heard.json["outcome"]
