"""Large ledgers: real rows repeated over a year, and the users' numbers built from them by the service's rebuild."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from bench.course import Course, asked, prepare
from bench.turns import say
from tollkeeper.metering.upkeep.verify import rebuild
from tollkeeper.store.database import Database

_SQL: Final = Path(__file__).parent / "sql" / "seed.sql"
_CHUNK: Final = 100_000
_WRITERS: Final = 2
_LONGEST_SECONDS: Final = 3600.0


async def seed(here: Course, histories: dict[str, int]) -> None:
    """Give each of these users so many finished requests, spread over the last year."""
    await prepare(here.addresses, len(here.users))
    ending = await here.value("SELECT date_trunc('second', tk_now() - interval '3 hours')")
    await here.all("SELECT tk_ensure_partitions(tk_now() - interval '367 days', tk_now() + interval '62 days')")
    await _as_owner(here, _SQL.read_text(encoding="utf-8"))
    users = {email: await here.value("SELECT tk_user_of($1)", email) for email in histories}
    chunks = [
        (users[email], rows, ending, first, min(first + _CHUNK, rows + 1) - 1)
        for email, rows in histories.items()
        for first in range(1, rows + 1, _CHUNK)
    ]
    await _fill(here, chunks)
    say("building the numbers over all users")
    for email, rows in histories.items():
        await here.all("CALL bench_sum($1, $2, $3)", users[email], rows, ending)
    await _as_owner(here, "VACUUM ANALYZE")
    say("rebuilding the users' numbers")
    # More memory than the service has, for this alone.
    await asked(here.admin, "ALTER ROLE tollkeeper_service SET work_mem = '256MB'")
    async with Database.open(here.addresses.service, size=2, statement_timeout=_LONGEST_SECONDS) as database:
        for email, user in users.items():
            found = await rebuild(database, user)
            say(f"{email}: {len(found):,} numbers built")
    await asked(here.admin, "ALTER ROLE tollkeeper_service RESET work_mem")
    await _as_owner(here, "VACUUM ANALYZE")
    await asked(here.admin, "CHECKPOINT")


async def _fill(here: Course, chunks: list[tuple[UUID, int, datetime, int, int]]) -> None:
    left = list(reversed(chunks))
    total = len(left)

    async def write() -> None:
        connection = await asyncpg.connect(here.admin)
        try:
            # What is written is right by its making; checking each row's foreign keys would double the time.
            await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
            while left:
                await connection.execute("CALL bench_fill($1, $2, $3, $4, $5)", *left.pop())
                if (done := total - len(left)) % 10 == 0 or not left:
                    say(f"{done} of {total} chunks of up to {_CHUNK:,} rows begun")
        finally:
            await connection.close()

    await asyncio.gather(*(write() for _ in range(_WRITERS)))


async def _as_owner(here: Course, script: str) -> None:
    connection = await asyncpg.connect(here.addresses.owner)
    try:
        await connection.execute(script)
    finally:
        await connection.close()
