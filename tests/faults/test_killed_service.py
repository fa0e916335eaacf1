"""kill -9 of the service in the middle of its work: nothing is lost, nothing is half-done, nothing happens twice."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from tests.faults.audit import all_is_stored_once, audit
from tests.faults.callers import Caller, Load
from tests.faults.nodes import PATIENCE, Site

ROUNDS = 4


async def test_what_was_acknowledged_outlives_kills_of_the_service(battered: Site, battered_caller: Caller) -> None:
    node = await battered.start()
    load = Load(battered_caller, lambda: node.url, "killed")
    await battered.add_users(*load.emails, plan="enough")
    async with load.running():
        for _ in range(ROUNDS):
            await load.more(150)
            await node.kill()
            killed = time.monotonic()
            node = await battered.start(port=node.port)
            await load.first_after(killed)
        await load.more(150)
    assert load.wrong == []
    assert load.lost
    await all_is_stored_once(load, battered)
    await audit(battered)
    assert await node.end() == 0


async def test_workers_are_replaced_and_end_with_their_parent(battered: Site, battered_caller: Caller) -> None:
    node = await battered.start(workers=2)
    load = Load(battered_caller, lambda: node.url, "workers")
    await battered.add_users(*load.emails, plan="enough")
    async with load.running():
        await load.more()
        before = children(node.process.pid)
        os.kill(min(before), signal.SIGKILL)
        await load.more()
        async with asyncio.timeout(PATIENCE):
            while len(children(node.process.pid)) < len(before) or children(node.process.pid) == before:  # noqa: ASYNC110 - nothing tells of another's children
                await asyncio.sleep(0.05)
        left = children(node.process.pid)
        await node.kill()
        async with asyncio.timeout(PATIENCE):
            while any(is_alive(pid) for pid in left):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        node = await battered.start(port=node.port, workers=2)
        await load.more()
    assert load.wrong == []
    await all_is_stored_once(load, battered)
    await audit(battered)
    assert await node.end() == 0
