"""What is under way when a node is told to stop."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from tollkeeper import serving
from tollkeeper.server import Server
from tollkeeper.serving import Stop, listening
from tollkeeper.settings import Settings
from tollkeeper.store.embedded import Addresses

from .conftest import Person, Site
from .wires import request


async def test_what_was_sent_before_a_stop_is_answered(service: Site, alice: Person) -> None:
    sent = request("POST", "/api/chat/track", alice.by_key | {"content-length": "15"}, b'{"prompt": "x"}')
    with listening(Settings(port=0)) as listener:
        async with Server(service.application.front).accepting(listener, finish_seconds=30):
            # Without giving the loop a turn: they are connected, and nobody has accepted them yet.
            callers = [socket.create_connection(listener.getsockname()[:2]) for _ in range(100)]
            for n, caller in enumerate(callers):
                caller.sendall(sent * (1 + n % 3))
    for n, caller in enumerate(callers):
        with caller:
            heard = await asyncio.to_thread(_all_of, caller)
        assert heard.count(b"HTTP/1.1 201 Created") == 1 + n % 3, heard


def _all_of(caller: socket.socket) -> bytes:
    caller.settimeout(5)
    return b"".join(iter(lambda: caller.recv(2**16), b""))


@pytest.mark.parametrize("politely", [True, False])
@pytest.mark.parametrize("is_pending", [True, False], ids=["pending", "starting"])
async def test_workers_that_are_still_starting_are_stopped_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *, politely: bool, is_pending: bool
) -> None:
    """Some are asked for and not there yet, the others are there and do not serve yet."""
    spawn, may_spawn, spawned = asyncio.create_subprocess_exec, asyncio.Event(), asyncio.Event()

    async def create_subprocess_exec(*_: str, **options: Any) -> asyncio.subprocess.Process:
        if is_pending:
            await may_spawn.wait()
        process = await spawn(sys.executable, "-c", "import time; time.sleep(100)", **options)
        spawned.set()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", create_subprocess_exec)
    monkeypatch.setattr(serving, "working", _nothing)
    unnoticed: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_exception_handler", unnoticed.append)
    settings, stop = Settings(port=0, workers=2, drain_seconds=0.1), Stop()
    with listening(settings) as listener:
        serve = partial(serving._serve_with_workers, settings, Addresses("", "", None), listener, stop)
        running = asyncio.create_task(serve(lambda _: None))
        await asyncio.sleep(0.1) if is_pending else await spawned.wait()
        stop.tell(politely=politely)
        await asyncio.sleep(0.1)
        may_spawn.set()
        await asyncio.wait_for(running, 5)
    del running
    gc.collect()
    assert unnoticed == []
    assert capfd.readouterr().err == ""


@asynccontextmanager
async def _nothing(*_: object) -> AsyncGenerator[None]:
    yield
