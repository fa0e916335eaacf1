"""One HTTP/1.1 connection: requests are read from it, answered in their order, and nobody may keep us waiting."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from functools import partial
from typing import Any, Final, Literal, Protocol, cast

from tollkeeper.errors import TollkeeperError
from tollkeeper.http.call import STATUS_LINES, Call, lines_of
from tollkeeper.http.problems import TooSlow
from tollkeeper.http.refusal import refusal
from tollkeeper.incoming import Incoming

log = logging.getLogger(__name__)

HEADER_SECONDS: Final = 10.0
BODY_SECONDS: Final = 30.0
WRITE_SECONDS: Final = 30.0
UNTAKEN_SECONDS: Final = 60.0
KEEP_ALIVE_SECONDS: Final = 75.0
LINGER_SECONDS: Final = 5.0
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
    """Has what comes read, and the calls that it is answered one after another.

    Since when it waits for what is only noted, and ``end_if_too_slow`` is asked once a second: a request pays nothing.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", None)
        self._incoming = cast("Incoming", None)
        self._since = self._loop.time()
        self._blocked_since: float | None = None
        self._writable = asyncio.Event()
        self._is_paused = False
        self._has_answered = False
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
        self._incoming = Incoming(self, _address(transport.get_extra_info("peername")))
        self._server.joined(self)
        _give_up_on_those_who_take_nothing(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        """Let go of what was under way."""
        self._server.left(self)
        for call in (self._at_hand, self._incoming.last, *self._next):
            if call is not None and not call.is_complete:
                call.lost()
        self._next.clear()
        self.resume_writing()
        self._incoming.end()

    def data_received(self, data: bytes) -> None:
        """Read it, unless no more is to be read."""
        if self._fault is None and not self._is_lingering:
            try:
                self._incoming.feed(data)
            except TollkeeperError as error:
                self.end_with(error)

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

    # What reading tells.

    def begun(self) -> None:
        """Begin to wait for the rest of its headers."""
        self._since = self._loop.time()

    def arrived(self, call: Call) -> None:
        """Have a call answered, in its turn."""
        if self._at_hand is None:
            self._begin(call)
        else:
            self._next.append(call)
            self.pause()

    def pause(self) -> None:
        """Read no more for now."""
        if not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

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
            return "headers" if self._incoming.stage == "headers" else "waiting"
        return "body" if self._incoming.stage == "body" and self._at_hand is self._incoming.last else "answer"

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
        read = self._incoming.last if self._incoming.stage == "body" else None
        if self._at_hand is None or self._at_hand is read:
            self._refuse(error)
            return
        if self._next and self._next[-1] is read:
            self._next.pop()
        self._incoming.forget()
        self._fault = error
        self.pause()

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
        was_answered_early = call is None and self._incoming.stage == "body"
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
        has_read_all = self._incoming.stage == "nothing" and self._fault is None and not self._is_paused
        if has_read_all or self._transport.is_closing() or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._is_lingering = True
        self._since = self._loop.time()
        self._transport.write_eof()
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

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
