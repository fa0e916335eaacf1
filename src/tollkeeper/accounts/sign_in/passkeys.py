"""Passkeys (WebAuthn): made and used in ceremonies, of which the browser keeps the secret and we the public half.

A ceremony is what one browser is asked to sign: for five minutes, once, and until it begins another. It is named by its
challenge, of which only the hash is kept. ``authenticators`` judges signatures; whether a ceremony still holds, and
whether the device's count of signatures has risen, is decided by the database in the statement that changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts import users
from tollkeeper.accounts.networks import network_of
from tollkeeper.accounts.sign_in import allowances, logins
from tollkeeper.accounts.sign_in.allowances import Allowance
from tollkeeper.accounts.sign_in.logins import NOWHERE, LoginSession, Visit
from tollkeeper.accounts.sign_in.relying_party import RelyingParty
from tollkeeper.accounts.text import one_line
from tollkeeper.accounts.tokens import fresh, hashed, peppered
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, NobodyKnown, NotFound, PasskeyRefused
from tollkeeper.store.database import Database, Record, Statements, Transaction

VALID_FOR: Final = timedelta(minutes=5)
MOST_PASSKEYS: Final = 20
"""How many passkeys a user may have."""
LONGEST_NAME: Final = 100

# A large office behind one address, on a Monday morning: so many at once, and one more after each pause.
_FROM_NETWORK: Final = (300, timedelta(seconds=0.2))
# So many nobody ended are taken away by each who begins one: more than come.
_FORGOTTEN_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What a browser is asked to sign: ``options`` as WebAuthn has them, ``name`` to come back with."""

    name: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its owner sees it. ``is_synced``: it is on all devices of its owner's account with their maker."""

    id: UUID
    name: str
    transports: tuple[str, ...]
    is_synced: bool
    created_at: datetime
    last_used_at: datetime | None


async def ask(database: Database, party: RelyingParty, *, browser: bytes, pepper: bytes, visit: Visit) -> Ceremony:
    """Begin a sign-in: any passkey of this site will do. ``browser`` is the hash of what only this browser knows.

    ``TooManyAttempts`` where a network begins so many that they can be no people's.
    """
    from tollkeeper.accounts.sign_in import authenticators  # noqa: PLC0415

    network = network_of(visit.ip_address) or "nowhere"
    wanted = [Allowance(f"passkey from {network}", *_FROM_NETWORK)]
    await allowances.take(database, wanted, pepper=pepper, detail="too many tries to sign in came from your network")
    name = await _open(database, browser, pepper=pepper)
    return Ceremony(name, authenticators.to_sign_in(party, name, valid_for=VALID_FOR))


async def prepare(database: Database, party: RelyingParty, user_id: UUID, *, browser: bytes, pepper: bytes) -> Ceremony:
    """Begin to make a passkey of a user; ``NotFound`` if they are gone. Devices that have one already make no other."""
    from tollkeeper.accounts.sign_in import authenticators  # noqa: PLC0415

    user = await users.show(database, user_id)
    known = await database.all("credentials_of_user", user_id=user_id)
    name = await _open(database, browser, pepper=pepper, user_id=user_id)
    options = authenticators.to_make(
        party,
        name,
        valid_for=VALID_FOR,
        user_id=user_id,
        email=user.email,
        name=user.name or user.email,
        known=[(row["credential_id"], row["transports"]) for row in known],
    )
    return Ceremony(name, options)


async def add(
    database: Database,
    party: RelyingParty,
    user_id: UUID,
    *,
    ceremony: str,
    credential: Mapping[str, Any],
    name: str,
    browser: bytes,
    pepper: bytes,
    actor: Actor,
) -> Passkey:
    """Keep the passkey that a browser has made in a ceremony.

    Raises ``Invalid`` for a faulty name, a ceremony that is over, or a credential that is not what was asked for;
    ``Contradiction`` for a passkey that is known already, or one more than 20; ``NotFound`` if its user is gone.
    """
    from tollkeeper.accounts.sign_in import authenticators  # noqa: PLC0415

    label = _label(name)
    if not await _close(database, ceremony, browser, pepper=pepper, user_id=user_id):
        raise Invalid.field("ceremony", "is over or was not this browser's: ask for new options")
    made = authenticators.made(party, ceremony, credential)
    if made is None:
        raise Invalid.field("credential", "is not what the options asked for")
    async with database.transaction() as tx:
        await _make_room(tx, user_id)
        row = await tx.one(
            "add_passkey",
            credential_id=made.id,
            user_id=user_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            label=label,
            transports=list(made.transports),
            is_synced=made.is_synced,
        )
        if row is None:
            raise Contradiction("this passkey is known already")
        detail = {"passkey_id": str(row["id"])}
        await activity.note(tx, user_id=user_id, actor=actor, action="passkey.added", detail=detail)
    return _passkey(row)


