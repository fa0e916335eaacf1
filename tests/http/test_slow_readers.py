"""Readers of streams who do not read: they cost nobody else time, and the process no memory."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tollkeeper import connection
from tollkeeper.http.dashboards import streams

from .conftest import Person, Site
from .streaming import Follower, following
from .test_live import dashboard_of, until_closed

# What went wrong is told whole, and each of these takes six bytes in JSON: ten newest requests are a megabyte of
# dashboard, and a few of those are more than all buffers on the way hold.
LONG = "\x01" * 2**14
IN_JSON = 6 * len(LONG)
FAILED = {"status": "failed", "errorMessage": LONG}
CHANGES = 40


@pytest.fixture
def in_quick_succession(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds without a pause."""
    monkeypatch.setattr(streams, "_ROUND_SECONDS", 0.0)
    monkeypatch.setattr(streams, "_PAUSE_TO_ROUND", 0)


@asynccontextmanager
async def lazy(service: Site, by: dict[str, str]) -> AsyncGenerator[tuple[Follower, asyncio.Transport]]:
    """A reader who takes little at a time, and nothing at all while its transport is paused."""
    port = int(service.url.rpartition(":")[2])

    def small(*_: object) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.setblocking(False)  # noqa: FBT003 - that is how a socket is told
        return made

    connector = aiohttp.TCPConnector(socket_factory=small)
    async with (
        aiohttp.ClientSession(connector=connector, read_bufsize=2**24) as client,
        following(client, f"http://127.0.0.1:{port}", by) as follower,
    ):
        assert follower.answer.connection
        transport = follower.answer.connection.transport
        assert isinstance(transport, asyncio.Transport)
        yield follower, transport


async def make_long(service: Site, person: Person) -> None:
    """Fill the dashboard with long texts."""
    for _ in range(10):
        await service.finish(person, (await service.start(person))["id"], **FAILED)


@pytest.mark.usefixtures("in_quick_succession")
async def test_a_slow_reader_costs_neither_time_nor_memory_and_misses_nothing(
    service: Site, alice: Person, bob: Person
) -> None:
    await make_long(service, alice)
    async with (
        aiohttp.ClientSession(read_bufsize=2**24) as client,
        following(client, service.url, alice.by_key) as quick,
        lazy(service, alice.by_key) as (slow, transport),
    ):
        await quick.next()
        await slow.next(20)
        transport.pause_reading()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        took: list[float] = []
        for _ in range(CHANGES):
            began = time.monotonic()
            done = (await service.start(bob))["id"]
            took.append(time.monotonic() - began)
            await service.finish(bob, done)
            await service.finish(alice, (await service.start(alice))["id"], **FAILED)
            await quick.until(await dashboard_of(service, alice))
            quick.events.clear()
        # Each change was told twice: queued, it would be twice as much, beside what reading and writing take.
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown * 1024 < CHANGES * 10 * IN_JSON
        assert sorted(took)[CHANGES // 2] < 0.25
        heard = len(slow.events)
        transport.resume_reading()
        await slow.until(quick.dashboard, 30)
        assert len(slow.events) - heard < CHANGES / 4
        assert slow.events[-1].kind == "dashboard"


@pytest.mark.usefixtures("in_quick_succession")
async def test_a_reader_who_takes_nothing_is_let_go(
    service: Site, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.5)
    await make_long(service, alice)
    async with lazy(service, alice.by_key) as (slow, transport):
        await slow.next(20)
        transport.pause_reading()
        for _ in range(8):
            await service.start(alice)
            await asyncio.sleep(0.1)
        await until_closed(service)
