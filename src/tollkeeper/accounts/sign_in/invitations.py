"""Invitations: an operator lets an address sign up. They hold no secret: the mailbox is what proves who comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts import users
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, NotFound
from tollkeeper.store.database import Database, Statements

VALID_FOR: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Invitation:
    """An address that may sign up, onto a plan, until it expires; ``status`` says what came of it."""

    id: UUID
    address: str
    plan: str
    status: Literal["open", "used", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime


async def invite(
    database: Database, email: str, *, plan: str = "free", actor: Actor, valid_for: timedelta = VALID_FOR
) -> Invitation:
    """Invite an address, anew if it was invited before.

    ``Contradiction`` if it has an account, ``NotFound`` for an unknown plan.
    """
    address = users.address_of(email)
    async with database.transaction() as tx:
        if not await tx.value("plan_exists", plan=plan):
            raise NotFound(f"the catalogue has no plan {plan!r}")
        if await tx.value("user_of_email", email=address) is not None:
            raise Contradiction(f"there is a user {address} already")
        row = await tx.one("put_invitation", address=address, plan=plan, invited_by=actor.who, valid_for=valid_for)
        if row is None:
            raise NotFound("no such invitation")
        detail = {"invitation": str(row["id"]), "plan": plan}
        await activity.note(tx, user_id=None, actor=actor, action="invitation.made", detail=detail)
    return Invitation(**row)


async def listed(database: Statements, *, limit: int, after: UUID | None = None) -> Sequence[Invitation]:
    """Show all, the newest first; what is over for 30 days."""
    return [Invitation(**row) for row in await database.all("invitations_page", below=after, most=limit)]


async def withdraw(database: Database, invitation_id: UUID, *, actor: Actor) -> None:
    """Take one back; ``NotFound`` if there is none, or it was accepted or taken back already."""
    async with database.transaction() as tx:
        if await tx.value("withdraw_invitation", id=invitation_id) is None:
            raise NotFound("no such invitation")
        detail = {"invitation": str(invitation_id)}
        await activity.note(tx, user_id=None, actor=actor, action="invitation.withdrawn", detail=detail)
