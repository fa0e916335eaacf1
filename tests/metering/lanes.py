"""What tests of lanes are made of: somebody who decides as the test likes, and callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tollkeeper.metering.tracking.lane import Bounds, Lane, Patience

ONE = Bounds(workers=1)


@dataclass(slots=True)
class Deciding:
    """Answers items with themselves, in upper case, as often and as late as the test likes."""

    sets: list[list[str]] = field(default_factory=list[list[str]])
    patient: list[list[str]] = field(default_factory=list[list[str]])
    open: asyncio.Event = field(default_factory=asyncio.Event)
    errors: list[Exception] = field(default_factory=list[Exception])
    answers: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    broken: dict[str, Exception] = field(default_factory=dict[str, Exception])
    locked: set[object] = field(default_factory=set[object])

    async def __call__(self, items: Sequence[str], patience: Patience) -> Sequence[str]:
        (self.sets if patience == "brief" else self.patient).append(list(items))
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        if blamed := [self.broken[item] for item in items if item in self.broken]:
            raise blamed[0]
        return [self.answers[item].pop(0) if self.answers.get(item) else item.upper() for item in items]

    async def find_locked(self, owners: AbstractSet[object]) -> AbstractSet[object]:
        return owners & self.locked


@asynccontextmanager
async def a_lane(deciding: Deciding, bounds: Bounds = ONE) -> AsyncGenerator[Lane[str, str]]:
    async with Lane[str, str](
        deciding, is_again=lambda verdict: verdict == "again", find_locked=deciding.find_locked, bounds=bounds
    ) as lane:
        try:
            yield lane
        finally:
            deciding.open.set()


def put(lane: Lane[str, str], *items: str, owner: str = "ada") -> list[asyncio.Task[str]]:
    return [asyncio.create_task(lane.put(item, owner=owner, size=1)) for item in items]


async def settled(tasks: Sequence[asyncio.Task[str]]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)
