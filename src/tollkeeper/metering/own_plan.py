"""The plan that a user has: their own terms, whatever the catalogue says by now, and what of them is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tollkeeper.errors import NotFound, Unavailable
from tollkeeper.metering.ledger import Ledger
from tollkeeper.metering.limits import Limits
from tollkeeper.metering.plan_file import Plan
from tollkeeper.store.database import Record, Statements

_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class OwnPlan:
    """A user's terms, in force since ``starts_at`` and until ``expires_at`` (None: for good)."""

    plan: Plan
    starts_at: datetime
    expires_at: datetime | None
    limits: Limits


async def read(database: Statements, ledger: Ledger, user_id: UUID) -> OwnPlan:
    """Read a user's plan. What has ended meanwhile, the plan itself perhaps, is brought current first."""
    for _ in range(_ATTEMPTS):
        row = await database.one("own_plan", user_id=user_id)
        if row is None:
            raise NotFound("no such user")
        if not row["is_due"]:
            return _own_plan(row)
        await ledger.bring_current([user_id])
    raise Unavailable("the user's windows kept ending while their plan was read")


def _own_plan(row: Record) -> OwnPlan:
    columns: dict[str, Any] = {**row}
    del columns["is_due"]
    limits, starts_at, expires_at = (columns.pop(name) for name in ("limits", "starts_at", "expires_at"))
    columns["features"] = tuple(columns["features"])
    return OwnPlan(Plan(**columns), starts_at, expires_at, Limits.of(limits))
