"""Pruning beside everybody else: nobody is refused, nothing is lost, and at no instant does a number disagree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace as with_

from tests.metering.making import OWN_MODEL, Clock, a_request, an_outcome
from tests.metering.pruning import APRIL, FEBRUARY, MARCH, NOW, History, a_history, derived
from tollkeeper.activity import Actor
from tollkeeper.errors import NotFound, Unavailable
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep import retention
from tollkeeper.metering.upkeep.importing import Importer
from tollkeeper.metering.upkeep.retention import LOCK_SECONDS, prune_rows, prune_texts
from tollkeeper.metering.upkeep.verify import rebuild, verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

pytestmark = pytest.mark.usefixtures("own_model")


@pytest.fixture
async def keeper(dsns: Addresses) -> AsyncGenerator[Database]:
    """The database as its owner, who prunes."""
    async with Database.open(dsns.owner, size=2, statement_timeout=60, lock_timeout=LOCK_SECONDS) as database:
        yield database


@pytest.fixture
async def history(db: Database, clock: Clock) -> History:
    await clock.hold(NOW)
    return await a_history(db, 11)


@asynccontextmanager
async def meanwhile(*acts: Callable[[], Awaitable[object]]) -> AsyncGenerator[list[int]]:
    """Do all this again and again for as long as the block lasts, and tell how often; what it raises fails the test."""
    over = asyncio.Event()
    turns = [0] * len(acts)

    async def go_on(place: int) -> None:
        while not over.is_set():
            await acts[place]()
            turns[place] += 1

    async with asyncio.TaskGroup() as tasks:
        for place in range(len(acts)):
            tasks.create_task(go_on(place))
        try:
            yield turns
        finally:
            over.set()


class Rater:
    """Rates past requests of its own again and again, and remembers what it was told is so."""

    def __init__(self, ledger: Ledger, requests: list[tuple[UUID, UUID]], seed: int) -> None:
        self.ledger = ledger
        self.dice = random.Random(seed)
        self.ratings = dict[tuple[UUID, UUID], int | None].fromkeys(requests)
        self.gone = set[tuple[UUID, UUID]]()

    async def rate(self) -> None:
        user, request = place = self.dice.choice(list(self.ratings))
        rating = self.dice.choice([None, 1, 2, 3, 4, 5])
        try:
            await self.ledger.finish(an_outcome(user, request, None, rated=True, rating=rating))
        except NotFound:
            self.gone.add(place)
        else:
            assert place not in self.gone, "what was gone came back"
            self.ratings[place] = rating


@pytest.mark.parametrize("where", ["a month's partition", "the default partition"])
async def test_ratings_of_what_is_pruned_right_now_are_counted_or_not_found(
    *, ledger: Ledger, db: Database, keeper: Database, owner: asyncpg.Connection, history: History, where: str
) -> None:
    rows = history.rows(240, FEBRUARY, APRIL + timedelta(days=20))
    rows = [type(each)(each.row, each.request, each.outcome and with_(each.outcome, rated=False)) for each in rows]
    if where == "a month's partition":
        await Importer(ledger, keeper).book(rows)
    else:
        await ledger.record([(each.request, each.outcome) for each in rows])
    everything = await owner.fetch("SELECT user_id, id FROM chat_requests ORDER BY id")
    raters = [Rater(ledger, [(r["user_id"], r["id"]) for r in everything[n::8]], n) for n in range(8)]

    async def track() -> None:
        user = random.choice(history.users)
        started = await ledger.start(a_request(user, model=OWN_MODEL, session_id="long"))
        await ledger.finish(an_outcome(user, started.id, tokens_input=1, tokens_output=1))

    async def prove() -> None:
        assert (await verify(db)).differences == []

    async with meanwhile(track, track, prove, *(rater.rate for rater in raters)) as turns:
        await asyncio.sleep(0.5)
        for boundary in (MARCH, APRIL):
            assert (await prune_rows(keeper, ledger, boundary, actor=Actor("x"))).requests > 0
            await asyncio.sleep(0.3)
    assert min(turns) > 2
    assert (await verify(db)).differences == []
    told = [rating for rater in raters for rating in rater.ratings.values() if rating]
    row = await owner.fetchrow("SELECT sum(total_rated) AS rated, sum(total_rating) AS rating FROM usage")
    assert row is not None
    assert (row["rated"], row["rating"]) == (len(told), sum(told))
    assert sum(len(rater.gone) for rater in raters) > 0
    for user in history.users:
        assert await rebuild(db, user) == []


async def test_several_prune_at_once_while_the_past_comes_in(
    *, ledger: Ledger, db: Database, keeper: Database, owner: asyncpg.Connection, history: History
) -> None:
    importer = Importer(ledger, keeper, counts_pruned=True)
    await importer.book(history.rows(150, FEBRUARY, NOW))

    async def bring() -> None:
        booked = await importer.book(history.rows(20, FEBRUARY, APRIL))
        assert booked.imported == 20

    async def prune() -> None:
        await prune_rows(keeper, ledger, random.choice([MARCH, APRIL]), actor=Actor("x"))
        await prune_texts(keeper, random.choice([MARCH, APRIL]), actor=Actor("x"))

    async def prove() -> None:
        assert (await verify(db)).differences == []

    async with meanwhile(bring, prune, prune, prove) as turns:
        await asyncio.sleep(4)
    assert min(turns) > 1
    assert (await verify(db)).differences == []
    before = await derived(owner)
    await prune_rows(keeper, ledger, APRIL, actor=Actor("x"))
    assert await derived(owner) == before
    assert await owner.fetchval("SELECT count(*) FROM chat_requests WHERE started_at < $1", APRIL) == 0
    assert await owner.fetchval("SELECT sum(total_requests) FROM usage") == history.made


async def test_who_reads_for_long_is_not_disturbed_and_disturbs_nobody(
    *,
    monkeypatch: pytest.MonkeyPatch,
    ledger: Ledger,
    db: Database,
    keeper: Database,
    dsns: Addresses,
    history: History,
) -> None:
    monkeypatch.setattr(retention, "_PAUSES_SECONDS", (0.05,) * 5)
    await Importer(ledger, keeper).book(history.rows(80, FEBRUARY, NOW))
    slowest = 0.0

    async def track() -> None:
        nonlocal slowest
        began = asyncio.get_running_loop().time()
        await ledger.start(a_request(history.users[0], model=OWN_MODEL))
        slowest = max(slowest, asyncio.get_running_loop().time() - began)

    reader: Any = await asyncpg.connect(dsns.service)
    try:
        async with meanwhile(track), reader.transaction(isolation="repeatable_read"):
            seen = await reader.fetchval("SELECT count(*) FROM chat_requests WHERE started_at < $1", APRIL)
            with pytest.raises(Unavailable):
                await prune_rows(keeper, ledger, APRIL, actor=Actor("x"))
            assert await reader.fetchval("SELECT count(*) FROM chat_requests WHERE started_at < $1", APRIL) == seen > 0
    finally:
        await reader.close()
    assert slowest < 0.9, "the service's own patience is a second"
    assert (await prune_rows(keeper, ledger, APRIL, actor=Actor("x"))).requests == seen
    assert (await verify(db)).differences == []
