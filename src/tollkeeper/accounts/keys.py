"""API keys: ``tk_user_...`` acts as one user, ``tk_service_...`` for any. Shown once, kept as a hash.

A key is a prefix that says what it is, 43 characters (256 random bits in base 62) and 6 that check the rest, so that a
typing error is refused without asking the database. The check guards against nothing else.

A key is rotated by a new one on the same terms; the old one works on for a while, so that nobody is cut off while the
new one is put into its place.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts.networks import Network, network_in
from tollkeeper.accounts.text import one_line
from tollkeeper.accounts.tokens import peppered
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, NobodyKnown, NotFound
from tollkeeper.instants import LAST_YEAR
from tollkeeper.store.database import Database, Record, Statements, Transaction

Kind = Literal["user", "service"]
Status = Literal["active", "replaced", "expired", "revoked"]

KEY_PATTERN: Final = r"\btk_(?:user|service)_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\b"
"""What scanners look for in places where no key should be."""

SCOPES: Final[dict[Kind, frozenset[str]]] = {
    "user": frozenset({"track", "dashboard:read", "variables:read", "variables:write", "variables:reveal"}),
    "service": frozenset({"track", "dashboard:read", "variables:read", "variables:write", "metrics", "plans:write"}),
}
"""What a key of each kind may be allowed."""

DEFAULT_SCOPES: Final = frozenset({"track", "dashboard:read", "variables:read", "variables:write"})
"""What a key may if nobody says otherwise: all daily work, but neither whole secrets nor the server's own numbers."""

MOST_KEYS: Final = 20
"""How many keys of one user may work at once; beside them as many that are being replaced."""

MOST_SERVICE_KEYS: Final = 200
"""How many keys of services may work at once, likewise: a house has some tens of backends."""

MOST_ADDRESSES: Final = 50
OVERLAP: Final = timedelta(hours=24)
LONGEST_OVERLAP: Final = timedelta(days=30)

_LAST_END: Final = LAST_YEAR - timedelta.resolution
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
    addresses: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rotated:
    """A key and the one that it replaces, with the instant when that one ends."""

    new: NewKey
    old_id: UUID
    old_ends_at: datetime


@dataclass(frozen=True, slots=True)
class FoundKey:
    """Who comes with a key that works now. A service key has no user of its own and is always active.

    ``addresses``: from where it may be used, none for anywhere. ``is_noted``: its use was noted within the last minute.
    """

    key_hash: bytes
    id: UUID
    kind: Kind
    user_id: UUID | None
    scopes: frozenset[str]
    addresses: tuple[Network, ...]
    is_active: bool
    is_noted: bool


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key as lists show it: ``shown_as`` is its beginning. ``last_used_at`` is right within a minute or so.

    ``status``: one that is ``replaced`` still works until it expires.
    """

    id: UUID
    kind: Kind
    user_id: UUID | None
    name: str
    shown_as: str
    scopes: tuple[str, ...]
    addresses: tuple[str, ...]
    status: Status
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaces: UUID | None
    replaced_by: UUID | None


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
    addresses: Collection[str] = (),
) -> NewKey:
    """Make a key, for a user or (without ``user_id``) for a service; ``addresses``: from where it may be used.

    Raises ``Invalid`` for a faulty name, scope, end or address, ``NotFound`` for an unknown user, and ``Contradiction``
    for a user with 20 keys that work, or a house with 200 of services.
    """
    if (kind == "user") != (user_id is not None):
        raise Invalid.field("user", "a user key has a user, a service key has none")
    label = one_line(name, field="name", most=_LONGEST_NAME)
    if not label.strip():
        raise Invalid.field("name", "must say what the key is for")
    allowed, networks = _scopes(kind, scopes), _networks(addresses)
    key = generate(kind)
    async with database.transaction() as tx:
        await _make_room(tx, user_id)
        row = await tx.one(
            "add_key",
            key_hash=peppered(key, pepper=pepper),
            kind=kind,
            user_id=user_id,
            label=label,
            shown_as=_beginning(key),
            scopes=allowed,
            addresses=networks,
            expires_at=_aware(expires_at),
        )
        if row is None:
            raise Invalid.field("expiresAt", "must lie in the future")
        detail = {"key_id": str(row["id"]), "kind": kind, "scopes": allowed, "is_bound": bool(networks)}
        await activity.note(tx, user_id=user_id, actor=actor, action="key.created", detail=detail)
    return NewKey(row["id"], key, kind, label, tuple(allowed), tuple(networks), row["created_at"], expires_at)


async def rotate(
    database: Database,
    key_id: UUID,
    *,
    pepper: bytes,
    actor: Actor,
    user_id: UUID | None = None,
    overlap: timedelta = OVERLAP,
) -> Rotated:
    """Make a new key on the same terms as one of a user or (without ``user_id``) of a service.

    The old one ends after the overlap, if it would not end sooner; the new one lasts as long as the old one was meant
    to, yet not into the year 9999. Of many who rotate the same key one succeeds. ``NotFound`` if there is no such key
    that works, ``Contradiction`` if it was rotated before.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Invalid.field("overlapSeconds", f"must be from 0 to {int(LONGEST_OVERLAP.total_seconds())}")
    async with database.transaction() as tx:
        await _hold(tx, user_id)
        # A statement of its own, so that the next one sees what was done while this one waited.
        await tx.run("hold_key", key_id=key_id, user_id=user_id)
        kind: Kind = "service" if user_id is None else "user"
        key = generate(kind)
        row = await tx.one(
            "rotate_key",
            key_id=key_id,
            user_id=user_id,
            overlap=overlap,
            last_end=_LAST_END,
            key_hash=peppered(key, pepper=pepper),
            shown_as=_beginning(key),
        )
        if row is None:
            if await tx.value("replacement_of_key", key_id=key_id, user_id=user_id) is None:
                raise NotFound("no such key that works")
            raise Contradiction("this key has been rotated already: rotate the one that replaces it")
        if (await _live(tx, user_id))["working"] > 2 * _most(user_id):
            raise Contradiction("too many keys are being replaced: revoke one of the old ones first")
        detail = {"key_id": str(key_id), "new_key_id": str(row["id"]), "overlap_seconds": overlap.total_seconds()}
        await activity.note(tx, user_id=user_id, actor=actor, action="key.rotated", detail=detail)
    return Rotated(_new(row, key), key_id, row["old_ends_at"])


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


