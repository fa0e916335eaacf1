"""A server that may forget what it confirms, or is too old, is not used: neither at the start nor later."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tollkeeper.errors import Misconfigured, Unavailable
from tollkeeper.store.database import Database, refuse_old
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.queries import Statement

_KNOWN = {"one": Statement("one", "SELECT 1", ())}


@asynccontextmanager
async def _admin(dsns: Addresses) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsns.admin)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("where", ["ROLE tollkeeper_service", "ROLE tollkeeper_service IN DATABASE {}", "DATABASE {}"])
async def test_commits_that_do_not_wait_are_refused_by_name(dsns: Addresses, where: str) -> None:
    async with _admin(dsns) as admin:
        what = where.format(await admin.fetchval("SELECT current_database()"))
        await admin.execute(f"ALTER {what} SET synchronous_commit = off")
        try:
            with pytest.raises(Misconfigured, match=r"^synchronous_commit is off"):
                async with Database.open(dsns.service, size=1):
                    pass
        finally:
            await admin.execute(f"ALTER {what} RESET synchronous_commit")


async def test_a_connection_that_came_to_be_unsafe_is_not_used(
    dsns: Addresses, caplog: pytest.LogCaptureFixture
) -> None:
    async with _admin(dsns) as admin, Database.open(dsns.service, size=1, known=_KNOWN) as database:
        assert await database.value("one") == 1
        await admin.execute("ALTER ROLE tollkeeper_service SET synchronous_commit = off")
        try:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'tollkeeper_service' AND datname = current_database()"
            )
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await database.value("one")
        finally:
            await admin.execute("ALTER ROLE tollkeeper_service RESET synchronous_commit")
        assert await database.value("one") == 1
    assert "the database is not used: synchronous_commit is off" in caplog.text


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_a_server_that_may_forget_is_refused_by_name(spare: Path, programs: Path, setting: str) -> None:
    shelter = spare.parent / "shelter"
    async with embedded_server(spare, programs=programs, shelter=shelter, least_mib=None, **{setting: "off"}) as at:
        with pytest.raises(Misconfigured, match=f"^{setting} is off"):
            async with Database.open(at.service, size=1):
                pass


async def test_a_server_older_than_15_is_refused(dsns: Addresses) -> None:
    old = Statement("server_version", "SELECT 140012", ())
    async with Database.open(dsns.service, size=1, known={"server_version": old}) as database:
        with pytest.raises(Misconfigured, match="15"):
            await refuse_old(database)
