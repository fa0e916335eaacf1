"""Several processes behind one port: what is left of a plan is given away once, whoever of them is asked."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.audit import audit
from tests.faults.callers import Caller
from tests.faults.nodes import Node, Site
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
