"""Looking callers up: in sets, and remembered for less than a second, so that what is revoked is refused within one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from types import TracebackType
from typing import Final, Generic, TypeVar

from tollkeeper.metering.lane import Bounds, Lane

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")

_REMEMBERED_SECONDS: Final = 0.8
_MOST_REMEMBERED: Final = 20_000
_BOUNDS: Final = Bounds(workers=1, set_items=512, waiting_items=20_000, waiting_items_each=20_000)


class Lookup(Generic[Key, Found]):
    """Asks for whatever waits at the same time in one question, and remembers who was found and who was not."""

    def __init__(self, ask: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found]]]) -> None:
        self._ask = ask
        self._lane = Lane[Key, Found | None](self._answer, is_again=lambda _: False, bounds=_BOUNDS)
        self._remembered: dict[Key, tuple[float, Found | None]] = {}

    async def __aenter__(self) -> Lookup[Key, Found]:
        await self._lane.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._lane.__aexit__(kind, error, traceback)

    async def find(self, key: Key) -> Found | None:
        """Find one, or ``None``."""
        remembered = self._remembered.get(key)
        if remembered is not None and time.monotonic() < remembered[0]:
            return remembered[1]
        return await self._lane.put(key, owner=key, size=1)

    def forget(self, key: Key) -> None:
        """Ask anew the next time."""
        self._remembered.pop(key, None)

    async def _answer(self, keys: Sequence[Key]) -> Sequence[Found | None]:
        # From the moment of asking: what is revoked while the answer is under way is asked for again as soon.
        until = time.monotonic() + _REMEMBERED_SECONDS
        wanted = list(dict.fromkeys(keys))
        found = await self._ask(wanted)
        if len(self._remembered) + len(wanted) > _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered.update((key, (until, found.get(key))) for key in wanted)
        return [found.get(key) for key in keys]
