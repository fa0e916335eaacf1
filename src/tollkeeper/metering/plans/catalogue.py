"""The operator's catalogue of plans: read, compared with a file, changed.

A change of it changes nobody's terms, only those taken later (``plans.terms``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, Final, Literal

from tollkeeper import activity
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.errors import Contradiction, Faults
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.plans.plan_file import FIELDS, Plan, parse, refuse_shared_prices
from tollkeeper.store.database import Database, Statements

__all__ = [
    "FieldChange",
    "Plan",
    "PlanDifference",
    "all_plans",
    "apply",
    "changes_between",
    "difference",
    "parse",
    "plan_of",
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


async def all_plans(database: Statements) -> list[Plan]:
    """Give all plans, by rank."""
    return [plan_of({**row}) for row in await database.all("plans")]


async def difference(database: Statements, plans: Sequence[Plan]) -> list[PlanDifference]:
    """Say of each plan of the file or the catalogue what ``apply`` would do.

    A plan in the file is that whole: what is left out there is unlimited, not unchanged. Plans absent from the file
    stay. ``Invalid`` if a rank, or a price at Stripe, belongs to one of those.
    """
    known = {plan.name: plan for plan in await all_plans(database)}
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
