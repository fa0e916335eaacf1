"""Bringing the schema to what this code needs: numbered files once each, routines whenever their text differs.

Each file runs in one transaction together with the note that it ran, so a migrator that is killed leaves nothing
half-done. A session's advisory lock lets one of many nodes do it, while the others wait and then find it done; that
needs a direct connection, since a transaction pooler would lose the session.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import asyncpg

from tollkeeper.errors import Misconfigured, Unavailable
from tollkeeper.store.connections import by_any_way, directly, session_settings
from tollkeeper.store.database import StatementFailed, guarded

log = logging.getLogger(__name__)

MIGRATIONS: Final = Path(__file__).parent / "migrations"
ROUTINES: Final = Path(__file__).parent / "routines"

Kind = Literal["migration", "routine"]

# "tollkeep" in ASCII; advisory locks of one number are one for each database.
_LOCK: Final = 0x746F6C6C6B656570
# A migration that waits for a lock makes all that come after it wait too: give up soon, let them pass, try again.
_LOCK_SECONDS: Final = 2
_ATTEMPTS: Final = 10
_OTHERS_SECONDS: Final = 600
_TOLD_SECONDS: Final = 3
_PURPOSE: Final = "migrate"
_NUMBERED: Final = re.compile(r"\d{4}_[a-z0-9_]+\.sql")


class NothingThere(Misconfigured):
    """A database that was never migrated: nothing of ours stands in it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """One file that was applied, and how long it took."""

    name: str
    kind: Kind
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Script:
    """One file of SQL."""

    name: str
    kind: Kind
    sql: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of its text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(
    owner_dsn: str,
    service_dsn: str,
    *,
    migrations_dir: Path = MIGRATIONS,
    routines_dir: Path = ROUTINES,
    may_begin: bool = True,
) -> list[Applied]:
    """Apply what is missing and give the service's role what it needs. Says what was applied, in order.

    ``NothingThere`` for a database with nothing of ours, unless it ``may_begin`` there.
    """
    migrations, routines = _read(migrations_dir, "migration"), _read(routines_dir, "routine")
    try:
        # A migration may take as long as it takes, whatever the role has been told.
        async with directly(owner_dsn, _PURPOSE, statement_timeout="0") as owner, alone(owner):
            await _refuse_unfit(owner)
            if not may_begin and not await _ask_value(owner, HAS_RECORD):
                raise NothingThere("the database was never migrated")
            applied = await _apply_all(owner, migrations, routines)
            await _provide_for(owner, service_dsn)
    except StatementFailed as error:
        raise Misconfigured(f"the database could not be migrated: {error}") from error
    return applied


async def _refuse_unfit(owner: asyncpg.Connection) -> None:
    """Refuse a database in which no service can be."""
    if await _ask_value(owner, "SELECT pg_is_in_recovery()"):
        raise Misconfigured("this PostgreSQL is a standby, which takes no writes: name the primary")
    encoding = await _ask_value(owner, "SHOW server_encoding")
    if encoding != "UTF8":
        raise Misconfigured(
            f"the database has the encoding {encoding}, which cannot hold every text: make one with ENCODING 'UTF8'"
        )


def migrations_known() -> set[str]:
    """Name the migrations that this version has."""
    return {path.name for path in MIGRATIONS.glob("*.sql")}


