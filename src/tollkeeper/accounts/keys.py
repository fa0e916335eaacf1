"""API keys: ``tk_user_...`` acts as one user, ``tk_service_...`` for any. Shown once, kept as a hash.

A key is a prefix that says what it is, 43 characters (256 random bits in base 62) and 6 that check the rest, so that a
typing error is refused without asking the database. The check guards against nothing else.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts.text import one_line
from tollkeeper.accounts.tokens import peppered
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, NobodyKnown, NotFound
from tollkeeper.store.database import Database, Record, Statements, Transaction

Kind = Literal["user", "service"]

KEY_PATTERN: Final = r"\btk_(?:user|service)_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\b"
"""What scanners look for in places where no key should be."""

SCOPES: Final[dict[Kind, frozenset[str]]] = {
    "user": frozenset({"track", "dashboard:read", "variables:read", "variables:write", "variables:reveal"}),
    "service": frozenset({"track", "dashboard:read", "variables:read", "variables:write", "metrics"}),
}
"""What a key of each kind may be allowed."""

DEFAULT_SCOPES: Final = frozenset({"track", "dashboard:read", "variables:read", "variables:write"})
"""What a key may if nobody says otherwise: all daily work, but neither whole secrets nor the server's own numbers."""

MOST_KEYS: Final = 20
"""How many keys of one user may work at once."""

_LONGEST_NAME: Final = 200
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY = re.compile(KEY_PATTERN, re.ASCII)
_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once."""

    id: UUID
    key: str
    kind: Kind
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class FoundKey:
    """Who comes with a key that works now. A service key has no user of its own and is always active."""

    key_hash: bytes
    id: UUID
    kind: Kind
    user_id: UUID | None
    scopes: frozenset[str]
    is_active: bool


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key as lists show it: ``shown_as`` is its beginning."""

    id: UUID
    kind: Kind
    user_id: UUID | None
    name: str
    shown_as: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


async def create(
    database: Database,
    *,
    kind: Kind,
    name: str,
    pepper: bytes,
    actor: Actor,
    user_id: UUID | None = None,
    scopes: Collection[str] | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key, for a user or (without ``user_id``) for a service.

    Raises ``Invalid`` for a faulty name, scope or end, ``NotFound`` for an unknown user, and ``Contradiction`` for a
    user with 20 keys that work.
    """
    if (kind == "user") != (user_id is not None):
        raise Invalid.field("user", "a user key has a user, a service key has none")
    label = one_line(name, field="name", most=_LONGEST_NAME)
    if not label.strip():
        raise Invalid.field("name", "must say what the key is for")
    allowed = _scopes(kind, scopes)
    key = generate(kind)
    async with database.transaction() as tx:
        if user_id is not None:
            await _make_room(tx, user_id)
        row = await tx.one(
            "add_key",
            key_hash=peppered(key, pepper=pepper),
            kind=kind,
            user_id=user_id,
            label=label,
            shown_as=key[: len(f"tk_{kind}_") + _SHOWN] + "…",
            scopes=allowed,
            expires_at=_aware(expires_at),
        )
        if row is None:
            raise Invalid.field("expiresAt", "must lie in the future")
        detail = {"key_id": str(row["id"]), "kind": kind, "scopes": allowed}
        await activity.note(tx, user_id=user_id, actor=actor, action="key.created", detail=detail)
    return NewKey(row["id"], key, kind, label, tuple(allowed), row["created_at"], expires_at)


def generate(kind: Kind) -> str:
    """Make up a key that nobody knows yet."""
    unchecked = f"tk_{kind}_{_base62(secrets.randbits(256), 43)}"
    return f"{unchecked}_{_check(unchecked)}"


def hashed(key: str, *, pepper: bytes) -> bytes:
    """Hash a key for looking it up; ``NobodyKnown`` if it cannot be one of ours."""
    unchecked, _, check = key.rpartition("_")
    if not _KEY.fullmatch(key) or check != _check(unchecked):
        raise NobodyKnown("this is no key of ours")
    return peppered(key, pepper=pepper)


async def look_up(database: Statements, hashes: Sequence[bytes]) -> list[FoundKey]:
    """Find those keys of a set that work now, by the database's clock: neither revoked nor expired."""
    rows = await database.all("look_up_keys", hashes=list(hashes))
    return [_found(row) for row in rows]


async def revoke(database: Database, user_id: UUID, key_id: UUID, *, actor: Actor) -> None:
    """End a key of a user, from the next look-up on; ``NotFound`` if it is not theirs or ended before."""
    async with database.transaction() as tx:
        if await tx.value("revoke_key", user_id=user_id, key_id=key_id) is None:
            raise NotFound("no such key")
        await activity.note(tx, user_id=user_id, actor=actor, action="key.revoked", detail={"key_id": str(key_id)})


async def revoke_any(database: Database, key_id: UUID, *, actor: Actor) -> None:
    """End a key, whosever it is: for the operator. ``NotFound`` if there is none or it ended before."""
    async with database.transaction() as tx:
        row = await tx.one("revoke_any_key", key_id=key_id)
        if row is None:
            raise NotFound("no such key")
        await activity.note(
            tx, user_id=row["user_id"], actor=actor, action="key.revoked", detail={"key_id": str(key_id)}
        )


async def listed(database: Statements, user_id: UUID) -> list[KeptKey]:
    """Show all keys that a user ever had, the newest first."""
    return [_kept(row) for row in await database.all("keys_of_user", user_id=user_id)]


async def of_services(database: Statements) -> list[KeptKey]:
    """Show all service keys there ever were, the newest first."""
    return [_kept(row) for row in await database.all("service_keys")]


async def _make_room(tx: Transaction, user_id: UUID) -> None:
    await tx.value("bring_current", user_ids=[user_id])  # takes the lock, so that nobody else fills the room
    if await tx.one("user", user_id=user_id) is None:
        raise NotFound("no such user")
    if await tx.value("live_keys_of_user", user_id=user_id) >= MOST_KEYS:
        raise Contradiction(f"a user has at most {MOST_KEYS} keys that work: revoke one first")


def _scopes(kind: Kind, given: Collection[str] | None) -> list[str]:
    chosen = DEFAULT_SCOPES if given is None else frozenset(given)
    known = ", ".join(sorted(SCOPES[kind]))
    if not chosen:
        raise Invalid.field("scopes", f"must name at least one of {known}")
    if unknown := chosen - SCOPES[kind]:
        raise Invalid.field("scopes", f"{min(unknown)!r} is no scope of a {kind} key; known are {known}")
    return sorted(chosen)


def _aware(instant: datetime | None) -> datetime | None:
    if instant is not None and instant.tzinfo is None:
        raise Invalid.field("expiresAt", "must say its offset from UTC")
    return instant


def _check(unchecked: str) -> str:
    return _base62(zlib.crc32(unchecked.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits: list[str] = []
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _found(row: Record) -> FoundKey:
    columns: dict[str, Any] = {**row}
    columns["scopes"] = frozenset(row["scopes"])
    return FoundKey(**columns)


def _kept(row: Record) -> KeptKey:
    columns: dict[str, Any] = {**row}
    columns["scopes"] = tuple(row["scopes"])
    return KeptKey(**columns)
