"""Sign-ins: a link that works once becomes a login session. Tokens are kept as hashes, the database's clock decides.

A login session (a row of the seed's table ``sessions``) ends after 14 days without use and after 90 days in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts.networks import network_of
from tollkeeper.accounts.tokens import fresh, hashed_of_link, peppered
from tollkeeper.activity import Actor
from tollkeeper.errors import AccountInactive, LinkOver, NotFound
from tollkeeper.store.database import Database, Statements

IDLE: Final = timedelta(days=14)
LASTS: Final = timedelta(days=90)
RECENT: Final = timedelta(minutes=15)
LINK_VALID_FOR: Final = timedelta(minutes=10)

Way = Literal["link", "email", "github", "passkey"]
"""By what somebody signs in: an operator's link, a mail, GitHub, or a passkey."""

# How long what is over stays readable for an operator who looks into an incident.
_OVER_FOR: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Link:
    """What a sign-in link must carry, shown once."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """Where somebody signs in. ``browser``: the hash of what the browser is known by.

    ``replaces``: the hash of the token that it has so far, whose session ends.
    """

    ip_address: str | None = None
    user_agent: str | None = None
    browser: bytes | None = None
    replaces: bytes | None = None


NOWHERE: Final = Visit()


@dataclass(frozen=True, slots=True)
class LoginSession:
    """A new sign-in; its token goes into the cookie and nowhere else."""

    id: UUID
    user_id: UUID
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who comes with a login session that holds now. ``is_recent``: signed in within the last 15 minutes.

    ``acted_by``: the operator who acts as that user.
    """

    token_hash: bytes
    id: UUID
    user_id: UUID
    role: Literal["user", "admin"]
    is_active: bool
    created_at: datetime
    expires_at: datetime
    is_recent: bool
    acted_by: UUID | None


@dataclass(frozen=True, slots=True)
class KeptLogin:
    """A login session as its owner sees it; ``last_seen_at`` is right within five minutes."""

    id: UUID
    signed_in_by: Way
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


async def make_link(
    database: Database, user_id: UUID, *, pepper: bytes, actor: Actor, valid_for: timedelta = LINK_VALID_FOR
) -> Link:
    """Make a token that signs a user in once; ``NotFound`` if there is no such user."""
    token = fresh()
    async with database.transaction() as tx:
        expires_at = await tx.value(
            "add_sign_in_link", token_hash=peppered(token, pepper=pepper), user_id=user_id, valid_for=valid_for
        )
        if expires_at is None:
            raise NotFound("no such user")
        await activity.note(tx, user_id=user_id, actor=actor, action="link.made")
    return Link(token, expires_at)


async def redeem(database: Database, token: str, *, pepper: bytes, visit: Visit = NOWHERE) -> LoginSession:
    """Turn a link's token into a sign-in. ``LinkOver`` if it is unknown, used or expired: the same answer for each.

    Of many who come with the same token one succeeds.
    """
    async with database.transaction() as tx:
        user_id = await tx.value("use_sign_in_link", link_hash=hashed_of_link(token, pepper=pepper))
        if user_id is None:
            raise LinkOver("this link has been used or has expired: ask for a new one")
        return await begin(tx, user_id, by="link", pepper=pepper, visit=visit)


async def begin(database: Statements, user_id: UUID, *, by: Way, pepper: bytes, visit: Visit = NOWHERE) -> LoginSession:
    """Sign in a user who has shown that it is they; ``AccountInactive`` if they are switched off, or gone.

    The session that their browser had so far ends, and every open link and code of the user is void.
    """
    token = fresh()
    row = await database.one(
        "begin_login",
        user_id=user_id,
        session_hash=peppered(token, pepper=pepper),
        signed_in_by=by,
        lasts=LASTS,
        ip_address=visit.ip_address,
        user_agent=visit.user_agent,
        network=network_of(visit.ip_address),
        browser_hash=visit.browser,
        replaces=visit.replaces,
    )
    if row is None:
        raise AccountInactive("the account has been switched off by the operator")
    return LoginSession(row["id"], row["user_id"], token, row["expires_at"])


async def who(database: Statements, hashes: Sequence[bytes]) -> list[SignedIn]:
    """Find those login sessions of a set that hold now. The hashes come from ``tokens.hashed``."""
    rows = await database.all("look_up_logins", hashes=list(hashes), idle=IDLE, recent=RECENT)
    return [SignedIn(**row) for row in rows]


async def listed(
    database: Statements, user_id: UUID, *, limit: int = 50, before: UUID | None = None
) -> list[KeptLogin]:
    """Show where a user is signed in now, the newest first, from before a session on."""
    rows = await database.all("logins_of_user", user_id=user_id, idle=IDLE, before=before, most=limit)
    return [KeptLogin(**row) for row in rows]


async def end(database: Database, user_id: UUID, session_id: UUID, *, actor: Actor) -> None:
    """Sign a user out of one session, from the next look-up on; ``NotFound`` if it is not theirs or over."""
    async with database.transaction() as tx:
        if await tx.value("end_login", user_id=user_id, session_id=session_id) is None:
            raise NotFound("no such sign-in")
        await activity.note(
            tx, user_id=user_id, actor=actor, action="login.ended", detail={"session_id": str(session_id)}
        )


async def end_all(database: Database, user_id: UUID, *, actor: Actor, but: UUID | None = None) -> int:
    """Sign a user out everywhere, save of the session ``but``, and void open links; says how many sessions held."""
    async with database.transaction() as tx:
        held = await tx.value("end_logins", user_id=user_id, but=but, idle=IDLE)
        await activity.note(tx, user_id=user_id, actor=actor, action="logins.ended", detail={"sessions": held})
    return held


async def note_restored(database: Database, *, actor: Actor, taken_at: datetime) -> int:
    """After a restore, which signed everybody out: note it, and say how many sign-ins held until then."""
    async with database.transaction() as tx:
        await activity.note(
            tx, user_id=None, actor=actor, action="backup.restored", detail={"taken_at": taken_at.isoformat()}
        )
        return await tx.value("count_ended_by_restore", taken_at=taken_at, idle=IDLE)


async def forget(database: Statements) -> int:
    """Delete links and login sessions that have been over for 30 days; says how many."""
    row = await database.one("forget_logins", over_for=_OVER_FOR, idle=IDLE)
    return row["links"] + row["logins"] if row else 0
