"""What looks at much (searches, files, usage over time) takes turns, so that those who track need not wait for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from tollkeeper.errors import Crowded, NotUnderstood, Unavailable
from tollkeeper.http.call import Call
from tollkeeper.store.database import Database, Run, Statements
from tollkeeper.store.reads import Reads

MOST_WAITING: Final = 100
MOST_WAITING_OF_ONE: Final = 10
WAIT_SECONDS: Final = 5.0
LONGEST_REST_SECONDS: Final = 0.25

_TRY_AGAIN_SECONDS: Final = 2


class Places:
    """So many may be taken at once. What becomes free goes round the users who wait, and of each to the first."""

    def __init__(self, free: int, most_of_one: int) -> None:
        self._free = free
        self._most_of_one = most_of_one
        self._waiting: dict[UUID, deque[asyncio.Future[None]]] = {}

    @property
    def is_any_free(self) -> bool:
        """Whether nobody has to wait."""
        return self._free > 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    async def take(self, user_id: UUID) -> None:
        """Wait for a place; ``Crowded`` where that takes too long, or too many wait.

        Who has nobody waiting finds a place among those who wait, however many of others do, up to a hundred users.
        """
        if self._free:
            self._free -= 1
            return
        mine = len(self._waiting.get(user_id, ()))
        if mine >= self._most_of_one:
            raise Crowded("too many of yours wait to look at much already", retry_after_seconds=_TRY_AGAIN_SECONDS)
        if len(self._waiting) >= MOST_WAITING or (mine and self.waiting >= MOST_WAITING):
            raise Crowded("too many wait to look at much already", retry_after_seconds=_TRY_AGAIN_SECONDS)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user_id, deque()).append(turn)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except BaseException as error:
            self._forget(user_id, turn)
            if isinstance(error, TimeoutError):
                raise Crowded("others look at much", retry_after_seconds=_TRY_AGAIN_SECONDS) from error
            raise

    def give_back(self) -> None:
        """Have the next go on: the first of the user who has waited longest since they were given one."""
        while self._waiting:
            user_id = next(iter(self._waiting))
            mine = self._waiting.pop(user_id)
            turn = mine.popleft()
            if mine:
                self._waiting[user_id] = mine
            # Who was cancelled just now has not yet taken leave.
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _forget(self, user_id: UUID, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            # It had come just then.
            self.give_back()
        elif turn in (mine := self._waiting.get(user_id, deque())):
            mine.remove(turn)
            if not mine:
                del self._waiting[user_id]


class Turns:
    """A database on which ``at_once`` statements run at a time. The others wait in turn, but not for long.

    Where others track meanwhile, by what ``tracked`` counts, a place rests after a turn for as long as that took, up to
    ``LONGEST_REST_SECONDS``.
    """

    def __init__(
        self, database: Database, at_once: int, tracked: Callable[[], int], *, most_of_one: int = MOST_WAITING_OF_ONE
    ) -> None:
        self._database = database
        self._places = Places(at_once, most_of_one)
        self._tracked = tracked

    @property
    def waiting(self) -> int:
        """How many statements wait."""
        return self._places.waiting

    def of(self, call: Call, user_id: UUID) -> Statements:
        """Give a user's reads, each with a turn of its own. When the caller leaves, the one that runs is cancelled."""
        return _InTurn(self, Reads(self._database, call.departure), call, user_id)

    def of_short(self, call: Call, user_id: UUID) -> Statements:
        """Give a user's reads that are over so soon that none is cancelled."""
        return _InTurn(self, self._database, call, user_id)

    @asynccontextmanager
    async def taken(self, call: Call, user_id: UUID) -> AsyncGenerator[None]:
        """Have a turn for as long as the block lasts; ``Unavailable`` if there is none to be had.

        Whoever has left by then, or leaves meanwhile, is told as much by ``NotUnderstood``.
        """
        await self._places.take(user_id)
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
                self._places.give_back()
            else:
                loop.call_later(min(loop.time() - began, LONGEST_REST_SECONDS), self._places.give_back)


class _InTurn(Statements):
    def __init__(self, turns: Turns, reads: Statements, call: Call, user_id: UUID) -> None:
        self._turns = turns
        self._reads = reads
        self._call = call
        self._user_id = user_id

    async def _run(self, name: str, values: Mapping[str, Any], how: Run) -> Any:
        async with self._turns.taken(self._call, self._user_id):
            return await self._reads._run(name, values, how)  # noqa: SLF001 - it is of the same kind
