"""Looking callers up: in sets, and remembered for less than a second, so that what is revoked is refused within one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import msgspec

from tollkeeper.metering.tracking.lane import Bounds, Lane

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")

_REMEMBERED_SECONDS: Final = 0.8
_MOST_REMEMBERED: Final = 10_000
_BOUNDS: Final = Bounds(workers=1, set_items=512, waiting_items=20_000, waiting_items_each=20_000)


class _Remembered(msgspec.Struct, Generic[Key, Found], frozen=True):
    """What was asked for and found; the key of a text stays what it is, and takes longer to make than to ask for."""

    until: float
    key: Key
    found: Found | None


class Lookup(Generic[Key, Found]):
    """Asks for whatever waits at the same time in one question, and remembers who was found and who was not.

    Callers come with a text; ``key_of`` makes of it what is asked for, or raises for what can be nobody. Without
    ``remembers_nobody`` who was not found is asked for again: another node may have made them meanwhile.
    """

    def __init__(
        self,
        key_of: Callable[[str], Key],
        ask: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found]]],
        *,
        remembers_nobody: bool = True,
    ) -> None:
        self._key_of = key_of
        self._ask = ask
        self._remembers_nobody = remembers_nobody
        self._lane = Lane[tuple[str, Key], Found | None](
            lambda asked, _: self._answer(asked), is_again=lambda _: False, bounds=_BOUNDS
        )
        self._remembered: dict[str, _Remembered[Key, Found]] = {}

    async def __aenter__(self) -> Self:
        await self._lane.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._lane.__aexit__(kind, error, traceback)

    async def find(self, text: str, *, even_after: float = 0) -> Found | None:
        """Find one, or ``None``. ``even_after``: who was found is good for so many seconds more."""
        remembered = self._remembered.get(text)
        if remembered is None:
            return await self._lane.put((text, self._key_of(text)), owner=text, size=1)
        seconds = even_after if remembered.found is not None else 0
        if time.monotonic() < remembered.until + seconds:
            return remembered.found
        return await self._lane.put((text, remembered.key), owner=text, size=1)

    def forget(self, text: str) -> None:
        """Ask anew the next time."""
        self._remembered.pop(text, None)

    async def _answer(self, asked: Sequence[tuple[str, Key]]) -> Sequence[Found | None]:
        # From the moment of asking: what is revoked while the answer is under way is asked for again as soon.
        until = time.monotonic() + _REMEMBERED_SECONDS
        found = await self._ask(list({key for _, key in asked}))
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered.update(
            (text, _Remembered(until, key, found.get(key)))
            for text, key in asked
            if self._remembers_nobody or key in found
        )
        return [found.get(key) for _, key in asked]
