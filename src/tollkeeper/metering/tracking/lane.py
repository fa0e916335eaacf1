"""Many callers, one statement: what waits at the same time is decided as one set, in one round trip.

Under no load a set has one member and waits for nobody; there is no timer. Under load sets grow by themselves, because
everything that arrives while a set is being decided is the next set. The items of one owner always meet the same
worker, in the order of their arrival. Where a set cannot be decided for the sake of some, those go aside: they are
decided by a worker of their own, who has more patience, and the lane goes on without them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, Literal, TypeVar

from tollkeeper.capacity import MOST_BYTES_OF_TEXTS
from tollkeeper.errors import Unavailable
from tollkeeper.store.database import StatementFailed
from tollkeeper.store.patience import firmly

Item = TypeVar("Item")
Verdict = TypeVar("Verdict")
Done = TypeVar("Done")
Patience = Literal["brief", "long"]
"""For how long a set waits for the locks of its owners."""
FindLocked = Callable[[AbstractSet[Hashable]], Awaitable[AbstractSet[Hashable]]]
"""Of some owners those whose lock somebody holds now."""

# How long whoever was waited for in vain stays aside: the lane need not find that out again.
_ASIDE_SECONDS = 5.0
# Lock and statement time-outs: nothing happened, and one member may be to blame for all.
LOCKED = "55P03"
ONE_MAY_BE_TO_BLAME = frozenset({LOCKED, "57014"})
# A sum that is larger than can be counted.
OUT_OF_RANGE = "22003"


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
    waiting_bytes: int = MOST_BYTES_OF_TEXTS


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Verdict]):
    item: Item
    owner: Hashable
    size: int
    verdict: asyncio.Future[Verdict]


@dataclass(slots=True, eq=False)
class _Queue(Generic[Item, Verdict]):
    patience: Patience = "brief"
    waiting: deque[_Waiting[Item, Verdict]] = field(default_factory=deque[_Waiting[Item, Verdict]])
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    is_closing: bool = False

    def put(self, entry: _Waiting[Item, Verdict]) -> None:
        self.waiting.append(entry)
        self.filled.set()

    def close(self) -> None:
        self.is_closing = True
        self.filled.set()


@dataclass(slots=True)
class _Apart:
    """An owner who is aside: as long as something of theirs waits there, and until an instant of the loop's clock."""

    waiting: int = 0
    until: float = 0.0


