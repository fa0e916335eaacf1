"""One HTTP exchange: what came, read once and strictly, and the answer that goes back."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import unquote_to_bytes
from uuid import UUID

from tollkeeper.activity import Actor
from tollkeeper.errors import NotReadable, NotUnderstood
from tollkeeper.http import shapes
from tollkeeper.http.addresses import address_of_client
from tollkeeper.http.arriving import MOST_BYTES_OF_STRANGERS, piece_of, read_on, room_for
from tollkeeper.http.backend import Backend
from tollkeeper.http.body import MOST_BYTES, decode, too_large
from tollkeeper.http.call import CLOSE, Call, Header, lines_of
from tollkeeper.http.caller import Caller
from tollkeeper.http.operation import Operation
from tollkeeper.http.packing import pack, reads
from tollkeeper.http.shapes import Shape
from tollkeeper.http.wire import LONGEST_USER_AGENT, encode
from tollkeeper.store.database import Statements

Part = TypeVar("Part")

JSON: Final[Header] = (b"content-type", b"application/json")
_AS_GZIP: Final[Header] = (b"content-encoding", b"gzip")
_BY_ENCODING: Final[Header] = (b"vary", b"accept-encoding")
_LONGEST_COOKIE: Final = 200
# Packing less gains nothing.
_LEAST_PACKED_BYTES: Final = 1024
# Secrets are never packed beside what somebody else may have written.
_READS: Final = {"dashboard:read", "admin"}
_IDEMPOTENCY_KEY: Final = re.compile(rb"[\x20-\x7e]{1,255}")
_SLASHES: Final = re.compile("/{2,}")
_MARKED_DOTS: Final = re.compile(r"~+\.\.?")


class Guards:
    """Headers that every answer carries which has none of the same name itself."""

    def __init__(self, headers: Sequence[Header]) -> None:
        self._headers = headers
        self._lines = lines_of(headers)

    def beside(self, own: Sequence[Header]) -> bytes:
        """Write those that an answer does not have itself. Whoever has any has one of the first two."""
        (first, _), (second, _), *_ = self._headers
        names = [name for name, _ in own]
        if first in names or second in names:
            return lines_of([guard for guard in self._headers if guard[0] not in names])
        return self._lines


class Parts:
    """What the application is made of: its backend, the headers of all answers, and others, each known by its class."""

    __slots__ = ("_others", "backend", "guards")

    def __init__(self, backend: Backend, guards: Guards, *others: object) -> None:
        self.backend = backend
        self.guards = guards
        self._others: dict[type, Any] = {type(each): each for each in others}

    def the(self, kind: type[Part]) -> Part:
        """Give the part of this class."""
        return self._others[kind]

    def any(self, kind: type[Part]) -> Part | None:
        """Give it if there is one."""
        return self._others.get(kind)


class Answer:
    """A finished answer."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes, *, status: int = 200, headers: Iterable[Header] = (JSON,)) -> None:
        self.body = body
        self.status = status
        self.headers: list[Header] = list(headers)
        if status != HTTPStatus.NO_CONTENT:
            self.headers.append((b"content-length", b"%d" % len(body)))

    @classmethod
    def of(cls, content: object, *, status: int = 200, headers: Iterable[Header] = ()) -> Answer:
        """Encode an answer's struct as JSON."""
        return cls(encode(content), status=status, headers=(JSON, *headers))

    async def send(self, exchange: Exchange) -> None:
        """Send it, packed where its reader would rather have it so; for a HEAD nothing is, and no length is told."""
        body, headers = self.body, self.headers
        if _is_packed(exchange, body):
            headers = [*(header for header in headers if header[0] != b"content-length"), _AS_GZIP, _BY_ENCODING]
            if not exchange.is_head:
                body = await pack(body)
                headers.append((b"content-length", b"%d" % len(body)))
        exchange.begin(self.status, headers)
        await exchange.call.send(body, is_last=True)


