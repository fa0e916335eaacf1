"""What is under way when a node is told to stop."""

from __future__ import annotations

import asyncio
import socket

from tollkeeper.server import Server
from tollkeeper.serving import listening
from tollkeeper.settings import Settings

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
