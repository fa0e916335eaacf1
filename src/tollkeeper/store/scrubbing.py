"""Scrubbing: what was deleted leaves the files of the database as well.

PostgreSQL only marks a deleted row as dead. Its bytes stay in the table's file until something else is written there,
in the planner's statistics until the next ANALYZE (of a table that has become empty, for ever), and in the log for as
long as its segments are kept, and in those that are kept to be filled anew. So every table is rewritten, the
statistics are made anew, and (where we are the superuser, as with the embedded one) the log is filled or removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from tollkeeper.errors import Unavailable
from tollkeeper.store.connections import directly
from tollkeeper.store.database import guarded

__all__ = ["Scrubbed", "scrub"]

_PURPOSE: Final = "scrub"
# Whoever tracks waits behind us while we wait for a table: give up soon, let them pass, come again.
_SESSION: Final = {"statement_timeout": "0", "lock_timeout": "100"}
_PAUSES_SECONDS: Final = (*(0.2,) * 20, *(1.0,) * 30)
_TICK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How many tables were rewritten, and how many segments of the log (``None``: it is not ours to clean)."""

    tables: int
    segments: int | None


async def scrub(
    owner_dsn: str, admin_dsn: str | None, *, begin: Callable[[int], Callable[[int], None]] = lambda _: lambda _: None
) -> Scrubbed:
    """Rewrite everything that may hold what was deleted, beside a running service.

    Whoever uses a table waits while it is rewritten. ``begin`` is told how many tables there are, and gives what is
    told of each that is done. Raises ``Unavailable`` when a table is in use, or somebody reads, all the time.
    """
    if admin_dsn is not None:
        async with directly(admin_dsn, _PURPOSE, **_SESSION) as admin:
            await _do(admin, _FORGET_STATISTICS)
    async with directly(owner_dsn, _PURPOSE, **_SESSION) as owner:
        await _nobody_sees_the_past(owner)
        statements = [row["statement"] for row in await _all(owner, _REWRITES)]
        advance = begin(len(statements))
        for statement in statements:
            await _patiently(owner, statement)
            advance(1)
    if admin_dsn is None:
        return Scrubbed(len(statements), None)
    async with directly(admin_dsn, _PURPOSE, **_SESSION) as admin:
        return Scrubbed(len(statements), await _renew_the_log(admin))


async def _nobody_sees_the_past(owner: asyncpg.Connection) -> None:
    """Wait until no transaction is older than this instant: one that is would keep what was deleted before it."""
    now = await guarded(owner, asyncpg.Connection.fetchval, "SELECT pg_current_xact_id()::text")
    for seconds in _PAUSES_SECONDS:
        if not await guarded(owner, asyncpg.Connection.fetchval, _READERS, now):
            return
        await asyncio.sleep(seconds)
    raise Unavailable("somebody has been reading the database all the time, as a backup does: try again later")


async def _renew_the_log(admin: asyncpg.Connection) -> int:
    """Fill every segment that is kept for later, and remove those that are over."""
    await _do(admin, "ALTER SYSTEM SET wal_recycle = off")
    try:
        await _do(admin, "SELECT pg_reload_conf()")
        # Every process of the server reads its settings when it comes to it.
        await asyncio.sleep(2 * _TICK_SECONDS)
        segments, ahead = 0, 1
        # The last one is left as well: what comes after it is made anew, but it is one that was kept itself.
        while ahead:
            ahead = await guarded(admin, asyncpg.Connection.fetchval, _SEGMENTS_AHEAD)
            # Switching fills the rest of a segment with zeros; an empty one would not be switched.
            await _do(admin, "SELECT pg_logical_emit_message(false, 'tollkeeper', 'scrub')")
            await _do(admin, "SELECT pg_switch_wal()")
            segments += 1
        # Of the first one a late process may still think that segments are recycled.
        for _ in range(2):
            await _do(admin, "CHECKPOINT")
    finally:
        await _do(admin, "ALTER SYSTEM RESET wal_recycle")
        await _do(admin, "SELECT pg_reload_conf()")
    return segments


async def _patiently(owner: asyncpg.Connection, statement: str) -> None:
    for seconds in _PAUSES_SECONDS:
        try:
            await _do(owner, statement)
        except Unavailable:
            if owner.is_closed():
                raise
            await asyncio.sleep(seconds)
        else:
            return
    await _do(owner, statement)


async def _all(connection: asyncpg.Connection, sql: str) -> list[Any]:
    return await guarded(connection, asyncpg.Connection.fetch, sql)


async def _do(connection: asyncpg.Connection, sql: str) -> None:
    await guarded(connection, asyncpg.Connection.execute, sql)


_READERS: Final = """
SELECT count(*)
  FROM pg_stat_activity AS a
 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
   AND age(a.backend_xmin) > age(($1::text::xid8)::xid)
"""
_FORGET_STATISTICS: Final = """
DELETE FROM pg_statistic AS s
 USING pg_class AS c
 WHERE c.oid = s.starelid AND c.relnamespace = 'public'::regnamespace
"""
# Partitioned tables have statistics of their own, and all statistics stand in one table: so that comes last.
_REWRITES: Final = """
SELECT s.statement
  FROM (SELECT 1 AS place, c.relname, format('VACUUM (FULL, ANALYZE) %s', c.oid::regclass) AS statement
          FROM pg_class AS c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'm')
         UNION ALL
        SELECT 2, c.relname, format('ANALYZE %s', c.oid::regclass)
          FROM pg_class AS c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'p'
         UNION ALL
        SELECT 3, 'pg_statistic', 'VACUUM (FULL) pg_catalog.pg_statistic') AS s
 ORDER BY s.place, s.relname
"""
_SEGMENTS_AHEAD: Final = """
SELECT count(*)
  FROM pg_ls_waldir() AS w
 WHERE w.name ~ '^[0-9A-F]{24}$' AND w.name > pg_walfile_name(pg_current_wal_insert_lsn())
"""
