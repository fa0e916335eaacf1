"""Many who search and download at once: they wait for each other, and nobody who tracks waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections import Counter
from collections.abc import AsyncGenerator

import aiohttp
import asyncpg

from tests.faults.callers import Caller, Load
from tests.faults.nodes import Node, Site, connected
from tollkeeper.capacity import most_at_once

READER = "reader@example.com"
SEEDED = 20_000
READERS = 50
PATHS = (
    "/api/chat/requests?q=%25a%25",
    "/api/chat/requests?q=nowhere",
    "/api/chat/requests?format=csv&q=zebra",
    "/api/chat/requests?format=jsonl&model=nobody",
    "/api/user/analytics?granularity=day&groupBy=model",
)
_LONG = aiohttp.ClientTimeout(total=60)
_LOOKS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
   AND (query LIKE 'WITH walked AS%' OR query LIKE 'WITH asked AS%')"""


async def seeded(caller: Caller, node: Node) -> None:
    """Give one user a long history."""
    text = "a word, and another; " * 40
    headers = {"Authorization": f"Bearer {caller.key}"}
    for first in range(0, SEEDED, 2_000):
        items = [
            {"user": READER, "requestId": f"seeded-{n}", "prompt": text, "status": "completed", "tokensOutput": 4}
            for n in range(first, first + 2_000)
        ]
        async with caller.session.post(node.url + "/api/chat/track/batch", json=items, headers=headers) as answer:
            assert answer.status == 200, await answer.text()


@contextlib.asynccontextmanager
async def reading(caller: Caller, node: Node, heard: Counter[int], odd: list[str]) -> AsyncGenerator[None]:
    """Have many ask for what is expensive, again and again."""
    by = {"Authorization": f"Bearer {caller.key}", "Tollkeeper-User": READER}

    async def reader(path: str) -> None:
        while True:
            try:
                async with caller.session.get(node.url + path, headers=by, timeout=_LONG) as answer:
                    await answer.read()
                    heard[answer.status] += 1
                    if answer.status == 503 and "Retry-After" in answer.headers:
                        await asyncio.sleep(0.2)
                    elif answer.status != 200:
                        odd.append(f"{path}: {answer.status} {await answer.text()}")
            except (aiohttp.ClientError, TimeoutError) as error:
                odd.append(f"{path}: {error!r}")

    paths = itertools.cycle(PATHS)
    readers = [asyncio.create_task(reader(next(paths))) for _ in range(READERS)]
    try:
        yield
    finally:
        for each in readers:
            each.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def looks(admin: asyncpg.Connection, seen: list[int]) -> None:
    """Look again and again how many sessions look at much."""
    while True:
        seen.append(await admin.fetchval(_LOOKS))


async def test_fifty_who_search_and_download_hold_up_nobody_who_tracks(battered: Site, battered_caller: Caller) -> None:
    node = await battered.start()
    load = Load(battered_caller, lambda: node.url, "tracks", clients=8)
    await battered.add_users(READER, *load.emails, plan="enough")
    await seeded(battered_caller, node)
    heard, seen, odd = Counter[int](), list[int](), list[str]()
    by = {"Authorization": f"Bearer {battered.key}", "Tollkeeper-User": load.emails[0]}
    async with connected(battered) as admin, reading(battered_caller, node, heard, odd), load.running():
        looking = asyncio.create_task(looks(admin, seen))
        while heard[200] < 4 * READERS:
            await load.more(50)
            for path in ("/api/user/dashboard", "/api/chat/requests", "/api/user/plan"):
                async with battered_caller.session.get(node.url + path, headers=by) as answer:
                    assert answer.status == 200, path
        looking.cancel()
        await asyncio.wait([looking])
    assert odd == []
    assert heard.keys() <= {200, 503}
    assert 1 <= max(seen) <= most_at_once(os.cpu_count() or 1)
    assert (load.wrong, load.lost, load.statuses.keys()) == ([], Counter(), {200, 201})
    assert await node.end() == 0
    # Nor does the log grow with what is refused.
    assert [each["message"] for each in battered.said(node) if "/api/" in each["message"]] == []
