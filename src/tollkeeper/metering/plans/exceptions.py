"""Exceptions of one user: limits that differ from the plan's for a time, and grants beyond the month's allowance.

Grants are burned after the allowance, those of lower priority first and among equals the one that expires soonest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.metering.plans import terms
from tollkeeper.store.database import Database, Record, Statements, Transaction

Unit: TypeAlias = Literal["requests", "tokens", "cost"]

LIMITS: Final = (
    "daily_requests",
    "monthly_requests",
    "max_tokens_per_request",
    "monthly_tokens",
    "monthly_cost_nanos",
    "requests_per_minute",
    "concurrent_requests",
)
MOST_IN_FORCE: Final = 100


@dataclass(frozen=True, slots=True)
class Override:
    """Limits instead of the plan's, from ``starts_at`` to ``ends_at`` (None: until it is ended). None is unlimited.

    ``ended_at`` says when an operator ended it, or when it ended by itself.
    """

    id: UUID
    limits: Mapping[str, int | None]
    reason: str
    starts_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Grant:
    """Units beyond the allowance: requests, tokens or nano-USD. ``burned`` says how many of ``amount`` are used up.

    ``source`` is ``operator``, or ``rollover`` for what a month left unused.
    """

    id: UUID
    unit: Unit
    amount: int
    burned: int
    priority: int
    source: Literal["operator", "rollover"]
    reason: str
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None


async def overrides(database: Statements, user_id: UUID) -> list[Override]:
    """List a user's overrides, the newest first: at most the last thousand."""
    return [Override(**row) for row in await database.all("overrides_of_user", user_id=user_id)]


async def grants(database: Statements, user_id: UUID) -> list[Grant]:
    """List a user's grants, the newest first: at most the last thousand. What is due is brought current before."""
    return [Grant(**row) for row in await database.all("grants_of_user", user_id=user_id)]


async def override(
    database: Database,
    user_id: UUID,
    limits: Mapping[str, int | None],
    *,
    reason: str,
    ends_at: datetime | None,
    actor: Actor,
) -> Override:
    """Let other limits than the plan's hold from now on, until ``ends_at``; the newest counts where several name one.

    Raises ``Invalid`` if no limit is named or ``endsAt`` is over, ``Contradiction`` if too many hold, ``NotFound`` for
    an unknown user.
    """
    if not limits or set(limits) - set(LIMITS):
        raise Invalid.field("limits", "must name at least one limit")
    async with database.transaction() as tx:
        now = await _locked(tx, user_id, "endsAt", ends_at, "count_overrides")
        row = await tx.one("add_override", user_id=user_id, limits=dict(limits), reason=reason, ends_at=ends_at, at=now)
        await _in_force(tx, user_id, row, now=now, actor=actor, action="override.added")
        return Override(**_known(row))


async def end_override(database: Database, user_id: UUID, override_id: UUID, *, actor: Actor) -> Override:
    """End an override now. ``NotFound`` unless it holds."""
    async with database.transaction() as tx:
        now = await tx.value("bring_current", user_ids=[user_id])
        row = await tx.one("end_override", user_id=user_id, override_id=override_id, at=now)
        await _in_force(tx, user_id, row, now=now, actor=actor, action="override.ended")
        return Override(**_known(row))


async def grant(
    database: Database,
    user_id: UUID,
    unit: Unit,
    amount: int,
    *,
    reason: str,
    expires_at: datetime | None,
    priority: int,
    actor: Actor,
) -> Grant:
    """Grant units beyond the month's allowance, until they are burned or ``expires_at``.

    Raises ``Invalid`` if ``expiresAt`` is over, ``Contradiction`` if too many grants are left, ``NotFound`` for an
    unknown user.
    """
    async with database.transaction() as tx:
        now = await _locked(tx, user_id, "expiresAt", expires_at, "count_grants")
        row = await tx.one(
            "add_grant",
            user_id=user_id,
            unit=unit,
            amount=amount,
            priority=priority,
            reason=reason,
            expires_at=expires_at,
            at=now,
        )
        await _in_force(tx, user_id, row, now=now, actor=actor, action="grant.added")
        return Grant(**_known(row))


async def end_grant(database: Database, user_id: UUID, grant_id: UUID, *, actor: Actor) -> Grant:
    """End a grant now: what of it is burned stays so, and what comes back to it is gone.

    ``NotFound`` if nothing is left of it and nothing can come back.
    """
    async with database.transaction() as tx:
        now = await tx.value("bring_current", user_ids=[user_id])
        await tx.run("settle_grants", user_id=user_id)
        row = await tx.one("end_grant", user_id=user_id, grant_id=grant_id, at=now)
        await _in_force(tx, user_id, row, now=now, actor=actor, action="grant.ended")
        return Grant(**_known(row))


async def _locked(tx: Transaction, user_id: UUID, field: str, ends_at: datetime | None, count: str) -> datetime:
    """Take the user's lock and answer the instant that decides, unless an end is over or too much holds."""
    now = await terms.locked(tx, user_id, field, ends_at)
    if await tx.value(count, user_id=user_id) >= MOST_IN_FORCE:
        raise Contradiction(f"{MOST_IN_FORCE} of them hold already: end one first")
    return now


async def _in_force(
    tx: Transaction, user_id: UUID, row: Record | None, *, now: datetime, actor: Actor, action: str
) -> None:
    detail = {"id": str(_known(row)["id"]), "reason": _known(row)["reason"]}
    await tx.run("refresh_terms", user_id=user_id, at=now)
    await activity.note(tx, user_id=user_id, actor=actor, action=action, detail=detail)


def _known(row: Record | None) -> Record:
    if row is None:
        raise NotFound("no such user, or nothing of theirs that holds by that id")
    return row