class Lane(Generic[Item, Verdict]):
    """Coalesces waiting items into sets for ``decide``, which answers one verdict for each item, in order.

    ``is_again`` tells verdicts that only say: decide me with the next set. ``find_locked`` is for those who take locks.
    """

    def __init__(
        self,
        decide: Callable[[Sequence[Item], Patience], Awaitable[Sequence[Verdict]]],
        *,
        is_again: Callable[[Verdict], bool],
        find_locked: FindLocked | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._decide = decide
        self._is_again = is_again
        self._find_locked = find_locked
        self.bounds = bounds or Bounds()
        self._queues = [_Queue[Item, Verdict]() for _ in range(self.bounds.workers)]
        self._aside = _Queue[Item, Verdict]("long")
        self._apart: dict[Hashable, _Apart] = {}
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

    @property
    def aside(self) -> int:
        """How many owners are aside."""
        now = asyncio.get_running_loop().time()
        return sum(_is_apart(each, now) for each in self._apart.values())

    async def __aenter__(self) -> Lane[Item, Verdict]:
        self._workers = [asyncio.create_task(self._work(queue)) for queue in (*self._queues, self._aside)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Decide what waits, then stop; last of all those aside, for others may still come to them."""
        self._closing = True
        for queue in self._queues:
            queue.close()
        *workers, aside = self._workers
        await asyncio.gather(*workers)
        self._aside.close()
        await aside

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
            if taken := self._take(queue):
                again = await self._settle(queue, [entry for entry in taken if not entry.verdict.done()])
                queue.waiting.extendleft(reversed(again))
                if queue is self._aside:
                    self._come_back(taken, again)
            elif queue.is_closing:
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
        """Take what waits, up to the bounds of a set."""
        taken: list[_Waiting[Item, Verdict]] = []
        room = self.bounds.set_bytes
        now = asyncio.get_running_loop().time()
        while queue.waiting and len(taken) < self.bounds.set_items and (room >= queue.waiting[0].size or not taken):
            entry = queue.waiting.popleft()
            apart = self._apart.get(entry.owner) if self._apart and queue is not self._aside else None
            if apart is not None and _is_apart(apart, now):
                self._set_aside([entry])
            else:
                taken.append(entry)
                room -= entry.size
        return taken

    async def _settle(
        self, queue: _Queue[Item, Verdict], entries: Sequence[_Waiting[Item, Verdict]]
    ) -> list[_Waiting[Item, Verdict]]:
        """Decide a set; whoever has gone away is left out of it, with no effect. Gives what is to be decided again."""
        if not entries:
            return []
        try:
            verdicts = await firmly(partial(self._decide, [entry.item for entry in entries], queue.patience))
            if len(verdicts) != len(entries):
                raise RuntimeError(f"{len(verdicts)} verdicts on {len(entries)} items")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - a worker must outlive whatever one set brings
            if _is_locked(error):
                return await self._settle_without_locked(queue, entries, error)
            if len(entries) > 1 and _may_be_of_one(error):
                return await self._settle_apart(queue, entries)
            _fail(entries, error)
            return []
        return self._answer(entries, verdicts)

    async def _settle_without_locked(
        self, queue: _Queue[Item, Verdict], entries: Sequence[_Waiting[Item, Verdict]], error: Exception
    ) -> list[_Waiting[Item, Verdict]]:
        """Set aside who is locked, and decide the others. Those who are aside already were waited for long enough.

        If nobody is by now, nobody knows for whom or what it waited: that is all of them.
        """
        owners: AbstractSet[Hashable] = {entry.owner for entry in entries}
        if self._find_locked is not None:
            with contextlib.suppress(Exception):
                owners = owners & await self._find_locked(owners) or owners
        theirs = [entry for entry in entries if entry.owner in owners]
        if queue is self._aside:
            until = asyncio.get_running_loop().time() + _ASIDE_SECONDS
            for owner in owners:
                self._apart[owner].until = until
            _fail(theirs, error)
        else:
            self._set_aside(theirs)
        return await self._settle(queue, [entry for entry in entries if entry.owner not in owners])

    async def _settle_apart(
        self, queue: _Queue[Item, Verdict], entries: Sequence[_Waiting[Item, Verdict]]
    ) -> list[_Waiting[Item, Verdict]]:
        """Decide each owner's members apart, then each member, aside of the lane: only the one to blame hears of it."""
        if queue is not self._aside:
            self._set_aside(entries)
            return []
        owners = defaultdict[Hashable, list[_Waiting[Item, Verdict]]](list)
        for entry in entries:
            owners[entry.owner].append(entry)
        parts = owners.values() if len(owners) > 1 else [[entry] for entry in entries]
        return [again for part in parts for again in await self._settle(queue, part)]

    def _set_aside(self, entries: Iterable[_Waiting[Item, Verdict]]) -> None:
        """Let them, and what comes of their owners until they are decided, be decided aside, in this order."""
        for entry in entries:
            self._apart.setdefault(entry.owner, _Apart()).waiting += 1
            self._aside.put(entry)

    def _come_back(self, taken: Iterable[_Waiting[Item, Verdict]], again: Sequence[_Waiting[Item, Verdict]]) -> None:
        """Let owners of whom nothing waits aside any more come back to the lane."""
        for entry in taken:
            self._apart[entry.owner].waiting -= entry not in again
        now = asyncio.get_running_loop().time()
        self._apart = {owner: apart for owner, apart in self._apart.items() if _is_apart(apart, now)}

    def _answer(
        self, entries: Sequence[_Waiting[Item, Verdict]], verdicts: Sequence[Verdict]
    ) -> list[_Waiting[Item, Verdict]]:
        self.sets += 1
        self.decided += len(entries)
        again: list[_Waiting[Item, Verdict]] = []
        for entry, verdict in zip(entries, verdicts, strict=True):
            if self._is_again(verdict):
                again.append(entry)
            elif not entry.verdict.done():
                entry.verdict.set_result(verdict)
        return again


def _is_apart(apart: _Apart, now: float) -> bool:
    return apart.waiting > 0 or apart.until > now


def _is_locked(error: Exception) -> bool:
    return isinstance(error, Unavailable) and error.fields.get("sqlstate") == LOCKED


def _may_be_of_one(error: Exception) -> bool:
    return isinstance(error, StatementFailed) or (
        isinstance(error, Unavailable) and error.fields.get("sqlstate") in ONE_MAY_BE_TO_BLAME
    )


def _fail(entries: Sequence[_Waiting[Item, Verdict]], error: Exception) -> None:
    for entry in entries:
        if not entry.verdict.done():
            entry.verdict.set_exception(error)
