"""Moving the users of a plan to the terms that the catalogue has now: those of a newer version, or of another plan.

Until then they keep what they agreed to, however often the catalogue changes. Users are moved in sets, each under its
users' locks; whoever is moved already is passed over, so a run that was cut off is simply repeated.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import NotFound
from tollkeeper.metering.plans import catalogue
from tollkeeper.metering.plans.catalogue import FieldChange
from tollkeeper.metering.plans.plan_file import Plan
from tollkeeper.store.database import Database, Statements

_A_SET: Final = 100


@dataclass(frozen=True, slots=True)
class Outdated:
    """Those who are on one version of a plan, and what would change for them."""

    version: int
    users: int
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """How many users were moved, and whether those are all."""

    users: int
    is_complete: bool


async def outdated(database: Statements, plan_name: str, to: str) -> list[Outdated]:
    """Say who would be moved by ``migrate``, by version, the oldest first. ``NotFound`` for an unknown plan."""
    target = await _known(database, to)
    rows = await database.all("outdated_terms", plan=plan_name, to=to)
    if not rows:
        await _known(database, plan_name)
    found: list[Outdated] = []
    for row in rows:
        columns: dict[str, Any] = {**row}
        users = columns.pop("users")
        old = catalogue.plan_of(columns)
        found.append(Outdated(old.version, users, tuple(catalogue.changes_between(old, target))))
    return found


async def migrate(database: Database, plan_name: str, to: str, *, actor: Actor) -> AsyncGenerator[int]:
    """Move everybody who is on older terms of a plan; tells after each set how many it moved."""
    await _known(database, to)
    after: UUID | None = None
    while True:
        rows = await database.all("some_outdated", plan=plan_name, to=to, after=after, most=_A_SET)
        if not rows:
            return
        user_ids = [row["user_id"] for row in rows]
        async with database.transaction() as tx:
            moved = await tx.all("migrate_users", user_ids=user_ids, plan=plan_name, to=to)
            for row in moved:
                detail = {"plan": to, "kind": "migrated"}
                await activity.note(tx, user_id=row["user_id"], actor=actor, action="plan.changed", detail=detail)
        yield len(moved)
        after = user_ids[-1]


async def migrate_for(database: Database, plan_name: str, to: str, *, actor: Actor, seconds: float) -> Moved:
    """Move them for about so many ``seconds``; if that does not do for all, it is called again."""
    ends_at, users = time.monotonic() + seconds, 0
    async with aclosing(migrate(database, plan_name, to, actor=actor)) as moving:
        async for more in moving:
            users += more
            if time.monotonic() > ends_at:
                return Moved(users, is_complete=False)
    return Moved(users, is_complete=True)


async def _known(database: Statements, name: str) -> Plan:
    for plan in await catalogue.all_plans(database):
        if plan.name == name:
            return plan
    raise NotFound(f"the catalogue has no plan {name!r}")
