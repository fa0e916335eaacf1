"""Rotating the master key; with nodes and kills it is told by tests/faults/test_rotation.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tollkeeper.accounts import users
from tollkeeper.accounts.secrets import keyring, masterkey, rotation, variables
from tollkeeper.accounts.secrets.rotation import Moved
from tollkeeper.accounts.secrets.sealing import KeyNotHere, SealBroken, Sealer
from tollkeeper.accounts.secrets.variables import NewVariable
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.metering.admin import nodes
from tollkeeper.metering.admin.nodes import Node, Pulse
from tollkeeper.store.database import Database


@dataclass(frozen=True, slots=True)
class Installation:
    """A database and the file of its master key."""

    database: Database
    file: Path

    @property
    def read(self) -> Callable[[], dict[int, bytes]]:
        return partial(masterkey.load, self.file)

    async def begin(self, *, damaged: int = 0) -> int:
        add = partial(masterkey.add_version, self.file)
        return (await rotation.begin(self.database, read=self.read, add=add, damaged=damaged)).version

    async def rotate(self, sealer: Sealer) -> rotation.SealedAnew:
        version = await self.begin()
        await rotation.switch(self.database, version, actor=OPERATOR)
        sealer.refresh()
        return await rotation.seal_anew(self.database, sealer, version, actor=OPERATOR)

    async def put(self, user_id: UUID, key: str, secret: str, sealer: Sealer) -> None:
        given = NewVariable(key, secret, "secret")
        await variables.put(self.database, user_id, given, sealer=sealer, actor=Actor("me"))

    async def reveal(self, user_id: UUID, key: str, sealer: Sealer) -> str:
        return (await variables.reveal(self.database, user_id, key, sealer=sealer, actor=Actor("me"))).text


@pytest.fixture
async def place(db: Database, tmp_path: Path) -> Installation:
    await keyring.admit(db, masterkey.load_or_make(tmp_path / "master.key"))
    return Installation(db, tmp_path / "master.key")


@pytest.fixture
async def alice(db: Database) -> UUID:
    return (await users.add(db, "alice@example.com")).id


async def test_all_is_sealed_anew_and_opens_as_before(place: Installation, owner: Any, alice: UUID) -> None:
    sealer = Sealer(place.read(), reload=place.read)
    for n in range(150):
        await place.put(alice, f"K{n}", f"secret {n}", sealer)
    before = await owner.fetch("SELECT key, updated_at FROM variables ORDER BY key")
    assert await place.rotate(sealer) == rotation.SealedAnew(150, ())
    assert await owner.fetchval("SELECT array_agg(DISTINCT sealed_with) FROM variables") == [2]
    assert await owner.fetch("SELECT key, updated_at FROM variables ORDER BY key") == before, "users changed nothing"
    assert [await place.reveal(alice, f"K{n}", Sealer(place.read())) for n in range(150)] == [
        f"secret {n}" for n in range(150)
    ]
    one, two = await rotation.versions(place.database, place.read())
    assert (one.secrets, one.is_sealing, one.is_needed) == (0, False, True), "the oldest makes the pepper"
    assert (two.secrets, two.is_sealing, two.is_needed) == (150, True, True)
    noted = await owner.fetch("SELECT action FROM activity WHERE action LIKE 'secrets.%' ORDER BY id")
    assert [row["action"] for row in noted] == ["secrets.rotated", "secrets.resealed"]


async def test_a_version_between_is_needed_no_more(place: Installation, alice: UUID) -> None:
    sealer = Sealer(place.read(), reload=place.read)
    await place.put(alice, "TOKEN", "hush", sealer)
    await place.rotate(sealer)
    await place.rotate(sealer)
    keys = place.read()
    assert [each.is_needed for each in await rotation.versions(place.database, keys)] == [True, False, True]
    del keys[2]
    await keyring.admit(place.database, keys)
    assert await place.reveal(alice, "TOKEN", Sealer(keys)) == "hush"


async def test_many_who_begin_at_once_add_one_version(place: Installation) -> None:
    assert set(await asyncio.gather(*(place.begin() for _ in range(12)))) == {2}
    assert place.read().keys() == {1, 2}


async def test_an_interrupted_rotation_is_ended_before_another_begins(
    place: Installation, owner: Any, alice: UUID
) -> None:
    sealer = Sealer(place.read(), reload=place.read)
    await place.put(alice, "TOKEN", "hush", sealer)
    assert await place.begin() == 2
    assert await place.begin() == 2, "added, and seals nothing yet"
    await rotation.switch(place.database, 2, actor=OPERATOR)
    await rotation.switch(place.database, 2, actor=OPERATOR)
    assert await place.begin() == 2, "one secret is still sealed under 1"
    await place.rotate(sealer)
    assert place.read().keys() == {1, 2}
    assert await owner.fetchval("SELECT count(*) FROM activity WHERE action = 'secrets.rotated'") == 1
    assert await place.begin() == 3


async def test_nothing_is_sealed_under_a_version_that_a_living_node_lacks(place: Installation, owner: Any) -> None:
    node, keys = Node(uuid4(), "somewhere", 7, "1"), place.read()
    await nodes.beat(place.database, node, Pulse(), master_keys=[masterkey.fingerprint_of(keys[1])])
    version = await place.begin()
    with pytest.raises(Moved):
        await rotation.switch(place.database, version, actor=OPERATOR)
    assert await rotation.waiting_for(place.database, version) == [rotation.Waiting("somewhere", 7)]
    assert await keyring.needed(place.database) == {1}
    await owner.execute("UPDATE nodes SET seen_at = seen_at - interval '16 seconds'")
    assert await rotation.waiting_for(place.database, version) == []
    await nodes.beat(place.database, node, Pulse(), master_keys=[bytes(32)])
    with pytest.raises(Moved):
        await rotation.switch(place.database, version, actor=OPERATOR)
    fingerprints = [masterkey.fingerprint_of(key) for key in place.read().values()]
    await nodes.beat(place.database, node, Pulse(), master_keys=fingerprints)
    await rotation.switch(place.database, version, actor=OPERATOR)
    assert await keyring.needed(place.database) == {2}


async def test_after_the_switch_nobody_seals_under_the_old_version(
    place: Installation, owner: Any, alice: UUID
) -> None:
    old = Sealer(place.read())
    await place.put(alice, "TOKEN", "hush", old)
    version = await place.begin()
    async with place.database.transaction() as sealing:
        await sealing.one("sealing_now")
        switching = asyncio.create_task(rotation.switch(place.database, version, actor=OPERATOR))
        await asyncio.sleep(0.2)
        assert not switching.done(), "it waits for whoever is sealing"
    await switching
    with pytest.raises(KeyNotHere):
        await place.put(alice, "TOKEN", "changed", old)
    assert await owner.fetchval("SELECT sealed_with FROM variables") == 1
    assert await place.reveal(alice, "TOKEN", old) == "hush"


async def test_writers_beside_a_rotation_lose_nothing(place: Installation, owner: Any, alice: UUID) -> None:
    sealer = Sealer(place.read(), reload=place.read)
    over = asyncio.Event()

    async def write(n: int) -> int:
        times = 0
        while not over.is_set():
            times += 1
            await place.put(alice, f"K{n}", f"{n}:{times}", sealer)
            assert await place.reveal(alice, f"K{n}", sealer) == f"{n}:{times}"
        return times

    writers = [asyncio.create_task(write(n)) for n in range(20)]
    for _ in range(3):
        await asyncio.sleep(0.1)
        await place.rotate(sealer)
    over.set()
    for n, times in enumerate(await asyncio.gather(*writers)):
        assert await place.reveal(alice, f"K{n}", sealer) == f"{n}:{times}"
    assert await owner.fetchval("SELECT array_agg(DISTINCT sealed_with) FROM variables") == [4]


async def test_a_secret_that_somebody_holds_is_waited_for_and_holds_up_no_other(
    place: Installation, owner: Any, alice: UUID
) -> None:
    sealer = Sealer(place.read(), reload=place.read)
    for n in range(5):
        await place.put(alice, f"K{n}", "hush", sealer)
    held = owner.transaction()
    await held.start()
    await owner.execute("SELECT FROM variables WHERE key = 'K2' FOR UPDATE")
    rotating = asyncio.create_task(place.rotate(sealer))
    async with asyncio.timeout(10):
        while await rotation.left(place.database, 2) > 1:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    assert not rotating.done()
    await held.commit()
    assert await rotating == rotation.SealedAnew(5, ())


async def test_a_damaged_secret_is_told_and_holds_up_no_other(place: Installation, owner: Any, alice: UUID) -> None:
    sealer = Sealer(place.read(), reload=place.read)
    for n in range(3):
        await place.put(alice, f"K{n}", "hush", sealer)
    await owner.execute("UPDATE variables SET sealed = substr(sealed, 1, 20) WHERE key = 'K1'")
    assert await place.rotate(sealer) == rotation.SealedAnew(2, ((alice, "K1"),))
    assert await place.begin() == 2, "the old version is needed until somebody replaces the secret"
    with pytest.raises(SealBroken):
        await place.reveal(alice, "K1", sealer)
    await place.put(alice, "K1", "anew", sealer)
    assert await rotation.left(place.database, 2) == 0


async def test_a_damaged_secret_does_not_keep_others_from_a_later_rotation(
    place: Installation, owner: Any, alice: UUID
) -> None:
    sealer = Sealer(place.read(), reload=place.read)
    for n in range(3):
        await place.put(alice, f"K{n}", "hush", sealer)
    await owner.execute("UPDATE variables SET sealed = substr(sealed, 1, 20) WHERE key = 'K1'")
    await place.rotate(sealer)
    assert await place.begin(damaged=1) == 3
    assert await place.rotate(sealer) == rotation.SealedAnew(2, ((alice, "K1"),))
