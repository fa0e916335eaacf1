"""Those who follow a dashboard, as a browser does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

import aiohttp
import msgspec

PATH = "/api/user/dashboard/stream"


class Event(NamedTuple):
    """One event, or a comment (of kind "")."""

    kind: str
    id: str
    content: Any


def applied(target: Any, patch: Any) -> Any:
    """Apply a merge patch, word for word as RFC 7396 has it."""
    if not isinstance(patch, dict):
        return patch
    made = dict(cast("dict[str, Any]", target)) if isinstance(target, dict) else {}
    for name, value in cast("dict[str, Any]", patch).items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = applied(made.get(name), value)
    return made


class Follower:
    """A client that folds what it hears."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.dashboard: Any = None
        self.events: list[Event] = []

    async def next(self, within: float = 30.0) -> Event:
        """Hear the next event, comments left out."""
        async with asyncio.timeout(within):
            while not (event := await self.hear()).kind:
                pass
        return event

    async def hear(self) -> Event:
        """Hear the next event or comment; ``EOFError`` at the end."""
        try:
            lines = (await self.answer.content.readuntil(b"\n\n")).decode().split("\n")
        except asyncio.IncompleteReadError as error:
            raise EOFError from error
        if not lines[0]:
            raise EOFError
        fields = dict(line.split(": ", 1) for line in lines if ": " in line)
        if "event" not in fields:
            return Event("", "", fields)
        event = Event(fields["event"], fields["id"], msgspec.json.decode(fields["data"]))
        self.events.append(event)
        is_whole = event.kind == "dashboard"
        self.dashboard = event.content if is_whole else applied(self.dashboard, event.content)
        return event

    async def until(self, dashboard: Any, within: float = 10.0) -> None:
        """Hear events until what they give is this."""
        async with asyncio.timeout(within):
            while self.dashboard != dashboard:
                await self.hear()

    async def end(self, within: float = 30.0) -> None:
        """Hear everything to the end."""
        try:
            async with asyncio.timeout(within):
                while True:
                    await self.hear()
        except (EOFError, aiohttp.ClientError):
            return


@asynccontextmanager
async def following(
    client: aiohttp.ClientSession, url: str, by: Mapping[str, str], last: str | None = None
) -> AsyncGenerator[Follower]:
    """Open a stream for as long as the block lasts; ``last`` is the id of the event seen last."""
    headers = dict(by) | ({} if last is None else {"Last-Event-ID": last})
    async with client.get(url + PATH, headers=headers, timeout=aiohttp.ClientTimeout(None)) as answer:
        assert answer.status == 200, await answer.text()
        yield Follower(answer)