async def sign_in(
    database: Database,
    party: RelyingParty,
    *,
    ceremony: str,
    credential: Mapping[str, Any],
    browser: bytes | None,
    pepper: bytes,
    visit: Visit = NOWHERE,
) -> LoginSession:
    """Sign in whoever has the passkey; ``PasskeyRefused`` if it is none of ours or was not used as it was asked for.

    ``AccountInactive`` if its user is switched off.
    """
    from tollkeeper.accounts.sign_in import authenticators  # noqa: PLC0415

    if not await _close(database, ceremony, browser, pepper=pepper):
        raise PasskeyRefused("this took too long or was tried before: try again")
    refused = PasskeyRefused("this passkey was not accepted: try another one, or sign in by e-mail")
    given = authenticators.given(credential)
    if given is None:
        raise refused
    row = await database.one("passkey_of_credential", credential_id=given.id)
    if row is None:
        raise refused
    used = authenticators.used(party, ceremony, given, user_id=row["user_id"], public_key=row["public_key"])
    if used is None:
        raise refused
    user_id, passkey_id = row["user_id"], row["id"]
    async with database.transaction() as tx:
        counted = await tx.value(
            "use_passkey",
            user_id=user_id,
            passkey_id=passkey_id,
            sign_count=used.sign_count,
            is_synced=used.is_synced,
        )
        if counted is not None:
            return await logins.begin(tx, user_id, by="passkey", pepper=pepper, visit=visit)
        actor = Actor(str(user_id), visit.ip_address, visit.user_agent)
        detail = {"passkey_id": str(passkey_id), "why": "its count did not rise"}
        await activity.note(tx, user_id=user_id, actor=actor, action="passkey.refused", detail=detail)
    raise refused


async def listed(database: Statements, user_id: UUID) -> list[Passkey]:
    """Show all passkeys of a user, the newest first."""
    return [_passkey(row) for row in await database.all("passkeys_of_user", user_id=user_id)]


async def count(database: Statements, user_id: UUID) -> int:
    """Say how many passkeys a user has."""
    return await database.value("count_passkeys", user_id=user_id)


async def rename(database: Database, user_id: UUID, passkey_id: UUID, name: str, *, actor: Actor) -> Passkey:
    """Call a passkey something else; ``NotFound`` if it is not theirs."""
    label = _label(name)
    async with database.transaction() as tx:
        row = await tx.one("rename_passkey", user_id=user_id, passkey_id=passkey_id, label=label)
        if row is None:
            raise NotFound("no such passkey")
        detail = {"passkey_id": str(passkey_id)}
        await activity.note(tx, user_id=user_id, actor=actor, action="passkey.renamed", detail=detail)
    return _passkey(row)


async def remove(database: Database, user_id: UUID, passkey_id: UUID, *, actor: Actor) -> None:
    """Let a passkey sign in no more; ``NotFound`` if it is not theirs. Sign-ins that it began go on."""
    async with database.transaction() as tx:
        if await tx.value("remove_passkey", user_id=user_id, passkey_id=passkey_id) is None:
            raise NotFound("no such passkey")
        detail = {"passkey_id": str(passkey_id)}
        await activity.note(tx, user_id=user_id, actor=actor, action="passkey.removed", detail=detail)


async def _open(database: Database, browser: bytes, *, pepper: bytes, user_id: UUID | None = None) -> str:
    name = fresh()
    await database.run(
        "open_ceremony",
        browser_hash=browser,
        challenge_hash=peppered(name, pepper=pepper),
        user_id=user_id,
        valid_for=VALID_FOR,
    )
    await database.run("forget_ceremonies", most=_FORGOTTEN_AT_ONCE)
    return name


async def _close(
    database: Database, ceremony: str, browser: bytes | None, *, pepper: bytes, user_id: UUID | None = None
) -> bool:
    """End a ceremony before anything is judged: a second try with the same challenge there is not."""
    try:
        challenge_hash = hashed(ceremony, pepper=pepper)
    except NobodyKnown:
        return False
    closed = await database.value(
        "close_ceremony", browser_hash=browser, challenge_hash=challenge_hash, user_id=user_id
    )
    return closed is not None


async def _make_room(tx: Transaction, user_id: UUID) -> None:
    await tx.value("bring_current", user_ids=[user_id])  # takes the lock, so that nobody else fills the room
    await users.show(tx, user_id)
    if await count(tx, user_id) >= MOST_PASSKEYS:
        raise Contradiction(f"a user has at most {MOST_PASSKEYS} passkeys: remove one first")


def _label(name: str) -> str:
    label = one_line(name, field="name", most=LONGEST_NAME).strip()
    if not label:
        raise Invalid.field("name", "must say which passkey it is")
    return label


def _passkey(row: Record) -> Passkey:
    columns: dict[str, Any] = {**row}
    columns["transports"] = tuple(row["transports"])
    return Passkey(**columns)