def _read(directory: Path, kind: Kind) -> list[Script]:
    scripts = [Script(path.name, kind, path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.sql"))]
    for script in scripts:
        if kind == "migration" and not _NUMBERED.fullmatch(script.name):
            raise Misconfigured(f"{script.name} is no name for a migration: NNNN_what_it_does.sql is")
    return scripts


async def _apply_all(owner: asyncpg.Connection, migrations: list[Script], routines: list[Script]) -> list[Applied]:
    await _ask(owner, _RECORD)
    rows: list[asyncpg.Record] = await guarded(owner, asyncpg.Connection.fetch, _RECORDED)
    recorded: dict[str, str] = {row["name"]: row["checksum"] for row in rows}
    _refuse_newer((row["name"] for row in rows if row["kind"] == "migration"), migrations)
    _refuse_changed(migrations, recorded)
    due = [each for each in migrations if each.name not in recorded]
    due += [each for each in routines if recorded.get(each.name) != each.checksum]
    return [await _apply(owner, each) for each in due]


def _refuse_newer(names: Iterable[str], migrations: Iterable[Script]) -> None:
    newer = sorted(set(names) - {each.name for each in migrations})
    if newer:
        raise Misconfigured(
            f"the database is newer than this tollkeeper (it has {', '.join(newer)}): upgrade the package"
        )


def _refuse_changed(migrations: Iterable[Script], recorded: Mapping[str, str]) -> None:
    for script in migrations:
        if recorded.get(script.name, script.checksum) != script.checksum:
            raise Misconfigured(
                f"{script.name} was applied here with another text: a migration is never changed, a new one follows it"
            )


async def _apply(owner: asyncpg.Connection, script: Script) -> Applied:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await _apply_once(owner, script)
            break
        except StatementFailed as error:
            raise Misconfigured(f"{script.name} failed and left nothing behind: {error}") from error
        except Unavailable:
            if attempt == _ATTEMPTS or owner.is_closed():
                raise
            await asyncio.sleep(0.1 * attempt)
    return Applied(script.name, script.kind, round((loop.time() - began) * 1000))


async def _apply_once(owner: asyncpg.Connection, script: Script) -> None:
    await _ask(owner, "BEGIN")
    try:
        await _ask(owner, script.sql)
        await _ask(owner, _NOTE, script.name, script.checksum, script.kind)
        await _ask(owner, "COMMIT")
    except (StatementFailed, Unavailable):
        if not owner.is_closed():
            await _ask(owner, "ROLLBACK")
        raise


async def _provide_for(owner: asyncpg.Connection, service_dsn: str) -> None:
    """Let the service's role read and write rows and run functions, and put its sessions under their time limits.

    The limits stand on the role too, for sessions that come through a transaction pooler. A role may set its own; the
    owner of a database need not be allowed to change other roles.
    """
    async with by_any_way(service_dsn, _PURPOSE) as service:
        # In one transaction, and for this very session too: a pooler keeps it, and hands it to the service next.
        await _ask(service, "BEGIN READ WRITE")
        role = await _ask_value(service, "SELECT current_user")
        for name, value in session_settings().items():
            await _ask(service, await _ask_value(service, _ROLE_SETTING, name, value))
            await _ask(service, "SELECT set_config($1, $2, false)", name, value)
        await _ask(service, "COMMIT")
    if role != await _ask_value(owner, "SELECT current_user"):
        await _ask(owner, await _ask_value(owner, _GRANTS, role))


@asynccontextmanager
async def alone(owner: asyncpg.Connection) -> AsyncGenerator[None]:
    """Let one process at a time change what a database is, for as long as the block and its connection last."""
    for seconds in (_TOLD_SECONDS, _OTHERS_SECONDS):
        await _ask(owner, f"SET lock_timeout = '{seconds}s'")
        try:
            await _ask(owner, "SELECT pg_advisory_lock($1)", _LOCK)
            break
        except Unavailable as error:
            if owner.is_closed() or seconds == _OTHERS_SECONDS:
                raise Unavailable(f"others have been migrating this database for {seconds} s: {error}") from error
            log.warning("waiting for others to migrate this database (%s)", await _ask_value(owner, _WHO, _LOCK))
    await _ask(owner, f"SET lock_timeout = '{_LOCK_SECONDS}s'")
    # Unlocked by the end of the connection, whatever ends it.
    yield


async def _ask(connection: asyncpg.Connection, sql: str, *arguments: Any) -> None:
    await guarded(connection, asyncpg.Connection.execute, sql, *arguments)


async def _ask_value(connection: asyncpg.Connection, sql: str, *arguments: Any) -> Any:
    return await guarded(connection, asyncpg.Connection.fetchval, sql, *arguments)


_WHO: Final = """
SELECT coalesce(string_agg(format('%s, process %s of PostgreSQL', a.application_name, a.pid), '; '), 'gone now')
  FROM pg_locks AS l
  JOIN pg_stat_activity AS a USING (pid)
 WHERE l.locktype = 'advisory' AND l.granted
   AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
   AND (l.classid::bigint << 32 | l.objid::bigint) = $1
"""
_RECORD: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind IN ('migration', 'routine'))
)
"""
HAS_RECORD: Final = "SELECT to_regclass('schema_migrations') IS NOT NULL"
_RECORDED: Final = "SELECT name, checksum, kind FROM schema_migrations"
_NOTE: Final = """
INSERT INTO schema_migrations (name, checksum, kind) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = now()
"""
_ROLE_SETTING: Final = """
SELECT format('ALTER ROLE CURRENT_USER IN DATABASE %I SET %I = %L', current_database(), $1::text, $2::text)
"""
# Sent as one string, they are one transaction: no instant in between has other rights. What others have in this
# schema, and extensions, is not ours to give.
_GRANTS: Final = """
WITH ours AS (
    SELECT c.oid, c.relkind
      FROM pg_class AS c
     WHERE c.relnamespace = 'public'::regnamespace AND pg_has_role(c.relowner, 'USAGE')
       AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
       AND NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), functions AS (
    SELECT p.oid
      FROM pg_proc AS p
     WHERE p.pronamespace = 'public'::regnamespace AND pg_has_role(p.proowner, 'USAGE') AND p.prokind IN ('f', 'w')
       AND NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
)
SELECT string_agg(format(s.statement, s.what, $1::text), ';' ORDER BY s.place)
  FROM (VALUES (1, 'GRANT USAGE ON SCHEMA %s TO %I', 'public'),
               (2, 'GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I',
                (SELECT string_agg(o.oid::regclass::text, ', ') FROM ours AS o WHERE o.relkind <> 'S')),
               (3, 'GRANT USAGE ON SEQUENCE %s TO %I',
                (SELECT string_agg(o.oid::regclass::text, ', ') FROM ours AS o WHERE o.relkind = 'S')),
               (4, 'GRANT EXECUTE ON FUNCTION %s TO %I',
                (SELECT string_agg(f.oid::regprocedure::text, ', ') FROM functions AS f)),
               (5, 'REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', 'schema_migrations'),
               (6, 'REVOKE UPDATE, DELETE ON %s FROM %I', to_regclass('activity')::text)) AS s (place, statement, what)
 WHERE s.what IS NOT NULL
"""
