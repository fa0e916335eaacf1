"""A rolling restart: nodes are told to terminate one after the other, and no caller notices."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp

from tests.faults.audit import all_is_stored_once, audit
from tests.faults.callers import Caller, Load, Reply
from tests.faults.nodes import Node, Site

PROBE_SECONDS = 0.1


@dataclass(slots=True)
class Balancer:
    """Sends each call to the next node that says it is ready."""

    nodes: list[Node]
    ready: set[str] = field(default_factory=set[str])
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)

    def next(self) -> str:
        """Choose a node."""
        choice = [node.url for node in self.nodes if node.url in self.ready] or [node.url for node in self.nodes]
        return choice[next(self._turn) % len(choice)]

    @asynccontextmanager
    async def probing(self) -> AsyncGenerator[None]:
        """Ask all nodes again and again whether they are ready."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as session:
            task = asyncio.create_task(self._probe(session))
            try:
                yield
            finally:
                task.cancel()

    async def is_ready(self, node: Node) -> None:
        """Wait until a node is chosen again."""
        async with asyncio.timeout(10):
            while node.url not in self.ready:  # noqa: ASYNC110 - it is probed, nothing tells
                await asyncio.sleep(PROBE_SECONDS)

    async def _probe(self, session: aiohttp.ClientSession) -> None:
        while True:
            for node in self.nodes:
                is_ready = False
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{node.url}/readyz") as response:
                        is_ready = response.status == 200
                (self.ready.add if is_ready else self.ready.discard)(node.url)
            await asyncio.sleep(PROBE_SECONDS)


@dataclass(frozen=True, slots=True)
class Balanced(Caller):
    """Asks once more when a node takes no connection, as any client of two nodes does."""

    async def _send(self, method: str, url: str, user: str, body: object) -> Reply:
        try:
            return await Caller._send(self, method, url, user, body)
        except aiohttp.ClientConnectorError:
            return await Caller._send(self, method, self.other(url), user, body)

    def other(self, url: str) -> str:
        raise NotImplementedError
