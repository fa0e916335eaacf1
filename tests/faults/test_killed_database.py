"""kill -9 of PostgreSQL, whole or one of its processes: callers are told to wait, shortly, and nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.audit import all_is_stored_once, audit
from tests.faults.callers import Caller, Load
from tests.faults.nodes import Site, connected

LONGEST_GAP = 15.0
_BUSY = """
    SELECT pid FROM pg_stat_activity WHERE application_name = 'tollkeeper' AND datname = current_database()
     ORDER BY state = 'active' DESC, query_start DESC LIMIT 1"""


async def the_postmaster(site: Site) -> int:
    return site.postmaster()


async def one_of_its_backends(site: Site) -> int:
    async with connected(site) as owner:
        return await owner.fetchval(_BUSY)


@pytest.mark.parametrize("victim", [the_postmaster, one_of_its_backends])
async def test_callers_wait_a_few_seconds_and_nothing_is_lost(
    battered: Site, battered_caller: Caller, victim: Callable[[Site], Awaitable[int]]
) -> None:
    node = await battered.start()
    load = Load(battered_caller, lambda: node.url, victim.__name__)
    await battered.add_users(*load.emails, plan="enough")
    async with load.running():
        for _ in range(2):
            await load.more(150)
            os.kill(await victim(battered), signal.SIGKILL)
            killed = time.monotonic()
            heard = await load.first_after(killed)
            # The first may have been decided by what still ran.
            assert heard.returned - killed < LONGEST_GAP
            await load.more(64, seconds=LONGEST_GAP)
    assert load.wrong == []
    assert load.statuses[503]
    await all_is_stored_once(load, battered)
    await audit(battered)
    assert await node.end() == 0
