"""One HTTP connection: uvicorn's, with the limits on slow and endless clients that uvicorn does not have."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any, Final, Literal, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from tollkeeper.errors import NotUnderstood, TollkeeperError
from tollkeeper.http.front import GUARDS
from tollkeeper.http.problems import HeadersTooLarge, TooSlow, document

HEADER_SECONDS: Final = 10.0
BODY_SECONDS: Final = 30.0
WRITE_SECONDS: Final = 30.0
UNTAKEN_SECONDS: Final = 60.0
MOST_HEADER_BYTES: Final = 2**16

_SWEEP_SECONDS: Final = 1.0

Phase = Literal["waiting", "headers", "body", "answer"]


class GatheringTransport:
    """Writes once in a turn of the loop: uvicorn writes head and body apart, and each would be a system call."""

    __slots__ = ("_gathered", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []

    def write(self, content: bytes) -> None:
        """Write with whatever else is written in this turn."""
        if not self._gathered:
            self._loop.call_soon(self._flush)
        self._gathered.append(content)

    def close(self) -> None:
        """Write what is left, and close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once, and lose what is not written."""
        self._gathered.clear()
        self._transport.abort()

    def _flush(self) -> None:
        if self._gathered:
            content = b"".join(self._gathered)
            self._gathered.clear()
            self._transport.write(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class LimitedConnection(HttpToolsProtocol):
    """Counts the bytes of headers and notes since when it waits for what; ``sweep`` ends those who wait too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.phase: Phase = "waiting"
        self.since = self.loop.time()
        self.blocked_since: float | None = None
        self._header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for headers."""
        super().connection_made(cast("Any", GatheringTransport(transport, self.loop)))
        _give_up_on_those_who_take_nothing(transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless headers have grown too long."""
        super().data_received(data)
        if self.phase == "headers":
            self._header_bytes += len(data)
            if self._header_bytes > MOST_HEADER_BYTES:
                self.end_with(HeadersTooLarge(f"at most {MOST_HEADER_BYTES} bytes of headers are read"))

    def on_message_begin(self) -> None:
        """Begin to wait for headers."""
        super().on_message_begin()
        self.phase = "headers"
        self.since = self.loop.time()
        self._header_bytes = 0

    def on_headers_complete(self) -> None:
        """Begin to wait for the body."""
        super().on_headers_complete()
        self.phase = "body"

    def on_message_complete(self) -> None:
        """Wait for nothing more of this request."""
        super().on_message_complete()
        self.phase = "answer"

    def pause_writing(self) -> None:
        """Note since when nothing is read at the other end."""
        super().pause_writing()
        self.blocked_since = self.loop.time()

    def resume_writing(self) -> None:
        """Forget it again."""
        super().resume_writing()
        self.blocked_since = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, as a problem document like every other refusal."""
        self.end_with(NotUnderstood(msg))

    def end_with(self, error: TollkeeperError) -> None:
        """Answer an error, if nothing was answered yet, and close."""
        cycle = cast("Any", self.cycle)
        if self.transport.is_closing():
            return
        if cycle is None or not cycle.response_started or cycle.response_complete:
            self.transport.write(_refusal(error))
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def end_if_too_slow(self, now: float) -> None:
        """Close if the client keeps us waiting beyond the limit of what it is about to do."""
        if self.blocked_since is not None and now - self.blocked_since > WRITE_SECONDS:
            self.transport.abort()
        elif self.phase == "body" and not self._is_held_back() and now - self.since > HEADER_SECONDS + BODY_SECONDS:
            self.end_with(TooSlow(f"a body must arrive within {BODY_SECONDS:g} seconds"))
        elif self.phase == "headers" and now - self.since > HEADER_SECONDS:
            self.end_with(TooSlow(f"headers must arrive within {HEADER_SECONDS:g} seconds"))
        elif self.phase == "waiting" and now - self.since > HEADER_SECONDS:
            self.transport.close()

    def _is_held_back(self) -> bool:
        return cast("Any", self.cycle) is not None and self.cycle.response_complete


async def sweep(state: ServerState) -> None:
    """Look through all connections once a second, which costs a request nothing."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        now = loop.time()
        for connection in list(state.connections):
            cast("LimitedConnection", connection).end_if_too_slow(now)


def _give_up_on_those_who_take_nothing(transport: asyncio.Transport) -> None:
    """Have the kernel end the connection, where it can, when nothing of what waits there is taken for so long.

    What it holds for a reader of a stream who went away without a word is too little to block us: only it would know.
    """
    option: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, int(1000 * UNTAKEN_SECONDS))


def _refusal(error: TollkeeperError) -> bytes:
    trace_id = f"{random.getrandbits(128):032x}"
    body = document(error, "", trace_id)
    lines = [
        b"content-type: application/problem+json",
        b"content-length: %d" % len(body),
        b"connection: close",
        b"x-trace-id: " + trace_id.encode(),
        *(name + b": " + value for name, value in GUARDS),
    ]
    return STATUS_LINE[int(error.status)] + b"\r\n".join(lines) + b"\r\n\r\n" + body
