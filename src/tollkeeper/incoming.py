"""What comes over a connection, read: bytes in, calls out. Only here is the parser of HTTP known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import httptools

from tollkeeper.errors import NotUnderstood
from tollkeeper.http.call import Call, Header, Line, lines_of
from tollkeeper.http.problems import HeadersTooLarge, foreseen

MOST_HEADER_BYTES: Final = 2**16

# How much of a body may wait for whoever reads it before no more is taken from the socket.
_MOST_UNREAD_BYTES: Final = 2**16


class Taker(Line, Protocol):
    """What is needed of the connection that takes the calls: each is told as soon as its headers have come."""

    def begun(self) -> None:
        """Be told that a request begins."""
        ...

    def arrived(self, call: Call) -> None:
        """Take a call. Its body may still be on its way."""
        ...

    def pause(self) -> None:
        """Read no more for now."""
        ...


class Incoming:
    """Feeds a parser, and makes calls of what it tells.

    ``stage`` is what is being read, ``last`` the call that is being read, or was read last.
    """

    def __init__(self, taker: Taker, client: str | None) -> None:
        self._taker = taker
        self._client = client
        self._parser: Any = self._new_parser()
        self.stage: Literal["nothing", "headers", "body"] = "nothing"
        self.last: Call | None = None
        self._url = b""
        self._headers: list[Header] = []
        self._expects = False
        self._is_resuming = False
        # whether a read has brought more than a piece of a head, and how many bytes in a row were no body
        self._is_mixed = False
        self._bare_bytes = 0

    def feed(self, data: bytes) -> None:
        """Read on. Raises what ends the connection.

        That is what is no HTTP, and headers, or what stands beside the pieces of a body, that have grown too long.
        """
        self._is_mixed = False
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            # What a callback raises is no fault of the client's.
            raise foreseen(error.__context__) or NotUnderstood("Invalid HTTP request received.") from error
        self._bare_bytes = 0 if self._is_mixed else self._bare_bytes + len(data)
        if self._bare_bytes > MOST_HEADER_BYTES:
            raise HeadersTooLarge(f"at most {MOST_HEADER_BYTES} bytes of headers are read")

    def forget(self) -> None:
        """Leave what is being read unread."""
        self.stage = "nothing"

    def end(self) -> None:
        """Let go of the parser: they know each other."""
        self._parser = None

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        if self._is_resuming:
            return
        self._taker.begun()
        self.stage = "headers"
        self._url = b""
        self._headers = []
        self._expects = False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target."""
        if self.stage == "headers":
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are none, whatever their names are."""
        if self.stage != "headers":
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
        """Make a call of the request; its body may still be on its way."""
        if self._is_resuming:
            return
        parser = self._parser
        version = parser.get_http_version()
        if version not in {"1.0", "1.1"}:
            raise httptools.HttpParserError(f"HTTP/{version} is not spoken here")
        if version == "1.0" and any(name == b"transfer-encoding" for name, _ in self._headers):
            raise httptools.HttpParserError("HTTP/1.0 knows no chunks")
        target = _target(self._url)  # may raise, too: then it is the headers that are wrong
        self.stage = "body"
        self.last = Call(
            self._taker,
            parser.get_method().decode("ascii"),
            target,
            self._headers,
            client=self._client,
            is_old=version == "1.0",
            keeps_alive=parser.should_keep_alive(),
            expects=self._expects,
        )
        self._taker.arrived(self.last)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, for as long as somebody may read it."""
        self._is_mixed = True
        call = self.last
        if call is not None and not call.is_complete and call.came(body) > _MOST_UNREAD_BYTES:
            self._taker.pause()

    def on_message_complete(self) -> None:
        """Note that the request has come as a whole, unless the parser leaves its body to another protocol."""
        self._is_mixed = True
        if self.last is not None and not (self._parser.should_upgrade() and _framing(self._headers)):
            self.stage = "nothing"
            self.last.ended()

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # Another protocol was offered, and we stay with this one: what follows is the body or the next request.
                data = data[upgrade.args[0] :]
                if self.stage == "body":
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
