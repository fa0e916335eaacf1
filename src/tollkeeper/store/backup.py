"""Copies of the whole database in one file, of one instant, for a new place: PostgreSQL's own programs make them.

A file is an archive as ``pg_dump --format=custom`` writes it, without owners and rights: roles are those of the place
where it is restored, which migrating provides for.
"""

from __future__ import annotations

import asyncio
import os
import re
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import unquote, urlsplit

import asyncpg

from tollkeeper.errors import Misconfigured
from tollkeeper.store.connections import directly
from tollkeeper.store.database import guarded
from tollkeeper.store.migrate import HAS_RECORD, NothingThere, alone, migrations_known
from tollkeeper.store.placement import WHEEL_PROGRAMS

__all__ = ["Archive", "NotEmpty", "Programs", "back_up", "described", "restore"]

Take = Callable[[bytes], Awaitable[None]]

_BLOCK_BYTES: Final = 2**20
_LOOK_SECONDS: Final = 0.2
# Tables are locked only against being changed themselves, as by a migration: that takes seconds.
_LOCK_SECONDS: Final = 60
_PURPOSE: Final = "backup"
# Extensions, and what others keep in schemas of their own, stay where they are.
_OUR_SCHEMA: Final = "--schema=public"
_TABLE_READ: Final = b"pg_dump: dumping contents of table"
# Ours says so of every server; those before 17 do not know it.
_NEWER_SETTING: Final = b"SET transaction_timeout = 0;\n"
_HEAD_LINES: Final = 100
_TAKEN: Final = re.compile(r"^;\s*Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ", re.MULTILINE)
_MIGRATIONS_OF_IT: Final = ("--table=schema_migrations", "--data-only", "--file=-")
_OURS: Final = "TABLE DATA public schema_migrations "


class NotEmpty(Misconfigured):
    """There is something in a database that was to be filled."""


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs, and the environment of whoever runs them, which may say how a server is reached."""

    environment: Mapping[str, str]
    directory: Path = WHEEL_PROGRAMS


@dataclass(frozen=True, slots=True)
class Archive:
    """What a file says of itself: when it was taken, and the migrations its database had, in order."""

    taken_at: datetime
    migrations: tuple[str, ...]


async def back_up(
    programs: Programs,
    owner_dsn: str,
    output: BinaryIO | Take,
    *,
    begin: Callable[[int], Callable[[int], None]] = lambda _: lambda _: None,
) -> None:
    """Write everything that the database holds at one instant, beside a running service.

    It goes into a file of ours, which is opened again by its name, or is given to whoever takes it. ``begin`` is told
    how many tables there are, and gives what is told of each that is read. ``NothingThere`` if nothing of ours is in
    it. ``Misconfigured`` has the program's words if it fails; what was written is worth nothing.
    """
    async with directly(owner_dsn, _PURPOSE, statement_timeout="0") as owner:
        if not await guarded(owner, asyncpg.Connection.fetchval, HAS_RECORD):
            raise NothingThere("the database was never migrated")
        advance = begin(await guarded(owner, asyncpg.Connection.fetchval, _TABLES))
        theirs = await guarded(owner, asyncpg.Connection.fetchval, _THEIRS)
    words = ["--format=custom", "--no-owner", "--no-privileges", "--verbose", f"--lock-wait-timeout={_LOCK_SECONDS}s"]
    words += [_OUR_SCHEMA, *(f"--exclude-table={each}" for each in theirs)]
    # By name: to its standard output it writes the table of contents twice.
    words += ["--file=/dev/fd/1", "--no-sync"]
    async with _running(
        programs, "pg_dump", *words, dsn=owner_dsn, stdout=PIPE if callable(output) else output
    ) as dump:
        hearing = asyncio.create_task(_heard(dump, lambda line: advance(1) if line.startswith(_TABLE_READ) else None))
        if callable(output):
            await _passed_on(dump, output)
        await _succeeded("pg_dump", dump, await hearing)


async def described(programs: Programs, file: Path) -> Archive:
    """Read what an archive says of itself; ``Misconfigured`` if it is none of ours, or of a newer version."""
    try:
        listed = await _read_by(programs, "pg_restore", "--list", str(file))
        rows = await _read_by(programs, "pg_restore", *_MIGRATIONS_OF_IT, str(file))
    except Misconfigured as error:
        raise Misconfigured(f"{file} cannot be read: {error.detail}") from error
    taken = _TAKEN.search(listed)
    if taken is None or _OURS not in listed:
        raise Misconfigured(f"{file} is a copy of another database, not of a tollkeeper")
    migrations = tuple(sorted(set(re.findall(r"^(\d{4}_\w+\.sql)\t", rows, re.MULTILINE))))
    if newer := [each for each in migrations if each not in migrations_known()]:
        raise Misconfigured(f"{file} is of a newer tollkeeper (it has {', '.join(newer)}): upgrade the package")
    return Archive(datetime.fromisoformat(taken[1]).replace(tzinfo=UTC), migrations)


async def restore(
    programs: Programs, owner_dsn: str, file: BinaryIO, *, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Fill an empty database from an archive, whole or not at all. It is as old as the archive: migrate it next.

    Nobody is signed in there, nor can be by what was sent before: what was ended since the backup would hold again.

    ``advance`` is told how many bytes more of the file are read. ``NotEmpty`` if something is there already,
    ``Misconfigured`` with the words of the programs if one fails. Whoever starts there meanwhile waits.
    """
    async with directly(owner_dsn, _PURPOSE, statement_timeout="0") as owner, alone(owner):
        if found := await guarded(owner, asyncpg.Connection.fetchval, _ANYTHING):
            raise NotEmpty(f"the database is not empty: it has {found}")
        watch = asyncio.create_task(_follow(file, advance))
        try:
            await _fill(programs, owner_dsn, file)
        finally:
            watch.cancel()
        await guarded(owner, asyncpg.Connection.execute, "ANALYZE")


