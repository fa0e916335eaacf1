"""Several processes behind one port: what is left of a plan is given away once, whoever of them is asked."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.audit import audit
from tests.faults.callers import Caller, calling
from tests.faults.nodes import Node, Site, until
from tests.faults.races import LEFT, RACERS, SAID, USED, Start, counted, faults_of, raced
from tests.faults.test_killed_nodes import workers_of


@pytest.mark.parametrize(("workers", "plan"), [(2, "all_monthly"), (4, "only_tokens")])
async def test_two_hundred_starts_at_one_port_share_ten(
    pair: Site, pair_caller: Caller, workers: int, plan: str
) -> None:
    node = await pair.start(workers=workers)
    user = f"workers-{random.getrandbits(40):x}@example.com"
    await pair.add_users(user, plan=plan)
    before = [await pair_caller.start(node.url, user, f"before-{n}", **SAID) for n in range(USED)]
    starts = [Start(node.url, user, f"r-{n}") for n in range(RACERS)]
    replies = await raced(pair_caller, starts)
    asked = callers_of(node, await workers_of(node))
    assert counted(replies) == {201: LEFT, 429: RACERS - LEFT}
    assert faults_of(starts, replies, before[-1]) == []
    assert len(asked) == workers
    assert all(asked.values()), asked
    await audit(pair)
    assert await node.end() == 0


def callers_of(node: Node, workers: set[int]) -> dict[int, int]:
    """How many callers each worker has, who keep their connections. Linux only: elsewhere one is assumed."""
    listing = Path("/proc/net/tcp")
    if not listing.exists():
        return dict.fromkeys(workers, 1)
    rows = [line.split() for line in listing.read_text().splitlines()[1:]]
    held = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{node.port:04X}") and row[3] == "01"}
    return {pid: sum(str(fd.readlink()) in held for fd in Path(f"/proc/{pid}/fd").iterdir()) for pid in workers}


async def test_whichever_is_asked_for_numbers_tells_those_of_all(pair: Site) -> None:
    node = await pair.start(workers=3)
    user = f"workers-{random.getrandbits(40):x}@example.com"
    await pair.add_users(user, plan="enough")
    for n in range(30):
        async with calling(pair.key) as anew:
            assert (await anew.start(node.url, user, f"r-{n}")).status == 201
    await until(lambda: _starts_told(node, 30))
    assert [await _starts(node) for _ in range(12)] == [30] * 12
    # One that has ended counts on, and whoever follows it begins at nothing.
    killed = min(await workers_of(node))
    os.kill(killed, signal.SIGKILL)
    await until(lambda: _replaced(node, killed))
    assert [await _starts(node) for _ in range(12)] == [30] * 12
    assert await node.end() == 0


async def _starts(node: Node) -> float:
    """How many starts the numbers tell, asked for over a connection of its own."""
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/metrics") as answer:
        told = await answer.text()
    families = {each.name: each for each in text_string_to_metric_families(told)}
    asked = {"method": "POST", "route": "/api/chat/track", "status": "201"}
    lanes = [each.value for each in families["tollkeeper_lane_decided"].samples if each.labels == {"lane": "start"}]
    samples = families["tollkeeper_exchanges"].samples if "tollkeeper_exchanges" in families else []
    starts = sum(each.value for each in samples if each.labels == asked)
    assert lanes == [starts]
    return starts


async def _starts_told(node: Node, many: int) -> bool:
    return [await _starts(node) for _ in range(6)] == [many] * 6


async def _replaced(node: Node, killed: int) -> bool:
    workers = await workers_of(node)
    return len(workers) == 3 and killed not in workers
