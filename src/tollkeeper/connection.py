"""One HTTP/1.1 connection: requests are read from it, answered in their order, and nobody may keep us waiting."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Literal, Protocol, cast

import httptools

from tollkeeper.errors import NotUnderstood, TollkeeperError
from tollkeeper.http.call import STATUS_LINES, Call, Header, lines_of
from tollkeeper.http.problems import HeadersTooLarge, TooSlow, foreseen
from tollkeeper.http.refusal import refusal

log = logging.getLogger(__name__)

HEADER_SECONDS: Final = 10.0
BODY_SECONDS: Final = 30.0
WRITE_SECONDS: Final = 30.0
UNTAKEN_SECONDS: Final = 60.0
KEEP_ALIVE_SECONDS: Final = 75.0
LINGER_SECONDS: Final = 5.0
MOST_HEADER_BYTES: Final = 2**16

# How much of a body may wait for whoever reads it before no more is taken from the socket.
_MOST_UNREAD_BYTES: Final = 2**16

Phase = Literal["waiting", "headers", "body", "answer"]


class Server(Protocol):
    """What a connection needs of the server that accepted it."""

    date: bytes

    def joined(self, connection: Connection) -> None:
        """Be told of a new connection."""
        ...

    def left(self, connection: Connection) -> None:
        """Be told of the end of a connection."""
        ...

    def answer(self, call: Call) -> asyncio.Task[None]:
        """Begin to answer a call."""
        ...


class Connection(asyncio.Protocol):
    """Feeds a parser with what comes, makes calls of it, and has them answered one after another.

    Since when it waits for what is only noted, and ``end_if_too_slow`` is asked once a second: a request pays nothing.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._parser: Any = self._new_parser()
        self._transport = cast("asyncio.Transport", None)
        self._client: str | None = None
        self._since = self._loop.time()
        self._blocked_since: float | None = None
        self._writable = asyncio.Event()
        self._is_paused = False
        self._has_answered = False
        # the request that is being read, or was read last
        self._reading: Literal["nothing", "headers", "body"] = "nothing"
        self._url = b""
        self._headers: list[Header] = []
        self._expects = False
        self._is_resuming = False
        self._last: Call | None = None
        # whether a read has brought more than a piece of a head, and how many bytes in a row were no body
        self._is_mixed = False
        self._bare_bytes = 0
        # what is being answered, what is to be answered after it, and then with what error all ends
        self._at_hand: Call | None = None
        self._next: deque[Call] = deque()
        self._fault: TollkeeperError | None = None
        self._is_lingering = False
        self.is_blocked = False

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for headers."""
        # uvloop's transports are streams without being asyncio's own.
        self._transport = cast("asyncio.Transport", transport)
        self._client = _address(transport.get_extra_info("peername"))
        self._server.joined(self)
        _give_up_on_those_who_take_nothing(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        """Let go of what was under way."""
        self._server.left(self)
        for call in (self._at_hand, self._last, *self._next):
            if call is not None and not call.is_complete:
                call.lost()
        self._next.clear()
        self.resume_writing()
        self._parser = None  # they know each other

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless headers, or what stands beside the pieces of a body, have grown too long."""
        if self._fault is not None or self._is_lingering:
            return
        self._is_mixed = False
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            # What a callback raises is no fault of the client's.
            self.end_with(foreseen(error.__context__) or NotUnderstood("Invalid HTTP request received."))
            return
        self._bare_bytes = 0 if self._is_mixed else self._bare_bytes + len(data)
        if self._bare_bytes > MOST_HEADER_BYTES:
            self.end_with(HeadersTooLarge(f"at most {MOST_HEADER_BYTES} bytes of headers are read"))

    def pause_writing(self) -> None:
        """Note since when nothing is read at the other end."""
        self.is_blocked = True
        self._writable.clear()
        self._blocked_since = self._loop.time()

    def resume_writing(self) -> None:
        """Forget it again."""
        self.is_blocked = False
        self._blocked_since = None
        self._writable.set()

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        if self._is_resuming:
            return
        self._since = self._loop.time()
        self._reading = "headers"
        self._url = b""
        self._headers = []
        self._expects = False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target."""
        if self._reading == "headers":
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are none, whatever their names are."""
        if self._reading != "headers":
            return
        name = name.lower()
        # White space around a value is no part of it (RFC 9110, 5.5).
        bare = value.strip(b" \t")
        if name == b"expect" and bare.lower() == b"100-continue":
            self._expects = True
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            # With white space, too: others may read that in another way.
            raise httptools.HttpParserError("bodies come in chunks or as they are")
        self._headers.append((name, bare))

    def on_headers_complete(self) -> None:
        """Have the request answered, in its turn; its body may still be on its way."""
        if self._is_resuming:
            return
        parser = self._parser
        version = parser.get_http_version()
        if version not in {"1.0", "1.1"}:
            raise httptools.HttpParserError(f"HTTP/{version} is not spoken here")
        if version == "1.0" and any(name == b"transfer-encoding" for name, _ in self._headers):
            raise httptools.HttpParserError("HTTP/1.0 knows no chunks")
        target = _target(self._url)  # may raise, too: then it is the headers that are wrong
        self._reading = "body"
        self._last = call = Call(
            self,
            parser.get_method().decode("ascii"),
            target,
            self._headers,
            client=self._client,
            is_old=version == "1.0",
            keeps_alive=parser.should_keep_alive(),
            expects=self._expects,
        )
        if self._at_hand is None:
            self._begin(call)
        else:
            self._next.append(call)
            self._pause()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, for as long as somebody may read it."""
        self._is_mixed = True
        call = self._last
        if call is not None and not call.is_complete and call.came(body) > _MOST_UNREAD_BYTES:
            self._pause()

    def on_message_complete(self) -> None:
        """Note that the request has come as a whole, unless the parser leaves its body to another protocol."""
        self._is_mixed = True
        if self._last is not None and not (self._parser.should_upgrade() and _framing(self._headers)):
            self._reading = "nothing"
            self._last.ended()

    # What a call asks for.

    @property
    def date(self) -> bytes:
        """The line of an answer's head that says when it was sent."""
        return self._server.date

    def write(self, data: bytes) -> None:
        """Send bytes as soon as the other end takes them."""
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the other end has taken enough, or is gone."""
        await self._writable.wait()

    def read_on(self) -> None:
        """Read again, if reading was paused."""
        if self._is_paused and self._fault is None and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def answered(self, call: Call) -> None:
        """Answer the next one, or wait for it."""
        self._since = self._loop.time()
        self._has_answered = True
        self._at_hand = None
        if not call.keeps_alive:
            self._close()
        elif not self._transport.is_closing():
            if self._next:
                self._begin(self._next.popleft())
            elif self._fault is not None:
                self._refuse(self._fault)
            if not self._next:
                self.read_on()

    # What the server asks for.

    @property
    def phase(self) -> Phase:
        """What is waited for. While one is answered nobody has to send the next."""
        if self._at_hand is None:
            return "headers" if self._reading == "headers" else "waiting"
        return "body" if self._reading == "body" and self._at_hand is self._last else "answer"

    def finish(self) -> None:
        """Answer what has come, and then close."""
        if self._at_hand is None:
            self._transport.close()
        else:
            (self._next[-1] if self._next else self._at_hand).keeps_alive = False

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._transport.abort()

    def end_with(self, error: TollkeeperError) -> None:
        """Answer what is being read with an error, when its turn comes, and close."""
        if self._transport.is_closing():
            return
        read = self._last if self._reading == "body" else None
        if self._at_hand is None or self._at_hand is read:
            self._refuse(error)
            return
        if self._next and self._next[-1] is read:
            self._next.pop()
        self._reading = "nothing"
        self._fault = error
        self._pause()

    def end_if_too_slow(self, now: float) -> None:
        """Close if the client keeps us waiting beyond the limit of what it is about to do."""
        waited = now - self._since
        if self._is_lingering:
            if waited > LINGER_SECONDS:
                self._transport.abort()
        elif self._blocked_since is not None and now - self._blocked_since > WRITE_SECONDS:
            self._transport.abort()
        elif self.phase == "body" and waited > BODY_SECONDS:
            self.end_with(TooSlow(f"a body must arrive within {BODY_SECONDS:g} seconds"))
        elif self.phase == "headers" and waited > HEADER_SECONDS:
            self.end_with(TooSlow(f"headers must arrive within {HEADER_SECONDS:g} seconds"))
        elif self.phase == "waiting" and waited > (KEEP_ALIVE_SECONDS if self._has_answered else HEADER_SECONDS):
            self._transport.close()

    def _refuse(self, error: TollkeeperError) -> None:
        """Answer an error in place of what is at hand, if nothing of its answer was sent, and close."""
        call = self._at_hand
        was_answered_early = call is None and self._reading == "body"
        if not (was_answered_early or (call is not None and call.is_begun)):
            self._transport.write(_refusal(error))
        if call is not None:
            call.lost()
        self._close()

    def _close(self) -> None:
        """Close once the other end has seen what was sent.

        Whoever still sends would have it taken away by the reset that answers what nobody reads: for a while it is read
        and dropped, until they close (RFC 9112, 9.6).
        """
        has_read_all = self._reading == "nothing" and self._fault is None and not self._is_paused
        if has_read_all or self._transport.is_closing() or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._is_lingering = True
        self._since = self._loop.time()
        self._transport.write_eof()
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # Another protocol was offered, and we stay with this one: what follows is the body or the next request.
                data = data[upgrade.args[0] :]
                if self._reading == "body":
                    self._resume()
            else:
                return

    def _resume(self) -> None:
        """Have a body read that the parser would leave to another protocol: by a head that says nothing else."""
        self._parser = self._new_parser()  # the first reads no more if its head said that it was the last
        self._is_resuming = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + lines_of(_framing(self._headers)) + b"\r\n")
        self._is_resuming = False

    def _new_parser(self) -> Any:
        parser: Any = httptools.HttpRequestParser(self)
        # Whoever says that this is their last request and sends another is answered the first one nevertheless.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _begin(self, call: Call) -> None:
        self._at_hand = call
        self._since = self._loop.time()
        self._server.answer(call).add_done_callback(partial(self._ended, call))

    def _ended(self, call: Call, task: asyncio.Task[None]) -> None:
        """Close where an answer was broken off, so that nobody takes what was sent for the whole."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("an answer was broken off", exc_info=error)
        if not call.is_complete and not self._is_lingering:
            self._transport.close()

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()


