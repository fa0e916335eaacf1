"""The door for providers: each change is told once, however often it is sent, and the order of arrival does not matter.

Of changes at once the one that occurred last counts. One at the end of a period counts if nothing occurred after it;
a change at once that occurred before it and comes later is what holds until then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Invalid, KeyReused
from tollkeeper.metering.plans import changes, own_plan
from tollkeeper.metering.plans.changes import FREE
from tollkeeper.metering.plans.own_plan import OwnPlan
from tollkeeper.metering.plans.plan_file import Cycle, Plan
from tollkeeper.selling import providing
from tollkeeper.selling.providing import Held
from tollkeeper.store.database import Database, Transaction

Order: TypeAlias = tuple[datetime, bytes]

# Clocks differ; what comes from further ahead would go before all that is true until then.
_AHEAD: Final = timedelta(minutes=5)
_BACK: Final = timedelta(days=3650)
_LONGEST: Final = timedelta(days=36_500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a provider tells: since ``occurred_at`` a user has a plan, until an instant (None: until it is changed).

    ``at_period_end``: they will have it when the period that is paid for ends. ``reference`` is the provider's own.
    """

    plan: str
    billing_cycle: Cycle | None = None
    trial: bool = False
    until: datetime | None = None
    at_period_end: bool = False
    occurred_at: datetime
    reference: str | None = None

    def fingerprint(self) -> bytes:
        """The SHA-256 of all that it says."""
        moments = [at and at.astimezone(UTC).isoformat() for at in (self.until, self.occurred_at)]
        said = [self.plan, self.billing_cycle, self.trial, self.at_period_end, self.reference, *moments]
        return hashlib.sha256(msgspec.json.encode(said)).digest()

    def order(self) -> Order:
        """Say when it comes among others: by its instant; of one instant the end of a plan is last."""
        is_end = self.plan == FREE and not self.at_period_end
        return self.occurred_at.astimezone(UTC), bytes([is_end]) + self.fingerprint()


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of it: ``is_superseded`` by what occurred later, which came earlier. ``own`` is the plan after it."""

    is_superseded: bool
    is_changed: bool
    latest_at: datetime
    own: OwnPlan


@dataclass(frozen=True, slots=True)
class _Latest:
    """The latest that came by the door for a user: at once, and at the end of a period."""

    held: Order | None = None
    next: Order | None = None
    next_plan: str | None = None
    next_cycle: Cycle | None = None

    @property
    def last(self) -> Order | None:
        return max(filter(None, (self.held, self.next)), default=None)


async def arrive(
    database: Database, user_id: UUID, told: Told, *, key: str, actor: Actor, answer: Callable[[Arrived], bytes]
) -> tuple[bytes, bool]:
    """Carry out what a provider tells, once for each key; give what is answered, and whether it was answered before.

    ``KeyReused`` for a key that came with something else, ``Invalid`` for instants that cannot be, ``NotFound`` for an
    unknown user or plan.
    """
    async with database.transaction() as tx:
        # Takes the lock, so of two with one key the second finds the answer of the first.
        now = await tx.value("bring_current", user_ids=[user_id])
        _refuse_odd_moments(told, now)
        if (known := await tx.one("door_change", user_id=user_id, key=key)) is not None:
            if not compare_digest(known["body_hash"], told.fingerprint()):
                raise KeyReused("this idempotency key was used with another change of this user")
            return known["answer"], True
        arrived = await _carry_out(tx, user_id, told, now=now, actor=actor)
        body = answer(arrived)
        await tx.run(
            "add_door_change",
            user_id=user_id,
            key=key,
            body_hash=told.fingerprint(),
            occurred_at=told.occurred_at,
            reference=told.reference,
            is_superseded=arrived.is_superseded,
            answer=body,
            at=now,
        )
    return body, False


async def forget(database: Database) -> None:
    """Forget what came by the door 90 days ago, but for what was the latest of each user."""
    await database.run("forget_door_changes")


async def _carry_out(tx: Transaction, user_id: UUID, told: Told, *, now: datetime, actor: Actor) -> Arrived:
    known = await providing.by_name(tx)
    held = _held(told, known)
    order, latest = told.order(), await _latest(tx, user_id)
    before = latest.last if told.at_period_end else latest.held
    is_changed = False
    if before is None or order > before:
        if told.at_period_end:
            latest = replace(latest, next=order, next_plan=held.plan, next_cycle=held.cycle)
        else:
            latest = replace(latest, held=order)
            is_changed = await providing.hold(tx, user_id, held, known, now=now, actor=actor, reference=told.reference)
        is_changed |= await _arrange(tx, user_id, latest, known, now=now, actor=actor, reference=told.reference)
        await _put(tx, user_id, latest)
    is_superseded = before is not None and order < before
    if is_superseded:
        detail = {"plan": told.plan, "occurred_at": told.occurred_at.isoformat(), "reference": told.reference}
        await activity.note(tx, user_id=user_id, actor=actor, action="plan.superseded", detail=detail)
    latest_at = max(order, latest.last or order)[0]
    return Arrived(is_superseded, is_changed, latest_at, await own_plan.current(tx, user_id))


async def _arrange(
    tx: Transaction,
    user_id: UUID,
    latest: _Latest,
    known: Mapping[str, Plan],
    *,
    now: datetime,
    actor: Actor,
    reference: str | None,
) -> bool:
    """Arrange what is to follow, unless something occurred after it or its plan is gone from the catalogue."""
    plan = known.get(latest.next_plan or "")
    if latest.next is None or latest.next != latest.last or plan is None:
        return False
    cycle = latest.next_cycle or plan.billing_cycle
    return await providing.arrange(tx, user_id, plan, cycle, now=now, actor=actor, reference=reference)


def _held(told: Told, known: Mapping[str, Plan]) -> Held:
    plan = providing.named(known, told.plan)
    if told.billing_cycle is not None:
        changes.refuse_unless_sold(plan, told.billing_cycle)
    until = told.until
    if told.trial and until is None:
        if not plan.trial_days:
            raise Invalid.field("until", f"must be given: the plan {plan.name} says nothing of trials")
        until = told.occurred_at + timedelta(days=plan.trial_days)
    return Held(plan.name, told.billing_cycle, is_trial=told.trial, until=until)


def _refuse_odd_moments(told: Told, now: datetime) -> None:
    if not now - _BACK <= told.occurred_at <= now + _AHEAD:
        raise Invalid.field("occurredAt", "must lie in the last ten years, and at most five minutes ahead")
    if told.until is not None and not told.occurred_at < told.until <= now + _LONGEST:
        raise Invalid.field("until", "must lie after occurredAt, and at most 100 years ahead")


async def _latest(tx: Transaction, user_id: UUID) -> _Latest:
    row = await tx.one("door_state", user_id=user_id)
    if row is None:
        return _Latest()
    held = None if row["held_at"] is None else (row["held_at"], row["held_tie"])
    following = None if row["next_at"] is None else (row["next_at"], row["next_tie"])
    return _Latest(held, following, row["next_plan"], row["next_cycle"])


async def _put(tx: Transaction, user_id: UUID, latest: _Latest) -> None:
    held_at, held_tie = latest.held or (None, None)
    next_at, next_tie = latest.next or (None, None)
    await tx.run(
        "put_door_state",
        user_id=user_id,
        held_at=held_at,
        held_tie=held_tie,
        next_at=next_at,
        next_tie=next_tie,
        next_plan=latest.next_plan,
        next_cycle=latest.next_cycle,
    )
