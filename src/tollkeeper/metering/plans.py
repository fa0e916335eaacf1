"""Plans: the operator's catalogue, and which of them a user is on.

A user's terms are a snapshot of a plan: a change of the catalogue changes nobody's terms, only those taken later. What
is kept of texts is no part of them: that holds as the catalogue says now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.errors import Contradiction, Faults, Invalid, NotFound
from tollkeeper.instants import LAST_YEAR
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.plan_file import FIELDS, Cycle, Plan, parse, refuse_shared_prices
from tollkeeper.store.database import Database, Statements, Transaction

__all__ = [
    "FieldChange",
    "Plan",
    "PlanDifference",
    "Terms",
    "apply",
    "catalogue",
    "difference",
    "parse",
    "put_on",
    "set_plan",
]

_NOT_OF_TERMS: Final = frozenset(
    {
        *("rank", "trial_days", "self_service", "text_policy", "retain_text_days"),
        *("stripe_price_monthly", "stripe_price_yearly"),
    }
)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a plan, in the words and units of the operator's file. None is unlimited."""

    field: str
    old: Any
    new: Any

    @property
    def is_of_terms(self) -> bool:
        """Whether users agree to it: what has changed is then a new version, and who has an older one keeps it."""
        return self.field not in _NOT_OF_TERMS


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """What a file would do to one plan. ``absent`` from the file, it stays in the catalogue as it is.

    ``revision`` tells how it stands in the catalogue from how it stood or will stand.
    """

    name: str
    kind: Literal["added", "changed", "same", "absent"]
    revision: str
    changes: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """A user's snapshot of a plan, in force since ``starts_at``."""

    id: UUID
    plan_name: str
    starts_at: datetime
    expires_at: datetime | None


async def catalogue(database: Statements) -> list[Plan]:
    """Show all plans, by rank."""
    return [plan_of({**row}) for row in await database.all("plans")]


async def difference(database: Statements, plans: Sequence[Plan]) -> list[PlanDifference]:
    """Say of each plan of the file or the catalogue what ``apply`` would do.

    A plan in the file is that whole: what is left out there is unlimited, not unchanged. Plans absent from the file
    stay. ``Invalid`` if a rank, or a price at Stripe, belongs to one of those.
    """
    known = {plan.name: plan for plan in await catalogue(database)}
    named = {plan.name for plan in plans}
    taken = {plan.rank: plan.name for plan in known.values() if plan.name not in named}
    faults = Faults()
    for plan in plans:
        if plan.rank in taken:
            faults.add(f"plans.{plan.name}.rank", f"is the rank of the plan {taken[plan.rank]}, which stays")
    faults.of(refuse_shared_prices, [*(plan for plan in known.values() if plan.name not in named), *plans])
    faults.refuse()
    found = [_compared(known.get(plan.name), plan) for plan in plans]
    return found + [
        PlanDifference(plan.name, "absent", _revision(plan)) for plan in known.values() if plan.name not in named
    ]


async def apply(
    database: Database, plans: Sequence[Plan], *, actor: Actor = OPERATOR, seen: str | None = None
) -> list[PlanDifference]:
    """Put the plans of a file into the catalogue, all or none; answers what that changed. No plan is ever removed.

    ``Contradiction`` if a revision of the first was ``seen`` and it has another by now.
    """
    async with database.transaction() as tx:
        # What is compared stays as it is until the end: neither a rank nor a price can be given away meanwhile.
        await tx.run("hold_catalogue")
        differences = await difference(tx, plans)
        if seen is not None and seen != (now := differences[0].revision):
            raise Contradiction("somebody has changed the plan meanwhile: look at it again", revision=now)
        await tx.run("vacate_ranks", names=[plan.name for plan in plans])
        await tx.run("put_plans", plans=[_row(plan) for plan in plans])
        detail = {each.name: each.kind for each in differences if each.kind in {"added", "changed"}}
        await activity.note(tx, user_id=None, actor=actor, action="plans.applied", detail=detail)
    return differences


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


def plan_of(columns: dict[str, Any]) -> Plan:
    """Read a plan as the database keeps it."""
    columns["features"], columns["warn_at"] = tuple(columns["features"]), tuple(columns["warn_at"])
    return Plan(**columns)


def changes_between(old: Plan, new: Plan) -> list[FieldChange]:
    """Say what users would notice who have agreed to one plan and get the other."""
    return [each for each in _changes(_as_in_file(old), _as_in_file(new)) if each.is_of_terms]


def _compared(old: Plan | None, new: Plan) -> PlanDifference:
    if old is None:
        return PlanDifference(new.name, "added", _revision(old), tuple(_changes({}, _as_in_file(new))))
    changes = tuple(_changes(_as_in_file(old), _as_in_file(new)))
    return PlanDifference(new.name, "changed" if changes else "same", _revision(old), changes)


def _revision(plan: Plan | None) -> str:
    return sha256(repr(plan and _as_in_file(plan)).encode()).hexdigest()[:16]


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterable[FieldChange]:
    return (FieldChange(field, old.get(field), new[field]) for field in new if not old or old[field] != new[field])


def _as_in_file(plan: Plan) -> dict[str, Any]:
    """Tell a plan in the words and units of the operator's file."""
    cents = None if plan.monthly_cost_nanos is None else cents_of(plan.monthly_cost_nanos)
    told = _row(plan) | {"monthly_cost_cents": cents}
    return {field: told[field] for field in FIELDS}


def _row(plan: Plan) -> dict[str, Any]:
    return {each.name: getattr(plan, each.name) for each in fields(plan)} | {
        "features": list(plan.features),
        "warn_at": list(plan.warn_at),
    }
