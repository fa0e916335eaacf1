"""One HTTP connection: uvicorn's, with the limits on slow and endless clients that uvicorn does not have."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any, Final, Literal, cast

from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from tollkeeper.errors import NotUnderstood, TollkeeperError
from tollkeeper.http.exchange import CLOSE
from tollkeeper.http.front import GUARDS
from tollkeeper.http.problems import HeadersTooLarge, TooSlow, document

HEADER_SECONDS: Final = 10.0
BODY_SECONDS: Final = 30.0
WRITE_SECONDS: Final = 30.0
UNTAKEN_SECONDS: Final = 60.0
MOST_HEADER_BYTES: Final = 2**16

_WITHOUT_BODY: Final = (204, 304)
_SWEEP_SECONDS: Final = 1.0

Phase = Literal["waiting", "headers", "body", "answer"]


class _Cycle(RequestResponseCycle):
    """One exchange, whose head is written together with the first piece of its body: one system call for most.

    Headers are looked through once, as a whole, for what would end a line; uvicorn looks at each name and each value.
    """

    _head = b""

    async def send(self, message: Any) -> None:
        """Take the next message of the application, as ASGI has it."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self.response_started = True
            self.waiting_for_100_continue = False
            self._head = self._begun(message["status"], [*self.default_headers, *message["headers"]])
        elif self.response_complete:
            raise RuntimeError("the answer is complete already")
        else:
            self._go_on(message["body"], is_last=not message["more_body"])

    def _begun(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        self.chunked_encoding = self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY
        for name, value in headers:
            if name == b"content-length":
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
        if not self.keep_alive:
            headers = [*(header for header in headers if header[0] != b"connection"), CLOSE]
        if self.chunked_encoding:
            headers.append((b"transfer-encoding", b"chunked"))
        lines = b"\r\n".join([name + b": " + value for name, value in headers])
        if lines.count(b"\n") != len(headers) - 1 or lines.count(b"\r") != len(headers) - 1 or b"\0" in lines:
            raise RuntimeError("a header has the end of a line within it")
        return STATUS_LINE[status] + lines + b"\r\n\r\n"

    def _go_on(self, body: bytes, *, is_last: bool) -> None:
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            body = b""
        elif self.chunked_encoding:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if is_last else b"")
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (is_last and self.expected_content_length):
                raise RuntimeError("the body is not as long as its head says")
        if head or body:
            self.transport.write(head + body)
        if is_last:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()


# uvicorn has no other place to say so.
httptools_impl.RequestResponseCycle = _Cycle


class LimitedConnection(HttpToolsProtocol):
    """Counts the bytes of headers and notes since when it waits for what; ``sweep`` ends those who wait too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.since = self.loop.time()
        self.blocked_since: float | None = None
        self._header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for headers."""
        super().connection_made(transport)
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
        self.since = self.loop.time()
        self._header_bytes = 0

    @property
    def phase(self) -> Phase:
        """What is waited for, as uvicorn's own state has it: nothing here costs a request anything."""
        scope: Any = self.scope
        if scope is None:
            return "waiting"
        if "method" not in scope:
            return "headers"
        cycle = cast("Any", self.cycle)
        return "body" if cycle.more_body and not cycle.response_complete else "answer"

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
        elif self.phase == "body" and now - self.since > HEADER_SECONDS + BODY_SECONDS:
            self.end_with(TooSlow(f"a body must arrive within {BODY_SECONDS:g} seconds"))
        elif self.phase == "headers" and now - self.since > HEADER_SECONDS:
            self.end_with(TooSlow(f"headers must arrive within {HEADER_SECONDS:g} seconds"))
        elif self.phase == "waiting" and now - self.since > HEADER_SECONDS:
            self.transport.close()


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
