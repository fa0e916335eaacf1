"""Many callers, one statement: what waits at the same time is decided as one set, in one round trip.

Under no load a set has one member and waits for nobody; there is no timer. Under load sets grow by themselves, because
everything that arrives while a set is being decided is the next set. The items of one owner always meet the same
worker, in the order of their arrival. Where some owner is locked, the owners of the set go aside, each decided alone,
and come back once all of theirs are decided: the lane goes on without them.
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
# How long an owner who was found locked stays aside without an item; and how many sets are decided aside at a time, for
# each of them may keep a connection for as long as a lock is waited for.
_ASIDE_SECONDS = 5.0
_AT_ONCE_ASIDE = 4
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
    is_aside: bool = False

    def put(self, entry: _Waiting[Item, Verdict]) -> None:
        self.waiting.append(entry)
        self.filled.set()


class Lane(Generic[Item, Verdict]):
    """Coalesces waiting items into sets for ``decide``, which answers one verdict for each item, in order.

    ``is_again`` tells verdicts that only say: decide me with the next set. ``decide_patiently`` is for one owner's
    items aside of the lane, and may wait for a lock longer than the others would like to.
    """

    def __init__(
        self,
        decide: Callable[[Sequence[Item]], Awaitable[Sequence[Verdict]]],
        *,
        is_again: Callable[[Verdict], bool],
        decide_patiently: Callable[[Sequence[Item]], Awaitable[Sequence[Verdict]]] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._decide = decide
        self._decide_patiently = decide_patiently or decide
        self._is_again = is_again
        self.bounds = bounds or Bounds()
        self._queues = [_Queue[Item, Verdict]() for _ in range(self.bounds.workers)]
        self._aside: dict[Hashable, _Queue[Item, Verdict]] = {}
        self._aside_tasks: set[asyncio.Task[None]] = set()
        self._aside_places = asyncio.Semaphore(_AT_ONCE_ASIDE)
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
        for queue in self._aside.values():
            queue.filled.set()
        await asyncio.gather(*self._aside_tasks)

    async def put(self, item: Item, *, owner: Hashable, size: int) -> Verdict:
        """Wait for the verdict on an item of ``size`` bytes. ``Unavailable`` when too much waits already."""
        self._refuse_if_full(owner, size)
        # Named without its parameters: naming them costs more than making it.
        entry: _Waiting[Item, Verdict] = _Waiting(item, owner, size, asyncio.get_running_loop().create_future())
        self._queues[hash(owner) % len(self._queues)].put(entry)
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
            aside = self._aside.get(entry.owner)
            if aside is not None and aside is not queue:
                aside.put(entry)
            elif not entry.verdict.done():
                taken.append(entry)
                room -= entry.size
        return taken

    async def _settle(self, queue: _Queue[Item, Verdict], entries: list[_Waiting[Item, Verdict]]) -> Exception | None:
        """Decide a set; gives what kept it from being decided as one."""
        try:
            decide = self._decide_patiently if queue.is_aside else self._decide
            verdicts = await firmly(partial(decide, [entry.item for entry in entries]))
            if len(verdicts) != len(entries):
                raise RuntimeError(f"{len(verdicts)} verdicts on {len(entries)} items")  # noqa: TRY301
        except StatementFailed as error:
            await self._settle_apart(queue, entries, error)
            return error
        except Unavailable as error:
            if error.fields.get("sqlstate") in ONE_MAY_BE_TO_BLAME:
                await self._settle_apart(queue, entries, error)
            else:
                _fail(entries, error)
            return error
        except Exception as error:  # noqa: BLE001 - a worker must outlive whatever one set brings
            _fail(entries, error)
            return error
        self._answer(queue, entries, verdicts)
        return None

    async def _settle_apart(
        self, queue: _Queue[Item, Verdict], entries: list[_Waiting[Item, Verdict]], error: Exception
    ) -> None:
        """Decide each owner's members apart, then each member, so that only the one to blame hears of it."""
        owners = defaultdict[Hashable, list[_Waiting[Item, Verdict]]](list)
        for entry in entries:
            owners[entry.owner].append(entry)
        if _is_locked(error) and not queue.is_aside:
            for owner, part in owners.items():
                self._set_aside(owner, part)
        elif _is_locked(error) or len(entries) == 1:
            # Whoever holds an owner's lock holds it for all of their items.
            _fail(entries, error)
        else:
            for part in owners.values() if len(owners) > 1 else [[entry] for entry in entries]:
                await self._settle(queue, part)

    def _set_aside(self, owner: Hashable, part: list[_Waiting[Item, Verdict]]) -> None:
        """Decide what one owner waits for, and what comes of them meanwhile, beside the lane and in its order."""
        self._aside[owner] = aside = _Queue[Item, Verdict](deque(part), is_aside=True)
        task = asyncio.create_task(self._decide_aside(owner, aside))
        self._aside_tasks.add(task)
        task.add_done_callback(self._aside_tasks.discard)

    async def _decide_aside(self, owner: Hashable, aside: _Queue[Item, Verdict]) -> None:
        is_locked = True
        while aside.waiting or is_locked:
            if not aside.waiting:
                is_locked = not self._closing and await _is_soon(aside.filled)
            aside.filled.clear()
            if entries := self._take(aside):
                async with self._aside_places:
                    is_locked = _is_locked(await self._settle(aside, entries))
        del self._aside[owner]

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


async def _is_soon(event: asyncio.Event) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ASIDE_SECONDS):
            return await event.wait()
    return False


def _is_locked(error: Exception | None) -> bool:
    return isinstance(error, Unavailable) and error.fields.get("sqlstate") == LOCKED


def _fail(entries: Sequence[_Waiting[Item, Verdict]], error: Exception) -> None:
    for entry in entries:
        if not entry.verdict.done():
            entry.verdict.set_exception(error)
