"""Subscriptions at Stripe: each as the latest of its events has it, and what a user has by all of theirs.

Events come in any order and more than once. Of each subscription the latest event is kept, in an order in which no two
are equal; what a user has follows from what is kept. So however events arrive, the same comes of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.metering.plans.changes import FREE
from tollkeeper.metering.plans.plan_file import Cycle, Plan
from tollkeeper.selling import providing
from tollkeeper.selling.providing import Held
from tollkeeper.store.database import Database, Statements, Transaction

log = logging.getLogger(__name__)

Outcome = Literal["done", "unknown-price", "unknown-user"]

# What somebody may use: past_due too, until Stripe gives up on a payment.
LIVE: Final = frozenset({"trialing", "active", "past_due"})
# Not paid for yet, and perhaps never: these change nothing.
_BEGINNING: Final = frozenset({"incomplete", "incomplete_expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What an event says of a subscription. ``precedence`` orders events of one second, which is as Stripe tells time.

    ``ends_at``: when it has been cancelled for; ``prices`` are ids.
    """

    id: str
    at: datetime
    precedence: int
    subscription_id: str
    status: str
    prices: tuple[str, ...]
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as it is kept. ``has_counted``: some event of it was about a plan of ours, and not a beginning."""

    id: str
    status: str
    prices: tuple[str, ...]
    ends_at: datetime | None
    has_counted: bool


_Live: TypeAlias = tuple[Subscription, Plan, Cycle]


def held_by(subscriptions: Iterable[Subscription], known: Mapping[str, Plan]) -> Held | None:
    """Say what somebody has by their subscriptions: the highest plan, free when all have ended; None: nothing to say.

    Of two for one plan the one that lasts longer counts, and what is paid for before a trial. When it ends the best of
    those that last longer follows. One that is paid for at a price which the catalogue knows no more leaves things as
    they are.
    """
    kept = [*subscriptions]
    meant = _meaning(known)
    live = [(each, *meant[price]) for each in kept if each.status in LIVE for price in each.prices if price in meant]
    if live:
        return _best(live)
    counted = [each for each in kept if each.has_counted]
    return Held(FREE) if counted and not any(each.status in LIVE for each in counted) else None


async def learn(
    database: Database, customer_id: str, *, said_user: UUID | None, event: Event | None, actor: Actor
) -> Outcome:
    """Take in what Stripe tells of a customer: whose it is, and the state of a subscription; move their plan by it.

    What is about a price or a user that nobody knows is noted for operators, and the answer says so.
    """
    outcome: Outcome | None = None
    while outcome is None:
        async with database.transaction() as tx:
            outcome = await _learn(tx, customer_id, said_user, event, actor)
    return outcome


async def _learn(
    tx: Transaction, customer_id: str, said_user: UUID | None, event: Event | None, actor: Actor
) -> Outcome | None:
    """Take it in under the user's lock; ``None`` where the customer turns out to be somebody else: once more, then."""
    known = await providing.by_name(tx)
    # The user before the customer, as everybody locks them: who is about to leave takes their customers along.
    user_id = await tx.value("user_of_customer", customer_id=customer_id) or said_user
    now = await tx.value("bring_current", user_ids=[user_id] if user_id else [])
    owner = await tx.value("hold_customer", customer_id=customer_id) or said_user
    if owner != user_id:
        return None
    if user_id is not None:
        user_id = await tx.value("user_to_sell_to", user_id=user_id)
    is_priced = event is None or event.status not in LIVE or any(price in _meaning(known) for price in event.prices)
    if not is_priced:
        # Not kept: once the catalogue has the price, the same event may be sent again.
        event = None
    if user_id is None:
        await _put(tx, customer_id, event, known)
    else:
        await _move(tx, user_id, customer_id, event, known, now=now, actor=actor)
    return "unknown-price" if not is_priced else "unknown-user" if user_id is None else "done"


async def note_unmatched(
    database: Database, outcome: Outcome, *, actor: Actor, event_id: str, event_type: str, about: str
) -> None:
    """Tell operators of an event that did nothing; ``about`` is the id of what it is about."""
    log.warning("Stripe: %s of %s did nothing: %s (%s)", event_type, about, outcome.replace("-", " "), event_id)
    detail = {"reason": outcome, "event": event_id, "type": event_type, "about": about}
    async with database.transaction() as tx:
        await activity.note(tx, user_id=None, actor=actor, action="stripe.unmatched", detail=detail)


async def of_user(database: Statements, user_id: UUID) -> list[Subscription]:
    """List what is kept of a user's subscriptions."""
    return [
        Subscription(
            row["subscription_id"], row["status"], tuple(row["prices"]), row["ends_at"], has_counted=row["has_counted"]
        )
        for row in await database.all("subscriptions_of_user", user_id=user_id)
    ]


async def forget(database: Database) -> None:
    """Forget customers whom nobody has said to be a user, after 90 days."""
    await database.run("forget_customers")


async def _move(
    tx: Transaction,
    user_id: UUID,
    customer_id: str,
    event: Event | None,
    known: Mapping[str, Plan],
    *,
    now: datetime,
    actor: Actor,
) -> None:
    before = held_by(await of_user(tx, user_id), known)
    await tx.run("name_customer", user_id=user_id, customer_id=customer_id)
    await _put(tx, customer_id, event, known)
    after = held_by(await of_user(tx, user_id), known)
    # Where Stripe says nothing new, what operators did meanwhile stays.
    if after is not None and after != before:
        reference = event.subscription_id if event else customer_id
        await providing.hold(tx, user_id, after, known, now=now, actor=actor, reference=reference)


async def _put(tx: Transaction, customer_id: str, event: Event | None, known: Mapping[str, Plan]) -> None:
    if event is None:
        return
    counts = event.status not in _BEGINNING and any(price in _meaning(known) for price in event.prices)
    await tx.run(
        "put_subscription",
        customer_id=customer_id,
        subscription_id=event.subscription_id,
        event_at=event.at,
        precedence=event.precedence,
        event_id=event.id,
        status=event.status,
        prices=[*event.prices],
        ends_at=event.ends_at,
        counts=counts,
    )
    if counts:
        await tx.run("subscription_counts", customer_id=customer_id, subscription_id=event.subscription_id)


def _best(live: Sequence[_Live]) -> Held:
    best, plan, cycle = max(live, key=_worth)
    until = best.ends_at
    longer = [one for one in live if until is not None and (one[0].ends_at is None or one[0].ends_at > until)]
    then = _best(longer) if longer else None
    return Held(plan.name, cycle, is_trial=best.status == "trialing", until=until, then=then)


def _worth(one: _Live) -> tuple[Any, ...]:
    subscription, plan, _ = one
    ends_at = subscription.ends_at
    return plan.rank, ends_at is None, ends_at, subscription.status != "trialing", subscription.id


def _meaning(known: Mapping[str, Plan]) -> dict[str, tuple[Plan, Cycle]]:
    """Say which plan each price means, and how it is paid."""
    return {
        price: (plan, cycle)
        for plan in sorted(known.values(), key=lambda plan: plan.rank)
        for cycle, price in plan.prices_at_stripe.items()
    }
