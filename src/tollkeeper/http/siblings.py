"""Several processes serve one port, and whichever is asked for numbers tells the sum over all of them.

Each keeps its own in a file, anew every second. What counts up goes on counting when its process has ended, so that no
sum ever falls; what is measured (how many wait, how many are connected) ends with it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
from prometheus_client.metrics_core import Metric

# Of these the sum would say nothing.
_GREATEST: Final = frozenset({"tollkeeper_stream_round_seconds"})
_EVERY_SECONDS: Final = 1.0


class _Kept(msgspec.Struct, array_like=True):
    name: str
    documentation: str
    type: str
    samples: list[tuple[str, dict[str, str], float]]


class Siblings:
    """The processes that keep their numbers in one ``directory``, this one among them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # The id, so that a later process of the same number is another.
        self._own = directory / f"{os.getpid()}-{uuid4().hex}.json"

    @asynccontextmanager
    async def kept(self, numbers: Callable[[], Iterable[Metric]]) -> AsyncGenerator[None]:
        """Keep this process's numbers for the others, for as long as the block lasts."""
        keeping = asyncio.create_task(self._keep_on(numbers))
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            self._keep(_encoded(numbers()))

    def summed(self, numbers: Iterable[Metric]) -> list[Metric]:
        """Add what the others kept last to this process's numbers."""
        sums = {each.name: each for each in numbers}
        for file in sorted(self._directory.glob("*.json")):
            if file == self._own:
                continue
            is_alive = _is_alive(int(file.name.partition("-")[0]))
            for kept in msgspec.json.decode(file.read_bytes(), type=list[_Kept]):
                if is_alive or kept.type != "gauge":
                    _add(sums.setdefault(kept.name, Metric(kept.name, kept.documentation, kept.type)), kept)
        return list(sums.values())

    async def _keep_on(self, numbers: Callable[[], Iterable[Metric]]) -> None:
        while True:
            await asyncio.to_thread(self._keep, _encoded(numbers()))
            await asyncio.sleep(_EVERY_SECONDS)

    def _keep(self, document: bytes) -> None:
        # Whole or not at all: the others read it at any time. On a full disk they read the last one.
        with suppress(OSError):
            written = self._own.with_suffix(".new")
            written.write_bytes(document)
            written.replace(self._own)


def _encoded(numbers: Iterable[Metric]) -> bytes:
    kept = [
        _Kept(each.name, each.documentation, each.type, [(s.name, dict(s.labels), s.value) for s in each.samples])
        for each in numbers
    ]
    return msgspec.json.encode(kept)


def _add(sum_: Metric, kept: _Kept) -> None:
    places = {(each.name, *sorted(each.labels.items())): place for place, each in enumerate(sum_.samples)}
    for name, labels, value in kept.samples:
        place = places.get((name, *sorted(labels.items())))
        if place is None:
            sum_.add_sample(name, labels, value)
        else:
            mine = sum_.samples[place]
            both = max(mine.value, value) if kept.name in _GREATEST else mine.value + value
            sum_.samples[place] = mine._replace(value=both)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
