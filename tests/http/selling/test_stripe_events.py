"""What Stripe tells, and what comes of it: signed or not, in any shape, on several nodes."""

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

from tests.http.conftest import JSON, Person, Site
from tests.http.providers import history_of, plan_of, tell
from tests.shop import NOW, OLD_WEBHOOK_SECRET, WEBHOOK_SECRET, checkout, signed
from tests.shop import subscription as event_about
from tollkeeper.app import running
from tollkeeper.selling import events
from tollkeeper.serving import Stop, listening, serving
from tollkeeper.settings import Settings

from .conftest import WEBHOOK, about, sent, told


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


_CHECKOUT = b'{"id": "evt_1", "type": "checkout.session.completed", "created": 1, "data": {"object": %s}}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"not JSON",
        b'{"id": "evt_1", "type": "customer.subscription.created", "created": 1, "data": {"object": {}}}',
        b'{"id": "evt_1", "type": "customer.subscription.created", "created": -1, "data": {"object": {}}}',
        _CHECKOUT % b'{"id": 7}',
        _CHECKOUT % b'{"id": "cs_1", "mode": "subscription", "customer": "cus_\\u0000"}',
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