async def _fill(programs: Programs, owner_dsn: str, file: BinaryIO) -> None:
    """Run the statements of an archive in one transaction, which ends well only if all of it was read."""
    reads = ["--file=-", "--no-owner", "--no-privileges", _OUR_SCHEMA]
    writes = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"]
    async with (
        _running(programs, "pg_restore", *reads, stdin=file, stdout=PIPE) as reader,
        _running(programs, "psql", *writes, dsn=owner_dsn, stdin=PIPE, stdout=DEVNULL) as writer,
    ):
        heard = asyncio.gather(_heard(reader), _heard(writer))
        # What is wrong with the writer it says itself.
        with suppress(ConnectionError):
            await _pour(reader, writer)
            if await reader.wait() == 0:
                await _write(writer, _END_SIGN_INS)
                await _write(writer, b"COMMIT;\n")
        if writer.stdin is not None:
            writer.stdin.close()
        await writer.wait()
        with suppress(ProcessLookupError):
            reader.terminate()
        read, written = await heard
        await _succeeded("psql", writer, written)
        await _succeeded("pg_restore", reader, read)


async def _pour(reader: Process, writer: Process) -> None:
    source = reader.stdout
    if source is None:
        return
    # Whatever the role has been told; the rest of its session an archive sets itself.
    await _write(writer, b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n")
    for _ in range(_HEAD_LINES):
        if (line := await source.readline()) == _NEWER_SETTING:
            break
        await _write(writer, line)
    while block := await source.read(_BLOCK_BYTES):
        await _write(writer, block)


async def _write(process: Process, block: bytes) -> None:
    if process.stdin is not None:
        process.stdin.write(block)
        await process.stdin.drain()


async def _passed_on(process: Process, take: Take) -> None:
    while process.stdout is not None and (block := await process.stdout.read(_BLOCK_BYTES)):
        await take(block)


async def _follow(file: BinaryIO, advance: Callable[[int], None]) -> None:
    """Tell how far a file is read: who reads it shares our place in it."""
    told = 0
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        place = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        advance(place - told)
        told = place


async def _read_by(programs: Programs, name: str, *words: str) -> str:
    async with _running(programs, name, *words, stdout=PIPE) as process:
        if process.stdout is None:
            return ""
        text, said = await asyncio.gather(process.stdout.read(), _heard(process))
        await _succeeded(name, process, said)
    return text.decode(errors="replace")


async def _heard(process: Process, hear: Callable[[bytes], None] = lambda _: None) -> list[str]:
    """Read what a program says beside its output, and keep its errors."""
    errors: list[str] = []
    while process.stderr is not None and (line := await process.stderr.readline()):
        hear(line)
        if b"error:" in line.lower() or b"fatal:" in line.lower():
            errors.append(line.decode(errors="replace").strip())
    return errors


async def _succeeded(name: str, process: Process, errors: list[str]) -> None:
    if await process.wait() != 0:
        raise Misconfigured(" ".join(errors) or f"{name} ended with code {process.returncode} and said nothing")


@asynccontextmanager
async def _running(
    programs: Programs, name: str, *words: str, dsn: str | None = None, **streams: Any
) -> AsyncGenerator[Process]:
    """Run a program for as long as the block lasts; where others see it, it has no password."""
    environment = {**programs.environment, "LC_ALL": "C", "TZ": "UTC"}
    if dsn is not None:
        address, password = _apart(dsn)
        words = (*words, f"--dbname={address}", "--no-password")
        environment |= {"PGPASSWORD": password} if password else {}
    process = await asyncio.create_subprocess_exec(
        programs.directory / name, *words, env=environment, stderr=PIPE, limit=_BLOCK_BYTES, **streams
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            if process.stdout is not None:
                await process.stdout.read()  # unread, it would be in the way of the end
            await process.wait()


def _apart(dsn: str) -> tuple[str, str | None]:
    """Take the password out of an address, wherever it stands in it."""
    parts = urlsplit(dsn)
    login, at, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    query = [each for each in parts.query.split("&") if each]
    for each in [each for each in query if each.startswith("password=")]:
        password = password or each.partition("=")[2]
        query.remove(each)
    rest = f"?{'&'.join(query)}" if query else ""
    return f"{parts.scheme}://{user}{at}{hosts}{parts.path}{rest}", unquote(password) or None


_TABLES: Final = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
# Patterns of what others keep beside ours, and we may not even read.
_THEIRS: Final = """
SELECT coalesce(array_agg(format('public."%s"', replace(c.relname, '"', '""'))), '{}')
  FROM pg_class AS c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
   AND NOT pg_has_role(c.relowner, 'USAGE')
"""
_ANYTHING: Final = """
SELECT min(c.relname::text)
  FROM pg_class AS c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT EXISTS (SELECT FROM pg_depend AS d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
# Of all versions: the first has had sessions and links, each later one more ways to sign in.
_END_SIGN_INS: Final = b"""
UPDATE public.sessions SET ended_at = public.tk_now() WHERE ended_at IS NULL;
UPDATE public.sign_in_links SET used_at = public.tk_now() WHERE used_at IS NULL;
DO $$
BEGIN
    IF to_regclass('public.sign_in_asks') IS NOT NULL THEN DELETE FROM public.sign_in_asks; END IF;
    IF to_regclass('public.github_asks') IS NOT NULL THEN DELETE FROM public.github_asks; END IF;
    IF to_regclass('public.passkey_ceremonies') IS NOT NULL THEN DELETE FROM public.passkey_ceremonies; END IF;
    IF to_regclass('public.first_operator_links') IS NOT NULL THEN DELETE FROM public.first_operator_links; END IF;
END
$$;
"""
