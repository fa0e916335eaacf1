"""kill -9 and SIGSTOP of nodes that send webhooks: each event is delivered, under one id, and nobody speaks late."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.faults.nodes import Site, until
from tests.receivers import Receiver, receiving
from tests.webhooks.making import tell
from tollkeeper.webhooks import delivering

HOME = {"TOLLKEEPER_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32"}
EVENTS = 40
# A lease, and what a busy machine takes on top.
A_LEASE = delivering.LEASE.total_seconds() + 30
EMAIL = "webhooks@example.com"


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def owner(battered: Site) -> Any:
    """The owner's connection, made anew for whoever asks: the database goes with its last node."""
    return _Owner(battered)


class _Owner:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, how: str, *words: Any) -> Any:
        connection = await asyncpg.connect(self._site.dsn("owner"))
        try:
            return await getattr(connection, how)(*words)
        finally:
            await connection.close()

    async def execute(self, *words: Any) -> None:
        await self("execute", *words)


async def prepared(battered: Site, owner: Any, receiver: Receiver) -> UUID:
    await battered.add_users(EMAIL, plan="enough")
    await battered.run("webhook", "add", receiver.url, environment=HOME)
    return await owner("fetchval", "SELECT user_id FROM user_identities WHERE value = $1", EMAIL)


def errors_of(battered: Site) -> list[dict[str, Any]]:
    """What its nodes logged as errors, of which other tests may have made some."""
    return [each for each in battered.said() if each["level"] == "error"]


async def cleaned(battered: Site, owner: Any) -> None:
    await owner.execute("DELETE FROM webhook_endpoints; DELETE FROM events; DELETE FROM webhook_deliveries")
    for node in battered.nodes:
        if node.process.returncode is None:
            assert await node.end() == 0


@pytest.mark.timeout(240)
async def test_every_committed_event_is_delivered_under_one_id_though_its_node_is_killed(
    battered: Site, owner: Any, receiver: Receiver
) -> None:
    errors_before = errors_of(battered)
    node = await battered.start(environment=HOME)
    user_id = await prepared(battered, owner, receiver)
    receiver.mood = "slow 0.2"
    names: list[str] = []
    for _ in range(3):
        names += await tell(owner, user_id, count=EVENTS)
        before = len(receiver.got)

        async def is_under_way(before: int = before) -> bool:
            return len(receiver.got) >= before + 6

        await until(is_under_way)
        await node.kill()
        node = await battered.start(port=node.port, environment=HOME)
    receiver.mood = "well"

    async def are_delivered() -> bool:
        left = await owner("fetchval", "SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'")
        return left == 0

    await until(are_delivered, seconds=A_LEASE)
    assert receiver.ids.keys() == set(names), "nothing is lost, and nothing was made up"
    # Killed three times with at most four under way: so many may have come twice.
    assert sum(receiver.ids.values()) - len(names) <= 3 * delivering.AT_ONCE
    assert errors_of(battered) == errors_before
    await cleaned(battered, owner)


@pytest.mark.timeout(240)
async def test_two_nodes_deliver_once_and_one_that_slept_says_nothing_late(
    battered: Site, owner: Any, receiver: Receiver
) -> None:
    one, other = await asyncio.gather(battered.start(environment=HOME), battered.start(environment=HOME))
    user_id = await prepared(battered, owner, receiver)
    names = await tell(owner, user_id, count=EVENTS)

    async def are_delivered() -> bool:
        return len(receiver.ids) == len(names)

    await until(are_delivered)
    await asyncio.sleep(2)
    assert receiver.ids == dict.fromkeys(names, 1)
    # Now a node is stopped in the middle of sending, and wakes after another had its turn.
    assert await other.end() == 0
    receiver.mood = "slow 1"
    (late,) = await tell(owner, user_id)

    async def has_come() -> bool:
        return late in receiver.ids

    await until(has_come)
    os.kill(one.process.pid, signal.SIGSTOP)
    receiver.mood = "well"
    try:
        await battered.start(environment=HOME)

        async def has_been_delivered() -> bool:
            row = await owner("fetchval", "SELECT state FROM webhook_deliveries WHERE event_id = $1", UUID(late[4:]))
            return row == "delivered"

        await until(has_been_delivered, seconds=A_LEASE)
    finally:
        os.kill(one.process.pid, signal.SIGCONT)
    read = "SELECT taken, jsonb_array_length(attempts) AS attempts, state FROM webhook_deliveries WHERE event_id = $1"
    newer = await owner("fetchrow", read, UUID(late[4:]))
    await asyncio.sleep(3)
    assert await owner("fetchrow", read, UUID(late[4:])) == newer
    assert tuple(newer) == (2, 1, "delivered")
    assert receiver.ids[late] == 2
    await cleaned(battered, owner)
