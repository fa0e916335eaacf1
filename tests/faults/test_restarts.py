"""A rolling restart: nodes are told to terminate one after the other, and no caller notices."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp

from tests.faults.audit import all_is_stored_once, audit, held_up, somebody_waits
from tests.faults.callers import Caller, Load
from tests.faults.nodes import Node, Site, until

PROBE_SECONDS = 0.1


@dataclass(slots=True)
class Balancer:
    """Sends each call to the next node that says it is ready."""

    nodes: list[Node]
    ready: set[str] = field(default_factory=set[str])
    _turn: Iterator[int] = field(default_factory=itertools.count)

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

        async def is_chosen() -> bool:
            return node.url in self.ready

        await until(is_chosen)

    async def _probe(self, session: aiohttp.ClientSession) -> None:
        while True:
            for node in self.nodes:
                is_ready = False
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{node.url}/readyz") as response:
                        is_ready = response.status == 200
                (self.ready.add if is_ready else self.ready.discard)(node.url)
            await asyncio.sleep(PROBE_SECONDS)


async def test_a_rolling_restart_fails_no_request(battered: Site, battered_caller: Caller) -> None:
    balancer = Balancer([*(await asyncio.gather(battered.start(), battered.start()))])
    load = Load(battered_caller, balancer.next, "rolling")
    await battered.add_users(*load.emails, plan="enough")
    async with balancer.probing():
        for node in balancer.nodes:
            await balancer.is_ready(node)
        async with load.running():
            for n in (0, 1):
                await load.more()
                assert await balancer.nodes[n].end(signal.SIGTERM) == 0
                await load.more()
                balancer.nodes[n] = await battered.start(port=balancer.nodes[n].port)
                await balancer.is_ready(balancer.nodes[n])
            await load.more()
    assert load.wrong == []
    # A refused connection is tried once more; all else succeeds at once, and nobody had to ask what became of it.
    assert load.lost.keys() <= {"ClientConnectorError"}
    assert load.most_tries <= 2
    assert load.statuses.keys() == {200, 201}
    assert load.heard_late == 0
    await all_is_stored_once(load, battered)
    await audit(battered)
    assert [await node.end() for node in balancer.nodes] == [0, 0]


async def test_what_is_in_flight_at_the_end_is_decided(battered: Site, battered_caller: Caller) -> None:
    node, other = await asyncio.gather(battered.start(), battered.start())
    user = "in-flight@example.com"
    await battered.add_users(user, plan="enough")
    # Connections of their own for all of them, which takes a while: what waits for a lock is given up after a second.
    probes = [battered_caller.session.get(f"{node.url}/healthz") for _ in range(100)]
    for probe in await asyncio.gather(*probes):
        await probe.read()
    async with held_up(battered, user) as admin:
        sent = [asyncio.create_task(battered_caller.start(node.url, user, f"in-flight-{n}")) for n in range(100)]
        await somebody_waits(admin)
        await asyncio.sleep(0.05)  # and all have sent what they ask
        ending = asyncio.create_task(node.end())

        async def is_refusing() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", node.port)
            except ConnectionError:
                return True
            writer.close()
            return False

        with suppress(TimeoutError):
            await until(is_refusing, seconds=0.2)
    replies = await asyncio.gather(*sent)
    assert {reply.status for reply in replies} == {201}
    assert await ending == 0
    again = await asyncio.gather(*(battered_caller.start(other.url, user, f"in-flight-{n}") for n in range(100)))
    assert [reply.body for reply in again] == [reply.body for reply in replies]
    await audit(battered)
    assert await other.end() == 0
