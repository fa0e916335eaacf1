"""What is pruned is gone, no total knows, and all can still be proved."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace as with_

from tests.metering.making import OWN_MODEL, Clock, a_request, a_user, an_outcome
from tests.metering.pruning import APRIL, FEBRUARY, MARCH, MAY, NOW, History, a_history, derived
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.errors import Invalid, KeyReused, NotFound
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.tracking import records
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.importing import Booked, Importer, Past
from tollkeeper.metering.upkeep.retention import (
    LOCK_SECONDS,
    Boundaries,
    PrunedRows,
    boundaries,
    planned,
    prune_rows,
    retained,
)
from tollkeeper.metering.upkeep.verify import rebuild, verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

pytestmark = pytest.mark.usefixtures("own_model")


@pytest.fixture
async def keeper(dsns: Addresses) -> AsyncGenerator[Database]:
    """The database as its owner, who prunes."""
    async with Database.open(dsns.owner, size=1, statement_timeout=60, lock_timeout=LOCK_SECONDS) as database:
        yield database


@pytest.fixture
async def history(db: Database, clock: Clock) -> History:
    """Users in many zones, in the middle of May."""
    await clock.hold(NOW)
    return await a_history(db, seed=1)


async def shown(db: Database, ledger: Ledger, history: History) -> list[dict[str, Any]]:
    """What all dashboards show, but for the newest requests and how their rows are stored."""
    seen = [await dashboard.read(db, ledger, user) for user in history.users]
    return [
        {each.name: getattr(one, each.name) for each in fields(one) if each.name not in {"recent", "stamp"}}
        for one in seen
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_no_number_changes_whatever_is_pruned_in_whatever_order(
    *, ledger: Ledger, db: Database, keeper: Database, owner: asyncpg.Connection, clock: Clock, seed: int
) -> None:
    await clock.hold(NOW)
    history = await a_history(db, seed)
    history.seed = seed
    rows = history.rows(150, FEBRUARY - timedelta(days=9), NOW)
    booked = len(rows)
    await Importer(ledger, keeper).book(rows)
    for turn, boundary in enumerate([MARCH, MARCH, APRIL]):
        before, shows = await derived(owner), await shown(db, ledger, history)
        pruned = await prune_rows(keeper, ledger, boundary, actor=OPERATOR)
        assert pruned.requests > 0
        found = await verify(db)
        assert (found.differences, found.rows_from) == ([], boundary)
        assert await owner.fetchval("SELECT count(*) FROM chat_requests WHERE started_at < $1", boundary) == 0
        assert await derived(owner) == before
        for now, then in zip(await shown(db, ledger, history), shows, strict=True):
            assert {name: value for name, value in now.items() if value != then[name]} == {}
        for user in history.users:
            assert await rebuild(db, user) == []
        await clock.step(timedelta(seconds=11))
        # What comes in for the pruned past counts as ever, and goes with the next pruning.
        late = history.rows(40, FEBRUARY - timedelta(days=9), APRIL + timedelta(days=2))
        assert (await Importer(ledger, keeper, counts_pruned=True).book(late)).imported == 40
        booked += 40
        assert (await verify(db)).differences == []
        if turn == 1:
            # ... or before a partition is there.
            assert await ledger.record([(each.request, each.outcome) for each in history.rows(9, FEBRUARY, MARCH)])
            booked += 9
            assert (await verify(db)).differences == []
    total = await owner.fetchrow("SELECT sum(total_requests) AS requests, sum(total_completed) AS completed FROM usage")
    assert total is not None
    assert total["requests"] == booked
    # All that had been booked is known again, pruned or not.
    assert await Importer(ledger, keeper).book(rows) == Booked(skipped=len(rows))
    assert (await verify(db)).differences == []


async def test_what_is_not_older_stays(
    ledger: Ledger, keeper: Database, owner: asyncpg.Connection, db: Database, history: History
) -> None:
    user = history.users[0]
    ends = [MARCH - timedelta(microseconds=1), MARCH, APRIL - timedelta(microseconds=1), APRIL]
    rows = [at_instant(each, user, at) for each, at in zip(history.rows(4, MARCH, APRIL), ends, strict=True)]
    await Importer(ledger, keeper).book(rows)
    assert await prune_rows(keeper, ledger, MARCH, actor=Actor("x")) == PrunedRows(1, ("2026-02",), None)
    assert await prune_rows(keeper, ledger, MARCH, actor=Actor("x")) == PrunedRows(0, (), None)
    assert [row[0] for row in await owner.fetch("SELECT started_at FROM chat_requests ORDER BY 1")] == ends[1:]
    left = await owner.fetch("SELECT relname FROM pg_class WHERE relname ~ '_2026_02$'")
    assert left == []
    assert [each.started_at for each in await records.newest(db, user, limit=9)] == ends[:0:-1]


def at_instant(row: Past, user: UUID, at: datetime) -> Past:
    request = with_(row.request, user_id=user, started_at=at)
    return Past(row.row, request, row.outcome and with_(row.outcome, user_id=user))


async def test_a_pruned_request_is_not_there(ledger: Ledger, keeper: Database, db: Database, history: History) -> None:
    user = history.users[1]
    (row,) = history.rows(1, FEBRUARY, MARCH)
    row = at_instant(row, user, FEBRUARY + timedelta(days=3))
    await Importer(ledger, keeper).book([row])
    (id_,) = [each["id"] for each in await db.all("newest_requests", user_id=user, before=None, most=5, most_bytes=1)]
    await ledger.finish(an_outcome(user, id_, None, rated=True, rating=2))
    await prune_rows(keeper, ledger, APRIL, actor=Actor("x"))
    for outcome in (
        an_outcome(user, id_, None, rated=True, rating=5),
        an_outcome(user, f"mine-{row.row}", None, response="late"),
        an_outcome(user, id_, tokens_input=1, tokens_output=1),
    ):
        with pytest.raises(NotFound):
            await ledger.finish(outcome)
    with pytest.raises(NotFound):
        await records.one(db, user, f"mine-{row.row}")
    # Its name stays its own: what was started once is not started again.
    with pytest.raises(KeyReused):
        await ledger.start(a_request(user, client_id=row.request.client_id))
    assert (await verify(db)).differences == []


@pytest.mark.parametrize(
    ("table", "change", "fields_named"),
    [
        ("usage", "total_tokens_used = total_tokens_used + 7", {"total_tokens_used"}),
        ("usage", "total_requests = total_requests + 7", {"total_requests"}),
        ("usage_rollups", "rated = rated + 7", {"rated"}),
        ("usage_rollups", "latencies[3] = 5", {"latency:3"}),
        ("chat_sessions", "cost_nanos = cost_nanos + 7", {"cost_nanos"}),
        ("sealed_rollups", "tokens_used = tokens_used + 7", {"tokens_used", "total_tokens_used"}),
        ("sealed_sessions", "completed = completed + 7", {"completed"}),
    ],
)
async def test_a_wrong_number_is_found_after_pruning_too(
    *,
    ledger: Ledger,
    keeper: Database,
    db: Database,
    owner: asyncpg.Connection,
    history: History,
    table: str,
    change: str,
    fields_named: set[str],
) -> None:
    await Importer(ledger, keeper).book(history.rows(60, FEBRUARY, MAY))
    await prune_rows(keeper, ledger, APRIL, actor=Actor("x"))
    only_all = " WHERE period = 'all'" if "rollups" in table else ""
    await owner.execute(f"UPDATE {table} SET {change}{only_all}")  # noqa: S608 - ours
    found = (await verify(db)).differences
    assert {each.field for each in found} == fields_named
    for user in history.users:
        await rebuild(db, user)
    assert (await verify(db)).differences == []


async def test_days_across_the_boundary_are_proved_and_those_before_stand_as_the_record(
    ledger: Ledger, keeper: Database, db: Database, owner: asyncpg.Connection, history: History
) -> None:
    await Importer(ledger, keeper).book(history.rows(200, FEBRUARY, MAY))
    await prune_rows(keeper, ledger, APRIL, actor=Actor("x"))
    straddling = await owner.fetch(
        "SELECT DISTINCT period_start::date::text AS day FROM sealed_rollups WHERE period = 'day'"
    )
    assert {row["day"] for row in straddling} == {"2026-03-31", "2026-04-01"}
    await owner.execute("UPDATE usage_rollups SET failed = failed + 7 WHERE period <> 'all'")
    await owner.execute("UPDATE overall_rollups SET failed = failed + 7")
    found = (await verify(db)).differences
    days = [each.key["period_start"] for each in found if each.key.get("period") == "day"]
    hours = [each.key["period_start"] for each in found if each.key.get("period") == "hour"]
    assert (min(days), min(hours)) >= ("2026-03-31", "2026-04-01")
    assert {"2026-03-31T00:00:00", "2026-04-01T00:00:00"} <= set(days)
    assert min(each.key["hour_at"] for each in found if each.place == "overall_rollups") >= "2026-04-01"


async def test_a_month_with_a_pending_request_stays_and_so_do_those_after_it(
    ledger: Ledger, keeper: Database, db: Database, clock: Clock, history: History
) -> None:
    rows = [
        at_instant(each, history.users[0], at)
        for each, at in zip(history.rows(3, FEBRUARY, MAY), (FEBRUARY, MARCH, APRIL), strict=True)
    ]
    rows[1] = replace(rows[1], outcome=None)
    await Importer(ledger, keeper).book(rows)
    plan = await planned(keeper, Boundaries(APRIL, None))
    assert [(each.month, each.requests, each.pending) for each in plan.months] == [("2026-02", 1, 0), ("2026-03", 1, 1)]
    assert await prune_rows(keeper, ledger, APRIL, actor=Actor("x")) == PrunedRows(1, ("2026-02",), "2026-03")
    assert (await retained(keeper)).rows_from == MARCH
    assert (await verify(db)).differences == []
    await clock.step(timedelta(minutes=16))
    # Past its deadline, swept or not, it expires first.
    assert await prune_rows(keeper, ledger, APRIL, actor=Actor("x")) == PrunedRows(1, ("2026-03",), None)
    assert (await verify(db)).differences == []


async def test_a_pending_stray_stays_until_it_has_ended(
    ledger: Ledger, keeper: Database, db: Database, clock: Clock, history: History
) -> None:
    rows = [at_instant(each, history.users[0], FEBRUARY) for each in history.rows(2, FEBRUARY, MARCH)]
    await ledger.record([(rows[0].request, rows[0].outcome), (rows[1].request, None)])
    assert (await planned(keeper, Boundaries(APRIL, None))).strays == 1
    assert (await prune_rows(keeper, ledger, APRIL, actor=Actor("x"))).requests == 1
    assert (await verify(db)).differences == []
    await clock.step(timedelta(minutes=16))
    assert (await prune_rows(keeper, ledger, APRIL, actor=Actor("x"))).requests == 1
    assert (await verify(db)).differences == []


async def test_this_month_and_the_last_one_are_never_pruned(
    ledger: Ledger, keeper: Database, clock: Clock, history: History
) -> None:
    with pytest.raises(Invalid, match="2026-04-01"):
        await boundaries(keeper, rows_before=MAY)
    with pytest.raises(Invalid, match="rowsBefore"):
        await boundaries(keeper, rows_days=12)
    with pytest.raises(Invalid, match="future"):
        await boundaries(keeper, texts_before=NOW + timedelta(seconds=2))
    await Importer(ledger, keeper).book(history.rows(20, APRIL, NOW))
    with pytest.raises(Exception, match="too young"):
        await prune_rows(keeper, ledger, NOW + timedelta(days=30), actor=Actor("x"))
    assert await boundaries(keeper, rows_days=62, texts_days=1) == Boundaries(
        MARCH, NOW.replace(hour=0) - timedelta(days=1)
    )
    assert await boundaries(keeper, rows_before=APRIL - timedelta(days=3)) == Boundaries(MARCH, None)
    for month in range(1, 13):
        for at in (datetime(2027, month, 1, tzinfo=NOW.tzinfo), datetime(2027, month, 28, 23, tzinfo=NOW.tzinfo)):
            await clock.hold(at)
            await boundaries(keeper, rows_days=62)


async def test_windows_of_who_came_long_ago_are_no_difference(
    ledger: Ledger, keeper: Database, db: Database, clock: Clock
) -> None:
    await clock.hold(FEBRUARY + timedelta(days=2))
    user = await a_user(db, zone="Pacific/Kiritimati")
    pending = await ledger.start(a_request(user, model=OWN_MODEL, session_id="s"))
    await ledger.finish(an_outcome(user, pending.id, tokens_input=3, tokens_output=4))
    await clock.hold(NOW)
    await prune_rows(keeper, ledger, APRIL, actor=Actor("x"))
    assert (await verify(db)).differences == []
    assert await rebuild(db, user) == []
    await ledger.start(a_request(user, model=OWN_MODEL))
    assert (await verify(db)).differences == []
    assert (await dashboard.read(db, ledger, user)).requests_this_month == 1


async def test_a_rebuild_reads_the_rows_of_its_user_alone(
    ledger: Ledger, keeper: Database, dsns: Addresses, owner: asyncpg.Connection, history: History
) -> None:
    ada, eve = history.users[:2]
    await ledger.record([(at_instant(each, eve, NOW).request, None) for each in history.rows(2000, FEBRUARY, NOW)])
    await ledger.record([(at_instant(each, ada, NOW).request, None) for each in history.rows(10, FEBRUARY, NOW)])
    await owner.execute("VACUUM ANALYZE")
    await keeper.value("ensure_partitions", since=FEBRUARY, until=NOW)
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'chat_requests_default'"
    before = await owner.fetchval(read)
    async with Database.open(dsns.service, size=1) as database:
        assert await rebuild(database, ada) == []
    # The connection's end has told how much it read.
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    assert await owner.fetchval(read) - before < 200


async def test_what_was_pruned_is_noted(
    ledger: Ledger, keeper: Database, owner: asyncpg.Connection, history: History
) -> None:
    await Importer(ledger, keeper).book(history.rows(30, FEBRUARY, MARCH))
    await prune_rows(keeper, ledger, APRIL, actor=OPERATOR)
    noted = await owner.fetch("SELECT actor, action, detail::text FROM activity WHERE action = 'requests.pruned'")
    assert [tuple(row) for row in noted] == [("operator", "requests.pruned", '{"month": "2026-02", "requests": 30}')]
