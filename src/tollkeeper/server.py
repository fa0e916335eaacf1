"""The HTTP server: accepts connections, looks after slow ones, and lets what has begun finish when it stops."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from typing import Final

from tollkeeper.accepting import Application, Holder, Room, TurningAway, accept
from tollkeeper.capacity import TURNED_AWAY
from tollkeeper.connection import Connection
from tollkeeper.http.backend import Held

log = logging.getLogger(__name__)

_SWEEP_SECONDS: Final = 1.0
_CANCELLED_SECONDS: Final = 1.0

# When a stop begins, it is looked so often, each time after such a pause, for what has come by then.
_LAST_LOOKS: Final = 10
_LAST_LOOK_SECONDS: Final = 0.01


class Server(Holder):
    """What all connections of a process share: the application, and who is connected and is being answered.

    ``held`` says how many are held at most, and is told how many are.
    """

    def __init__(self, application: Application, held: Held | None = None) -> None:
        super().__init__(Room(self._has_room), application)
        self._held = held or Held()
        self._away = TurningAway(self._room)
        self._one_left = asyncio.Event()
        self._is_finishing = False
        self._was_full = False
        self._tell_the_time()

    @asynccontextmanager
    async def accepting(self, listener: socket.socket, *, finish_seconds: float = 0.0) -> AsyncGenerator[None]:
        """Accept connections while the block lasts, then finish what has come by then, and cancel what takes longer."""
        accepting = asyncio.create_task(accept(listener, self._room, self.expect))
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            await self._take_what_has_come()
            accepting.cancel()
            await asyncio.wait([accepting])
            listener.close()
            await self._finish(finish_seconds)
            sweeping.cancel()

    async def _take_what_has_come(self) -> None:
        """Accept who is connected by now and read what they have sent, which closing would take away with a reset."""
        for _ in range(_LAST_LOOKS):  # a while alone may be over before anything was looked at
            await asyncio.sleep(_LAST_LOOK_SECONDS)

    async def _finish(self, seconds: float) -> None:
        self._is_finishing = True
        for connection in list(self._connections):
            connection.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self):
                    self._one_left.clear()
                    await self._one_left.wait()
                while self._answering:
                    await asyncio.wait(self._answering)
        if self._answering:
            log.error("%d answers took too long and are broken off", len(self._answering))
            for task in self._answering:
                task.cancel()
            await asyncio.wait(self._answering, timeout=_CANCELLED_SECONDS)

    def expect(self) -> Connection:
        """Make one more connection, to be served if there is room for it."""
        if len(self) < self._held.most:
            connection = super().expect()
            self._held.open = len(self)
            return connection
        if not self._was_full:
            log.warning("%d connections are open, as many as can be: more are turned away", self._held.most)
            self._was_full = True
        self._held.turned_away += 1
        return self._away.expect()

    def joined(self, connection: Connection) -> None:
        """Be told of a new connection."""
        super().joined(connection)
        if self._is_finishing:
            connection.finish()

    def left(self, connection: Connection) -> None:
        """Be told of the end of a connection."""
        super().left(connection)
        self._held.open = len(self)
        self._one_left.set()

    def _has_room(self) -> bool:
        return len(self) < self._held.most or len(self._away) < TURNED_AWAY

    async def _sweep(self) -> None:
        """Look through all connections once a second, which costs a request nothing."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._tell_the_time()
            self._was_full = self._was_full and 4 * len(self) > 3 * self._held.most
            now = self._loop.time()
            self._away.end_if_too_slow(now)
            for connection in list(self._connections):
                try:
                    connection.end_if_too_slow(now)
                except Exception:
                    log.exception("a connection could not be looked after")
                    connection.abort()

    def _tell_the_time(self) -> None:
        self.date = self._away.date = b"date: " + formatdate(usegmt=True).encode() + b"\r\n"
