"""kill -9 of nodes in the middle of its work: nothing is lost, nothing is half-done, nothing happens twice."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from tests.faults.audit import all_is_stored_once, audit
from tests.faults.callers import Caller, Load
from tests.faults.nodes import Node, Site, until

ROUNDS = 3


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
        before = await workers_of(node)
        os.kill(min(before), signal.SIGKILL)
        await load.more()

        async def is_replaced() -> bool:
            workers = await workers_of(node)
            return len(workers) == len(before) and workers != before

        await until(is_replaced)
        left = await workers_of(node)
        await node.kill()

        async def are_gone() -> bool:
            return not left & (await processes()).keys()

        await until(are_gone)
        node = await battered.start(port=node.port, workers=2)
        await load.more()
    assert load.wrong == []
    await all_is_stored_once(load, battered)
    await audit(battered)
    assert await node.end() == 0


async def workers_of(node: Node) -> set[int]:
    """The processes that a node has for serving."""
    found = await processes()
    return {
        pid
        for pid, (parent, command) in found.items()
        if parent == node.process.pid and "tollkeeper.serving" in command
    }


async def processes() -> dict[int, tuple[int, str]]:
    """All processes that live, each with its parent and its command."""
    listing = await asyncio.create_subprocess_exec(
        "ps", "-eo", "pid=,ppid=,stat=,args=", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await listing.communicate()
    rows = [line.split(maxsplit=3) for line in said.decode().splitlines()]
    return {int(pid): (int(parent), command) for pid, parent, state, command in rows if not state.startswith("Z")}
