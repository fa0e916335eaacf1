"""Selling as callers, Stripe and other providers see it, against a Stripe of the test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import stripe as library

from tests.conftest import Server
from tests.shop import NOW, OLD_WEBHOOK_SECRET, SECRET_KEY, WEBHOOK_SECRET, FakeStripe, checkout, fake_stripe, signed
from tests.shop import subscription as event_about
from tollkeeper.app import running
from tollkeeper.metering import plans
from tollkeeper.selling import events
from tollkeeper.serving import Stop, listening, serving
from tollkeeper.settings import Settings

from .conftest import JSON, Heard, Person, Site, a_site
from .providers import history_of, plan_of, tell

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
        await plans.apply(site.application.backend.database, plans.parse(CATALOGUE))
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


async def bought(site: Site, person: Person, **says: Any) -> Heard:
    return await site.call("POST", "/api/user/plan/checkout", by=person.by_cookie, says={"plan": "pro"} | says)


async def test_a_plan_is_bought_moved_cancelled_and_ended(site: Site, stripe: FakeStripe, ana: Person) -> None:
    """From the checkout to the end, as Stripe tells of it."""
    refused = await site.call("PUT", "/api/user/plan", by=ana.by_cookie, says={"plan": "pro"})
    assert refused.is_problem(403, "not-self-service")
    assert refused.json["checkout"] == "/api/user/plan/checkout"
    heard = await bought(site, ana, billingCycle="yearly")
    assert (heard.status, heard.json["url"]) == (200, "https://checkout.stripe.com/c/pay/cs_test_1")
    ((path, asked),) = stripe.asked
    assert path == "/v1/checkout/sessions"
    assert asked == {
        "mode": "subscription",
        "line_items[0][price]": "price_pro_yearly",
        "line_items[0][quantity]": "1",
        "client_reference_id": str(ana.id),
        "metadata[tollkeeper_user]": str(ana.id),
        "subscription_data[metadata][tollkeeper_user]": str(ana.id),
        "success_url": f"{ORIGIN}/plan",
        "cancel_url": f"{ORIGIN}/plan",
        "customer_email": ana.email,
    }
    assert await told(site, checkout(customer=f"cus_{ana.id}", client_reference_id=str(ana.id))) == "done"
    assert await told(site, about(ana, price="price_pro_yearly")) == "done"
    own = await plan_of(site, ana)
    assert (own["name"], own["billingCycle"], own["expiresAt"]) == ("pro", "yearly", None)
    # Who pays at Stripe changes it there: here it would be paid for all the same.
    for says in ({"plan": "free"}, {"plan": "basic"}):
        refused = await site.call("PUT", "/api/user/plan", by=ana.by_cookie, says=says)
        assert refused.is_problem(403, "not-self-service")
        assert refused.json["portal"] == "/api/user/plan/portal"
    assert (await bought(site, ana)).is_problem(409, "contradiction")
    portal = await site.call("POST", "/api/user/plan/portal", by=ana.by_cookie)
    assert (portal.status, portal.json["url"]) == (200, "https://billing.stripe.com/p/session/test_1")
    assert stripe.asked[-1] == (
        "/v1/billing_portal/sessions",
        {"customer": f"cus_{ana.id}", "return_url": f"{ORIGIN}/plan"},
    )
    soon = int(time.time()) + 86_400
    ending = about(ana, "updated", at=NOW + 9, cancel_at_period_end=True, period_end=soon, price="price_pro_yearly")
    assert await told(site, ending) == "done"
    assert (await plan_of(site, ana))["expiresAt"] is not None
    assert await told(site, about(ana, "deleted", at=NOW + 99, price="price_pro_yearly")) == "done"
    assert (await plan_of(site, ana))["name"] == "free"
    # Somebody whom Stripe knows buys as the same customer.
    assert (await bought(site, ana, trial=True)).status == 200
    assert stripe.asked[-1][1]["customer"] == f"cus_{ana.id}"
    assert stripe.asked[-1][1]["subscription_data[trial_period_days]"] == "7"
    assert "customer_email" not in stripe.asked[-1][1]


@pytest.mark.parametrize(
    ("says", "status", "slug"),
    [
        ({"plan": "nowhere"}, 404, "not-found"),
        ({"plan": "unsold"}, 409, "not-for-sale"),
        ({"plan": "basic", "billingCycle": "yearly"}, 409, "not-for-sale"),
        ({"plan": "basic", "trial": True}, 422, "invalid"),
        ({"plan": "pro", "billingCycle": "weekly"}, 422, "invalid"),
        ({"plan": "pro", "price": "price_mine"}, 422, "invalid"),
    ],
)
async def test_what_is_not_sold_is_refused_before_stripe_is_asked(
    site: Site, stripe: FakeStripe, ana: Person, *, says: dict[str, Any], status: int, slug: str
) -> None:
    assert (await bought(site, ana, **says)).is_problem(status, slug)
    assert stripe.asked == []


async def test_a_trial_is_had_once_and_nothing_is_managed_that_was_never_bought(site: Site, ana: Person) -> None:
    heard = await site.call("POST", "/api/user/plan/portal", by=ana.by_cookie)
    assert heard.is_problem(409, "contradiction")
    await told(site, about(ana, status="trialing"))
    assert (await plan_of(site, ana))["isTrial"] is True
    await told(site, about(ana, "deleted", at=NOW + 9))
    assert (await bought(site, ana, trial=True)).is_problem(409, "contradiction")


@pytest.mark.parametrize("mood", ["fails", "limits", "talks nonsense", "says little", "says much", "packs", "sends on"])
async def test_a_stripe_that_is_not_well_is_503(site: Site, stripe: FakeStripe, ana: Person, mood: str) -> None:
    stripe.mood = mood
    heard = await bought(site, ana)
    assert heard.is_problem(503, "unavailable")
    assert heard.headers["Retry-After"] == "10"


async def test_a_stripe_that_hangs_is_503_after_five_seconds_and_holds_up_nobody(
    site: Site, stripe: FakeStripe, ana: Person
) -> None:
    stripe.mood = "hangs"
    began = time.monotonic()
    buying = asyncio.create_task(bought(site, ana))
    await stripe.is_asked.wait()
    await plan_of(site, ana)
    assert not buying.done()
    assert (await buying).is_problem(503, "unavailable")
    assert 4.5 < time.monotonic() - began < 15


async def test_what_stripe_refuses_is_told_to_the_operator(
    site: Site, stripe: FakeStripe, ana: Person, caplog: pytest.LogCaptureFixture
) -> None:
    stripe.mood = "refuses"
    assert (await bought(site, ana)).is_problem(409, "not-for-sale")
    assert "No such price" in caplog.text


async def test_without_stripe_nothing_is_sold_and_the_answer_says_so(service: Site, alice: Person) -> None:
    for path, says in (("/api/user/plan/checkout", {"plan": "pro"}), ("/api/user/plan/portal", None)):
        heard = await service.call("POST", path, by=alice.by_cookie, says=says)
        assert heard.is_problem(409, "not-for-sale")
        assert "not set up Stripe" in heard.json["detail"]
    assert (await sent(service, *signed(checkout()))).is_problem(409, "not-for-sale")
    refused = await service.call(
        "PUT", "/api/user/plan", by=(await service.person("free")).by_cookie, says={"plan": "pro"}
    )
    assert "checkout" not in refused.json


def by_library(raw: bytes) -> str:
    """Sign as Stripe's own library does."""
    return library.WebhookSignature.generate_signature_header(  # pyright: ignore[reportUnknownMemberType] - an instant lacks its type
        raw.decode(), WEBHOOK_SECRET
    )


