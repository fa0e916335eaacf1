"""The plan that a user has: their own terms, whatever the catalogue says by now, and what of them is used."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from tollkeeper.errors import NotFound
from tollkeeper.metering.plans.catalogue import plan_of
from tollkeeper.metering.plans.plan_file import Cycle, Plan
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.store.database import Record, Statements, Transaction

CameBy: TypeAlias = Literal["given", "upgraded", "downgraded", "cancelled", "renewed", "expired", "migrated"]


@dataclass(frozen=True, slots=True)
class OwnPlan:
    """A user's terms, in force since ``starts_at`` and until ``expires_at`` (None: for good).

    ``plan`` is what they agreed to; exceptions and grants are in ``limits`` only, and in ``tokens_a_request``, the most
    that a request may have (None: no limit). Periods of payment count from ``anchored_at``, in ``zone``. When the terms
    expire ``next_plan`` follows (None: free); they were given until ``given_until`` at most.
    """

    plan: Plan
    starts_at: datetime
    expires_at: datetime | None
    is_trial: bool
    next_plan: str | None
    next_cycle: Cycle | None
    given_until: datetime | None
    anchored_at: datetime
    zone: str
    tokens_a_request: int | None
    limits: Limits


@dataclass(frozen=True, slots=True)
class PastTerms:
    """A plan that a user had or has. ``kind`` says how they came to it."""

    id: UUID
    plan_name: str
    plan_version: int
    kind: CameBy
    billing_cycle: Cycle
    is_trial: bool
    is_in_force: bool
    starts_at: datetime
    ended_at: datetime | None


async def history(database: Statements, user_id: UUID, *, limit: int, after: UUID | None) -> list[PastTerms]:
    """List the plans that a user had, the newest first, behind the one with the id ``after``.

    What follows a plan that has ended is put in force first: nobody is without a plan.
    """
    if after is None:
        await database.value("bring_current", user_ids=[user_id])
    rows = await database.all("terms_of_user", user_id=user_id, after=after, most=limit)
    return [PastTerms(**row) for row in rows]


async def current(tx: Transaction, user_id: UUID) -> OwnPlan:
    """Read a user's plan within a transaction that has their lock and brought them current."""
    row = await tx.one("own_plan", user_id=user_id)
    if row is None:
        raise NotFound("no such user")
    return _own_plan(row)


async def read(database: Statements, ledger: Ledger, user_id: UUID) -> OwnPlan:
    """Read a user's plan. What has ended meanwhile, the plan itself perhaps, is brought current first."""
    return _own_plan(await ledger.current(database, "own_plan", user_id))


def _own_plan(row: Record) -> OwnPlan:
    columns: dict[str, Any] = {**row}
    del columns["is_due"]
    terms: dict[str, Any] = {name: columns.pop(name) for name in _OF_TERMS}
    terms["limits"] = Limits.of(terms["limits"])
    return OwnPlan(plan=plan_of(columns), **terms)


_OF_TERMS: Final = tuple(each.name for each in fields(OwnPlan) if each.name != "plan")
