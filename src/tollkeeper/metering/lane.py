"""Many callers, one statement: what waits at the same time is decided as one set, in one round trip.

Under no load a set has one member and waits for nobody; there is no timer. Under load sets grow by themselves, because
everything that arrives while a set is being decided is the next set. The items of one owner always meet the same
worker, in the order of their arrival.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from tollkeeper.errors import Unavailable
from tollkeeper.store.database import StatementFailed, TryAgain

Item = TypeVar("Item")
Verdict = TypeVar("Verdict")
Done = TypeVar("Done")

_ATTEMPTS = 4
_PAUSE_SECONDS = 0.02
# Lock and statement time-outs: nothing happened, and one member may be to blame for all.
LOCKED = "55P03"
ONE_MAY_BE_TO_BLAME = frozenset({LOCKED, "57014"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is gathered before it is decided, how much may be decided at once, and how much may wait.

    Beyond what may wait callers hear 503 at once.
    """

    workers: int = 1
    gathered_items: int = 16
    set_items: int = 128
    set_bytes: int = 8 * 2**20
    waiting_items: int = 20_000
    waiting_items_each: int = 2_000
    waiting_bytes: int = 256 * 2**20


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Verdict]):
    item: Item
    owner: Hashable
    size: int
    verdict: asyncio.Future[Verdict]


@dataclass(slots=True, eq=False)
class _Queue(Generic[Item, Verdict]):
    waiting: deque[_Waiting[Item, Verdict]] = field(default_factory=deque[_Waiting[Item, Verdict]])
    filled: asyncio.Event = field(default_factory=asyncio.Event)


