"""Which versions of the master key the database knows, by their fingerprints: no process works with others.

So a data directory that lost its key, or has that of another installation, is refused before it hashes or seals
anything, and so is a process that lacks a version that is still needed.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from tollkeeper.accounts.secrets import masterkey
from tollkeeper.errors import Misconfigured
from tollkeeper.store.database import Database, Statements


async def known(database: Statements) -> dict[int, bytes]:
    """Give the fingerprints by version; nothing before the first process has started."""
    return {row["version"]: row["fingerprint"] for row in await database.all("master_keys")}


async def admit(database: Database, keys: Mapping[int, bytes]) -> None:
    """Let a process start with these keys, noting those that are new. ``Misconfigured`` says why it may not.

    Secrets are sealed under the newest version at the very first start; later only a rotation changes that.
    """
    async with database.transaction() as tx:
        await refuse_unfit(tx, keys)
        await note(tx, keys)
        await tx.run("seal_at_first_under_the_newest")


async def note(tx: Statements, keys: Mapping[int, bytes]) -> None:
    """Note versions that are new; ``Misconfigured`` if another process noted the same version of another key."""
    versions = sorted(keys)
    fingerprints = [masterkey.fingerprint_of(keys[version]) for version in versions]
    await tx.run("note_master_keys", versions=versions, fingerprints=fingerprints)
    refuse_others(keys, await known(tx))


async def refuse_unfit(database: Statements, keys: Mapping[int, bytes]) -> None:
    """Refuse keys that are others than the database knows, or among which one is missing that is needed."""
    refuse_others(keys, await known(database))
    if missing := await needed(database) - keys.keys():
        raise Misconfigured(
            f"secrets are sealed under version {min(missing)} of the master key, which is not here: put it back"
        )


async def needed(database: Statements) -> set[int]:
    """Say which versions secrets are sealed under, or will be."""
    return {row["version"] for row in await database.all("master_keys_needed")}


def refuse_others(keys: Mapping[int, bytes], fingerprints: Mapping[int, bytes]) -> None:
    """Refuse keys that are not those of the fingerprints. Fewer may be there, but not without the oldest."""
    for version, key in keys.items():
        if not hmac.compare_digest(fingerprints.get(version, b""), masterkey.fingerprint_of(key)):
            if version in fingerprints:
                raise Misconfigured(
                    f"version {version} of the master key is not the one that this database knows: bring that one back"
                )
            if fingerprints and version < max(fingerprints):
                raise Misconfigured(
                    f"version {version} of the master key is new to this database: new ones have numbers above "
                    f"{max(fingerprints)}"
                )
    if fingerprints and min(fingerprints) not in keys:
        raise Misconfigured(
            f"version {min(fingerprints)} of the master key is not here: put it back, keys and sign-ins depend on it"
        )