def ours(secret: str = WEBHOOK_SECRET, at: float = 0) -> dict[str, Any]:
    return {"secret": secret, "at": time.time() + at}


@pytest.mark.parametrize(
    ("case", "taken"),
    [
        ("fresh", True),
        ("by the library", True),
        ("by the secret that is being replaced", True),
        ("two signatures, the second valid", True),
        ("another scheme beside it", True),
        ("four minutes old", True),
        ("half a minute ahead", True),
        ("six minutes old", False),
        ("two minutes ahead", False),
        ("wrong secret", False),
        ("one byte changed", False),
        ("one byte more", False),
        ("one digit of the signature changed", False),
        ("the instant changed", False),
        ("two signatures, none valid", False),
        ("an older scheme alone", False),
        ("no header", False),
        ("empty header", False),
        ("no instant", False),
        ("nonsense", False),
        ("an instant that is no number", False),
        ("a second instant that is no number", True),
        ("not ASCII", False),
        ("not UTF-8", False),
    ],
)
async def test_signatures_are_taken_or_refused(site: Site, ana: Person, case: str, *, taken: bool) -> None:
    event = about(ana)
    raw, signature = signed(event)
    instant, digest = signature.split(",")
    wrong = "v1=" + "0" * 64
    flipped = "0" if digest[-1] != "0" else "1"
    table: dict[str, tuple[bytes, str | None]] = {
        "fresh": (raw, signature),
        "by the library": (raw, by_library(raw)),
        "by the secret that is being replaced": signed(event, **ours(OLD_WEBHOOK_SECRET)),
        "two signatures, the second valid": (raw, f"{instant},{wrong},{digest}"),
        "another scheme beside it": (raw, f"{instant},v0={'0' * 64},{digest}"),
        "four minutes old": signed(event, **ours(at=-240)),
        "half a minute ahead": signed(event, **ours(at=30)),
        "six minutes old": signed(event, **ours(at=-360)),
        "two minutes ahead": signed(event, **ours(at=120)),
        "wrong secret": signed(event, **ours("whsec_somebody_elses")),
        "one byte changed": (raw.replace(b"usd", b"eur", 1), signature),
        "one byte more": (raw + b" ", signature),
        "one digit of the signature changed": (raw, f"{instant},{digest[:-1]}{flipped}"),
        "the instant changed": (raw, f"t={int(time.time()) - 1},{digest}"),
        "two signatures, none valid": (raw, f"{instant},{wrong},{wrong}"),
        "an older scheme alone": (raw, f"{instant},{digest.replace('v1', 'v0')}"),
        "no header": (raw, None),
        "empty header": (raw, ""),
        "no instant": (raw, digest),
        "nonsense": (raw, "nonsense"),
        "an instant that is no number": (raw, f"t=now,{digest}"),
        "a second instant that is no number": (raw, f"{instant},t=now,{digest}"),
        "not ASCII": (raw, f"{instant},v1=é"),
        "not UTF-8": (b"\xff" + raw, signature),
    }
    heard = await sent(site, *table[case])
    if taken:
        assert heard.status == 200
        assert (await plan_of(site, ana))["name"] == "pro"
    else:
        assert heard.is_problem(400, "not-signed")
        assert (await plan_of(site, ana))["name"] == "free"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"not JSON",
        b'{"id": "evt_1", "type": "customer.subscription.created", "created": 1, "data": {"object": {}}}',
        b'{"id": "evt_1", "type": "customer.subscription.created", "created": -1, "data": {"object": {}}}',
        b'{"id": "evt_1", "type": "checkout.session.completed", "created": 1, "data": {"object": {"id": 7}}}',
    ],
)
async def test_what_is_signed_and_no_event_is_400(site: Site, body: bytes) -> None:
    assert (await sent(site, body, by_library(body))).is_problem(400, "not-understood")


