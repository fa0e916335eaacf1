"""The processes that serve: each says that it lives, and what it admitted and settled in every second."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tollkeeper.store.database import Database, Statements

SECONDS: Final = 60
# Every node tells what it counted within two seconds and a bit.
LAG_SECONDS: Final = 3


@dataclass(frozen=True, slots=True)
class Node:
    """One process that serves."""

    id: UUID
    host: str
    pid: int
    version: str


@dataclass(frozen=True, slots=True)
class SeenNode:
    """A node as the database knows it; one that has said nothing for two minutes is gone."""

    id: UUID
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Second:
    """What all nodes admitted and settled within one second."""

    at: datetime
    starts: int
    finishes: int


class Pulse:
    """Counts starts and finishes of this process by the seconds of the database's clock, once it was told that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ahead: float | None = None
        self._starts = Counter[int]()
        self._finishes = Counter[int]()

    def started(self, requests: int = 1) -> None:
        """Count requests that were admitted just now."""
        self._count(self._starts, requests)

    def finished(self, requests: int = 1) -> None:
        """Count requests that were settled just now."""
        self._count(self._finishes, requests)

    def hear(self, now: datetime) -> None:
        """Learn what time it is for the database."""
        self._ahead = now.timestamp() - self._clock()

    def take(self) -> list[tuple[int, int, int]]:
        """Give ``(second since 1970, starts, finishes)`` and begin anew."""
        starts, finishes = self._starts, self._finishes
        self._starts, self._finishes = Counter[int](), Counter[int]()
        return [(each, starts[each], finishes[each]) for each in sorted(starts.keys() | finishes.keys())]

    def _count(self, counter: Counter[int], requests: int) -> None:
        if self._ahead is not None and requests:
            counter[math.floor(self._clock() + self._ahead)] += requests


async def beat(database: Database, node: Node, pulse: Pulse, *, master_keys: Collection[bytes] = ()) -> None:
    """Say that the node lives, what it counted, and which master keys it has, by their fingerprints.

    What the database does not take of the counts is lost: they decide nothing.
    """
    counted = pulse.take()
    now = await database.value(
        "beat",
        node_id=node.id,
        host=node.host,
        pid=node.pid,
        version=node.version,
        master_keys=list(master_keys),
        seconds=[second for second, _, _ in counted],
        starts=[starts for _, starts, _ in counted],
        finishes=[finishes for _, _, finishes in counted],
    )
    pulse.hear(now)


async def leave(database: Database, node: Node) -> None:
    """Say that the node stops."""
    await database.run("leave", node_id=node.id)


async def seen(database: Statements) -> list[SeenNode]:
    """List all nodes that live."""
    return [SeenNode(**row) for row in await database.all("nodes")]


async def live(database: Statements) -> list[Second]:
    """List the last minute's seconds, the oldest first, up to the last one that every node has told of."""
    return [Second(**row) for row in await database.all("live_seconds", lag=LAG_SECONDS, seconds=SECONDS)]
