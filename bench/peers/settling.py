"""Waiting for what was acknowledged to be stored, with as little of the machine as will do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

Count = Callable[[], Awaitable[int]]
"""Counts what is stored."""

_LEAST_PAUSE_SECONDS: Final = 0.05
_MOST_PAUSE_SECONDS: Final = 1.0


def pause_after(waited: float) -> float:
    """Say how long to wait before the next count: a twentieth of the wait so far, a second at most."""
    return min(_MOST_PAUSE_SECONDS, max(_LEAST_PAUSE_SECONDS, waited / 20))


async def settled(count: Count, expected: int, patience: float) -> tuple[int, float]:
    """Wait until so many are stored; give how many are, and the seconds until the last of them was seen."""
    began = time.perf_counter()
    stored, seen_after = -1, 0.0
    while True:
        # What a count sees was there when it was asked for.
        asked_after = time.perf_counter() - began
        if (now := await count()) != stored:
            stored, seen_after = now, asked_after
        if stored >= expected or asked_after > patience:
            return stored, seen_after
        await asyncio.sleep(pause_after(asked_after))


async def at_rest(count: Count, quiet: float, patience: float) -> bool:
    """Wait until nothing has been added for ``quiet`` seconds; False if ``patience`` ends before."""
    began = changed_at = time.perf_counter()
    stored = await count()
    while (now := time.perf_counter()) - changed_at < quiet:
        if now - began > patience:
            return False
        await asyncio.sleep(min(_MOST_PAUSE_SECONDS, quiet / 4))
        if (found := await count()) != stored:
            stored, changed_at = found, time.perf_counter()
    return True
