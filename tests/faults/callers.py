"""Callers over real HTTP, each answer noted as it came."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import aiohttp

# A caller that hears nothing for so long hangs.
LONGEST_ANSWER = 15.0
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, and when it was asked for and came, by the machine's monotonic clock."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    called: float
    returned: float

    @property
    def told(self) -> Any:
        """The body, with money exact."""
        return json.loads(self.body, parse_float=Decimal)


@dataclass(frozen=True, slots=True)
class Caller:
    """A program with a service's key."""

    session: aiohttp.ClientSession
    key: str

    async def start(self, url: str, user: str, request_id: str, *, prompt: str = "four", **said: Any) -> Reply:
        return await self._send("POST", url, user, {"requestId": request_id, "prompt": prompt, **said})

    async def start_unnamed(self, url: str, user: str, *, key: str = "", prompt: str = "four", **said: Any) -> Reply:
        """Start what gets an id of ours, under an ``Idempotency-Key`` if there is one."""
        return await self._send("POST", url, user, {"prompt": prompt, **said}, {"Idempotency-Key": key} if key else {})

    async def finish(self, url: str, user: str, request_id: str, **said: Any) -> Reply:
        told = {"status": "completed", "tokensInput": 3, "tokensOutput": 4, "duration": 5, "response": "yes"}
        return await self._send("PUT", url, user, {"requestId": request_id, **told, **said})

    async def _send(
        self, method: str, url: str, user: str, body: Any, more: Mapping[str, str] = MappingProxyType({})
    ) -> Reply:
        called = time.monotonic()
        headers = {"Authorization": f"Bearer {self.key}", "Tollkeeper-User": user, **more}
        async with self.session.request(method, f"{url}/api/chat/track", json=body, headers=headers) as response:
            told = await response.read()
            return Reply(response.status, told, response.headers, called, time.monotonic())


@asynccontextmanager
async def calling(key: str, *, patience: float = LONGEST_ANSWER) -> AsyncGenerator[Caller]:
    """Call over as many connections as there are calls."""
    timeout = aiohttp.ClientTimeout(total=patience)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        # Else it sends a PUT again by itself when a connection ends, and we would not see that.
        session._retry_connection = False
        yield Caller(session, key)


@dataclass(slots=True)
class Load:
    """Clients that start and finish one request after another, and ask again under the same id until they are told.

    ``where`` says which node to ask. What was told is kept by request id; what nobody foresaw is in ``wrong``.
    """

    caller: Caller
    where: Callable[[], str]
    name: str
    clients: int = 64
    users: int = 8
    starts: dict[str, Reply] = field(default_factory=dict[str, Reply])
    finishes: dict[str, Reply] = field(default_factory=dict[str, Reply])
    statuses: Counter[int] = field(default_factory=Counter[int])
    lost: Counter[str] = field(default_factory=Counter[str])
    heard_late: int = 0
    most_tries: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list[str])
    last: Reply | None = None
    _stopping: bool = False
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Keep all clients busy for as long as the block lasts; each then finishes what it has begun."""
        self._stopping = False
        clients = [asyncio.create_task(self._client(n)) for n in range(self.clients)]
        try:
            yield
            self._stopping = True
            await asyncio.wait_for(asyncio.gather(*clients), 30)
        finally:
            for client in clients:
                client.cancel()

    async def more(self, answers: int = 200, *, seconds: float = 20) -> None:
        """Wait until so many more requests were finished."""
        enough = len(self.finishes) + answers
        async with asyncio.timeout(seconds):
            while len(self.finishes) < enough:
                await self._next()

    async def first_after(self, instant: float, *, seconds: float = 20) -> Reply:
        """Wait for the first success of a call that was made after an instant."""
        async with asyncio.timeout(seconds):
            while True:
                await self._next()
                if self.last is not None and self.last.called > instant:
                    return self.last

    @property
    def emails(self) -> list[str]:
        """All users, of whom each client acts for one."""
        return [f"{self.name}-{n}@example.com" for n in range(self.users)]

    def user_of(self, request_id: str) -> str:
        """Whose request it is."""
        return self.emails[int(request_id.split("-")[-2]) % self.users]

    async def _next(self) -> None:
        self._heard.clear()
        await self._heard.wait()
        assert not self.wrong, self.wrong[0]

    async def _client(self, n: int) -> None:
        for k in itertools.count(len(self.starts)):
            if self._stopping:
                return
            request_id = f"{self.name}-{n}-{k}"
            user = self.user_of(request_id)
            self.starts[request_id] = await self.until_told(
                lambda user=user, request_id=request_id: self.caller.start(self.where(), user, request_id)
            )
            self.finishes[request_id] = await self.until_told(
                lambda user=user, request_id=request_id: self.caller.finish(self.where(), user, request_id)
            )

    async def until_told(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        """Ask again and again until there is a success."""
        for tries in itertools.count(1):
            self.most_tries = max(self.most_tries, tries)
            try:
                reply = await ask()
            except TimeoutError:
                self.wrong.append(f"no answer within {LONGEST_ANSWER:g} seconds")
            except (aiohttp.ClientError, ConnectionError) as error:
                self.lost[type(error).__name__] += 1
            else:
                self._note(reply)
                if reply.status in {200, 201}:
                    return reply
            await asyncio.sleep(_PAUSE)
        raise AssertionError

    def _note(self, reply: Reply) -> None:
        self.statuses[reply.status] += 1
        self.slowest = max(self.slowest, reply.returned - reply.called)
        if reply.status in {200, 201}:
            self.heard_late += "Idempotent-Replayed" in reply.headers
            self.last = reply
            self._heard.set()
        elif reply.status != 503 or "Retry-After" not in reply.headers:
            self.wrong.append(f"{reply.status}: {reply.body.decode()}")
            self._heard.set()