def _framing(headers: Sequence[Header]) -> list[Header]:
    """Take the headers that say where a body ends."""
    return [header for header in headers if header[0] in (b"content-length", b"transfer-encoding")]


def _target(url: bytes) -> tuple[bytes, bytes]:
    """Part a request's target into path and query."""
    if url.startswith(b"/") and url.isascii() and b"#" not in url:
        path, _, query = url.partition(b"?")
        return path, query
    parsed = httptools.parse_url(url)
    if not (parsed.path and parsed.path.isascii()):
        raise httptools.HttpParserInvalidURLError("a path is ASCII")
    return parsed.path, parsed.query or b""


def _address(peer: tuple[Any, ...] | str | None) -> str | None:
    """Tell the address of a connection's other end, which has none if it is no socket of the internet."""
    return peer[0] if isinstance(peer, tuple) else None


def _give_up_on_those_who_take_nothing(transport: asyncio.Transport) -> None:
    """Have the kernel end the connection, where it can, when nothing of what waits there is taken for so long.

    What it holds for a reader of a stream who went away without a word is too little to block us: only it would know.
    """
    option: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, int(1000 * UNTAKEN_SECONDS))


def _refusal(error: TollkeeperError) -> bytes:
    headers, body = refusal(error)
    return STATUS_LINES[int(error.status)] + lines_of(headers) + b"\r\n" + body
