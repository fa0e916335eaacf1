"""Nodes that may have few descriptors or little memory: they answer 503 to what is too much, and go on."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from tests.faults.audit import audit, held_up
from tests.faults.callers import Caller
from tests.faults.nodes import Node, Site, until
from tests.http.streaming import following

_HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
_DESCRIPTORS = 64
_CROWD = 300
_ADDRESS_SPACE_KIB = 512 * 1024
# One character makes each of the others four bytes large in memory.
_LARGE = "a" * 1_000_000 + "\N{GRINNING FACE}"


async def test_beyond_what_its_descriptors_hold_a_node_says_503_and_serves_the_others(
    battered: Site, battered_caller: Caller
) -> None:
    user = "crowded@example.com"
    await battered.start()  # has PostgreSQL, so that only the other one is short of descriptors
    await battered.add_users(user, plan="enough")
    node = await battered.start(limit=f"-n {_DESCRIPTORS}")
    by = {"Authorization": f"Bearer {battered.key}", "Tollkeeper-User": user}
    async with following(battered_caller.session, node.url, by) as stream:
        await stream.next()
        # Over the connection that this opens all else is tracked.
        assert (await battered_caller.start(node.url, user, "first")).status == 201
        heard, tracked = await asyncio.gather(_crowd(node), _pairs(battered_caller, node, user))
        assert heard.keys() == {200, 503}
        assert heard[200] < _DESCRIPTORS
        assert heard.total() == _CROWD
        assert tracked == [201, 200] * 20
        while stream.dashboard["metrics"]["totalRequests"] < 21:
            assert (await stream.next()).kind == "change"
    # Who left makes room for others, however many came.
    assert (await _crowd(node, calls=8)) == {200: 8}
    assert [each["message"] for each in battered.said(node) if each["level"] == "error"] == []
    assert await node.end() == 0
    await audit(battered)


async def _pairs(caller: Caller, node: Node, user: str) -> list[int]:
    statuses: list[int] = []
    for n in range(20):
        statuses.append((await caller.start(node.url, user, f"crowded-{n}")).status)
        statuses.append((await caller.finish(node.url, user, f"crowded-{n}")).status)
    return statuses


async def _crowd(node: Node, calls: int = _CROWD) -> Counter[int]:
    """Have so many connections at once that stay open when they were answered, and leave with all of them."""
    connections = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", node.port) for _ in range(calls)))
    try:
        return Counter(await asyncio.gather(*(_asked(*each) for each in connections)))
    finally:
        for _, writer in connections:
            writer.close()


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    writer.write(_HEALTH)
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split()[1])
        if status == 503:
            assert re.search(rb"(?i)\r\nretry-after: \d+\r\n", head), head
            assert b'"type":"/problems/unavailable"' in await reader.read()
            writer.close()
    return status


async def test_a_node_with_little_memory_takes_no_more_than_it_holds(battered: Site, battered_caller: Caller) -> None:
    user = "large@example.com"
    await battered.start()
    await battered.add_users(user, plan="enough")
    node = await battered.start(limit=f"-v {_ADDRESS_SPACE_KIB}")
    for turn in range(2):
        async with held_up(battered, user):
            # What was taken in waits for the lock, and more keeps coming.
            starts = [
                asyncio.create_task(battered_caller.start(node.url, user, f"{turn}-{n}", prompt=_LARGE))
                for n in range(200)
            ]
            await until(_are_answered(starts, 100))
            assert (await battered_caller.start(node.url, "small@example.com", f"small-{turn}")).status == 201
        replies = await asyncio.gather(*starts)
        assert Counter(each.status for each in replies).keys() == {201, 503}
        assert all("Retry-After" in each.headers for each in replies if each.status == 503)
    assert (await battered_caller.start(node.url, user, "after", prompt=_LARGE)).status == 201
    assert await node.end() == 0
    await audit(battered)


def _are_answered(starts: Sequence[asyncio.Task[object]], most: int) -> Callable[[], Awaitable[bool]]:
    async def are_answered() -> bool:
        return sum(each.done() for each in starts) >= most

    return are_answered
