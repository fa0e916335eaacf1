"""Who follows which dashboard on this node. Rounds ask the database whose has changed, for all of them at once.

Nothing is told by the one who writes: what a dashboard shows is written together with its stamp, by whichever node or
command, so that whoever asks for the stamps misses nothing, through a pooler too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self
from uuid import UUID

from tollkeeper.errors import NobodyKnown, NotAllowed, NotFound, TollkeeperError, TooManyStreams, Unavailable
from tollkeeper.http.backend import Backend
from tollkeeper.http.callers import Callers
from tollkeeper.http.dashboards.followed import Followed, Seen, Stream
from tollkeeper.http.dashboards.kept import Dashboards
from tollkeeper.http.exchange import Exchange
from tollkeeper.metering.dashboards import dashboard

log = logging.getLogger(__name__)

MOST_EACH: Final = 20
MOST: Final = 2_000

_ROUND_SECONDS: Final = 0.1
# Rounds take no more than a ninth of the process; one that took long waited for the database and took little of it.
_PAUSE_TO_ROUND: Final = 8
_LONGEST_PAUSE_SECONDS: Final = 2.0
_AFTER_FAILURE_SECONDS: Final = 1.0
_MOST_READ: Final = 32
# Late enough to cost little, soon enough that a stream ends within a second of its session.
_ASK_AGAIN_SECONDS: Final = 0.5
_TRY_AGAIN_SECONDS: Final = 5


class Streams:
    """All open streams of this node. ``rounds`` and ``round_seconds`` (of the last one) are for its metrics."""

    def __init__(self, backend: Backend, dashboards: Dashboards, callers: Callers) -> None:
        self._backend = backend
        self._dashboards = dashboards
        self._callers = callers
        self._followed: OrderedDict[UUID, Followed] = OrderedDict()
        self._someone = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.count = 0
        self.rounds = 0
        self.round_seconds = 0.0

    async def __aenter__(self) -> Self:
        works = (self._look_in_rounds, self._ask_again_and_again)
        self._tasks = [asyncio.create_task(work()) for work in works]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def opened(self, exchange: Exchange) -> AsyncGenerator[Stream]:
        """Have one more stream; ``TooManyStreams`` or ``Unavailable`` beyond the bounds, ``NotFound`` for no user."""
        followed = self._followed.get(exchange.caller.user_id) or Followed(exchange.caller.user_id)
        self._refuse_if_full(followed)
        stream = Stream(followed, exchange, Seen.of(exchange.header(b"last-event-id")))
        self._followed[followed.user_id] = followed
        followed.streams.add(stream)
        self.count += 1
        try:
            async with followed.reading:
                followed.take(await self._dashboards.found(followed.user_id))
            self._someone.set()
            yield stream
        finally:
            self.count -= 1
            followed.streams.remove(stream)
            if not followed.streams:
                del self._followed[followed.user_id]

    def _refuse_if_full(self, followed: Followed) -> None:
        if len(followed.streams) >= MOST_EACH:
            raise TooManyStreams(f"at most {MOST_EACH} streams of a user are open at once: close one of the others")
        if self.count >= MOST:
            raise Unavailable("too many streams are open on this node", retry_after_seconds=_TRY_AGAIN_SECONDS)

    async def _look_in_rounds(self) -> None:
        while True:
            if not self._followed:
                self._someone.clear()
                await self._someone.wait()
            began = time.perf_counter()
            has_looked = await _succeeds(self._look)
            self.rounds += 1
            self.round_seconds = time.perf_counter() - began
            pause = max(_ROUND_SECONDS, min(_PAUSE_TO_ROUND * self.round_seconds, _LONGEST_PAUSE_SECONDS))
            await asyncio.sleep(pause if has_looked else _AFTER_FAILURE_SECONDS)

    async def _look(self) -> None:
        """Read anew what has changed, of some users: the others come first the next time."""
        stamps = await dashboard.stamps(self._backend.database, list(self._followed))
        changed = [each for each in self._followed.values() if stamps.get(each.user_id) != each.stamp]
        for followed in changed[:_MOST_READ]:
            if followed.streams:
                self._followed.move_to_end(followed.user_id)
                await self._read(followed, stamps.get(followed.user_id))
            await asyncio.sleep(0)

    async def _read(self, followed: Followed, stamp: str | None) -> None:
        async with followed.reading:
            try:
                followed.take(await self._dashboards.at(followed.user_id, stamp))
            except NotFound:
                _end(followed.streams)

    async def _ask_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(_ASK_AGAIN_SECONDS)
            if self._backend.readiness.is_stopping:
                _end(self._all())
            else:
                await _succeeds(self._ask_again)

    async def _ask_again(self) -> None:
        """End the streams of those who may no longer follow, asking once for each key and each sign-in."""
        by_credential = defaultdict[UUID, list[Stream]](list)
        for stream in self._all():
            by_credential[stream.exchange.caller.credential].append(stream)
        await asyncio.gather(*map(self._end_if_over, by_credential.values()))

    async def _end_if_over(self, streams: Sequence[Stream]) -> None:
        """Ask about one of those who have the same credential, and end them all if it is over."""
        exchange = streams[0].exchange
        try:
            await self._callers.identify_anew(exchange, exchange.operation)
        except (NobodyKnown, NotAllowed):
            _end(streams)
        except TollkeeperError:
            # Nobody knows while the database is away; and a service's key outlives the user whom this one names.
            return

    def _all(self) -> list[Stream]:
        return [stream for followed in self._followed.values() for stream in followed.streams]


def _end(streams: Iterable[Stream]) -> None:
    for stream in streams:
        stream.end()


async def _succeeds(act: Callable[[], Awaitable[None]]) -> bool:
    """Do it, and outlive whatever comes of it: the next turn tries again."""
    try:
        await act()
    except Unavailable:
        # Whoever calls meanwhile is told, and that is logged.
        return False
    except Exception:
        log.exception("the streams could not be looked after")
        return False
    return True