async def test_other_kinds_of_events_are_answered_and_ignored(site: Site) -> None:
    before = await site.rows()
    for event in (
        about(await site.person()) | {"type": "invoice.paid"},
        checkout() | {"type": "checkout.session.expired"},
        checkout(mode="payment"),
        checkout(customer=None),
    ):
        assert await told(site, event) == "ignored"
    after = await site.rows()
    for table in ("stripe_customers", "stripe_subscriptions", "plan_terms"):
        assert after[table] - before[table] == (1 if table == "plan_terms" else 0)


async def test_an_unknown_price_or_user_is_answered_and_seen_by_operators(site: Site, ana: Person) -> None:
    operator = await site.operator()
    assert await told(site, about(ana, price="price_new")) == "unknown-price"
    nobody = event_about("created", customer="cus_nobody", metadata={events.USER: "not an id"})
    assert await told(site, nobody) == "unknown-user"
    path = "/api/admin/activity?action=stripe.unmatched"
    noted = (await site.call("GET", path, by=operator.by_cookie)).json["items"]
    assert [each["detail"]["reason"] for each in noted[:2]] == ["unknown-user", "unknown-price"]
    assert noted[1]["detail"]["about"] == f"sub_{ana.id}"


async def test_the_same_event_on_two_nodes_at_once_is_taken_once(site: Site, ana: Person, settings: Settings) -> None:
    async with second_node(site, settings) as other:
        created, raised = about(ana, price="price_basic"), about(ana, "updated", at=NOW + 5)
        bodies = [signed(each) for each in (created, raised) for _ in range(6)]
        heard = await asyncio.gather(
            *(post(site.client, (site.url, other)[place % 2], *body) for place, body in enumerate(bodies))
        )
    assert {status for status, _ in heard} == {200}
    assert (await plan_of(site, ana))["name"] == "pro"
    kinds = [each["kind"] for each in await history_of(site, ana)]
    # Whichever came first: each step happened once at most.
    assert kinds in (["upgraded", "given"], ["upgraded", "upgraded", "given"])


async def test_one_key_on_two_nodes_is_carried_out_once(site: Site, ana: Person, settings: Settings) -> None:
    by = JSON | {"Authorization": f"Bearer {site.key}"}
    async with second_node(site, settings) as other:
        nodes = (site, replace(site, url=other))
        heard = await asyncio.gather(*(tell(nodes[place % 2], ana, by, key="same") for place in range(12)))
    assert {each.status for each in heard} == {200}
    assert len({each.body for each in heard}) == 1
    assert sum("Idempotent-Replayed" not in each.headers for each in heard) == 1
    assert len(await history_of(site, ana)) == 2


@asynccontextmanager
async def second_node(site: Site, settings: Settings) -> AsyncGenerator[str]:
    """Run one more process's application on the same database, with the same keys."""
    async with running(settings, site.addresses) as application:
        with listening(settings) as listener:
            async with serving(settings, application, listener, Stop()) as url:
                yield url.replace("localhost", "127.0.0.1")


async def post(client: aiohttp.ClientSession, url: str, raw: bytes, signature: str) -> tuple[int, bytes]:
    headers = JSON | {"Stripe-Signature": signature}
    async with client.post(url + WEBHOOK, data=raw, headers=headers) as answer:
        return answer.status, await answer.read()


async def test_what_is_sold_is_for_operators_to_see_and_ones_own_to_take_along(site: Site, ana: Person) -> None:
    operator = await site.operator()
    listed = (await site.call("GET", "/api/admin/plans", by=operator.by_cookie)).json["plans"]
    pro = next(each for each in listed if each["name"] == "pro")
    assert (pro["stripePriceMonthly"], pro["stripePriceYearly"]) == ("price_pro_monthly", "price_pro_yearly")
    shown = (await site.call("GET", "/api/plans", by=ana.by_key)).body
    assert b"stripe" not in shown
