"""Behind PgBouncer in transaction mode: whatever a node does, it does within one transaction."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Server, a_database
from tests.faults.audit import all_is_stored_once, audit
from tests.faults.callers import Caller, Load, calling
from tests.faults.nodes import connected, until
from tests.faults.pooler import PROGRAM, SERVER_CONNECTIONS, PooledSite, Pooler
from tests.faults.races import LEFT, PLANS, RACERS, SAID, USED, Start, counted, faults_of, raced
from tests.http.streaming import following
from tollkeeper.store.connections import session_settings
from tollkeeper.store.database import Database
from tollkeeper.store.placement import place
from tollkeeper.store.queries import Statement
from tollkeeper.store.reads import Reads

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed: apt-get install pgbouncer")

_LONGEST_GAP = 15.0
_WHAT_TO_SET = "TOLLKEEPER_TRANSACTION_POOLER=true, with the database itself in TOLLKEEPER_OWNER_DATABASE_URL"
_OVERDUE = """
WITH late AS (UPDATE chat_requests SET expires_at = now() - interval '1 second' WHERE client_id = $1 RETURNING user_id)
UPDATE usage SET due_at = now() - interval '1 second' FROM late WHERE usage.user_id = late.user_id"""
_STATUS = "SELECT status FROM chat_requests WHERE client_id = $1"
_SERVED = """
SELECT count(*) FROM pg_stat_activity WHERE usename = 'tollkeeper_service' AND datname = current_database()"""
_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)"


@pytest.fixture(scope="module")
async def pooled(server: Server, open_dir: Path, programs: Path) -> AsyncGenerator[PooledSite]:
    """Two nodes behind a pooler that has fewer connections than one of them would take."""
    account = (await asyncio.to_thread(place, server.data_dir, programs=programs, shelter=open_dir / "shelter")).account
    async with a_database(server, template="tollkeeper") as addresses:
        pooler = Pooler(open_dir / "pooler", account, addresses)
        await pooler.start()
        site = PooledSite(open_dir / "pooled", pooler=pooler, owner=addresses.owner)
        try:
            await site.furnish(PLANS)
            await asyncio.gather(site.start(), site.start())
            yield site
        finally:
            await site.close()
            await pooler.kill()


@pytest.fixture
async def caller(pooled: PooledSite) -> AsyncGenerator[Caller]:
    async with calling(pooled.key) as caller:
        yield caller


@pytest.mark.parametrize("plan", ["all_daily", "only_cost"])
async def test_two_hundred_starts_at_two_nodes_share_ten(pooled: PooledSite, caller: Caller, plan: str) -> None:
    user = f"{plan}-{random.getrandbits(40):x}@example.com"
    await pooled.add_users(user, plan=plan)
    urls = [node.url for node in pooled.nodes]
    before = [await caller.start(urls[n % 2], user, f"before-{n}", **SAID) for n in range(USED)]
    starts = [Start(urls[n % 2], user, f"r-{n}") for n in range(RACERS)]
    replies = await raced(caller, starts)
    assert counted(replies) == {201: LEFT, 429: RACERS - LEFT}
    assert faults_of(starts, replies, before[-1]) == []


async def reload(pooler: Pooler) -> None:
    pooler.tell(signal.SIGHUP)


async def pause_and_resume(pooler: Pooler) -> None:
    pooler.tell(signal.SIGUSR1)
    await asyncio.sleep(1)
    pooler.tell(signal.SIGUSR2)


async def kill_and_start(pooler: Pooler) -> None:
    await pooler.kill()
    await asyncio.sleep(0.3)
    await pooler.start()


@pytest.mark.parametrize("happens", [reload, pause_and_resume, kill_and_start])
async def test_nothing_is_lost_whatever_happens_to_the_pooler(pooled: PooledSite, caller: Caller, happens: Any) -> None:
    first, second = pooled.nodes
    load = Load(caller, lambda: random.choice((first.url, second.url)), happens.__name__)
    await pooled.add_users(*load.emails, plan="enough")
    async with load.running():
        for _ in range(2):
            await load.more(100)
            await happens(pooled.pooler)
            happened = time.monotonic()
            heard = await load.first_after(happened)
            assert heard.returned - happened < _LONGEST_GAP
            await load.more(64)
        async with connected(pooled) as admin:
            assert await admin.fetchval(_SERVED) <= SERVER_CONNECTIONS
    assert load.wrong == []
    await all_is_stored_once(load, pooled)
    await audit(pooled)


async def test_who_leaves_a_search_has_it_cancelled_and_no_statement_of_others(pooled: PooledSite) -> None:
    known = {"sleep": Statement("sleep", "SELECT pg_sleep($1::float8)", ("seconds",))}
    opened = partial(Database.open, pooled.pooler.dsn, transaction_pooler=True, known=known)
    heard, over = Counter[str](), asyncio.Event()

    async def others(database: Database) -> None:
        while not over.is_set():
            await database.run("sleep", seconds=0.002)
            heard["others"] += 1

    async def leave(database: Database, *, seconds: float, after: float) -> None:
        departure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asked = asyncio.create_task(Reads(database, departure).run("sleep", seconds=seconds))
        await asyncio.sleep(after)
        departure.set_result(None)
        (told,) = await asyncio.gather(asked, return_exceptions=True)
        heard["cancelled" if told else "answered"] += 1

    async with opened(size=3) as theirs, opened(size=2) as ours:
        stay = [asyncio.create_task(others(theirs)) for _ in range(3)]
        began = time.monotonic()
        await asyncio.gather(*(leave(ours, seconds=4, after=0.1) for _ in range(2)))
        assert time.monotonic() - began < 2
        # As close to their ends as can be.
        while heard["cancelled"] < 150 or heard["answered"] < 20:
            await asyncio.gather(*(leave(ours, seconds=0.01, after=random.uniform(0.002, 0.02)) for _ in range(2)))
        over.set()
        await asyncio.gather(*stay)
    assert heard["others"] > 100


async def test_a_person_signs_in_and_reads(pooled: PooledSite, caller: Caller) -> None:
    email, node = "person@example.com", pooled.nodes[0]
    assert (await caller.start(node.url, email, "one", sessionId="s")).status == 201
    assert (await caller.finish(node.url, email, "one")).status == 200
    link = await pooled.run("user", "link", email)
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession(node.url, headers=same_origin) as person:
        token = link["url"].rpartition("/")[2]
        async with person.post(f"/sign-in/{token}", allow_redirects=False) as signed_in:
            assert signed_in.status == 303
            cookie = {"Cookie": signed_in.headers["Set-Cookie"].partition(";")[0]}
        for method, path, body in (
            ("GET", "/api/user/dashboard", None),
            ("POST", "/api/user/dashboard", None),
            ("GET", "/api/chat/requests?limit=1", None),
            ("GET", "/api/chat/requests/one", None),
            ("GET", "/api/chat/sessions", None),
            ("GET", "/api/chat/sessions/s", None),
            ("PUT", "/api/user/variables", {"variables": {"A": "1", "B": "2"}}),
            ("GET", "/api/user/variables", None),
            ("GET", "/api/account", None),
        ):
            async with person.request(method, path, json=body, headers=cookie) as answer:
                assert answer.status == 200, (path, await answer.text())


async def test_a_dashboard_is_followed_from_one_node_to_the_other(pooled: PooledSite, caller: Caller) -> None:
    email, (here, there) = "followed@example.com", pooled.nodes
    assert (await caller.start(there.url, email, "before")).status == 201
    by = {"Authorization": f"Bearer {pooled.key}", "Tollkeeper-User": email}
    async with aiohttp.ClientSession() as client, following(client, here.url, by) as stream:
        assert (await stream.next()).kind == "dashboard"
        for n in range(3):
            assert (await caller.start(there.url, email, f"moves-{n}")).status == 201
            assert (await stream.next()).kind == "change"
            assert stream.dashboard["metrics"]["totalRequests"] == n + 2


async def test_what_nobody_finishes_expires(pooled: PooledSite, caller: Caller) -> None:
    assert (await caller.start(pooled.nodes[0].url, "late@example.com", "too-late")).status == 201
    async with connected(pooled) as admin:
        await admin.execute(_OVERDUE, "too-late")

        async def is_expired() -> bool:
            return await admin.fetchval(_STATUS, "too-late") == "failed"

        await until(is_expired, seconds=10)
    await audit(pooled)


async def test_sessions_run_under_our_settings_from_the_first_migration_on(
    server: Server, open_dir: Path, pooled: PooledSite
) -> None:
    async with a_database(server, template="tollkeeper") as addresses:
        pooler = Pooler(open_dir / "fresh", pooled.pooler.account, addresses)
        await pooler.start()
        try:
            await PooledSite(open_dir / "settled", pooler=pooler, owner=addresses.owner).run("migrate")
            async with Database.open(pooler.dsn, size=8, transaction_pooler=True) as db:
                found = await asyncio.gather(*(settings_of(db) for _ in range(4 * SERVER_CONNECTIONS)))
        finally:
            await pooler.kill()
    assert {each["search_path"] for each in found} == {"public"}
    assert all(each == session_settings() for each in found), found


async def settings_of(db: Database) -> dict[str, str]:
    """Ask a server session for its settings, in the units in which we set them."""
    async with db.transaction() as tx:
        rows = await tx._connection.fetch(_SETTINGS, list(session_settings()))
    return {row["name"]: row["setting"] for row in rows}


async def test_a_node_that_was_not_told_says_what_is_wrong(pooled: PooledSite) -> None:
    told = await replace(pooled, is_told=False).run("verify", code=1)
    assert "unsupported startup parameter" in told["detail"]
    assert _WHAT_TO_SET in told["detail"]


async def test_an_owner_behind_the_pooler_is_refused(pooled: PooledSite) -> None:
    told = await replace(pooled, owner=pooled.pooler.owner_dsn).run("migrate", code=1)
    assert "unsupported startup parameter" in told["detail"]
    assert _WHAT_TO_SET in told["detail"]
