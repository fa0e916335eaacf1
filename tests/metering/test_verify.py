"""Every derived number is proved from the rows, a wrong one is named, and a rebuild mends it while tracking goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
import pytest

from tests.metering.making import NOON, OWN_MODEL, Clock, a_request, a_user, an_outcome, outcomes_of, started, usage_of
from tollkeeper.errors import LimitReached, RebuiltJustNow
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import Difference, differences_of, note, rebuild, verify
from tollkeeper.store.database import Database
from tollkeeper.store.migrate import MIGRATIONS

COUNTED = [
    *("total_requests", "total_completed", "total_failed", "total_tokens_used", "total_cost_nanos", "total_unpriced"),
    *("total_timed", "total_duration_ms", "total_rated", "total_rating", "day_requests", "month_requests"),
    *("month_tokens", "month_cost_nanos", "reserved_tokens", "reserved_nanos"),
]
COPIED = ["daily_requests", "monthly_requests", "max_tokens_per_request", "monthly_tokens", "monthly_cost_nanos"]
SUMMED = [
    *("completed", "failed", "tokens_used", "tokens_input", "tokens_output", "tokens_cached", "tokens_cache_write"),
    *("tokens_reasoning", "cost_nanos", "unpriced", "timed", "duration_ms", "rated", "rating"),
]
OF_SESSIONS = ["completed", "failed", "tokens_used", "cost_nanos", "unpriced"]
AGO = timedelta(seconds=11)


@pytest.fixture
async def busy(ledger: Ledger, db: Database, user: UUID, own_model: None) -> UUID:  # noqa: ARG001
    """A user with some of everything, and another one beside."""
    for each in (user, await a_user(db, email="eve@example.com")):
        pending = [
            await started(ledger, each, model=OWN_MODEL, max_tokens=9, session_id=f"s{n % 2}", category="nft")
            for n in range(4)
        ]
        kinds = {"tokens_cached": 1, "tokens_cache_write": 2, "tokens_reasoning": 3}
        outcome = an_outcome(each, pending[0].id, tokens_input=5, tokens_output=6, rated=True, rating=4, **kinds)
        await ledger.finish(outcome)
        await ledger.finish(an_outcome(each, pending[1].id, "failed", tokens_input=1, tokens_output=0))
        await ledger.finish(an_outcome(each, pending[2].id, duration_ms=1234))
    assert (await verify(db)).differences == []
    return user


async def test_what_is_proved_is_told(db: Database, busy: UUID) -> None:
    found = await verify(db)
    assert (found.users, found.requests, found.differences) == (2, 8, [])
    assert busy


async def test_what_was_found_is_kept_for_ninety_days(
    db: Database, owner: asyncpg.Connection, clock: Clock, busy: UUID
) -> None:
    await clock.hold(NOON)
    await owner.execute(adding_seven("usage", ["total_rated"]) + "WHERE user_id = $1", busy)
    await note(db, await verify(db))
    kept = "SELECT at, differences FROM verifications ORDER BY at"
    assert [tuple(each) for each in await owner.fetch(kept)] == [(NOON, 1)]
    await clock.step(timedelta(days=91))
    await note(db, await verify(db))
    assert [each["at"] for each in await owner.fetch(kept)] == [NOON + timedelta(days=91)]


def adding_seven(table: str, fields: Sequence[str]) -> str:
    """Make numbers wrong."""
    return f"UPDATE {table} SET {', '.join(f'{field} = {field} + 7' for field in fields)} "  # noqa: S608 - our own names


def fields_of(differences: Sequence[Difference]) -> dict[str, tuple[int, int]]:
    return {each.field: (each.stored, each.actual) for each in differences}


async def test_each_wrong_number_of_a_usage_row_is_named_and_mended(
    db: Database, owner: asyncpg.Connection, busy: UUID
) -> None:
    true = await usage_of(owner, busy)
    await owner.execute(adding_seven("usage", COUNTED) + "WHERE user_id = $1", busy)
    found = (await verify(db)).differences
    assert {(each.user_id, each.email, each.place) for each in found} == {(busy, "ada@example.com", "usage")}
    expected = {field: (true[field] + 7, true[field]) for field in COUNTED}
    assert fields_of(found) == expected
    assert fields_of(await rebuild(db, busy)) == expected
    assert (await verify(db)).differences == []
    mended = await usage_of(owner, busy)
    assert [mended[field] for field in COUNTED] == [true[field] for field in COUNTED]
    assert mended["version"] == true["version"] + 1


async def test_each_wrong_copy_of_the_terms_is_named_and_mended(
    db: Database, owner: asyncpg.Connection, busy: UUID
) -> None:
    true = await usage_of(owner, busy)
    await owner.execute("UPDATE usage SET monthly_tokens = 0, monthly_cost_nanos = 0")
    await owner.execute(adding_seven("usage", COPIED) + "WHERE user_id = $1", busy)
    await owner.execute("UPDATE usage SET monthly_tokens = NULL, monthly_cost_nanos = NULL WHERE user_id <> $1", busy)
    assert set(fields_of((await verify(db)).differences)) == set(COPIED)
    await rebuild(db, busy)
    assert (await verify(db)).differences == []
    mended = await usage_of(owner, busy)
    assert [mended[field] for field in COPIED] == [true[field] for field in COPIED]


@pytest.mark.parametrize("period", ["all", "day", "hour"])
async def test_each_wrong_number_of_a_rollup_is_named_and_mended(
    db: Database, owner: asyncpg.Connection, busy: UUID, period: str
) -> None:
    rows = "SELECT * FROM usage_rollups WHERE user_id = $1 ORDER BY period, latencies"
    true = await owner.fetch(rows, busy)
    await owner.execute(adding_seven("usage_rollups", SUMMED) + "WHERE user_id = $1 AND period = $2", busy, period)
    await owner.execute("UPDATE usage_rollups SET latencies[5] = 2 WHERE user_id = $1 AND period = $2", busy, period)
    found = (await verify(db)).differences
    assert {(each.user_id, each.place, each.key["period"]) for each in found} == {(busy, "usage_rollups", period)}
    assert set(fields_of(found)) == {*SUMMED, "latency:5"}
    assert all(each.stored - each.actual == (2 if each.field == "latency:5" else 7) for each in found)
    await rebuild(db, busy)
    assert (await verify(db)).differences == []
    mended = await owner.fetch(rows, busy)
    assert [[each[field] for field in SUMMED] for each in mended] == [
        [each[field] for field in SUMMED] for each in true
    ]


@pytest.mark.parametrize("table", ["usage_rollups", "chat_sessions"])
async def test_a_lost_row_is_named_and_put_back(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, busy: UUID, table: str
) -> None:
    rows = f"SELECT * FROM {table} WHERE user_id = $1 ORDER BY 1, 2, 3, 4"  # noqa: S608 - our own names
    true = await owner.fetch(rows, busy)
    await owner.execute(f"DELETE FROM {table} WHERE user_id = $1", busy)  # noqa: S608
    found = (await verify(db)).differences
    assert {(each.user_id, each.place, each.stored) for each in found} == {(busy, table, 0)}
    # Whoever tracks on meets the gap, and fills it with no more than its own.
    more = await started(ledger, busy, model=OWN_MODEL, session_id="s0", category="nft")
    await ledger.finish(an_outcome(busy, more.id, duration_ms=50))
    await rebuild(db, busy)
    assert (await verify(db)).differences == []
    assert len(await owner.fetch(rows, busy)) == len(true)


async def test_a_row_too_many_is_named_and_emptied(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, busy: UUID
) -> None:
    await owner.execute(
        "INSERT INTO usage_rollups "  # noqa: S608
        "SELECT user_id, period, period_start, 'ghost', category, request_type, complexity, "
        f"{', '.join(SUMMED)}, latencies FROM usage_rollups WHERE user_id = $1 AND period = 'all'",
        busy,
    )
    found = (await verify(db)).differences
    assert {each.key["model"] for each in found} == {"ghost"}
    assert {each.actual for each in found} == {0}
    await rebuild(db, busy)
    assert (await verify(db)).differences == []
    assert "ghost" not in (await dashboard.read(db, ledger, busy)).by_model


async def test_windows_that_end_elsewhere_are_named_and_mended(
    db: Database, owner: asyncpg.Connection, busy: UUID
) -> None:
    true = await usage_of(owner, busy)
    await owner.execute(
        "UPDATE usage SET day_ends_at = day_ends_at + interval '5 days', "
        "month_ends_at = month_ends_at + interval '3 days' WHERE user_id = $1",
        busy,
    )
    found = (await verify(db)).differences
    off = {each.field: timedelta(microseconds=each.stored - each.actual) for each in found}
    assert off == {"day_ends_at": timedelta(days=5), "month_ends_at": timedelta(days=3)}
    await rebuild(db, busy)
    assert (await verify(db)).differences == []
    mended = await usage_of(owner, busy)
    assert [mended[name] for name in off] == [true[name] for name in off]


async def test_a_conversation_of_no_requests_is_named_and_taken_away(
    db: Database, owner: asyncpg.Connection, busy: UUID
) -> None:
    await owner.execute("INSERT INTO chat_sessions VALUES ($1, 'ghost', now(), now())", busy)
    (found,) = (await verify(db)).differences
    assert (found.place, found.key, found.field) == ("chat_sessions", {"session_id": "ghost"}, "is_there")
    await rebuild(db, busy)
    assert (await verify(db)).differences == []
    assert not await owner.fetchval("SELECT count(*) FROM chat_sessions WHERE session_id = 'ghost'")


@pytest.mark.parametrize(
    ("tampering", "field"),
    [
        ("chat_requests SET cost_nanos = cost_nanos + 1 WHERE cost_source = 'computed'", "cost_nanos"),
        ("chat_requests SET cost_source = 'reported', reported_nanos = 7 WHERE cost_source = 'computed'", "cost_nanos"),
        ("request_analytics SET category = 'other'", "kind"),
        ("request_analytics SET request_type = 'other'", "kind"),
        ("request_analytics SET complexity = 'high'", "kind"),
    ],
)
async def test_what_a_request_says_twice_is_compared(
    db: Database, owner: asyncpg.Connection, busy: UUID, tampering: str, field: str
) -> None:
    await owner.execute(f"UPDATE {tampering}")
    found = [each for each in (await differences_of(db, [busy])) if each.place == "request_analytics"]
    assert {(each.user_id, each.field) for each in found} == {(busy, field)}


async def test_a_wrong_number_of_a_conversation_is_named_and_mended(
    db: Database, owner: asyncpg.Connection, busy: UUID
) -> None:
    await owner.execute(adding_seven("chat_sessions", OF_SESSIONS) + "WHERE user_id = $1 AND session_id = 's0'", busy)
    found = (await verify(db)).differences
    assert {(each.place, each.key["session_id"]) for each in found} == {("chat_sessions", "s0")}
    assert set(fields_of(found)) == set(OF_SESSIONS)
    await rebuild(db, busy)
    assert (await verify(db)).differences == []


async def test_the_migration_counts_what_has_no_price_in_conversations(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, busy: UUID
) -> None:
    for _ in range(2):
        nameless = await started(ledger, busy, model="nobody-prices-it", session_id="s0")
        await ledger.finish(an_outcome(busy, nameless.id, tokens_input=5, tokens_output=6))
    await owner.execute("UPDATE chat_sessions SET unpriced = 0")
    text = (MIGRATIONS / "0012_unpriced_in_sessions.sql").read_text()
    await owner.execute(text[text.index("UPDATE chat_sessions") :])
    assert (await verify(db)).differences == []
    of_s0 = "SELECT unpriced FROM chat_sessions WHERE user_id = $1 AND session_id = 's0'"
    assert await owner.fetchval(of_s0, busy) >= 2


async def test_sums_that_are_right_are_not_taken_apart(owner: asyncpg.Connection, busy: UUID) -> None:
    assert await taken_apart(owner) == {"rollup_pairs": 0, "overall_pairs": 0}
    one = "WHERE ctid = (SELECT min(ctid) FROM overall_rollups)"
    await owner.execute(adding_seven("overall_rollups", ["rated"]) + one)
    await owner.execute(adding_seven("usage_rollups", ["rated"]) + "WHERE user_id = $1 AND period = 'hour'", busy)
    # What an hour is made of is compared as long as it is kept, and no longer.
    await owner.execute(
        "INSERT INTO usage_rollups "  # noqa: S608
        f"SELECT user_id, period, period_start - interval '61 days', model, category, request_type, complexity, "
        f"{', '.join(SUMMED)}, latencies FROM usage_rollups WHERE user_id = $1 AND period = 'hour'",
        busy,
    )
    assert await taken_apart(owner) == {"rollup_pairs": 1, "overall_pairs": 1}


async def taken_apart(owner: asyncpg.Connection) -> dict[str, int]:
    """How many sums are compared field by field."""
    told = await owner.fetchval("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM tk_differences(NULL)")
    (plan,) = msgspec.json.decode(told)
    found, nodes = dict[str, int](), [plan["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if (name := node.get("CTE Name", "")).endswith("_pairs"):
            found[name] = max(found.get(name, 0), round(node["Actual Rows"]))
    return found


@pytest.mark.usefixtures("busy")
async def test_a_wrong_number_over_all_users_is_named(db: Database, owner: asyncpg.Connection) -> None:
    one = "WHERE ctid = (SELECT min(ctid) FROM overall_rollups)"
    await owner.execute(adding_seven("overall_rollups", SUMMED) + one)
    await owner.execute("UPDATE overall_rollups SET latencies[5] = 2")
    found = (await verify(db)).differences
    assert {(each.user_id, each.place) for each in found} == {(None, "overall_rollups")}
    assert set(fields_of(found)) == {*SUMMED, "latency:5"}
    await owner.execute("DELETE FROM overall_rollups")
    lost = fields_of((await verify(db)).differences)
    assert {"completed", "failed", "tokens_used", "duration_ms"} <= set(lost)


async def test_a_row_and_its_analytics_that_disagree_are_named_and_left_to_a_person(
    db: Database, owner: asyncpg.Connection, busy: UUID
) -> None:
    await owner.execute("UPDATE request_analytics SET tokens_input = 50 WHERE user_id = $1 AND tokens_input = 5", busy)
    named = {(each.place, each.field) for each in (await verify(db)).differences}
    assert {("request_analytics", "tokens_used"), ("request_analytics", "computed_nanos")} <= named
    await rebuild(db, busy)
    left = (await verify(db)).differences
    assert {each.place for each in left if each.user_id} == {"request_analytics"}
    await owner.execute("DELETE FROM request_analytics WHERE user_id = $1", busy)
    assert "analytics" in fields_of((await verify(db)).differences)


async def test_a_rebuild_of_right_numbers_changes_none(db: Database, owner: asyncpg.Connection, busy: UUID) -> None:
    before = await usage_of(owner, busy)
    assert await rebuild(db, busy) == []
    after = await usage_of(owner, busy)
    changed = {field for field in before.keys() if before[field] != after[field]}  # noqa: SIM118 - a record
    assert changed == {"last_calculated_at"}


async def test_a_rebuild_comes_at_most_every_ten_seconds(db: Database, clock: Clock, busy: UUID) -> None:
    now = await clock.read()
    await clock.hold(now)
    await rebuild(db, busy)
    await clock.step(timedelta(seconds=9.999))
    with pytest.raises(RebuiltJustNow):
        await rebuild(db, busy)
    await clock.step(timedelta(seconds=0.001))
    assert await rebuild(db, busy) == []


async def test_two_rebuilds_at_once_do_not_correct_twice(db: Database, owner: asyncpg.Connection, busy: UUID) -> None:
    for _ in range(5):
        await owner.execute("UPDATE usage SET total_requests = total_requests + 7, last_calculated_at = NULL")
        told = await outcomes_of([rebuild(db, busy) for _ in range(3)])
        assert sum(isinstance(each, list) for each in told) == 1
        assert sum(isinstance(each, RebuiltJustNow) for each in told) == 2
        assert [each for each in (await verify(db)).differences if each.user_id == busy] == []


async def test_numbers_are_mended_while_twenty_clients_track(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, busy: UUID
) -> None:
    await owner.execute(
        "UPDATE usage SET daily_requests = NULL, monthly_requests = NULL, max_tokens_per_request = NULL"
    )
    await owner.execute(
        "UPDATE plan_versions SET daily_requests = NULL, monthly_requests = NULL, max_tokens_per_request = NULL"
    )
    done = asyncio.Event()

    async def track(number: int) -> int:
        tracked = 0
        while not done.is_set():
            pending = await ledger.start(a_request(busy, session_id=f"s{number}", model=OWN_MODEL, max_tokens=9))
            await ledger.finish(an_outcome(busy, pending.id, tokens_input=1, tokens_output=number))
            tracked += 1
        return tracked

    clients = [asyncio.create_task(track(n)) for n in range(20)]
    for _ in range(5):
        # Under the lock that all take who write their numbers: else who tracks could wait for this, and this for them.
        await owner.execute("BEGIN")
        await owner.execute(
            "UPDATE usage SET day_requests = day_requests + 9, month_tokens = month_tokens + 9, "
            "total_cost_nanos = total_cost_nanos + 9, last_calculated_at = $2 WHERE user_id = $1",
            busy,
            datetime.now(UTC) - AGO,
        )
        await owner.execute(adding_seven("usage_rollups", SUMMED) + "WHERE user_id = $1", busy)
        await owner.execute("COMMIT")
        assert (await verify(db)).differences != []
        mended = {each.field for each in await rebuild(db, busy)}
        assert {"day_requests", "month_tokens", "completed", "rating"} <= mended
        assert (await verify(db)).differences == []
    done.set()
    assert sum(await asyncio.gather(*clients)) > 20
    assert (await verify(db)).differences == []


async def test_a_rebuild_over_midnight_starts_anew(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(datetime(2026, 5, 31, 23, 59, tzinfo=UTC))
    user = await a_user(db, "free")
    await started(ledger, user)
    await owner.execute("UPDATE usage SET day_requests = 10, month_requests = 100, total_requests = 50")
    with pytest.raises(LimitReached):
        await started(ledger, user)
    await clock.hold(datetime(2026, 6, 1, tzinfo=UTC))
    # The snapshot saw the old windows and the lock rolled them over: what was wrong there is gone, the rest is mended.
    assert {each.field for each in await rebuild(db, user)} == {"total_requests"}
    row = await usage_of(owner, user)
    assert (row["day_requests"], row["month_requests"], row["total_requests"]) == (0, 0, 1)
