"""The HTTP server: accepts connections, looks after slow ones, and lets what has begun finish when it stops."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from typing import Any, Final

from tollkeeper.connection import Connection
from tollkeeper.http.call import Call

log = logging.getLogger(__name__)

_BACKLOG: Final = 2048
_SWEEP_SECONDS: Final = 1.0
_CANCELLED_SECONDS: Final = 1.0

# When a stop begins, it is looked so often, each time after such a pause, for what has come by then.
_LAST_LOOKS: Final = 10
_LAST_LOOK_SECONDS: Final = 0.01


class Server:
    """What all connections of a process share: the application, and who is connected and is being answered."""

    def __init__(self, application: Callable[[Call], Coroutine[Any, Any, None]]) -> None:
        self._application = application
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._one_left = asyncio.Event()
        self._is_finishing = False
        self.date = b""
        self._answering: set[asyncio.Task[None]] = set()
        self._tell_the_time()

    @asynccontextmanager
    async def accepting(self, listener: socket.socket, *, finish_seconds: float = 0.0) -> AsyncGenerator[None]:
        """Accept connections while the block lasts, then finish what has come by then, and cancel what takes longer."""
        accepting = await self._loop.create_server(lambda: Connection(self), sock=listener, backlog=_BACKLOG)
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            await self._take_what_has_come()
            accepting.close()
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
                while self._connections:
                    self._one_left.clear()
                    await self._one_left.wait()
                while self._answering:
                    await asyncio.wait(self._answering)
        if self._answering:
            log.error("%d answers took too long and are broken off", len(self._answering))
            for task in self._answering:
                task.cancel()
            await asyncio.wait(self._answering, timeout=_CANCELLED_SECONDS)

    def joined(self, connection: Connection) -> None:
        """Be told of a new connection."""
        self._connections.add(connection)
        if self._is_finishing:
            connection.finish()

    def left(self, connection: Connection) -> None:
        """Be told of the end of a connection."""
        self._connections.discard(connection)
        self._one_left.set()

    def answer(self, call: Call) -> asyncio.Task[None]:
        """Begin to answer a call."""
        task = self._loop.create_task(self._application(call))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        return task

    async def _sweep(self) -> None:
        """Look through all connections once a second, which costs a request nothing."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._tell_the_time()
            now = self._loop.time()
            for connection in list(self._connections):
                try:
                    connection.end_if_too_slow(now)
                except Exception:
                    log.exception("a connection could not be looked after")
                    connection.abort()

    def _tell_the_time(self) -> None:
        self.date = b"date: " + formatdate(usegmt=True).encode() + b"\r\n"
