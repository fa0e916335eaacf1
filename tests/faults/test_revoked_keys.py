"""A key that ends on one node ends on all, within a second."""

from __future__ import annotations

import asyncio
import random

from tests.faults.callers import calling
from tests.faults.nodes import Site


async def test_a_key_that_was_rotated_away_or_revoked_is_refused_on_every_node(pair: Site) -> None:
    email = f"revoked-{random.getrandbits(40):x}@example.com"
    await pair.run("user", "add", email, "--plan", "enterprise")
    old = await pair.run("key", "create", "--user", email)
    assert await statuses(pair, old["key"]) == {201}
    new = await pair.run("key", "rotate", old["id"], "--user", email, "--overlap-hours", "0")
    await asyncio.sleep(1)
    assert (await statuses(pair, old["key"]), await statuses(pair, new["key"])) == ({401}, {201})
    await pair.run("key", "revoke", new["id"])
    await asyncio.sleep(1)
    assert await statuses(pair, new["key"]) == {401}


async def statuses(site: Site, key: str) -> set[int]:
    """What the nodes that live answer."""
    nodes = [node for node in site.nodes if node.process.returncode is None]
    assert len(nodes) >= 2
    async with calling(key) as caller:
        return {(await caller.start(node.url, "", f"r-{random.getrandbits(60):x}")).status for node in nodes}
