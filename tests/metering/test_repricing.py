"""Pricing anew: what a preview says is what is done, every number follows, and what was reported or sealed stays."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import NOON, OWN_MODEL, Clock, a_request, a_user, an_outcome, started, usage_of
from tests.metering.pruning import NOW, a_history
from tollkeeper.activity import Actor
from tollkeeper.errors import Invalid
from tollkeeper.instants import EPOCH
from tollkeeper.metering.prices import own_prices, repricing
from tollkeeper.metering.prices.price_file import own_price
from tollkeeper.metering.prices.repricing import Range, Repriced, reprice
from tollkeeper.metering.pricing import document_of
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep import retention
from tollkeeper.metering.upkeep.importing import Importer
from tollkeeper.metering.upkeep.retention import LOCK_SECONDS
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

LISTED = "gpt-4o"
UNKNOWN = "house-2"
FOR_EVER = datetime(2100, 1, 1, tzinfo=UTC)


def all_of(model: str) -> Range:
    return Range(model, EPOCH, FOR_EVER)


async def price(db: Database, model: str, usd: int, *, since: datetime = EPOCH) -> None:
    """Let each token cost so many thousandths of a nano-USD times a million: ``usd`` USD a million tokens."""
    rates = {"input": usd * 10**9, "output": usd * 10**9}
    await own_prices.put(db, [own_price(model, since, rates)], actor=Actor("test"))


async def both(db: Database, which: Range) -> Repriced:
    """Look first, then do it: the numbers are the same, and only the second time changes something."""
    preview = await reprice(db, which, apply=False, actor=Actor("test"))
    assert await reprice(db, which, apply=False, actor=Actor("test")) == preview
    assert await reprice(db, which, apply=True, actor=Actor("test")) == preview
    assert (await verify(db)).differences == []
    return preview


async def one_finished(
    ledger: Ledger, user: UUID, model: str | None = UNKNOWN, status: str = "completed", /, **given: object
) -> UUID:
    request = await started(ledger, user, model=model, session_id="s", priced_at=datetime.now(UTC))
    given = {"tokens_input": 1000, "tokens_output": 100} | given
    await ledger.finish(an_outcome(user, request.id, status, priced_at=datetime.now(UTC), **given))
    return request.id


async def costs(owner: asyncpg.Connection) -> dict[UUID, tuple[str, int | None, int | None]]:
    rows = await owner.fetch("SELECT id, cost_source, cost_nanos, computed_nanos FROM chat_requests")
    return {row["id"]: (row["cost_source"], row["cost_nanos"], row["computed_nanos"]) for row in rows}


async def test_a_preview_refuses_what_could_not_be_counted_as_its_application_does(
    *, monkeypatch: pytest.MonkeyPatch, ledger: Ledger, db: Database, owner: asyncpg.Connection, user: UUID
) -> None:
    # Each set fits by itself, and so does each user's share of the first ones.
    monkeypatch.setattr(repricing, "SET", 2)
    monkeypatch.setattr(repricing, "_EACH", 2)
    other = await a_user(db, "enterprise")
    for who, times in ((user, 4), (other, 3)):
        for _ in range(times):
            await one_finished(ledger, who, tokens_input=10**12, tokens_output=0)
    await own_prices.put(db, [own_price(UNKNOWN, EPOCH, {"input": 3 * 10**12})], actor=Actor("test"))
    before = await costs(owner)
    assert (await both(db, Range(UNKNOWN, EPOCH, EPOCH))).requests == 0
    for apply in (False, True):
        with pytest.raises(Invalid) as caught:
            await reprice(db, all_of(UNKNOWN), apply=apply, actor=Actor("test"))
        assert caught.value.detail == "model: would make a user's totals larger than can be counted"
        if not apply:
            assert await costs(owner) == before


async def test_what_was_unpriced_gets_the_operators_price_and_loses_it_again(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, user: UUID
) -> None:
    ids = [await one_finished(ledger, user) for _ in range(3)]
    before = await usage_of(owner, user)
    assert (before["total_unpriced"], before["month_cost_nanos"]) == (3, 0)
    await price(db, UNKNOWN, 2)
    done = await both(db, all_of(UNKNOWN))
    assert done == Repriced(3, 3, 3, 0, 0, 3 * 1100 * 2000)
    after = await usage_of(owner, user)
    assert (after["total_unpriced"], after["total_cost_nanos"]) == (0, 3 * 1100 * 2000)
    assert after["month_cost_nanos"] == 3 * 1100 * 2000, "they started in the running window"
    assert after["version"] == before["version"] + 3, "each changed request is a change"
    assert after["updated_at"] == before["updated_at"], "the user did nothing"
    assert set((await costs(owner)).values()) == {("computed", 1100 * 2000, 1100 * 2000)}
    assert await owner.fetchval("SELECT sum(cost_nanos) FROM overall_rollups") == 3 * 1100 * 2000
    assert await owner.fetchrow("SELECT cost_nanos, unpriced FROM chat_sessions") == (3 * 1100 * 2000, 0)
    assert (await reprice(db, all_of(UNKNOWN), apply=True, actor=Actor("x"))).changed == 0

    await own_prices.remove(db, UNKNOWN, actor=Actor("test"))
    undone = await both(db, all_of(UNKNOWN))
    assert undone == Repriced(3, 3, 0, 3, 3 * 1100 * 2000, 0)
    assert await costs(owner) == dict.fromkeys(ids, ("unpriced", None, None))
    row = await usage_of(owner, user)
    assert (row["total_unpriced"], row["total_cost_nanos"], row["month_cost_nanos"]) == (3, 0, 0)
    assert await owner.fetchrow("SELECT cost_nanos, unpriced FROM chat_sessions") == (0, 3)


async def test_without_a_price_of_the_operators_the_list_of_the_requests_time_counts(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, user: UUID
) -> None:
    first = await one_finished(ledger, user, LISTED)
    listed = await costs(owner)
    rates = await owner.fetchval("SELECT unit_prices::text FROM chat_requests")
    await price(db, LISTED, 7)
    assert (await both(db, all_of(LISTED))).nanos_after == 1100 * 7000
    await own_prices.remove(db, LISTED, actor=Actor("test"))
    assert (await both(db, all_of(LISTED))).changed == 1
    assert await costs(owner) == listed == {first: ("computed", listed[first][1], listed[first][1])}
    assert await owner.fetchval("SELECT unit_prices::text FROM chat_requests") == rates
    assert document_of(LISTED, datetime.now(UTC)) is not None


async def test_a_price_counts_for_what_started_from_its_instant_on(
    ledger: Ledger, db: Database, clock: Clock, owner: asyncpg.Connection
) -> None:
    await clock.hold(NOON)
    user, ids = await a_user(db), list[UUID]()
    for hour in range(3):
        await clock.hold(NOON + timedelta(hours=hour))
        ids.append(await one_finished(ledger, user))
    await price(db, UNKNOWN, 1, since=NOON)
    await price(db, UNKNOWN, 5, since=NOON + timedelta(hours=2))
    await both(db, all_of(UNKNOWN))
    told = await costs(owner)
    assert [told[each][1] for each in ids] == [1100 * 1000, 1100 * 1000, 1100 * 5000]
    await price(db, UNKNOWN, 9)
    await price(db, UNKNOWN, 9, since=NOON)
    some = await both(db, Range(UNKNOWN, NOON + timedelta(hours=1), NOON + timedelta(hours=2)))
    assert (some.requests, some.changed) == (1, 1)
    told = await costs(owner)
    assert [told[each][1] for each in ids] == [1100 * 1000, 1100 * 9000, 1100 * 5000]


async def test_what_was_reported_or_has_no_tokens_or_another_model_stays(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, user: UUID
) -> None:
    await one_finished(ledger, user, UNKNOWN, reported_nanos=77, trusted=True)
    await one_finished(ledger, user, UNKNOWN, reported_nanos=78)
    await one_finished(ledger, user, UNKNOWN, tokens_input=None, tokens_output=None, tokens_used=5)
    await one_finished(ledger, user, "house-3")
    await one_finished(ledger, user, None)
    await started(ledger, user, model=UNKNOWN)
    stays = await costs(owner)
    failed = await one_finished(ledger, user, UNKNOWN, "failed")
    await price(db, UNKNOWN, 2)
    done = await both(db, all_of(UNKNOWN))
    assert (done.requests, done.changed, done.unpriced_before) == (1, 1, 1)
    assert await costs(owner) == stays | {failed: ("computed", 1100 * 2000, 1100 * 2000)}


async def test_the_running_window_follows_only_for_what_started_in_it(
    ledger: Ledger, db: Database, clock: Clock, owner: asyncpg.Connection
) -> None:
    await clock.hold(datetime(2026, 4, 30, 12, tzinfo=UTC))
    user = await a_user(db)
    await one_finished(ledger, user)
    await clock.hold(datetime(2026, 5, 13, 12, tzinfo=UTC))
    await one_finished(ledger, user)
    await price(db, UNKNOWN, 1)
    await both(db, all_of(UNKNOWN))
    row = await usage_of(owner, user)
    assert (row["month_cost_nanos"], row["total_cost_nanos"]) == (1100 * 1000, 2200 * 1000)


async def test_an_expired_window_is_brought_current_first(
    ledger: Ledger, db: Database, clock: Clock, owner: asyncpg.Connection
) -> None:
    await clock.hold(datetime(2026, 4, 30, 12, tzinfo=UTC))
    user = await a_user(db)
    await one_finished(ledger, user)
    await clock.hold(datetime(2026, 5, 13, 12, tzinfo=UTC))
    await price(db, UNKNOWN, 1)
    await both(db, all_of(UNKNOWN))
    row = await usage_of(owner, user)
    assert (row["month_cost_nanos"], row["total_cost_nanos"]) == (0, 1100 * 1000)


async def test_many_requests_of_many_users_go_in_many_sets(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("SET", 7), ("_EACH", 5), ("_USERS", 3)):
        monkeypatch.setattr(repricing, name, size)
    people = [await a_user(db, "enterprise", email=f"p{n}@example.com") for n in range(8)]
    made = Counter({each: n * 3 for n, each in enumerate(people)})
    await asyncio.gather(*(one_finished(ledger, user) for user in made.elements()))
    await price(db, UNKNOWN, 3)
    done = await both(db, all_of(UNKNOWN))
    assert (done.requests, done.changed) == (made.total(), made.total())
    for user in people:
        assert (await usage_of(owner, user))["total_cost_nanos"] == made[user] * 1100 * 3000


async def test_sealed_months_stay(
    *, ledger: Ledger, db: Database, dsns: Addresses, clock: Clock, owner: asyncpg.Connection, own_model: None
) -> None:
    assert own_model is None
    await clock.hold(NOW)
    history = await a_history(db, 5)
    async with Database.open(dsns.owner, size=2, statement_timeout=60, lock_timeout=LOCK_SECONDS) as keeper:
        await Importer(ledger, keeper).book(history.rows(120, NOW - timedelta(days=100), NOW))
        boundary = (NOW - timedelta(days=40)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        await retention.prune_rows(keeper, ledger, boundary, actor=Actor("x"))
    sealed = "SELECT coalesce(sum(cost_nanos), 0) FROM sealed_rollups WHERE period = 'all'"
    before = await owner.fetchval(sealed)
    rows = await owner.fetchval("SELECT sum(cost_nanos) FROM chat_requests WHERE model = $1", OWN_MODEL)
    assert before > 0 < rows
    await price(db, OWN_MODEL, 1000)
    done = await both(db, all_of(OWN_MODEL))
    assert done.changed > 0
    assert await owner.fetchval(sealed) == before


@pytest.mark.usefixtures("own_model")
async def test_numbers_agree_while_sixteen_clients_track_and_two_operators_price_anew(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    people = [await a_user(db, "enterprise", email=f"p{n}@example.com") for n in range(4)]
    await asyncio.gather(*(one_finished(ledger, people[n % 4], OWN_MODEL) for n in range(200)))
    over = asyncio.Event()

    async def track(number: int) -> int:
        tracked = 0
        user = people[number % 4]
        while not over.is_set():
            model = OWN_MODEL if tracked % 3 else UNKNOWN
            request = await ledger.start(a_request(user, session_id=f"s{number}", model=model, max_tokens=9))
            await ledger.finish(an_outcome(user, request.id, tokens_input=tracked, tokens_output=number))
            await ledger.finish(an_outcome(user, request.id, None, rated=True, rating=1 + tracked % 5))
            tracked += 1
        return tracked

    async def operate(turns: range) -> None:
        for n in turns:
            await price(db, OWN_MODEL if n % 2 else UNKNOWN, 1 + n)
            for model in (OWN_MODEL, UNKNOWN):
                await reprice(db, all_of(model), apply=True, actor=Actor("test"))

    clients = [asyncio.create_task(track(n)) for n in range(16)]
    operators = [asyncio.create_task(operate(range(6))), asyncio.create_task(operate(range(10, 16)))]
    proofs = 0
    while not all(each.done() for each in operators):
        assert (await verify(db)).differences == []
        proofs += 1
        await asyncio.sleep(0.05)
    over.set()
    assert sum(await asyncio.gather(*clients)) > 100
    await asyncio.gather(*operators)
    assert proofs > 2
    assert (await verify(db)).differences == []
    for model in (OWN_MODEL, UNKNOWN):
        await both(db, all_of(model))
    total = await owner.fetchval("SELECT sum(total_cost_nanos) FROM usage")
    assert total == await owner.fetchval("SELECT sum(cost_nanos) FROM chat_requests") > 0


async def test_who_prices_anew_is_noted(db: Database, owner: asyncpg.Connection, ledger: Ledger, user: UUID) -> None:
    await one_finished(ledger, user)
    await price(db, UNKNOWN, 1)
    await reprice(db, all_of(UNKNOWN), apply=False, actor=Actor("looker"))
    await reprice(db, all_of(UNKNOWN), apply=True, actor=Actor("doer"))
    noted = await owner.fetch("SELECT actor, action FROM activity WHERE action LIKE 'repricing.%' ORDER BY id")
    assert [tuple(each) for each in noted] == [("doer", "repricing.begun"), ("doer", "repricing.done")]
