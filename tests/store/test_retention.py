"""Months that can go: how partitions hang together, in a new database and in one that was there before retention."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.conftest import Server, a_database
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.migrate import MIGRATIONS, migrate

_A_REQUEST = """
WITH account AS (INSERT INTO accounts DEFAULT VALUES RETURNING id)
INSERT INTO chat_requests (id, user_id, prompt, plan_name, version, status, started_on, started_at, expires_at,
                           created_at)
SELECT tk_uuid7($1), id, 'once', 'pro', 1, 'completed', $1, $1, $1, $1 FROM account
RETURNING user_id, id
"""
_ITS_ANALYTICS = """
INSERT INTO request_analytics (id, user_id, request_id, request_type, was_successful, created_at)
VALUES ($1, $2, $1, 'chat', true, now())
"""
_FOREIGN_KEYS = """
SELECT conrelid::regclass::text AS of, confrelid::regclass::text AS on FROM pg_constraint
 WHERE contype = 'f' AND conrelid::regclass::text LIKE 'request_analytics%' ORDER BY 1
"""


@pytest.fixture
async def older(server: Server, tmp_path: Path) -> AsyncGenerator[Addresses]:
    """A database from before retention, with partitions and rows."""
    for name in ("0001_initial.sql", "0002_chat_tracking.sql"):
        shutil.copy(MIGRATIONS / name, tmp_path / name)
    nothing = tmp_path / "routines"
    nothing.mkdir()
    async with a_database(server, template="template0") as addresses:
        await migrate(addresses.owner, addresses.service, migrations_dir=tmp_path, routines_dir=nothing)
        yield addresses


async def a_finished_request(owner: asyncpg.Connection, when: str) -> tuple[UUID, UUID]:
    row = await owner.fetchrow(_A_REQUEST.replace("$1", f"'{when}'::timestamptz"))
    assert row is not None
    await owner.execute(_ITS_ANALYTICS, row["id"], row["user_id"])
    return row["user_id"], row["id"]


async def test_a_database_from_before_is_brought_up_and_its_months_can_go(older: Addresses) -> None:
    owner = await asyncpg.connect(older.owner)
    try:
        await owner.fetch("SELECT tk_ensure_partitions('2024-02-10', '2024-03-10')")
        for when in ("2024-02-29 23:59", "2024-03-01", "2023-01-01"):
            await a_finished_request(owner, when)
        await migrate(older.owner, older.service)
        keys = {row["of"]: row["on"] for row in await owner.fetch(_FOREIGN_KEYS)}
        assert keys == {
            f"request_analytics{month}": f"chat_requests{month}" for month in ("_2024_02", "_2024_03", "_default")
        }
        assert await owner.fetchval("SELECT tk_close_month('2024-02-01')") == "closed"
        assert await owner.fetchval("SELECT tk_close_month('2024-02-01')") == "gone"
        assert await owner.fetchval("SELECT count(*) FROM request_facts WHERE is_closing") == 1
        assert await owner.fetchval("SELECT tk_close_strays('2024-03-01', 9)") == 1
        assert await owner.fetchval("SELECT tk_seal()") == 2
        assert await owner.fetchval("SELECT tk_seal()") == 0
        assert await owner.fetchval("SELECT sum(completed) FROM sealed_rollups WHERE period = 'all'") == 2
        assert [row[0] for row in await owner.fetch("SELECT started_at::date::text FROM chat_requests")] == [
            "2024-03-01"
        ]
        left = await owner.fetchval("SELECT count(*) FROM pg_class WHERE relname ~ '_2024_02'")
        assert left == 0
    finally:
        await owner.close()


@pytest.mark.parametrize("when", ["2024-02-10", "1999-01-01"])
async def test_analytics_of_no_request_are_refused_in_every_partition(owner: asyncpg.Connection, when: str) -> None:
    await owner.fetch("SELECT tk_ensure_partitions('2024-02-10', '2024-02-11')")
    user, request = await a_finished_request(owner, when)
    with pytest.raises(asyncpg.PostgresError, match="foreign key"):
        await owner.execute("DELETE FROM chat_requests WHERE user_id = $1 AND id = $2", user, request)
    await owner.execute("DELETE FROM request_analytics WHERE user_id = $1", user)
    await owner.execute("DELETE FROM chat_requests WHERE user_id = $1", user)
    with pytest.raises(asyncpg.PostgresError, match="foreign key"):
        await owner.execute(_ITS_ANALYTICS, request, user)


async def test_the_service_cannot_prune(dsns: Addresses, owner: asyncpg.Connection) -> None:
    await owner.fetch("SELECT tk_ensure_partitions('2024-02-10', '2024-02-11')")
    service = await asyncpg.connect(dsns.service)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.fetchval("SELECT tk_close_month('2024-02-01')")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.fetchval("SELECT tk_refuse_texts('chat_requests_2024_02', now())")
    finally:
        await service.close()


async def test_taking_a_month_out_reads_no_other_month(owner: Any) -> None:
    await owner.fetch("SELECT tk_ensure_partitions('2024-02-10', '2024-03-11')")
    for when in ("2024-02-10", "2024-03-10"):
        for _ in range(50):
            await a_finished_request(owner, when)
    read = (
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables "
        "WHERE relname ~ '^(chat_requests|request_analytics)'"
    )
    async with owner.transaction():
        before = await owner.fetchval(read)
        assert await owner.fetchval("SELECT tk_close_month('2024-02-01')") == "closed"
        assert await owner.fetchval(read) == before
