"""Operators who act as users: to see what they see, for half an hour, and every act is noted as the operator's.

Such a login session hangs on the operator's own: it ends with that, with the operator's role, and when they stop.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in.logins import LoginSession
from tollkeeper.accounts.tokens import fresh, peppered
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, NobodyKnown
from tollkeeper.store.database import Database

LASTS: Final = timedelta(minutes=30)


async def begin(
    database: Database, user_id: UUID, *, operator_id: UUID, session_id: UUID, pepper: bytes, actor: Actor
) -> LoginSession:
    """Let an operator act as a user, from their login session ``session_id`` on.

    ``NotFound`` if there is no such user, ``Contradiction`` for an operator and for who is switched off.
    """
    token = fresh()
    async with database.transaction() as tx:
        await users.show(tx, user_id)
        row = await tx.one(
            "begin_acting",
            user_id=user_id,
            operator_id=operator_id,
            session_id=session_id,
            session_hash=peppered(token, pepper=pepper),
            lasts=LASTS,
            ip_address=actor.ip_address,
            user_agent=actor.user_agent,
        )
        if row is None:
            raise Contradiction("nobody acts as an operator, nor as somebody who is switched off")
        await activity.note(tx, user_id=user_id, actor=actor, action="acting.begun")
    return LoginSession(row["id"], row["user_id"], token, row["expires_at"])


async def stop(
    database: Database, user_id: UUID, *, operator_id: UUID, session_id: UUID, pepper: bytes, actor: Actor
) -> LoginSession:
    """End acting as a user: gives the operator's own login session, under a new token.

    ``NobodyKnown`` if that is over meanwhile.
    """
    token = fresh()
    async with database.transaction() as tx:
        row = await tx.one(
            "stop_acting",
            user_id=user_id,
            operator_id=operator_id,
            session_id=session_id,
            session_hash=peppered(token, pepper=pepper),
        )
        if row is None:
            raise NobodyKnown("your own sign-in is over: sign in again")
        await activity.note(tx, user_id=user_id, actor=replace(actor, acted_by=operator_id), action="acting.ended")
    return LoginSession(row["id"], row["user_id"], token, row["expires_at"])
