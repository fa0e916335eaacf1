"""Doing again what has not happened: the database was away or busy, or somebody came between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from tollkeeper.errors import Unavailable
from tollkeeper.store.database import TryAgain

__all__ = ["firmly", "patiently"]

Done = TypeVar("Done")

_ATTEMPTS: Final = 4
_LONGEST_JITTER_SECONDS: Final = 0.02
_PAUSES_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)


async def firmly(act: Callable[[], Awaitable[Done]]) -> Done:
    """Do it again after a deadlock or a serialization failure: then nothing has happened."""
    for attempt in range(1, _ATTEMPTS):
        with suppress(TryAgain):
            return await act()
        await asyncio.sleep(random.uniform(0, _LONGEST_JITTER_SECONDS * attempt))  # noqa: S311 - jitter is no secret
    return await act()


async def patiently(act: Callable[[], Awaitable[Done]], pauses_seconds: Sequence[float] = _PAUSES_SECONDS) -> Done:
    """Do it again, after each of the pauses, while the database is away or busy: for what must not happen only once."""
    for seconds in pauses_seconds:
        try:
            return await act()
        except Unavailable:
            await asyncio.sleep(seconds)
    return await act()