class Lane(Generic[Item, Verdict]):
    """Coalesces waiting items into sets for ``decide``, which answers one verdict for each item, in order.

    ``is_again`` tells verdicts that only say: decide me with the next set.
    """

    def __init__(
        self,
        decide: Callable[[Sequence[Item]], Awaitable[Sequence[Verdict]]],
        *,
        is_again: Callable[[Verdict], bool],
        bounds: Bounds | None = None,
    ) -> None:
        self._decide = decide
        self._is_again = is_again
        self.bounds = bounds or Bounds()
        self._queues = [_Queue[Item, Verdict]() for _ in range(self.bounds.workers)]
        self._each: dict[Hashable, int] = {}
        self._items = 0
        self._bytes = 0
        self._closing = False
        self._workers: list[asyncio.Task[None]] = []
        self.sets = 0
        self.decided = 0

    @property
    def waiting(self) -> int:
        """How many items wait for their verdict."""
        return self._items

    async def __aenter__(self) -> Lane[Item, Verdict]:
        self._workers = [asyncio.create_task(self._work(queue)) for queue in self._queues]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Decide what waits, then stop."""
        self._closing = True
        for queue in self._queues:
            queue.filled.set()
        await asyncio.gather(*self._workers)

    async def put(self, item: Item, *, owner: Hashable, size: int) -> Verdict:
        """Wait for the verdict on an item of ``size`` bytes. ``Unavailable`` when too much waits already."""
        self._refuse_if_full(owner, size)
        # Named without its parameters: naming them costs more than making it.
        entry: _Waiting[Item, Verdict] = _Waiting(item, owner, size, asyncio.get_running_loop().create_future())
        queue = self._queues[hash(owner) % len(self._queues)]
        queue.waiting.append(entry)
        queue.filled.set()
        self._items += 1
        self._bytes += size
        self._each[owner] = self._each.get(owner, 0) + 1
        try:
            return await entry.verdict
        finally:
            self._items -= 1
            self._bytes -= size
            left = self._each.pop(owner) - 1
            if left:
                self._each[owner] = left

    def _refuse_if_full(self, owner: Hashable, size: int) -> None:
        if self._closing:
            raise Unavailable("this node is stopping")
        if self._items >= self.bounds.waiting_items or self._bytes + size > self.bounds.waiting_bytes:
            raise Unavailable("too many requests are waiting on this node")
        if self._each.get(owner, 0) >= self.bounds.waiting_items_each:
            raise Unavailable("too many requests of this user are waiting on this node")

    async def _work(self, queue: _Queue[Item, Verdict]) -> None:
        while True:
            await queue.filled.wait()
            await self._gather(queue)
            entries = self._take(queue)
            if entries:
                await self._settle(queue, entries)
            elif self._closing:
                return
            else:
                queue.filled.clear()

    async def _gather(self, queue: _Queue[Item, Verdict]) -> None:
        """Let join what has arrived at this process already: each turn of the loop reads what stands on the sockets.

        As long as a turn brings something, the next may too. Whoever is alone waits for one turn. Once enough wait for
        a set that is worth its round trip, the database should not wait for more.
        """
        size = 0
        while size < len(queue.waiting) < self.bounds.gathered_items:
            size = len(queue.waiting)
            await asyncio.sleep(0)

    def _take(self, queue: _Queue[Item, Verdict]) -> list[_Waiting[Item, Verdict]]:
        """Take what waits, up to the bounds of a set; whoever has gone away is left out, with no effect."""
        taken: list[_Waiting[Item, Verdict]] = []
        room = self.bounds.set_bytes
        while queue.waiting and len(taken) < self.bounds.set_items and (room >= queue.waiting[0].size or not taken):
            entry = queue.waiting.popleft()
            if not entry.verdict.done():
                taken.append(entry)
                room -= entry.size
        return taken

    async def _settle(self, queue: _Queue[Item, Verdict], entries: list[_Waiting[Item, Verdict]]) -> None:
        try:
            verdicts = await firmly(partial(self._decide, [entry.item for entry in entries]))
            if len(verdicts) != len(entries):
                raise RuntimeError(f"{len(verdicts)} verdicts on {len(entries)} items")  # noqa: TRY301
        except StatementFailed as error:
            await self._settle_apart(queue, entries, error)
        except Unavailable as error:
            if error.fields.get("sqlstate") in ONE_MAY_BE_TO_BLAME:
                await self._settle_apart(queue, entries, error)
            else:
                _fail(entries, error)
        except Exception as error:  # noqa: BLE001 - a worker must outlive whatever one set brings
            _fail(entries, error)
        else:
            self._answer(queue, entries, verdicts)

    async def _settle_apart(
        self, queue: _Queue[Item, Verdict], entries: list[_Waiting[Item, Verdict]], error: Exception
    ) -> None:
        """Decide each owner's members apart, then each member, so that only the one to blame hears of it."""
        owners = defaultdict[Hashable, list[_Waiting[Item, Verdict]]](list)
        for entry in entries:
            owners[entry.owner].append(entry)
        # Whoever holds an owner's lock holds it for all members: nobody else should wait for each of them in turn.
        is_locked = isinstance(error, Unavailable) and error.fields.get("sqlstate") == LOCKED
        if len(entries) == 1 or (is_locked and len(owners) == 1):
            _fail(entries, error)
            return
        for part in owners.values() if len(owners) > 1 else [[entry] for entry in entries]:
            await self._settle(queue, part)

    def _answer(
        self, queue: _Queue[Item, Verdict], entries: list[_Waiting[Item, Verdict]], verdicts: Sequence[Verdict]
    ) -> None:
        self.sets += 1
        self.decided += len(entries)
        for entry, verdict in zip(reversed(entries), reversed(verdicts), strict=True):
            if self._is_again(verdict):
                queue.waiting.appendleft(entry)
            elif not entry.verdict.done():
                entry.verdict.set_result(verdict)


async def firmly(act: Callable[[], Awaitable[Done]]) -> Done:
    """Do it again after a deadlock or a serialization failure: then nothing has happened."""
    for attempt in range(1, _ATTEMPTS):
        with contextlib.suppress(TryAgain):
            return await act()
        await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * attempt))  # noqa: S311 - jitter is no secret
    return await act()


def _fail(entries: Sequence[_Waiting[Item, Verdict]], error: Exception) -> None:
    for entry in entries:
        if not entry.verdict.done():
            entry.verdict.set_exception(error)
