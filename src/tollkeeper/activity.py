"""The log of who did what. It is only added to: the service's role can neither change nor delete it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal
from uuid import UUID

from tollkeeper.store.database import Record, Statements
from tollkeeper.store.patience import patiently

Kind = Literal["user", "key", "operator", "job"]

# Longer ones are nobody's address or browser.
_LONGEST: Final = 1000
_KEY: Final = "key:"
_AS: Final = " as "
_NOBODY: Final = UUID(int=0)
# Of a download: so many are read at once.
_READ: Final = 500


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where as far as that is known.

    ``who`` is a user's id, ``key:`` and a key's id, ``operator`` at the command line, or the name of a job.
    ``acted_by`` is the id of the operator who acts as that user.
    """

    who: str
    ip_address: str | None = None
    user_agent: str | None = None
    acted_by: UUID | None = None


OPERATOR: Final = Actor("operator")
"""Whoever has the command line of the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which acts; ``None`` does not matter. Without ``user_id`` those on all users and on none.

    ``actor`` is as it is noted: an id, ``key:`` and an id, ``operator``, or a job. ``since`` is the first instant,
    ``until`` the first behind.
    """

    user_id: UUID | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """One act as it was noted. ``user_id`` is whom it was about; e-mail addresses are of those who are still there.

    ``acting_as`` is the user as whom an operator did it.
    """

    id: UUID
    at: datetime
    user_id: UUID | None
    email: str | None
    kind: Kind
    actor_id: str | None
    actor_email: str | None
    acting_as: UUID | None
    action: str
    detail: dict[str, Any]
    ip_address: str | None
    user_agent: str | None


async def note(
    tx: Statements, *, user_id: UUID | None, actor: Actor, action: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Note one act, within the transaction that does it; ``user_id`` is None for one on no single user.

    ``action`` is a noun and a participle such as ``key.revoked``. Never hand it a secret or an e-mail address: what is
    noted outlives the account.
    """
    await tx.run(
        "note_activity",
        user_id=user_id,
        actor=f"{actor.acted_by}{_AS}{actor.who}" if actor.acted_by else actor.who,
        action=action,
        detail=dict(detail or {}),
        ip_address=actor.ip_address and actor.ip_address[:_LONGEST],
        user_agent=actor.user_agent and actor.user_agent[:_LONGEST],
    )


async def listed(database: Statements, wanted: Wanted, *, limit: int, below: UUID | None = None) -> list[Act]:
    """List acts, the newest first, below an id."""
    values: dict[str, Any] = {
        "below": below,
        "action": wanted.action,
        "since": wanted.since,
        "until": wanted.until,
        "most": limit,
    }
    if wanted.user_id is not None:
        rows = await database.all("activity_of_user", user_id=wanted.user_id, actor=wanted.actor, **values)
    elif wanted.actor is not None:
        rows = await database.all("activity_by_actor", actor=wanted.actor, **values)
    else:
        rows = await database.all("activity_of_all", **values)
    return [_act(row) for row in rows]


async def every(database: Statements, wanted: Wanted) -> AsyncGenerator[list[Act]]:
    """Give all acts that are wanted, some at a time, the newest first.

    No connection is held while somebody reads what was given. While the database is away or busy it is waited for.
    """
    below: UUID | None = None
    while found := await patiently(partial(listed, database, wanted, limit=_READ, below=below)):
        yield found
        if len(found) < _READ:
            return
        below = found[-1].id


def _act(row: Record) -> Act:
    who, _, as_whom = row["actor"].partition(_AS)
    kind, actor_id = _kind(who)
    return Act(
        id=row["id"],
        at=row["created_at"],
        user_id=None if row["user_id"] == _NOBODY else row["user_id"],
        email=row["email"],
        kind=kind,
        actor_id=actor_id,
        actor_email=row["actor_email"],
        acting_as=UUID(as_whom) if as_whom else None,
        action=row["action"],
        detail=row["detail"],
        ip_address=row["ip_address"],
        user_agent=row["user_agent"],
    )


def _kind(who: str) -> tuple[Kind, str | None]:
    if who.startswith(_KEY):
        return "key", who.removeprefix(_KEY)
    if who == OPERATOR.who:
        return "operator", None
    try:
        return "user", str(UUID(who))
    except ValueError:
        return "job", who
