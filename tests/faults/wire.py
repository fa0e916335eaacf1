"""A way to the database on which a test decides what becomes of an answer: it may be held back, or be lost.

It knows PostgreSQL's messages as far as it must to tell when a statement was answered and what is committed by then.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.conftest import Server, a_database
from tests.faults.nodes import PATIENCE, PLANS, Node, Site
from tollkeeper.store.cluster import Role
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.queries import statements

_PORT: Final = 5432
# What ends an exchange. With prepared statements CommandComplete comes before the commit, and this after it.
_READY: Final = b"Z"
_IDLE: Final = b"I"
_ERROR: Final = b"E"
_COMPLETE: Final = b"C"


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's answer to one statement, complete and without an error."""

    sql: str
    tag: str
    is_committed: bool

    @property
    def rows(self) -> int:
        """How many rows were answered or changed."""
        return int(self.tag.rpartition(" ")[2]) if self.tag[-1:].isdigit() else 0


Fate = Callable[[Answer], Awaitable[bool]]
"""Whether an answer goes on to whoever asked; if not, its connection is cut at both ends."""


async def goes_on(_: Answer) -> bool:
    """What becomes of an answer on a good day."""
    return True


@dataclass(slots=True)
class Holding:
    """Holds back the answers to some statements that tell of anything, until they are let go."""

    held: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self, *names: str) -> None:
        """From now on hold those of these statements too."""
        self.held |= {statements()[name].sql: asyncio.Event() for name in names}

    async def has_come(self, name: str) -> None:
        """Wait until an answer to this statement is held."""
        await asyncio.wait_for(self.held[statements()[name].sql].wait(), PATIENCE)

    async def __call__(self, answer: Answer) -> bool:
        if answer.rows and (held := self.held.get(answer.sql)):
            held.set()
            await self.let_go.wait()
        return True


@dataclass(slots=True)
class Wire:
    """Listens on a socket like PostgreSQL's, in a directory of its own, and passes on what comes either way."""

    directory: Path
    to: str
    fate: Fate = goes_on

    @property
    def dsn(self) -> str:
        """The database's address over this way."""
        return urlsplit(self.to)._replace(query=f"host={self.directory}&port={_PORT}").geturl()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Wire]:
        """Let connections come for as long as the block lasts."""
        self.directory.mkdir()
        links = list[asyncio.Task[None]]()

        async def connect(reader: StreamReader, writer: StreamWriter) -> None:
            links.append(asyncio.create_task(self._connect(_End(reader, writer))))

        server = await asyncio.start_unix_server(connect, _socket(self.directory, _PORT))
        try:
            yield self
        finally:
            server.close()
            for link in links:
                link.cancel()
            ends = await asyncio.gather(*links, return_exceptions=True)
        # What a test has decided by may be wrong, and nobody else would say so.
        assert [end for end in ends if isinstance(end, Exception)] == []

    async def _connect(self, client: _End) -> None:
        query = parse_qs(urlsplit(self.to).query)
        server = _End(*await asyncio.open_unix_connection(_socket(Path(query["host"][0]), int(query["port"][0]))))
        link = _Link(self, client, server)
        try:
            await _first_of(link.pass_on_questions(), link.pass_on_answers())
        finally:
            client.writer.close()
            server.writer.close()


@dataclass(slots=True)
class _End:
    """One end of a connection, of which messages are read whole: a byte of kind, four of length, a body."""

    reader: StreamReader
    writer: StreamWriter

    async def message(self) -> tuple[bytes, bytes, bytes]:
        """Give the kind, the body, and all of it as it came."""
        head = await self.reader.readexactly(5)
        body = await self.reader.readexactly(int.from_bytes(head[1:]) - 4)
        return head[:1], body, head + body

    async def first_message(self) -> bytes:
        """What a client says first has no kind."""
        length = await self.reader.readexactly(4)
        return length + await self.reader.readexactly(int.from_bytes(length) - 4)

    async def write(self, *messages: bytes) -> None:
        self.writer.writelines(messages)
        await self.writer.drain()


@dataclass(slots=True)
class _Link:
    """A client's connection and its own to the server. The driver asks one thing at a time."""

    wire: Wire
    client: _End
    server: _End
    prepared: dict[bytes, str] = field(default_factory=dict[bytes, str])
    asked: str | None = None

    async def pass_on_questions(self) -> None:
        await self.server.write(await self.client.first_message())
        while True:
            kind, body, message = await self.client.message()
            self._note(kind, body)
            await self.server.write(message)

    def _note(self, kind: bytes, body: bytes) -> None:
        first, _, rest = body.partition(b"\0")
        if kind == b"P":
            self.prepared[first] = rest.partition(b"\0")[0].decode()
        elif kind == b"B":
            self.asked = self.prepared[rest.partition(b"\0")[0]]
        elif kind == b"Q":
            self.asked = first.decode()

    async def pass_on_answers(self) -> None:
        messages: dict[bytes, bytes] = {}
        held = list[bytes]()
        while True:
            kind, body, message = await self.server.message()
            messages[kind] = body
            held.append(message)
            if self.asked is not None:
                if kind != _READY:
                    continue
                tag = messages.get(_COMPLETE, b"").rstrip(b"\0").decode()
                answer = Answer(self.asked, tag, is_committed=body == _IDLE)
                if _ERROR not in messages and not await self.wire.fate(answer):
                    self.client.writer.transport.abort()
                    return
            self.asked = None
            await self.client.write(*held)
            messages, held = {}, []


def _socket(directory: Path, port: int) -> Path:
    return directory / f".s.PGSQL.{port}"


async def _first_of(*both: Coroutine[Any, Any, None]) -> None:
    """Run until one side has gone away; then neither is of use."""
    tasks = [asyncio.create_task(each) for each in both]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
                await task


@dataclass(slots=True)
class WiredSite(Site):
    """Nodes on a database of the run's server; each is told by which wire it reaches it."""

    addresses: Addresses = field(kw_only=True)
    settings: Mapping[str, object] = field(kw_only=True)

    async def start_over(self, wire: Wire) -> Node:
        """Start a node that knows no other way."""
        return await self.start(environment={"TOLLKEEPER_DATABASE_URL": wire.dsn})

    def dsn(self, role: Role) -> str:
        """Where to look into the database, past all wires."""
        dsn: str | None = getattr(self.addresses, role)
        assert dsn is not None
        return dsn

    def _environment(self) -> dict[str, str]:
        own = {f"TOLLKEEPER_{name.upper()}": str(value) for name, value in self.settings.items()}
        database = {"DATABASE_URL": self.addresses.service, "OWNER_DATABASE_URL": self.addresses.owner}
        return Site._environment(self) | {f"TOLLKEEPER_{name}": dsn for name, dsn in database.items()} | own


@asynccontextmanager
async def wired(server: Server, data: Path, plans: str = PLANS, **settings: object) -> AsyncGenerator[WiredSite]:
    """Lend a site without nodes, with the plans and these settings; what still runs at the end is killed."""
    async with a_database(server, template="tollkeeper") as addresses:
        site = WiredSite(data, addresses=addresses, settings=settings)
        try:
            await site.furnish(plans)
            yield site
        finally:
            await asyncio.gather(*(node.kill() for node in site.nodes if node.process.returncode is None))
