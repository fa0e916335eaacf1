"""What users are told of: limits that are near or reached, plans that change or end, what costs more than usual.

The database writes an event within the transaction that caused it, and each once (``store/routines/26_events.sql``).
Here they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args
from uuid import UUID

from tollkeeper.store.database import Database, Record, Statements

Kind: TypeAlias = Literal[
    "limit.threshold",
    "limit.reached",
    "plan.changed",
    "plan.expiring",
    "plan.expired",
    "request.unpriced",
    "spend.unusual",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``email`` is told to operators alone; ``seen_at`` None: the user has not seen it in the page."""

    user_id: UUID
    email: str | None
    id: UUID
    kind: Kind
    data: dict[str, Any]
    created_at: datetime
    seen_at: datetime | None


async def of_user(
    database: Statements, user_id: UUID, *, limit: int, below: UUID | None = None, kind: Kind | None = None
) -> list[Event]:
    """List what a user was told of, the newest first, below an id."""
    rows = await database.all("events_of_user", user_id=user_id, below=below, kind=kind, most=limit)
    return [_event(row) for row in rows]


async def of_all(
    database: Statements, *, limit: int, below: tuple[datetime, UUID] | None = None, kind: Kind | None = None
) -> list[Event]:
    """List what all users were told of, the newest first, below an instant and an id."""
    below_at, below_id = below or (None, None)
    rows = await database.all("events_of_all", below_at=below_at, below=below_id, kind=kind, most=limit)
    return [_event(row) for row in rows]


async def unseen(database: Statements, user_id: UUID) -> int:
    """Count what a user has not seen yet."""
    return await database.value("unseen_events", user_id=user_id)


async def see(database: Statements, user_id: UUID, last: UUID) -> None:
    """Note that a user has seen all up to one."""
    await database.run("see_events", user_id=user_id, last=last)


async def forget(database: Database, *, most: int) -> int:
    """Delete some of what is older than 90 days; says how many there were of at most that many."""
    return len(await database.all("forget_events", most=most))


def _event(row: Record) -> Event:
    return Event(**row)
