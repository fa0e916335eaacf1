"""A read is cancelled in PostgreSQL when whoever asked leaves, and no cancel meets any other statement."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import pytest

from tests.conftest import Server, a_database
from tollkeeper.errors import Unavailable
from tollkeeper.store.database import Database, StatementFailed
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.queries import Statement
from tollkeeper.store.reads import Reads

KNOWN = {
    name: Statement(name, sql, parameters)
    for name, sql, parameters in (
        ("sleep", "SELECT pg_sleep($1::float8)", ("seconds",)),
        ("backend", "SELECT pg_backend_pid()", ()),
        ("divide", "SELECT 1 / $1::int", ("by",)),
        ("settle", "SELECT set_config('application_name', current_setting('transaction_read_only'), false)", ()),
        ("write", "DELETE FROM verifications", ()),
    )
}
ASLEEP = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"


@pytest.fixture(scope="module")
async def dsns(server: Server) -> AsyncGenerator[Addresses]:
    """One database for all tests here: none changes what is in it."""
    async with a_database(server, template="tollkeeper") as addresses:
        yield addresses


@pytest.fixture
async def one(dsns: Addresses) -> AsyncGenerator[Database]:
    """A database on a single connection."""
    async with Database.open(dsns.service, size=1, known=KNOWN, statement_timeout=20) as database:
        yield database


@pytest.fixture
async def admin(dsns: Addresses) -> AsyncGenerator[asyncpg.Connection]:
    """Who may see what others do."""
    connection = await asyncpg.connect(dsns.admin)
    yield connection
    await connection.close()


def somebody() -> asyncio.Future[None]:
    """Somebody who stays until they are told to leave."""
    return asyncio.get_running_loop().create_future()


async def asleep(admin: asyncpg.Connection) -> None:
    """Wait until a statement sleeps in PostgreSQL."""
    async with asyncio.timeout(5):
        while not await admin.fetchval(ASLEEP):  # noqa: ASYNC110 - the database sets no event
            await asyncio.sleep(0.005)


async def test_what_is_asked_by_who_stays_is_answered(one: Database) -> None:
    reads = Reads(one, somebody())
    assert await reads.value("divide", by=1) == 1
    assert [row[0] for row in await reads.all("divide", by=1)] == [1]
    with pytest.raises(StatementFailed):
        await reads.value("divide", by=0)
    assert await reads.value("settle") == "on"
    assert await reads.value("divide", by=1) == 1


async def test_a_read_that_would_write_is_refused(one: Database, admin: asyncpg.Connection) -> None:
    await admin.execute("INSERT INTO verifications (at, seconds, differences) VALUES (now(), 1, 0)")
    with pytest.raises(Unavailable, match="read-only"):
        await Reads(one, somebody()).run("write")
    assert await admin.fetchval("SELECT count(*) FROM verifications") == 1


async def test_what_was_asked_by_who_leaves_is_cancelled_and_the_connection_goes_on(
    one: Database, admin: asyncpg.Connection
) -> None:
    backend = await one.value("backend")
    for _ in range(5):
        leaver = somebody()
        asked = asyncio.create_task(Reads(one, leaver).value("sleep", seconds=15))
        await asleep(admin)
        left_at = time.monotonic()
        leaver.set_result(None)
        with pytest.raises(Unavailable):
            await asked
        assert time.monotonic() - left_at < 1
        assert await admin.fetchval(ASLEEP) == 0
        assert await one.value("backend") == backend


async def test_who_has_left_before_is_answered_or_refused_and_holds_nothing(one: Database) -> None:
    gone = somebody()
    gone.set_result(None)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(Reads(one, gone).value("sleep", seconds=15), 2)
    assert await one.value("divide", by=1) == 1


async def test_a_task_that_is_cancelled_leaves_no_statement_behind(one: Database, admin: asyncpg.Connection) -> None:
    asked = asyncio.create_task(Reads(one, somebody()).value("sleep", seconds=0.5))
    await asleep(admin)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await one.value("divide", by=1) == 1


async def test_no_cancel_comes_late_however_close_the_end_of_the_statement_is(one: Database) -> None:
    backend, chances = await one.value("backend"), random.Random(7)
    verdicts = [await _left_at_its_end(one, chances) for _ in range(400)]
    assert {type(each) for each in verdicts} == {type(None), Unavailable}
    assert await one.value("backend") == backend


async def _left_at_its_end(database: Database, chances: random.Random) -> Any:
    """Leave at about the moment at which the answer comes, and ask something else at once, which is to be answered."""
    leaver = somebody()
    asked = asyncio.create_task(Reads(database, leaver).value("sleep", seconds=0.003))
    await asyncio.sleep(chances.uniform(0.001, 0.007))
    leaver.set_result(None)
    (verdict,) = await asyncio.gather(asked, return_exceptions=True)
    assert await database.value("divide", by=1) == 1
    return verdict
