"""A keep-alive HTTP connection with one call under way, on a bare socket: the load shall take little of the machine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb'"id": ?"([^"]+)"')


class Wire(asyncio.Protocol):
    """Sends calls that are bytes already. ``answered`` gets status and body, or status 0 if the connection was lost."""

    def __init__(self, answered: Callable[[Wire, int, bytes], None]) -> None:
        self.answered = answered
        self.asked_at = 0.0
        """When the call under way was to be sent: what its latency is counted from."""
        self.about: tuple[int, int] | None = None
        """What the call under way is about, for whoever sent it."""
        self._received = b""
        self._expected = 0
        self._transport: asyncio.Transport | None = None
        self._is_closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be told by asyncio that the connection is open."""
        # uvloop's transports are streams without being asyncio's own.
        self._transport = cast("asyncio.Transport", transport)

    def send(self, call: bytes) -> None:
        """Send the next call; the one before must have been answered."""
        if self._transport is not None:
            self._transport.write(call)

    def close(self) -> None:
        """End the connection; its loss is then no answer."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Be told by asyncio what came; a whole answer is passed on."""
        self._received += data
        if not self._expected:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            found = _LENGTH.search(self._received, 0, end)
            # An answer in chunks counts as lost, loudly: nobody here sends one.
            self._expected = end + 4 + int(found[1]) if found else -1
        if self._expected < 0:
            self._lose()
        elif len(self._received) >= self._expected:
            answer, self._received, self._expected = self._received, b"", 0
            self.answered(self, int(answer[9:12]), answer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        """Be told by asyncio that the connection is over."""
        if not self._is_closing:
            self._lose()

    def _lose(self) -> None:
        self.close()
        self.answered(self, 0, b"")


async def connected(port: int, count: int, answered: Callable[[Wire, int, bytes], None]) -> list[Wire]:
    """Open so many connections."""
    loop = asyncio.get_running_loop()
    made = await asyncio.gather(
        *(loop.create_connection(lambda: Wire(answered), "127.0.0.1", port) for _ in range(count))
    )
    return [wire for _, wire in made]


def call(method: str, path: str, key: str, user: str, body: bytes = b"") -> bytes:
    """Write a whole call."""
    return head(method, path, key, user) + tail(body)


def head(method: str, path: str, key: str, user: str) -> bytes:
    """Write the part of a call that does not depend on its body."""
    whose = f"Tollkeeper-User: {user}\r\n" if user else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n{whose}".encode()


def tail(body: bytes) -> bytes:
    """Write the rest of a call."""
    return b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def id_in(answer: bytes) -> bytes:
    """Find the request's id in the answer to a start."""
    found = _ID.search(answer)
    return found[1] if found else b""