class Exchange:
    """A request with what the routes ask of it, and how far its answer is.

    ``method``: a HEAD is answered as GET, and the server leaves the body out. ``path``: as the client wrote it, for an
    escaped slash is no slash. ``template``: as its route was declared, once that is found. ``status``: of the answer, 0
    before it begins. ``answered_at``: when a stream began.
    """

    __slots__ = (
        "_given", "_named", "_operation", "answered_at", "call", "headers", "is_head", "known", "method", "parts",
        "path", "status", "template", "trace_id",
    )  # fmt: skip

    def __init__(self, call: Call, parts: Parts) -> None:
        self.call = call
        self.parts = parts
        self.headers = call.headers
        self._given = dict(call.headers)
        self.is_head = call.method == "HEAD"
        self.method = "GET" if self.is_head else call.method
        self.path = normal(call.path.decode("ascii", "replace"))
        self.trace_id = f"{random.getrandbits(128):032x}"
        self.template: str | None = None
        self._operation: Operation | None = None
        self._named: Mapping[str, str] = {}
        self.known: Caller | None = None
        self.status = 0
        self.answered_at: float | None = None

    def begin(self, status: int, headers: Sequence[Header]) -> None:
        """Begin the answer, with the headers that every answer carries beside its own."""
        self.status = status
        if self.parts.backend.readiness.is_stopping:
            headers = [*headers, CLOSE]
        trace = b"x-trace-id: " + self.trace_id.encode() + b"\r\n"
        self.call.begin(status, headers, self.parts.guards.beside(headers) + trace)

    def leads_to(self, template: str, named: Mapping[str, str], operation: Operation | None) -> None:
        """Note which route its path is, with the parts that have names there, and what the method's declares."""
        self.template = template
        self._named = named
        self._operation = operation

    def the(self, kind: type[Part]) -> Part:
        """The part of the application that is of this class."""
        return self.parts.the(kind)

    @property
    def backend(self) -> Backend:
        """What the application runs on."""
        return self.parts.backend

    @property
    def wide(self) -> Statements:
        """The same database for reads that look at much: each waits for its turn, and ends when the caller leaves."""
        return self.backend.turns.of(self.call, self.caller.user_id)

    @property
    def texts(self) -> Statements:
        """The same database for short reads of whole texts, which leave connections to those who track."""
        return self.backend.texts.of_short(self.call, self.caller.user_id)

    @property
    def caller(self) -> Caller:
        """Who calls, as was found out before the route was asked."""
        if self.known is None:
            raise RuntimeError("nobody has asked who calls")
        return self.known

    @property
    def operation(self) -> Operation:
        """What the route declares."""
        if self._operation is None:
            raise RuntimeError("nobody has looked for the route")
        return self._operation

    @property
    def actor(self) -> Actor:
        """Who acts and from where, for the log of activity."""
        caller = self.caller
        return Actor(
            str(caller.user_id) if caller.kind == "person" else f"key:{caller.credential}",
            address_of_client(self.call, self.backend.trusted_proxies),
            self.user_agent,
            caller.acted_by,
        )

    @property
    def user_agent(self) -> str | None:
        """What the client calls itself, for the record."""
        return self.header_text(b"user-agent", most=LONGEST_USER_AGENT)

    def part(self, name: str) -> str:
        """A part of the path by its name, as the client wrote it."""
        return self._named.get(name, "")

    def header(self, name: bytes) -> bytes | None:
        """One header; of several with the same name the last."""
        return self._given.get(name)

    def cookie(self, name: str) -> str | None:
        """One cookie, cut; of several with the same name the first."""
        wanted = name.encode()
        for part in (self.header(b"cookie") or b"").split(b";"):
            given, _, value = part.strip().partition(b"=")
            if given == wanted:
                return value[:_LONGEST_COOKIE].decode("ascii", "replace")
        return None

    def header_text(self, name: bytes, *, most: int) -> str | None:
        """One header as text for the record, cut, with what is not UTF-8 replaced."""
        value = self._given.get(name)
        return None if value is None else value[: 4 * most].decode("utf-8", "replace").replace("\0", "\ufffd")[:most]

    def only_header(self, name: bytes) -> bytes | None:
        """One header that must not come twice: who reads the first and who the last would disagree."""
        if len(self._given) != len(self.headers) and sum(each == name for each, _ in self.headers) > 1:
            raise NotUnderstood(f"the header {name.decode()} is given more than once")
        return self._given.get(name)

    @property
    def body_type(self) -> bytes:
        """The type of the body, without its charset; empty if that is not UTF-8."""
        given = self._given.get(b"content-type", b"")
        return given if given == b"application/json" else _in_utf8(given)

    @property
    def encoding(self) -> bytes:
        """How the body is compressed; ``identity`` is not at all."""
        return self._given.get(b"content-encoding", b"").strip().lower() or b"identity"

    @property
    def most_bytes(self) -> int:
        """How many bytes of a body are read: of who may be anybody only a few."""
        return MOST_BYTES_OF_STRANGERS if self.known is None else MOST_BYTES

    async def said(self, shape: type[Shape], *, most: int | None = None, raw: bytes | None = None) -> Shape:
        """Read the JSON body, which has at most so many bytes, unless it was read already.

        ``body`` and ``shapes`` name what is wrong with it.
        """
        if (self.known is None or self.known.kind != "person") and self.body_type != b"application/json":
            raise NotReadable("the body must be sent as application/json")
        return shapes.shaped(decode(await self.raw(most=most) if raw is None else raw), shape)

    async def heard_out(self) -> None:
        """Wait for the end of a body that nobody reads: what breaks off, or is no HTTP, is to change nothing."""
        size, most = 0, self.most_bytes
        self._refuse_announced(most)
        while not self.call.is_whole:
            size += len(await piece_of(self.call))
            if size > most:
                raise too_large(most)

    def asked(self, shape: type[Shape]) -> Shape:
        """Read the query string."""
        return shapes.asked(self.call.query, shape)

    async def raw(self, *, most: int | None = None, gzip: bool = False) -> bytes:
        """Read the body as it was sent, refusing what is too large before it is buffered."""
        most = self.most_bytes if most is None else most
        if self.encoding != b"identity" and not (gzip and self.encoding == b"gzip"):
            raise NotReadable(f"a body is read as it is{' or as gzip' if gzip else ', not compressed'}")
        self._refuse_announced(most)
        piece = await piece_of(self.call)
        if len(piece) > most:
            raise too_large(most)
        if self.call.is_whole:
            return piece
        return await read_on(self.call, piece, most, room=room_for(self.known, most, self.backend.most_bytes_of_bodies))

    def _refuse_announced(self, most: int) -> None:
        length = self._given.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > most:
            raise too_large(most)


