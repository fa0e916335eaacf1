"""Events of Stripe as far as we read them: subscriptions, and checkouts that say who is which customer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from tollkeeper.activity import Actor
from tollkeeper.errors import NotUnderstood
from tollkeeper.selling import subscriptions
from tollkeeper.selling.subscriptions import Event, Outcome
from tollkeeper.store.database import Database

USER: Final = "tollkeeper_user"
"""Under this name of the metadata stands the user's id, in what we order and in what comes of it."""

# Of events of one second the further on in a subscription's life comes later.
_COURSE: Final = ("incomplete", "trialing", "active", "past_due", "paused", "unpaid", "incomplete_expired", "canceled")
_TYPES: Final = (
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
)
_CHECKOUT: Final = "checkout.session.completed"

Id: TypeAlias = Annotated[str, Meta(max_length=255, pattern="^[!-~]+$")]
# To the end of the year 9999.
Seconds: TypeAlias = Annotated[int, Meta(ge=0, le=253_402_300_799)]


class _Price(msgspec.Struct, frozen=True):
    id: Id


class _Item(msgspec.Struct, frozen=True):
    price: _Price
    current_period_end: Seconds | None = None


class _Items(msgspec.Struct, frozen=True):
    data: Annotated[list[_Item], Meta(max_length=100)] = []


class _Subscription(msgspec.Struct, frozen=True):
    """A subscription; since the version 2025-03-31 of Stripe's API its items say when the period ends."""

    id: Id
    customer: Id
    status: Id
    items: _Items
    cancel_at: Seconds | None = None
    cancel_at_period_end: bool = False
    current_period_end: Seconds | None = None
    metadata: dict[str, str] | None = None


class _Checkout(msgspec.Struct, frozen=True):
    id: Id
    mode: str
    customer: Id | None = None
    client_reference_id: str | None = None
    metadata: dict[str, str] | None = None


class _About(msgspec.Struct, frozen=True):
    object: msgspec.Raw


class _Envelope(msgspec.Struct, frozen=True):
    id: Id
    type: Id
    created: Seconds
    data: _About


@dataclass(frozen=True, slots=True)
class Heard:
    """An event that we read: about which customer, whose they are said to be, and the state of which subscription."""

    id: str
    type: str
    about: str
    customer_id: str
    user_id: UUID | None
    event: Event | None


def read(raw: bytes) -> Heard | None:
    """Read the body of an event; None for one of a kind that says nothing to us.

    ``NotUnderstood`` for what has another shape than Stripe documents.
    """
    try:
        told = msgspec.json.decode(raw, type=_Envelope)
        if told.type in _TYPES:
            return _of_subscription(told, msgspec.json.decode(told.data.object, type=_Subscription))
        if told.type == _CHECKOUT:
            return _of_checkout(told, msgspec.json.decode(told.data.object, type=_Checkout))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotUnderstood("this is no event as Stripe documents them") from error
    return None


async def take_in(database: Database, heard: Heard, actor: Actor) -> Outcome:
    """Do what an event asks for, and note one that did nothing."""
    outcome = await subscriptions.learn(
        database, heard.customer_id, said_user=heard.user_id, event=heard.event, actor=actor
    )
    if outcome != "done":
        await subscriptions.note_unmatched(
            database, outcome, actor=actor, event_id=heard.id, event_type=heard.type, about=heard.about
        )
    return outcome


def _of_subscription(told: _Envelope, said: _Subscription) -> Heard:
    ends_at = said.cancel_at
    if ends_at is None and said.cancel_at_period_end:
        periods = [each.current_period_end for each in said.items.data if each.current_period_end is not None]
        ends_at = max(periods, default=said.current_period_end)
    status = "canceled" if told.type == _TYPES[2] else said.status
    event = Event(
        id=told.id,
        at=_instant(told.created),
        precedence=_precedence(told.type, status, is_ending=ends_at is not None),
        subscription_id=said.id,
        status=status,
        prices=tuple(each.price.id for each in said.items.data),
        ends_at=None if ends_at is None else _instant(ends_at),
    )
    return Heard(told.id, told.type, said.id, said.customer, _user(said.metadata), event)


def _of_checkout(told: _Envelope, said: _Checkout) -> Heard | None:
    if said.customer is None or said.mode != "subscription":
        return None
    user_id = _user(said.metadata) or _user({USER: said.client_reference_id or ""})
    return Heard(told.id, told.type, said.id, said.customer, user_id, None)


def _precedence(kind: str, status: str, *, is_ending: bool) -> int:
    course = _COURSE.index(status) if status in _COURSE else 0
    return course * 100 + _TYPES.index(kind) * 10 + is_ending


def _user(metadata: dict[str, str] | None) -> UUID | None:
    try:
        return UUID((metadata or {}).get(USER, ""))
    except ValueError:
        return None


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
