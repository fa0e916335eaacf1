"""Buying plans at Stripe: where one pays, where one manages it, and what Stripe tells of it."""

from __future__ import annotations

import time
from typing import Final, Literal

from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, NotForSale, NotFound, NotSigned, NotUnderstood, TooLarge, Unavailable
from tollkeeper.http.addresses import address_of_client
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.plans.changes import PlanName
from tollkeeper.http.routing import post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard
from tollkeeper.metering.plans.plan_file import Cycle
from tollkeeper.selling import buying, events
from tollkeeper.selling.buying import SHOP, Wanted

# Stripe's own are some kilobytes.
_MOST_BYTES: Final = 2**18


class BuyPlan(Said, frozen=True, kw_only=True):
    """The plan to buy, and whether to try it first."""

    plan: PlanName
    billing_cycle: Cycle | None = None
    trial: bool = False


class SentTo(Heard, frozen=True, kw_only=True):
    """Where to send the browser."""

    success: Literal[True] = True
    url: str


class EventTaken(Heard, frozen=True, kw_only=True):
    """What became of an event: `ignored` are kinds that say nothing to us, `unknown-...` did nothing and were noted."""

    success: Literal[True] = True
    outcome: Literal["done", "ignored", "unknown-price", "unknown-user"]


CHECKOUT: Final = Operation(
    "person",
    summary="Buy a plan",
    takes=BuyPlan,
    query=Said,
    gives={200: SentTo},
    problems=(NotFound, Contradiction, NotForSale, Unavailable),
    examples={"by the year": {"plan": "pro", "billingCycle": "yearly"}, "try it": {"plan": "pro", "trial": True}},
    personal=True,
)
PORTAL: Final = Operation(
    "person",
    summary="Manage what one has bought",
    query=Said,
    gives={200: SentTo},
    problems=(Contradiction, NotForSale, Unavailable),
    personal=True,
)
WEBHOOK: Final = Operation(
    "public",
    summary="Take in an event of Stripe",
    headers={"Stripe-Signature": "By the secret of the webhook endpoint, within the last five minutes."},
    gives={200: EventTaken},
    problems=(NotSigned, NotUnderstood, NotForSale, TooLarge, Unavailable),
    reads_body=True,
)


@post(SHOP.checkout, CHECKOUT)
async def buy_plan(request: Exchange) -> Answer:
    """Stripe takes the payment; the plan changes when it tells of it, which is mostly before the browser is back."""
    request.asked(Said)
    said = await request.said(BuyPlan)
    backend = request.backend
    wanted = Wanted(said.plan, said.billing_cycle, said.trial)
    url = await buying.checkout(backend.database, backend.stripe, request.caller.user_id, wanted)
    return Answer.of(SentTo(url=url))


@post(SHOP.portal, PORTAL)
async def manage_plan(request: Exchange) -> Answer:
    """To pay another way, change plan, cancel, or see invoices."""
    request.asked(Said)
    backend = request.backend
    return Answer.of(SentTo(url=await buying.portal(backend.database, backend.stripe, request.caller.user_id)))


@post("/api/billing/stripe/webhook", WEBHOOK)
async def take_stripe_event(request: Exchange) -> Answer:
    """Each event does something once, in whichever order they come. What is not signed by Stripe is refused."""
    backend = request.backend
    if backend.stripe is None:
        raise buying.closed()
    raw = await request.raw(most=_MOST_BYTES)
    backend.stripe.refuse_unsigned(raw, request.only_header(b"stripe-signature"), at=time.time())
    heard = events.read(raw)
    if heard is None:
        return Answer.of(EventTaken(outcome="ignored"))
    actor = Actor("stripe", address_of_client(request.call, backend.trusted_proxies))
    return Answer.of(EventTaken(outcome=await events.take_in(backend.database, heard, actor)))
