"""Those who follow dashboards, in a process of their own: ``python -m bench.followers FILE`` reads who they are.

What they hear is counted and thrown away, so that they take little of the machine.
"""

from __future__ import annotations

import asyncio
import re
import sys
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

from bench.course import Course, Served
from bench.programs import Failed, running
from bench.wire import head

PATH: Final = "/api/user/dashboard/stream"
_OPEN: Final = re.compile(rb"^tollkeeper_streams_open (\d+)", re.MULTILINE)
_PATIENCE_SECONDS: Final = 60.0


class Who(msgspec.Struct):
    """Who follows what."""

    port: int
    key: str
    users: list[str]


class _Follower(asyncio.Protocol):
    def __init__(self, call: bytes) -> None:
        self._call = call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._call)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        sys.exit("a stream has ended")


async def _follow(who: Who) -> None:
    loop = asyncio.get_running_loop()
    for user in who.users:
        call = head("GET", PATH, who.key, user) + b"\r\n"
        await loop.create_connection(lambda call=call: _Follower(call), "127.0.0.1", who.port)
    await asyncio.Event().wait()


@asynccontextmanager
async def followers(here: Course, served: Served, users: list[str]) -> AsyncGenerator[None]:
    """Have these users follow their dashboards for as long as the block lasts."""
    file = here.wishes.data / "followers.json"
    file.write_bytes(msgspec.json.encode(Who(served.port, here.key, users)))
    async with running(sys.executable, "-m", "bench.followers", file, log=here.log) as process:
        await _until_open(served, len(users), process)
        yield
        if process.returncode is not None or await asyncio.to_thread(streams_open, served) != len(users):
            raise Failed("not all streams stayed open")
    await _until_open(served, 0)


async def _until_open(served: Served, count: int, process: asyncio.subprocess.Process | None = None) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while (found := await asyncio.to_thread(streams_open, served)) != count:
            if process is not None and process.returncode is not None:
                raise Failed(f"the followers ended with exit code {process.returncode}, {found} of {count} being there")
            await asyncio.sleep(0.1)


def streams_open(served: Served) -> int:
    """Ask the service how many follow."""
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/metrics", timeout=10) as answer:
        found = _OPEN.search(cast("bytes", answer.read()).replace(b".0\n", b"\n"))
    return int(found[1]) if found else 0


if __name__ == "__main__":
    uvloop.run(_follow(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Who)))