async def note_used(database: Statements, key_ids: Collection[UUID]) -> None:
    """Note that keys are in use, each at most once a minute."""
    await database.run("note_keys_used", key_ids=list(key_ids))


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


async def listed(
    database: Statements, user_id: UUID, *, limit: int | None = None, after: UUID | None = None
) -> list[KeptKey]:
    """Show the keys that a user has or had, the newest first, those behind ``after``."""
    return [_kept(row) for row in await database.all("keys_of_user", user_id=user_id, most=limit, after=after)]


async def of_services(database: Statements, *, limit: int | None = None, after: UUID | None = None) -> list[KeptKey]:
    """Show the keys that services have or had, the newest first, those behind ``after``."""
    return [_kept(row) for row in await database.all("service_keys", most=limit, after=after)]


async def _make_room(tx: Transaction, user_id: UUID | None) -> None:
    await _hold(tx, user_id)
    if user_id is not None and await tx.one("user", user_id=user_id) is None:
        raise NotFound("no such user")
    if (await _live(tx, user_id))["lasting"] >= (most := _most(user_id)):
        whose = "services have" if user_id is None else "a user has"
        raise Contradiction(f"{whose} at most {most} keys that work: revoke one first")


async def _hold(tx: Transaction, user_id: UUID | None) -> None:
    """Let nobody else fill the room: of the user, or of all services."""
    if user_id is None:
        await tx.run("hold_service_keys")
    else:
        await tx.value("bring_current", user_ids=[user_id])


async def _live(tx: Transaction, user_id: UUID | None) -> Mapping[str, int]:
    asking = tx.one("live_keys_of_services") if user_id is None else tx.one("live_keys_of_user", user_id=user_id)
    row = await asking
    return {**row} if row else {}


def _most(user_id: UUID | None) -> int:
    return MOST_SERVICE_KEYS if user_id is None else MOST_KEYS


def _scopes(kind: Kind, given: Collection[str] | None) -> list[str]:
    chosen = DEFAULT_SCOPES if given is None else frozenset(given)
    known = ", ".join(sorted(SCOPES[kind]))
    if not chosen:
        raise Invalid.field("scopes", f"must name at least one of {known}")
    if unknown := chosen - SCOPES[kind]:
        raise Invalid.field("scopes", f"{min(unknown)!r} is no scope of a {kind} key; known are {known}")
    return sorted(chosen)


def _networks(given: Collection[str]) -> list[str]:
    """Write networks as PostgreSQL knows them; a single address is a network of one."""
    if len(given) > MOST_ADDRESSES:
        raise Invalid.field("addresses", f"must be at most {MOST_ADDRESSES}")
    return list(dict.fromkeys(_network(text, f"addresses[{place}]") for place, text in enumerate(given)))


def _network(text: str, field: str) -> str:
    try:
        if "%" not in text:
            return str(network_in(text))
    except ValueError:
        pass
    raise Invalid.field(field, "must be an address, 203.0.113.7, or a network, 203.0.113.0/24 or 2001:db8::/32")


def _aware(instant: datetime | None) -> datetime | None:
    if instant is not None and instant.tzinfo is None:
        raise Invalid.field("expiresAt", "must say its offset from UTC")
    if instant is not None and not instant < LAST_YEAR:
        raise Invalid.field("expiresAt", "must lie before the year 9999")
    return instant


def _beginning(key: str) -> str:
    return key[: key.index("_", len("tk_")) + 1 + _SHOWN] + "…"


def _check(unchecked: str) -> str:
    return _base62(zlib.crc32(unchecked.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits: list[str] = []
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _new(row: Record, key: str) -> NewKey:
    return NewKey(
        row["id"],
        key,
        row["kind"],
        row["name"],
        tuple(row["scopes"]),
        tuple(map(str, row["addresses"])),
        row["created_at"],
        row["expires_at"],
    )


def _found(row: Record) -> FoundKey:
    columns: dict[str, Any] = {**row}
    columns["scopes"] = frozenset(row["scopes"])
    columns["addresses"] = tuple(row["addresses"])
    return FoundKey(**columns)


def _kept(row: Record) -> KeptKey:
    columns: dict[str, Any] = {**row}
    columns["scopes"] = tuple(row["scopes"])
    columns["addresses"] = tuple(map(str, row["addresses"]))
    return KeptKey(**columns)
