"""A user whose dashboard is followed, and those who follow it: one state and one change, shared by all of them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, NamedTuple, Self
from uuid import UUID

import msgspec

from tollkeeper.http.dashboards.kept import Kept
from tollkeeper.http.dashboards.merge_patch import merge_patch
from tollkeeper.http.dashboards.shown import within
from tollkeeper.http.exchange import Exchange
from tollkeeper.http.wire import encode

HEARTBEAT_SECONDS: Final = 15.0

_HEARTBEAT: Final = b":\n\n"
_NAME_BYTES: Final = 8
_NAMED: Final = re.compile(rb"([0-9]{1,15})-([0-9a-f]{16})")
# Money keeps all its digits.
_decode: Final = msgspec.json.Decoder(dict[str, object], float_hook=Decimal).decode

Say = Callable[[bytes], Awaitable[None]]


class _Change(NamedTuple):
    """A merge patch, and the name of the state that it belongs to."""

    since: bytes
    patch: bytes


@dataclass(slots=True, eq=False)
class Followed:
    """One user's dashboard as it stands. ``name`` tells this state from all others, on every node."""

    user_id: UUID
    stamp: str | None = None
    state: bytes = b""
    name: bytes = b""
    streams: set[Stream] = field(default_factory=set["Stream"])
    # What was read first is taken first: nobody sees a number go back and forth.
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _change: _Change | None = None

    def take(self, kept: Kept) -> None:
        """Take what was read, and tell all who follow if it is something new."""
        self.stamp = kept.stamp
        state = within(kept.body)
        if state == self.state:
            return
        patch = merge_patch(_decode(self.state), _decode(state)) if self.state else None
        self._change = None if patch is None else _Change(self.name, encode(patch))
        self.state = state
        self.name = hashlib.blake2b(state, digest_size=_NAME_BYTES).hexdigest().encode()
        for stream in self.streams:
            stream.tell()

    def since(self, name: bytes) -> tuple[Literal[b"change", b"dashboard"], bytes] | None:
        """Tell whoever has the state of a name what leads here: nothing, the last change, or the whole."""
        if name == self.name:
            return None
        if self._change is not None and name == self._change.since:
            return b"change", self._change.patch
        return b"dashboard", self.state


class Seen(NamedTuple):
    """How many events a reader has seen, and the name of the state that they led to."""

    events: int = 0
    name: bytes = b""

    @classmethod
    def of(cls, last_event_id: bytes | None) -> Self:
        """Read what a client says that it saw last; what we never said counts as nothing."""
        named = _NAMED.fullmatch(last_event_id or b"")
        return cls(int(named[1]), named[2]) if named else cls()


class Stream:
    """One reader. Nothing waits here but the news that there are some: a slow reader costs no more than a quick one."""

    def __init__(self, followed: Followed, exchange: Exchange, seen: Seen) -> None:
        self.followed = followed
        self.exchange = exchange
        self._seen = seen
        self._news = asyncio.Event()
        self._is_over = False
        self._until_end: asyncio.Timeout | None = None

    def tell(self) -> None:
        """Tell that there is something new."""
        self._news.set()

    def end(self) -> None:
        """End it, also in the middle of waiting for its reader."""
        if not self._is_over and self._until_end is not None:
            self._until_end.reschedule(asyncio.get_running_loop().time())
        self._is_over = True

    async def run(self, say: Say) -> None:
        """Say what is new until somebody ends it. ``say`` waits while its reader has not taken what was said before."""
        if self._is_over:
            return
        try:
            async with asyncio.timeout(None) as self._until_end:
                while True:
                    await self._say_news(say)
                    await self._wait_for_news(say)
        except TimeoutError:
            return
        finally:
            self._is_over = True

    async def _say_news(self, say: Say) -> None:
        # Only when the reader has taken the last event is it decided what the next one is: so none ever queues.
        await say(b"")
        self._news.clear()
        if (told := self.followed.since(self._seen.name)) is not None:
            kind, content = told
            self._seen = Seen(self._seen.events + 1, self.followed.name)
            await say(b"event: %b\nid: %d-%b\ndata: %b\n\n" % (kind, *self._seen, content))

    async def _wait_for_news(self, say: Say) -> None:
        while not self._news.is_set():
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                await say(_HEARTBEAT)
