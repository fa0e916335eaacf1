"""One request as it came over its connection, and the way its answer goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Final, Protocol, TypeAlias

Header: TypeAlias = tuple[bytes, bytes]

CLOSE: Final[Header] = (b"connection", b"close")
STATUS_LINES: Final = {int(each): f"HTTP/1.1 {each:d} {each.phrase}\r\n".encode() for each in HTTPStatus}

_WITHOUT_BODY: Final = (204, 304)


def lines_of(headers: Collection[Header]) -> bytes:
    """Write headers as lines. They are looked through once, as a whole, for what would end a line within one."""
    lines = b"".join([name + b": " + value + b"\r\n" for name, value in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or b"\0" in lines:
        raise RuntimeError("a header has the end of a line within it")
    return lines


class Line(Protocol):
    """What a call needs of its connection."""

    is_blocked: bool

    @property
    def date(self) -> bytes:
        """The line of an answer's head that says when it was sent."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes as soon as the other end takes them."""
        ...

    async def drain(self) -> None:
        """Wait until the other end has taken enough."""
        ...

    def read_on(self) -> None:
        """Read again, if reading was paused."""
        ...

    def answered(self, call: Call) -> None:
        """Be told that a call's answer is complete."""
        ...


class Call:
    """What was asked, read piece by piece, and how far the answer is. An answer is a head and a body, maybe in pieces.

    ``is_whole``: all of the request has come. ``is_gone``: nobody is there any more; whatever is sent is dropped.
    ``is_complete``: all of the answer was sent. ``keeps_alive``: the connection stays open for the next call.
    ``is_old``: it was asked in HTTP/1.0, which knows no chunks: an answer without a length ends with the connection.
    """

    __slots__ = (
        "_body", "_changed", "_departure", "_expects", "_head", "_is_chunked", "_left", "_line", "client", "headers",
        "is_begun", "is_complete", "is_gone", "is_old", "is_whole", "keeps_alive", "method", "path", "query",
    )  # fmt: skip

    def __init__(
        self,
        line: Line,
        method: str,
        target: tuple[bytes, bytes],
        headers: list[Header],
        *,
        client: str | None,
        is_old: bool = False,
        keeps_alive: bool,
        expects: bool,
    ) -> None:
        self._line = line
        self.method = method
        self.path, self.query = target
        self.headers = headers
        self.client = client
        self.is_old = is_old
        self.keeps_alive = keeps_alive and not is_old
        self._expects = expects
        self._body = b""
        self._head = b""
        self._is_chunked = False
        self._left: int | None = 0
        self._changed: asyncio.Future[None] | None = None
        self._departure: asyncio.Future[None] | None = None
        self.is_whole = False
        self.is_gone = False
        self.is_begun = False
        self.is_complete = False

    def came(self, piece: bytes) -> int:
        """Take a piece of the body; gives how many bytes are waiting to be read."""
        self._body = self._body + piece if self._body else piece
        self._note()
        return len(self._body)

    def ended(self) -> None:
        """Be told that the whole request has come."""
        self.is_whole = True
        self._note()

    def lost(self) -> None:
        """Be told that nobody is there any more."""
        self.is_gone = True
        self._note()
        if self._departure is not None and not self._departure.done():
            self._departure.set_result(None)

    @property
    def departure(self) -> asyncio.Future[None]:
        """Done once nobody is there any more. While a next request waits behind this one, that may be told late."""
        if self._departure is None:
            self._departure = asyncio.get_running_loop().create_future()
            if self.is_gone:
                self._departure.set_result(None)
        return self._departure

    async def receive(self) -> bytes | None:
        """Wait for the next piece of the body; empty at its end, and ``None`` if the client went before that."""
        if self._expects and not self.is_begun and not self.is_gone:
            self._line.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._expects = False
        while not (self._body or self.is_whole or self.is_gone):
            self._line.read_on()
            await self._until_changed()
        if self.is_gone:
            return None
        piece, self._body = self._body, b""
        return piece

    async def gone(self) -> None:
        """Wait until nobody is there any more, or the answer is complete. What is still sent is not looked at."""
        while not (self.is_gone or self.is_complete):
            self._body = b""
            self._line.read_on()
            await self._until_changed()

    def begin(self, status: int, headers: Sequence[Header], rest: bytes) -> None:
        """Give the head of the answer, ``rest`` being lines of it that are written already (``lines_of``).

        It is sent with the first piece of the body: that takes one system call for most answers.
        """
        self.is_begun = True
        has_body = self.method != "HEAD" and status not in _WITHOUT_BODY
        self._is_chunked = has_body and not self.is_old
        self._left = None if has_body else 0
        for name, value in headers:
            if name == b"content-length":
                self._left = int(value)
                self._is_chunked = False
            elif (name, value) == CLOSE:
                self.keeps_alive = False
        if self._is_chunked:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        if not self.keeps_alive:
            headers = [*(header for header in headers if header[0] != CLOSE[0]), CLOSE]
        self._head = STATUS_LINES[status] + self._line.date + lines_of(headers) + rest + b"\r\n"

    async def send(self, body: bytes, *, is_last: bool) -> None:
        """Send a piece of the body, or all of it, when the other end has taken enough of what came before."""
        if self._line.is_blocked and not self.is_gone:
            await self._line.drain()
        if self.is_gone:
            return
        if self.is_complete:
            raise RuntimeError("the answer is complete already")
        head, self._head = self._head, b""
        if self.method == "HEAD":
            body = b""
        elif self._is_chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if is_last else b"")
        elif self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (is_last and self._left):
                raise RuntimeError("the body is not as long as its head says")
        if head or body:
            self._line.write(head + body)
        if is_last:
            self.is_complete = True
            self._body = b""
            self._note()
            self._line.answered(self)

    def _note(self) -> None:
        changed = self._changed
        if changed is not None and not changed.done():
            changed.set_result(None)

    async def _until_changed(self) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        await self._changed
