"""A backup is the whole database of one instant; a new place is filled from it whole or not at all."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conftest import Server, a_database
from tests.metering.making import PENDING_FOR, a_request, a_user, an_outcome
from tollkeeper.errors import Misconfigured
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.backup import NotEmpty, Programs, back_up, described, restore
from tollkeeper.store.connections import directly
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.migrate import NothingThere, alone, migrate
from tollkeeper.store.partitions import ensure_partitions
from tollkeeper.store.placement import WHEEL_PROGRAMS
from tollkeeper.store.scrubbing import scrub

# What a table holds, whatever the order of its rows.
_TABLES = """
SELECT c.relname, c.oid::regclass::text
  FROM pg_class AS c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
"""
_CONTENT = "SELECT count(*), md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM {} AS t"
_AN_EXTENSION = "SELECT min(name) FROM pg_available_extensions WHERE name IN ('pg_stat_statements', 'vector')"
_PEOPLE = 20
_FOR_OTHERS = (
    "search_path = pg_catalog",
    "TimeZone = 'Asia/Tokyo'",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_read_only = on",
    "standard_conforming_strings = off",
)
PROGRAMS = Programs(os.environ)


@pytest.fixture
async def empty(server: Server) -> AsyncGenerator[Addresses]:
    """Addresses of a database with nothing in it."""
    async with a_database(server, template="template0") as addresses:
        yield addresses


@pytest.fixture
async def archive(dsns: Addresses, db: Database, tmp_path: Path) -> Path:
    """A backup of a service that was used a little."""
    async with Ledger(db, pending_for=PENDING_FOR) as ledger:
        for number in range(_PEOPLE):
            user = await a_user(db, email=f"u{number}@example.com")
            started = await ledger.start(
                a_request(user, f"a \\ \t\n \x01 'text' of {number} 🎈", client_id=f"r-{number}")
            )
            if number % 2:
                await ledger.finish(an_outcome(user, started.id, tokens_input=number, tokens_output=7))
    return await _backed_up(dsns, tmp_path / "archive")


async def _backed_up(addresses: Addresses, file: Path, programs: Programs = PROGRAMS) -> Path:
    with file.open("wb") as output:
        await back_up(programs, addresses.owner, output)
    return file


def _cut(file: Path, share: float) -> None:
    os.truncate(file, int(file.stat().st_size * share))


async def _restored(addresses: Addresses, archive: Path) -> None:
    with archive.open("rb") as file:
        await restore(PROGRAMS, addresses.owner, file)


@asynccontextmanager
async def _as_owner(addresses: Addresses) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(addresses.owner)
    yield connection
    await connection.close()


@asynccontextmanager
async def _told(server: Server, *places: Addresses) -> AsyncGenerator[None]:
    """Have the owner told of settings in these databases that fit others."""
    admin = await asyncpg.connect(server.addresses.admin)
    try:
        for place in places:
            name = urlsplit(place.owner).path.removeprefix("/")
            for setting in _FOR_OTHERS:
                await admin.execute(f"ALTER ROLE tollkeeper_owner IN DATABASE {name} SET {setting}")
        yield
        for place in places:
            name = urlsplit(place.owner).path.removeprefix("/")
            await admin.execute(f"ALTER ROLE tollkeeper_owner IN DATABASE {name} RESET ALL")
    finally:
        await admin.close()


async def _contents(addresses: Addresses) -> dict[str, list[tuple[object, ...]]]:
    async with _as_owner(addresses) as owner:
        tables = await owner.fetch(_TABLES)
        return {name: [tuple(row) for row in await owner.fetch(_CONTENT.format(table))] for name, table in tables}


async def test_who_was_signed_in_is_signed_out_with_what_is_restored(
    owner: asyncpg.Connection, db: Database, dsns: Addresses, empty: Addresses, tmp_path: Path
) -> None:
    user = await a_user(db)
    sql = (
        "INSERT INTO sessions (user_id, token_hash, expires_at) VALUES ($1, sha256('a'), 'infinity')",
        "INSERT INTO sign_in_links (user_id, token_hash, expires_at) VALUES ($1, sha256('b'), 'infinity')",
    )
    for each in sql:
        await owner.execute(each, user)
    await _restored(empty, await _backed_up(dsns, tmp_path / "archive"))
    async with _as_owner(empty) as restored:
        assert await restored.fetchval("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 0
        assert await restored.fetchval("SELECT count(*) FROM sign_in_links WHERE used_at IS NULL") == 0
    assert await owner.fetchval("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 1


async def test_what_is_restored_is_what_was_there(archive: Path, dsns: Addresses, empty: Addresses) -> None:
    await _restored(empty, archive)
    there, here = await _contents(dsns), await _contents(empty)
    assert here == there
    assert here["accounts"][0][0] == _PEOPLE
    # Nothing is missing that this version needs, and the service's role gets its rights.
    assert await migrate(empty.owner, empty.service) == []
    async with Database.open(empty.service, size=2) as database, Ledger(database, pending_for=PENDING_FOR) as ledger:
        found = await verify(database)
        assert (found.differences, found.requests) == ([], _PEOPLE)
        user = await a_user(database, email="u1@example.com")
        assert (await ledger.start(a_request(user, client_id="new"))).limits.monthly_used == 2


async def test_what_the_owner_was_told_for_others_does_not_hold_for_us(
    server: Server, archive: Path, dsns: Addresses, empty: Addresses, tmp_path: Path
) -> None:
    there = await _contents(dsns)
    async with _told(server, dsns, empty):
        again = await _backed_up(dsns, tmp_path / "again")
        await _restored(empty, again)
        with pytest.raises(NotEmpty):
            await _restored(empty, archive)
        assert await migrate(empty.owner, empty.service) == []
        assert await ensure_partitions(empty.owner, ahead=timedelta(days=62)) == await ensure_partitions(
            dsns.owner, ahead=timedelta(days=62)
        )
        assert (await scrub(empty.owner, None)).tables > 20
    assert (await _contents(empty))["accounts"] == there["accounts"]


async def test_an_archive_says_what_it_is(archive: Path, owner: asyncpg.Connection) -> None:
    before = await owner.fetchval("SELECT now()")
    told = await described(PROGRAMS, archive)
    assert 0 <= (before - told.taken_at).total_seconds() < 60
    names = await owner.fetch("SELECT name FROM schema_migrations WHERE kind = 'migration' ORDER BY name")
    assert told.migrations == tuple(row["name"] for row in names)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
async def test_a_torn_archive_leaves_nothing(archive: Path, empty: Addresses, share: float) -> None:
    _cut(archive, share)
    with pytest.raises(Misconfigured, match="pg_restore: error"):
        await _restored(empty, archive)
    assert await _contents(empty) == {}


async def test_a_place_that_is_taken_is_left_as_it_was(archive: Path, empty: Addresses) -> None:
    async with _as_owner(empty) as owner:
        await owner.execute("CREATE TABLE theirs AS SELECT 1 AS a")
        with pytest.raises(NotEmpty, match="it has theirs"):
            await _restored(empty, archive)
        assert list(await _contents(empty)) == ["theirs"]


@pytest.mark.usefixtures("archive")
async def test_what_others_keep_in_the_database_stays_there(dsns: Addresses, empty: Addresses, tmp_path: Path) -> None:
    for place in (dsns, empty):
        async with directly(place.admin or "", "test") as admin:
            extension = await admin.fetchval(_AN_EXTENSION)
            await admin.execute(f"CREATE EXTENSION {extension}; CREATE VIEW counted AS SELECT 1 AS a")
            await admin.execute(f"ALTER EXTENSION {extension} ADD VIEW counted")
            await admin.execute("CREATE SCHEMA theirs; CREATE TABLE theirs.own (a int)")
    async with directly(dsns.admin or "", "test") as admin:
        await admin.execute("""CREATE TABLE "the""irs" (a int); CREATE PUBLICATION theirs FOR ALL TABLES""")
    await _restored(empty, await _backed_up(dsns, tmp_path / "beside"))
    async with directly(dsns.admin or "", "test") as admin:
        await admin.execute('DROP TABLE "the""irs"')
    assert await _contents(empty) == await _contents(dsns)


async def test_what_is_no_backup_of_ours_is_refused(empty: Addresses, dsns: Addresses, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"no archive")
    with pytest.raises(Misconfigured, match=r"other cannot be read: pg_restore: error"):
        await described(PROGRAMS, other)
    with pytest.raises(NothingThere):
        await _backed_up(empty, other)
    async with _as_owner(empty) as owner:
        await owner.execute("CREATE TABLE theirs AS SELECT 1 AS a")
    command = [WHEEL_PROGRAMS / "pg_dump", "--format=custom", f"--file={other}", empty.owner]
    await asyncio.to_thread(subprocess.run, command, check=True)
    with pytest.raises(Misconfigured, match="other is a copy of another database"):
        await described(PROGRAMS, other)
    async with _as_owner(dsns) as owner:
        await owner.execute(
            "INSERT INTO schema_migrations (name, checksum, kind) VALUES ('9999_more.sql', '', 'migration')"
        )
    await _backed_up(dsns, other)
    with pytest.raises(Misconfigured, match=r"newer tollkeeper \(it has 9999_more.sql\)"):
        await described(PROGRAMS, other)


async def test_whoever_starts_there_meanwhile_waits(archive: Path, empty: Addresses) -> None:
    async with _as_owner(empty) as owner, alone(owner):
        restoring = asyncio.create_task(_restored(empty, archive))
        await asyncio.sleep(1)
        assert await _contents(empty) == {}
    await restoring


async def test_a_restore_that_is_stopped_leaves_nothing(archive: Path, empty: Addresses) -> None:
    restoring = asyncio.create_task(_restored(empty, archive))
    await asyncio.sleep(0.1)
    restoring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await restoring
    assert await _contents(empty) == {}
    await _restored(empty, archive)


@pytest.mark.usefixtures("archive")
async def test_a_restore_that_stands_still_is_stopped_as_well(
    dsns: Addresses, empty: Addresses, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    await owner.execute("CREATE TABLE large AS SELECT repeat(md5(n::text), 1000) FROM generate_series(1, 500) AS s (n)")
    large, begun = await _backed_up(dsns, tmp_path / "large"), tmp_path / "begun"
    for name, does in (
        ("pg_restore", f'exec {WHEEL_PROGRAMS}/pg_restore "$@"'),
        ("psql", f"> {begun}; exec sleep 100"),
    ):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    with large.open("rb") as file:
        restoring = asyncio.create_task(restore(Programs(os.environ, tmp_path), empty.owner, file))
        read, before = 0, -1
        while not begun.exists() or read != before:
            await asyncio.sleep(0.3)
            read, before = os.lseek(file.fileno(), 0, os.SEEK_CUR), read
        restoring.cancel()
        done, _ = await asyncio.wait([restoring], timeout=20)
    assert done


@pytest.mark.parametrize("is_in_the_query", [False, True])
async def test_no_password_is_seen_by_others(
    archive: Path, dsns: Addresses, tmp_path: Path, *, is_in_the_query: bool
) -> None:
    seen = tmp_path / "seen"
    spy = tmp_path / "programs" / "pg_dump"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\necho "$@" > {seen}\nexec {WHEEL_PROGRAMS}/pg_dump "$@"\n')
    spy.chmod(0o755)
    password = dsns.owner.partition("tollkeeper_owner:")[2].partition("@")[0]
    assert len(password) > 20
    owner = dsns.owner
    if is_in_the_query:
        owner = owner.replace(f":{password}@", "@").replace("?", f"?password={password}&")
    again = await _backed_up(replace(dsns, owner=owner), tmp_path / "again", Programs(os.environ, spy.parent))
    assert (await described(PROGRAMS, again)).migrations == (await described(PROGRAMS, archive)).migrations
    assert "tollkeeper_owner@/" in seen.read_text()
    assert password not in seen.read_text()
