"""Which master keys a database takes, and what stops a start."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest

from tollkeeper.accounts import users
from tollkeeper.accounts.secrets import keyring, masterkey, variables
from tollkeeper.accounts.secrets.sealing import Sealer
from tollkeeper.accounts.secrets.variables import NewVariable
from tollkeeper.activity import Actor
from tollkeeper.app import running
from tollkeeper.errors import Misconfigured
from tollkeeper.settings import Settings
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

ONE, TWO, THREE = (secrets.token_bytes(32) for _ in range(3))


async def test_the_first_start_says_which_keys_there_are_and_the_newest_seals(db: Database) -> None:
    assert await keyring.known(db) == {}
    await keyring.admit(db, {1: ONE, 2: TWO})
    assert await keyring.known(db) == {1: masterkey.fingerprint_of(ONE), 2: masterkey.fingerprint_of(TWO)}
    assert await keyring.needed(db) == {2}
    await keyring.admit(db, {1: ONE, 2: TWO, 3: THREE})
    assert await keyring.needed(db) == {2}, "a key that was added by hand seals nothing before a rotation"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({1: TWO, 2: TWO}, "version 1 of the master key is not the one"),
        ({1: ONE, 2: THREE}, "version 2 of the master key is not the one"),
        ({2: TWO}, "version 1 of the master key is not here"),
        ({1: ONE}, "under version 2 of the master key, which is not here"),
        ({}, "is not here"),
        ({1: ONE, 2: TWO, 3: THREE, 4: ONE, 5: TWO}, None),
    ],
)
async def test_other_or_fewer_keys_are_refused(db: Database, keys: dict[int, bytes], reason: str | None) -> None:
    await keyring.admit(db, {1: ONE, 2: TWO})
    before = await keyring.known(db)
    if reason is None:
        await keyring.admit(db, keys)
        return
    with pytest.raises(Misconfigured, match=reason):
        await keyring.admit(db, keys)
    assert await keyring.known(db) == before


async def test_a_number_below_those_that_are_known_is_refused(db: Database) -> None:
    await keyring.admit(db, {2: TWO, 4: THREE})
    for version in (1, 3):
        with pytest.raises(Misconfigured, match="above 4"):
            await keyring.admit(db, {2: TWO, 4: THREE, version: ONE})


async def test_of_first_starts_with_different_keys_one_is_let_through(db: Database) -> None:
    starts = (keyring.admit(db, {1: secrets.token_bytes(32)}) for _ in range(8))
    verdicts = await asyncio.gather(*starts, return_exceptions=True)
    assert sum(each is None for each in verdicts) == 1
    assert sum(isinstance(each, Misconfigured) for each in verdicts) == 7, verdicts


async def test_a_version_that_secrets_still_need_is_needed(db: Database) -> None:
    user = await users.add(db, "alice@example.com")
    secret = NewVariable("TOKEN", "hush", "secret")
    await variables.put(db, user.id, secret, sealer=Sealer({3: THREE}), actor=Actor("me"))
    await keyring.admit(db, {3: THREE, 4: ONE})
    with pytest.raises(Misconfigured, match="version 3"):
        await keyring.admit(db, {4: ONE})


async def test_a_service_whose_key_file_is_gone_other_or_weak_does_not_start_and_makes_none(
    dsns: Addresses, tmp_path: Path
) -> None:
    settings = Settings(port=0, data=str(tmp_path / "data"))
    async with running(settings, dsns):
        pass
    path = tmp_path / "data" / "master.key"
    kept = path.read_bytes()
    path.unlink()
    await _refused(settings, dsns, "bring it back")
    assert not path.exists(), "a new key beside a database that knows another would hide the loss"
    masterkey.load_or_make(path)
    await _refused(settings, dsns, "not the one that this database knows")
    path.write_text("1:changeme\n")
    await _refused(settings, dsns, "version 1")
    path.write_bytes(kept)
    async with running(settings, dsns):
        pass


async def _refused(settings: Settings, dsns: Addresses, reason: str) -> None:
    with pytest.raises(Misconfigured, match=reason):
        async with running(settings, dsns):
            pass
