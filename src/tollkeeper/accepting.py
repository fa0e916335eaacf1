"""Taking connections off the port: as many as are held, a few more that hear of it, and no others until one leaves."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, NoReturn

from tollkeeper.connection import Connection
from tollkeeper.errors import Unavailable
from tollkeeper.http.call import Call
from tollkeeper.http.refusal import refusal

log = logging.getLogger(__name__)

Application = Callable[[Call], Coroutine[Any, Any, None]]

AWAY_SECONDS: Final = 3.0

_AT_ONCE: Final = 64
_AFTER_FAILURE_SECONDS: Final = 1.0


class Room:
    """Whether one more may come, and waiting until somebody has left where not."""

    def __init__(self, is_there: Callable[[], bool]) -> None:
        self._is_there = is_there
        self._one_left = asyncio.Event()

    def one_left(self) -> None:
        """Be told that there may be room again."""
        self._one_left.set()

    async def wait(self) -> None:
        """Wait until there is."""
        while not self._is_there():
            self._one_left.clear()
            await self._one_left.wait()


async def accept(listener: socket.socket, room: Room, expect: Callable[[], Connection]) -> NoReturn:
    """Accept while there is room; who comes besides waits in the kernel's backlog.

    A connection has its place from the moment that it is accepted: the loop tells of it only later.
    """
    loop = asyncio.get_running_loop()
    connecting = set[asyncio.Task[None]]()
    for number in itertools.count(1):
        await room.wait()
        try:
            accepted, _ = await loop.sock_accept(listener)
        except ConnectionAbortedError:
            continue
        except OSError as error:
            # Of the whole machine, or of what we know nothing of: it may be over soon.
            log.warning("no connection can be accepted: %s", error.strerror)
            await asyncio.sleep(_AFTER_FAILURE_SECONDS)
            continue
        task = loop.create_task(_connect(expect(), accepted))
        connecting.add(task)
        task.add_done_callback(connecting.discard)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    raise AssertionError


async def _connect(connection: Connection, accepted: socket.socket) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, accepted)
    except Exception:  # noqa: BLE001 - over before it began, most likely because its client is gone
        with suppress(OSError):
            accepted.close()
        connection.connection_lost(None)


class Holder:
    """The connections of a server. Each has its place from when it is accepted: the loop tells of it only later."""

    def __init__(self, room: Room, application: Application) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = room
        self._application = application
        self._expected: set[Connection] = set()
        # and since when
        self._connections: dict[Connection, float] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self.date = b""

    def __len__(self) -> int:
        return len(self._expected) + len(self._connections)

    def expect(self) -> Connection:
        """Make one more."""
        connection = Connection(self)
        self._expected.add(connection)
        return connection

    def joined(self, connection: Connection) -> None:
        """Be told of a new connection."""
        self._expected.discard(connection)
        self._connections[connection] = self._loop.time()

    def left(self, connection: Connection) -> None:
        """Be told of the end of a connection."""
        self._expected.discard(connection)
        self._connections.pop(connection, None)
        self._room.one_left()

    def answer(self, call: Call) -> asyncio.Task[None]:
        """Begin to answer a call."""
        task = self._loop.create_task(self._application(call))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        return task


class TurningAway(Holder):
    """The server of connections that are too many: they hear 503, whatever they ask, and end."""

    def __init__(self, room: Room) -> None:
        super().__init__(room, _turn_away)

    def end_if_too_slow(self, now: float) -> None:
        """Close those that neither ask nor go, for others wait for their place."""
        for connection, since in list(self._connections.items()):
            if now - since > AWAY_SECONDS:
                connection.abort()


async def _turn_away(call: Call) -> None:
    error = Unavailable("this node has as many connections as it can hold")
    headers, body = refusal(error, call.path.decode("ascii", "replace"))
    call.begin(error.status, headers, b"")
    await call.send(body, is_last=True)
