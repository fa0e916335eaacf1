"""Rotating the master key beside running nodes: a version is added, every node has it, it seals, all is sealed anew.

Nothing is sealed under a version before every node that lives has said that it has it, and from the instant when it
seals nobody seals under an older one: whoever seals holds the row that says so until the commit. So no node ever meets
a secret that it cannot open, and once the last old seal is gone none comes again. Killed anywhere, it goes on where it
was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts.secrets import keyring
from tollkeeper.accounts.secrets.sealing import SealBroken, Sealed, Sealer
from tollkeeper.activity import Actor
from tollkeeper.errors import Unavailable
from tollkeeper.store.database import Database, Statements, Transaction

# Some beats of a node (``jobs``); one that is silent for longer looks for the key when it meets a secret under it.
LIVES: Final = timedelta(seconds=15)

_BATCH: Final = 100
_PAUSE_SECONDS: Final = 0.2
_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the master key. The oldest is always needed: keys and sign-ins are hashed under it."""

    version: int
    added_at: datetime
    is_here: bool
    is_sealing: bool
    is_needed: bool
    secrets: int


@dataclass(frozen=True, slots=True)
class Begun:
    """Which version all is to be sealed under. ``is_left_over``: it seals already, and was not done everywhere."""

    version: int
    is_left_over: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A node that does not have a version yet."""

    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class SealedAnew:
    """How many secrets were sealed anew, and which could not be opened, by user and name."""

    secrets: int
    broken: tuple[tuple[UUID, str], ...]


class Moved(Unavailable):
    """A node without the new version came, or another rotation went ahead: look again."""


async def versions(database: Statements, keys: Mapping[int, bytes]) -> list[Version]:
    """Tell of all versions, the oldest first."""
    rows = await database.all("master_keys")
    secrets = {row["version"]: row["secrets"] for row in await database.all("secrets_by_master_key")}
    sealing = await database.one("sealing_now")
    now = sealing["version"] if sealing else None
    return [
        Version(
            row["version"],
            row["added_at"],
            is_here=row["version"] in keys,
            is_sealing=row["version"] == now,
            is_needed=place == 0 or row["version"] == now or row["version"] in secrets,
            secrets=secrets.get(row["version"], 0),
        )
        for place, row in enumerate(rows)
    ]


async def begin(
    database: Database, *, read: Callable[[], Mapping[int, bytes]], add: Callable[[], object], damaged: int = 0
) -> Begun:
    """Say which version all is to be sealed under: one that was added and does not seal yet, or a new one.

    What an interrupted rotation has left to do is done first, but for so many secrets that are ``damaged``. ``read``
    reads the keys, ``add`` adds one to them.
    """
    async with database.transaction() as tx:
        sealing = await tx.value("hold_sealing")
        newest = max(read())
        if newest <= sealing:
            if await tx.value("secrets_under_others", version=sealing) > damaged:
                return Begun(sealing, is_left_over=True)
            add()
        keys = read()
        await keyring.note(tx, keys)
        return Begun(max(keys), is_left_over=False)


async def waiting_for(database: Statements, version: int) -> list[Waiting]:
    """List the nodes that do not have a version yet."""
    return [Waiting(**row) for row in await database.all("nodes_without_master_key", version=version, lives=LIVES)]


async def switch(database: Database, version: int, *, actor: Actor) -> None:
    """Seal under a version from now on, unless it seals already; ``Moved`` if a node that lives does not have it."""
    async with database.transaction() as tx:
        if await tx.value("hold_sealing") == version:
            return
        if await tx.value("seal_under", version=version, lives=LIVES) is None:
            raise Moved(f"version {version} of the master key cannot seal yet: a node does not have it")
        await activity.note(tx, user_id=None, actor=actor, action="secrets.rotated", detail={"version": version})


async def seal_anew(
    database: Database, sealer: Sealer, version: int, *, actor: Actor, advance: Callable[[int], None] = lambda _: None
) -> SealedAnew:
    """Seal under a version whatever is sealed under another, in small sets that nobody waits for.

    What cannot be opened stays as it is and is told.
    """
    done = 0
    while True:
        sealed, broken = await _once_over_all(database, sealer, version, advance)
        done += sealed
        if await database.value("secrets_under_others", version=version) <= len(broken):
            break
        # Somebody holds what is left, to change it.
        await asyncio.sleep(_PAUSE_SECONDS)
    if done:
        detail = {"version": version, "secrets": done, "broken": len(broken)}
        await activity.note(database, user_id=None, actor=actor, action="secrets.resealed", detail=detail)
    return SealedAnew(done, tuple(broken))


async def left(database: Statements, version: int) -> int:
    """Count the secrets that are not sealed under a version yet."""
    return await database.value("secrets_under_others", version=version)


async def _once_over_all(
    database: Database, sealer: Sealer, version: int, advance: Callable[[int], None]
) -> tuple[int, list[tuple[UUID, str]]]:
    done, broken = 0, list[tuple[UUID, str]]()
    after = _FIRST, ""
    while True:
        async with database.transaction() as tx:
            rows = await tx.all(
                "secrets_to_seal_anew", version=version, after_user=after[0], after_key=after[1], most=_BATCH
            )
            anew: list[tuple[UUID, str, bytes]] = []
            for row in rows:
                user_id, key = row["user_id"], row["key"]
                try:
                    secret = sealer.open(Sealed(row["sealed"], row["sealed_with"]), user_id=user_id, key=key)
                except SealBroken:
                    broken.append((user_id, key))
                else:
                    anew.append((user_id, key, sealer.seal(secret, user_id=user_id, key=key, version=version).content))
            await _replace(tx, version, anew)
        if not rows:
            return done, broken
        after = rows[-1]["user_id"], rows[-1]["key"]
        done += len(anew)
        advance(len(anew))


async def _replace(tx: Transaction, version: int, anew: list[tuple[UUID, str, bytes]]) -> None:
    if anew:
        user_ids, keys, sealed = map(list, zip(*anew, strict=True))
        await tx.run("seal_anew", version=version, user_ids=user_ids, keys=keys, sealed=sealed)