def _is_packed(exchange: Exchange, body: bytes) -> bool:
    """Whether an answer goes out as gzip: a large one, to a signed-in person's browser that reads it."""
    if len(body) < _LEAST_PACKED_BYTES or exchange.method != "GET" or exchange.known is None:
        return False
    if exchange.known.kind != "person" or exchange.operation.permission not in _READS:
        return False
    return reads(exchange.header_text(b"accept-encoding", most=200) or "", "gzip")


def normal(path: str) -> str:
    """Leave out slashes at a path's end and side by side: they do not count."""
    return _SLASHES.sub("/", "/" + path.strip("/")) if path.endswith("/") or "//" in path else path


def path_text(request: Exchange, name: str) -> str:
    """Read a part of the path, escaped once.

    Browsers resolve ``.`` and ``..`` before they send a path, escaped or not: those come as ``~.`` and ``~..``.
    """
    raw = request.part(name)
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise NotUnderstood("the path is not UTF-8", field=name) from None
    if "\0" in text:
        raise NotUnderstood("the path contains U+0000", field=name)
    return text[1:] if _MARKED_DOTS.fullmatch(text) else text


def path_id(request: Exchange, name: str) -> UUID:
    """Read a part of the path that is one of our ids; ``NotUnderstood`` if it cannot be one."""
    text = path_text(request, name)
    try:
        return UUID(text)
    except ValueError:
        whose = "" if name == "id" else f" of a {name}"
        raise NotUnderstood(f"the id{whose} is a UUID", field=name) from None


def idempotency_key(request: Exchange) -> str | None:
    """Read by which name something is to happen once, however often it is sent."""
    key = request.only_header(b"idempotency-key")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise NotUnderstood(
            "the header Idempotency-Key has 1 to 255 printable ASCII characters", field="Idempotency-Key"
        )
    return key.decode("ascii")


def _in_utf8(content_type: bytes) -> bytes:
    kind, _, parameters = content_type.partition(b";")
    name, _, value = parameters.partition(b"=")
    is_other = name.strip().lower() == b"charset" and value.strip().strip(b'"').lower() not in {b"utf-8", b"utf8"}
    return b"" if is_other else kind.strip().lower()
