"""A user whose row is held elsewhere is told so, and keeps nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import PENDING_FOR, a_plan, a_request, a_user, an_outcome
from tollkeeper.errors import Unavailable
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

_OTHERS = 12
# Less than the second for which somebody's own row is waited for.
_SOON = 0.7


@asynccontextmanager
async def _held(owner: asyncpg.Connection, *users: UUID) -> AsyncGenerator[None]:
    await owner.execute("BEGIN")
    await owner.execute("SELECT FROM usage WHERE user_id = ANY ($1) ORDER BY user_id FOR UPDATE", users)
    yield
    await owner.execute("ROLLBACK")


async def _some_users(db: Database, owner: asyncpg.Connection, count: int) -> list[UUID]:
    await a_plan(owner, "ample")
    return [await a_user(db, "ample", email=f"u{n}@example.com") for n in range(count)]


async def _pair(ledger: Ledger, user: UUID) -> None:
    started = await ledger.start(a_request(user))
    await ledger.finish(an_outcome(user, started.id))


async def _seconds(act: Awaitable[object]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await act
    return loop.time() - began


@pytest.mark.parametrize("what", ["start", "finish"])
async def test_others_are_decided_while_one_is_held(db: Database, owner: asyncpg.Connection, what: str) -> None:
    held, *others = await _some_users(db, owner, _OTHERS + 1)
    async with Ledger(db, pending_for=PENDING_FOR) as ledger:
        under_way = (await ledger.start(a_request(held))).id

        async def refused() -> None:
            with pytest.raises(Unavailable, match="lock timeout"):
                await (ledger.start(a_request(held)) if what == "start" else ledger.finish(an_outcome(held, under_way)))

        async with _held(owner, held):
            waiting = asyncio.create_task(_seconds(refused()))
            first = await asyncio.gather(*(_seconds(_pair(ledger, user)) for user in others))
            assert max(first) < _SOON
            assert not waiting.done()
            # Once known, it costs nobody anything, and the one who is held hears of it after a second each time.
            assert max(await asyncio.gather(*(_seconds(_pair(ledger, user)) for user in others))) < _SOON
            assert 0.9 < await waiting < 3
            assert 0.9 < await _seconds(refused()) < 3
        assert (await ledger.start(a_request(held))).limits.pending >= 1
    assert (await verify(db)).differences == []


async def test_many_who_are_held_keep_neither_each_other_nor_connections(
    dsns: Addresses, db: Database, owner: asyncpg.Connection
) -> None:
    users = await _some_users(db, owner, 2 * _OTHERS)
    held, others = users[:_OTHERS], users[_OTHERS:]
    async with Database.open(dsns.service, size=3) as few, Ledger(few, pending_for=PENDING_FOR) as ledger:

        async def refused(user: UUID) -> None:
            with pytest.raises(Unavailable, match="lock timeout"):
                await ledger.start(a_request(user))

        async with _held(owner, *held):
            waiting = asyncio.gather(*(_seconds(refused(user)) for user in held))
            assert max(await asyncio.gather(*(_seconds(_pair(ledger, user)) for user in others))) < _SOON
            assert ledger.starts.aside == _OTHERS
            assert max(await waiting) < 3


async def test_only_the_wait_for_the_row_is_brief(owner: asyncpg.Connection, db: Database, dsns: Addresses) -> None:
    held, free = await _some_users(db, owner, 2)
    service = await asyncpg.connect(dsns.service)
    await service.execute("BEGIN; SET LOCAL lock_timeout = '7s'")
    async with _held(owner, held):
        await service.execute("SELECT tk_lock($1, true)", [free])
        assert await service.fetchval("SHOW lock_timeout") == "7s"
        began = asyncio.get_running_loop().time()
        with pytest.raises(asyncpg.PostgresError, match="lock timeout"):
            await service.execute("SELECT tk_lock($1, true)", [held])
        assert 0.05 < asyncio.get_running_loop().time() - began < _SOON
    await service.execute("ROLLBACK")
    assert await service.fetchval("SHOW lock_timeout") == "0"
    await service.close()


async def test_nodes_that_meet_in_every_set_go_on_in_sets(
    dsns: Addresses, db: Database, owner: asyncpg.Connection
) -> None:
    users = await _some_users(db, owner, 150)
    async with AsyncExitStack() as opened:
        databases = [await opened.enter_async_context(Database.open(dsns.service, size=8)) for _ in range(3)]
        ledgers = [
            await opened.enter_async_context(Ledger(database, pending_for=PENDING_FOR)) for database in databases
        ]
        ends = asyncio.get_running_loop().time() + 3

        async def track(ledger: Ledger, user: UUID) -> None:
            while asyncio.get_running_loop().time() < ends:
                await _pair(ledger, user)

        await asyncio.gather(*(track(ledger, user) for user in users for ledger in ledgers for _ in range(2)))
        lanes = [lane for ledger in ledgers for lane in (ledger.starts, ledger.finishes)]
        assert sum(lane.decided for lane in lanes) > 40 * sum(lane.sets for lane in lanes)
    assert (await verify(db)).differences == []
