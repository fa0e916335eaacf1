"""What tests of the PostgreSQL that comes along look at: its process, its files, and users of it elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from tollkeeper.store.embedded import Addresses

Elsewhere = Callable[[Path], AbstractAsyncContextManager[asyncio.subprocess.Process]]
Start = Callable[..., AbstractAsyncContextManager[Addresses]]

USE_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from tollkeeper.store.embedded import embedded_server

async def main():
    directory, programs, shelter = map(Path, sys.argv[1:])
    async with embedded_server(directory, programs=programs, shelter=shelter):
        print(*(directory / "postgres" / "postmaster.pid").read_text().split()[:1], flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def answer_of(child: asyncio.subprocess.Process) -> int:
    assert child.stdout is not None
    return int(await asyncio.wait_for(child.stdout.readline(), 20))


def note_of(data_dir: Path) -> Path:
    return data_dir / "postgres" / "postmaster.pid"


def pid_of(data_dir: Path) -> int:
    return int(note_of(data_dir).read_text().split()[0])


def is_running(data_dir: Path) -> bool:
    return note_of(data_dir).exists()


def is_being_written(data_dir: Path) -> bool:
    """Whether an initdb is at work below a directory (where /proc tells)."""
    making = os.fsencode(data_dir / "postgres-being-made-")
    return any(making in _command(process) for process in Path("/proc").glob("[0-9]*"))


def _command(process: Path) -> bytes:
    with contextlib.suppress(OSError):
        return (process / "cmdline").read_bytes()
    return b""


def socket_dir_of(addresses: Addresses) -> Path:
    return Path(parse_qs(urlsplit(addresses.service).query)["host"][0])


def exists(path: Path) -> bool:
    return path.exists()


def found(directory: Path, pattern: str) -> bool:
    return any(directory.glob(pattern))


def move(directory: Path, place: Path) -> None:
    directory.rename(place)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.005)


async def setting_of(dsn: str | None, name: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval("SELECT setting FROM pg_settings WHERE name = $1", name)
    finally:
        await connection.close()
