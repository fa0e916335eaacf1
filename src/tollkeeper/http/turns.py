"""What looks at much (searches, files, usage over time) takes turns, so that those who track need not wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from tollkeeper.errors import NotUnderstood, Unavailable
from tollkeeper.http.call import Call
from tollkeeper.store.database import Database, Run, Statements
from tollkeeper.store.reads import Reads

MOST_WAITING: Final = 100
WAIT_SECONDS: Final = 5.0
LONGEST_REST_SECONDS: Final = 0.25

_TRY_AGAIN_SECONDS: Final = 2


class Turns:
    """A database on which ``at_once`` statements run at a time. The others wait in their order, but not for long.

    Where others track meanwhile, by what ``tracked`` counts, a place rests after a turn for as long as that took, up to
    ``LONGEST_REST_SECONDS``. ``waiting``: how many do now.
    """

    def __init__(self, database: Database, at_once: int, tracked: Callable[[], int]) -> None:
        self._database = database
        self._places = asyncio.Semaphore(at_once)
        self._tracked = tracked
        self.waiting = 0

    def of(self, call: Call) -> Statements:
        """Give reads that wait for their turn, each anew. When the caller leaves, the one that runs is cancelled."""
        return _InTurn(self, Reads(self._database, call.departure), call)

    @asynccontextmanager
    async def taken(self, call: Call) -> AsyncGenerator[None]:
        """Have a turn for as long as the block lasts; ``Unavailable`` if there is none to be had.

        Whoever has left by then, or leaves meanwhile, is told as much by ``NotUnderstood``.
        """
        await self._wait()
        loop = asyncio.get_running_loop()
        began, tracked = loop.time(), self._tracked()
        try:
            if call.is_gone:
                raise NotUnderstood("the connection was closed before its turn had come")
            yield
        except Unavailable as error:
            if call.is_gone:
                raise NotUnderstood("the connection was closed before its turn was over") from error
            raise
        finally:
            if self._tracked() == tracked:
                self._places.release()
            else:
                loop.call_later(min(loop.time() - began, LONGEST_REST_SECONDS), self._places.release)

    async def _wait(self) -> None:
        if self._places.locked() and self.waiting >= MOST_WAITING:
            raise Unavailable("too many wait to look at much already", retry_after_seconds=_TRY_AGAIN_SECONDS)
        self.waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise Unavailable("others look at much", retry_after_seconds=_TRY_AGAIN_SECONDS) from error
        finally:
            self.waiting -= 1


class _InTurn(Statements):
    def __init__(self, turns: Turns, reads: Statements, call: Call) -> None:
        self._turns = turns
        self._reads = reads
        self._call = call

    async def _run(self, name: str, values: Mapping[str, Any], how: Run) -> Any:
        async with self._turns.taken(self._call):
            return await self._reads._run(name, values, how)  # noqa: SLF001 - it is of the same kind
