"""Which plan a user is on, by which terms, and until when.

A user's terms are a snapshot of a plan: a version of the catalogue's. What is kept of texts is no part of them: that
holds as the catalogue says now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Invalid, NotFound
from tollkeeper.instants import LAST_YEAR
from tollkeeper.metering.plans.plan_file import Cycle
from tollkeeper.store.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Terms:
    """A user's snapshot of a plan, in force since ``starts_at``."""

    id: UUID
    plan_name: str
    starts_at: datetime
    expires_at: datetime | None


async def set_plan(
    database: Database, user_id: UUID, plan_name: str, *, actor: Actor, expires_at: datetime | None = None
) -> Terms:
    """Put a user on a plan now, until ``expires_at`` and then on ``free``. What is used of the windows stays used.

    Raises ``NotFound`` for an unknown plan or user and ``Invalid`` if ``expiresAt`` is over.
    """
    async with database.transaction() as tx:
        now = await locked(tx, user_id, "expiresAt", expires_at)
        return await put_on(tx, user_id, plan_name, starts_at=now, actor=actor, expires_at=expires_at)


async def locked(tx: Transaction, user_id: UUID, field: str, ends_at: datetime | None) -> datetime:
    """Take a user's lock and answer the instant that decides; ``Invalid`` names the field of an end that cannot be."""
    if ends_at is not None and ends_at.tzinfo is None:
        raise Invalid.field(field, "must say its offset from UTC")
    now = await tx.value("bring_current", user_ids=[user_id])
    refuse_odd_end(field, ends_at, now=now)
    return now


def refuse_odd_end(field: str, ends_at: datetime | None, *, now: datetime) -> None:
    """Refuse an end that is over, or in the last year that can be told: some of its instants UTC has no name for."""
    if ends_at is not None and not now < ends_at < LAST_YEAR:
        raise Invalid.field(field, "must lie in the future, before the year 9999")


async def put_on(
    tx: Transaction, user_id: UUID, plan_name: str, *, starts_at: datetime, actor: Actor, expires_at: datetime | None
) -> Terms:
    """Put a user on a plan within a transaction that has their lock and brought them current at ``starts_at``."""
    if not await tx.value("plan_exists", plan=plan_name):
        raise NotFound(f"the catalogue has no plan {plan_name!r}")
    terms_id = await new_terms(tx, user_id, plan_name, kind="given", starts_at=starts_at, expires_at=expires_at)
    await tx.run("put_in_force", user_id=user_id, terms_id=terms_id, at=starts_at)
    terms = await tx.one("terms", user_id=user_id, terms_id=terms_id)
    assert terms is not None  # noqa: S101 - written above
    await note_set(tx, user_id, plan_name, expires_at, actor=actor)
    return Terms(**terms)


async def give_until(
    tx: Transaction, user_id: UUID, plan_name: str, *, until: datetime | None, now: datetime, actor: Actor, **more: Any
) -> None:
    """Give a user the plan that they are on, by the terms that they have, until an instant (None: for good).

    For a transaction as in ``put_on``. Whatever was arranged to follow is taken back. ``more`` is noted too.
    """
    terms_id = await tx.value("give_until", user_id=user_id, until=until, at=now)
    await tx.run("put_in_force", user_id=user_id, terms_id=terms_id, at=now)
    await note_set(tx, user_id, plan_name, until, actor=actor, **more)


async def note_set(
    tx: Transaction, user_id: UUID, plan_name: str, until: datetime | None, *, actor: Actor, **more: Any
) -> None:
    """Note that a user was put on a plan until an instant (None: for good), with what ``more`` is known of it."""
    detail = {"plan": plan_name, "expires_at": until and until.isoformat(), **more}
    await activity.note(tx, user_id=user_id, actor=actor, action="plan.set", detail=detail)


async def new_terms(
    tx: Transaction,
    user_id: UUID,
    plan_name: str,
    *,
    kind: str,
    starts_at: datetime,
    expires_at: datetime | None = None,
    cycle: Cycle | None = None,
    is_trial: bool = False,
) -> UUID:
    """Give a user the terms of a plan as the catalogue has them; they hold once they are put in force."""
    terms_id = await tx.value(
        "new_terms",
        user_id=user_id,
        plan=plan_name,
        kind=kind,
        starts_at=starts_at,
        expires_at=expires_at,
        cycle=cycle,
        is_trial=is_trial,
    )
    if terms_id is None:
        raise NotFound("no such user")
    return terms_id
