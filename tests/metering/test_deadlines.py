"""What was never finished expires by the database's clock, and may still be finished once, late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from tests.metering.making import NOON, OWN_MODEL, PENDING_FOR, Clock, a_plan, a_user, an_outcome, started, usage_of
from tollkeeper.errors import AlreadyFinished
from tollkeeper.metering.admin import directory, overview
from tollkeeper.metering.admin.overview import users_by_plan
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.tracking import records
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database

INSTANT = timedelta(microseconds=1)


@pytest.fixture
async def user(db: Database, owner: asyncpg.Connection, clock: Clock, own_model: None) -> UUID:  # noqa: ARG001
    """A user with token and money limits, at a standing noon."""
    await clock.hold(NOON)
    return await a_user(
        db, await a_plan(owner, "tight", monthly_tokens=1000, monthly_cost_nanos=10**9, daily_requests=9)
    )


async def test_the_deadline_is_the_databases(ledger: Ledger, db: Database, user: UUID, clock: Clock) -> None:
    pending = await started(ledger, user, model=OWN_MODEL)
    assert pending.expires_at == NOON + PENDING_FOR
    await clock.hold(pending.expires_at - INSTANT)
    assert (await records.one(db, user, pending.id)).status == "pending"
    in_time = await ledger.finish(an_outcome(user, pending.id))
    assert not in_time.late


async def test_expiry_keeps_the_unit_and_releases_what_was_reserved(ledger: Ledger, user: UUID, clock: Clock) -> None:
    pending = await started(ledger, user, model=OWN_MODEL, max_tokens=99)
    assert (pending.limits.tokens_used, pending.limits.nanos_used) == (100, 298_000)
    await clock.hold(pending.expires_at)
    after = (await started(ledger, user, model=OWN_MODEL)).limits
    assert (after.daily_used, after.monthly_used, after.tokens_used, after.nanos_used) == (2, 2, 1, 1000)
    assert after.version == pending.limits.version + 2


async def test_expired_is_shown_before_anybody_swept(
    ledger: Ledger, db: Database, user: UUID, clock: Clock, owner: asyncpg.Connection
) -> None:
    pending = await started(ledger, user, model=OWN_MODEL, session_id="s")
    await clock.hold(pending.expires_at)
    for request in (
        await records.one(db, user, pending.id),
        *(await records.newest(db, user, limit=9)),
        *(await records.in_session(db, user, "s", limit=9)),
    ):
        assert (request.status, request.error_code, request.late) == ("failed", "expired", False)
        assert request.completed_at == pending.expires_at
    assert (await overview.now(db)).pending == 0
    for sessions in (
        await records.newest_sessions(db, user, limit=9),
        await records.oldest_sessions(db, user, limit=9),
    ):
        assert [(each.requests, each.completed, each.failed) for each in sessions] == [(1, 0, 1)]
    assert await owner.fetchval("SELECT status FROM chat_requests") == "pending"
    shown = await dashboard.read(db, ledger, user)
    assert (shown.pending, shown.failed, shown.success_rate, shown.recent[0].status) == (0, 1, 0.0, "failed")
    assert shown.total_requests == sum(shown.by_category.values()) == 1


async def test_what_expires_is_no_activity_of_its_user(ledger: Ledger, db: Database, user: UUID, clock: Clock) -> None:
    await started(ledger, user, model=OWN_MODEL)
    began = (await directory.one(db, user)).last_active_at
    assert began == NOON
    await clock.step(timedelta(days=2))
    assert await ledger.expire() == 1
    assert (await directory.one(db, user)).last_active_at == began
    assert [(each.plan, each.today, each.week) for each in await users_by_plan(db)] == [("tight", 0, 1)]
    await started(ledger, user, model=OWN_MODEL)
    assert (await directory.one(db, user)).last_active_at == NOON + timedelta(days=2)


async def test_the_sweep_closes_what_is_past_its_deadline_and_nothing_else(
    ledger: Ledger, db: Database, user: UUID, clock: Clock, owner: asyncpg.Connection
) -> None:
    others = [await a_user(db, email=f"{n}@example.com") for n in range(3)]
    for each in (user, *others[:2]):
        await started(ledger, each, model=OWN_MODEL)
    await clock.step(timedelta(minutes=10))
    await started(ledger, others[2])
    await clock.step(timedelta(minutes=5))
    assert (await verify(db)).differences == []
    assert await ledger.expire(most=2) == 2
    assert await ledger.expire() == 1
    assert await ledger.expire() == 0
    states = await owner.fetch("SELECT status, error_code, count(*) FROM chat_requests GROUP BY 1, 2 ORDER BY 1")
    assert [tuple(each) for each in states] == [("failed", "expired", 3), ("pending", None, 1)]
    assert (await verify(db)).differences == []


async def test_the_sweep_passes_over_whoever_is_busy(
    ledger: Ledger, db: Database, user: UUID, clock: Clock, owner: asyncpg.Connection
) -> None:
    other = await a_user(db, email="eve@example.com")
    for each in (user, other):
        await started(ledger, each, model=OWN_MODEL)
    await clock.step(PENDING_FOR)
    await owner.execute("BEGIN")
    await owner.execute("SELECT FROM usage WHERE user_id = $1 FOR UPDATE", user)
    assert await ledger.expire() == 1
    await owner.execute("COMMIT")
    assert await owner.fetchval("SELECT user_id FROM chat_requests WHERE status = 'pending'") == user
    assert await ledger.expire() == 1


@pytest.mark.parametrize("is_swept", [False, True])
async def test_a_late_finish_is_booked_once(
    ledger: Ledger, db: Database, user: UUID, clock: Clock, owner: asyncpg.Connection, *, is_swept: bool
) -> None:
    pending = await started(ledger, user, model=OWN_MODEL, max_tokens=99, session_id="s", category="nft")
    await clock.hold(pending.expires_at + timedelta(hours=1))
    if is_swept:
        await ledger.expire()
        # What is shown as failed may be rated; the finish keeps that.
        await ledger.finish(an_outcome(user, pending.id, None, rated=True, rating=4))
    outcome = an_outcome(user, pending.id, tokens_input=10, tokens_output=20)
    late = await ledger.finish(outcome)
    assert (late.late, late.status, late.error_code, late.tokens_used, late.cost_nanos) == (
        True,
        "completed",
        None,
        30,
        70_000,
    )
    assert late.duration_ms == (PENDING_FOR + timedelta(hours=1)) / timedelta(milliseconds=1)
    assert (late.limits.daily_used, late.limits.tokens_used, late.limits.nanos_used) == (1, 30, 70_000)
    assert await ledger.finish(outcome) == late
    with pytest.raises(AlreadyFinished):
        await ledger.finish(replace(outcome, tokens_cached=1))
    row = await usage_of(owner, user)
    totals = (
        "total_requests",
        "total_completed",
        "total_failed",
        "total_tokens_used",
        "total_cost_nanos",
        "total_rated",
    )
    assert [row[each] for each in totals] == [1, 1, 0, 30, 70_000, int(is_swept)]
    (session,) = await records.newest_sessions(db, user, limit=9)
    assert (session.requests, session.completed, session.failed, session.tokens_used) == (1, 1, 0, 30)
    assert (await verify(db)).differences == []


async def test_a_late_finish_that_failed_or_names_another_model(
    ledger: Ledger, db: Database, user: UUID, clock: Clock
) -> None:
    failed = await started(ledger, user, model=OWN_MODEL)
    moved = await started(ledger, user, model=OWN_MODEL)
    await clock.hold(failed.expires_at)
    assert await ledger.expire() == 1
    one = await ledger.finish(an_outcome(user, failed.id, "failed", error_message="timed out"))
    assert (one.late, one.status, one.limits.daily_used) == (True, "failed", 2)
    other = await ledger.finish(an_outcome(user, moved.id, model="gpt-4", tokens_input=1, tokens_output=1))
    assert other.cost_nanos == 90_000
    shown = await dashboard.read(db, ledger, user)
    assert (shown.completed, shown.failed) == (1, 1)
    assert shown.by_model == {"gpt-4": 1, OWN_MODEL: 1}
    assert (await verify(db)).differences == []


async def test_a_late_finish_of_last_month_counts_in_its_own(
    ledger: Ledger, db: Database, user: UUID, clock: Clock
) -> None:
    pending = await started(ledger, user, model=OWN_MODEL)
    await clock.hold(datetime(2026, 6, 2, tzinfo=UTC))
    late = await ledger.finish(an_outcome(user, pending.id, "failed", trusted=True, tokens_input=5, tokens_output=5))
    assert (late.late, late.limits.monthly_used, late.limits.tokens_used) == (True, 0, 0)
    shown = await dashboard.read(db, ledger, user)
    day = next(each for each in shown.series if each.on == NOON.date())
    assert (day.requests, day.failed, day.tokens_used, shown.total_tokens_used) == (1, 1, 10, 10)
    assert (await verify(db)).differences == []


async def test_a_service_s_failure_gives_the_unit_back_in_its_own_window_only(
    ledger: Ledger, db: Database, user: UUID, clock: Clock
) -> None:
    await clock.hold(datetime(2026, 5, 13, 23, 55, tzinfo=UTC))
    same, other_day, own, fine = [await started(ledger, user, model=OWN_MODEL) for _ in range(4)]
    settled = [
        await ledger.finish(an_outcome(user, same.id, "failed", trusted=True)),
        await ledger.finish(an_outcome(user, own.id, "failed")),
        await ledger.finish(an_outcome(user, fine.id, trusted=True)),
    ]
    assert [(each.limits.daily_used, each.limits.monthly_used) for each in settled] == [(3, 3), (3, 3), (3, 3)]
    await clock.hold(datetime(2026, 5, 14, 0, 5, tzinfo=UTC))
    next_day = await ledger.finish(an_outcome(user, other_day.id, "failed", trusted=True))
    assert (next_day.limits.daily_used, next_day.limits.monthly_used) == (0, 2)
    # A unit given back is free again; the request stays on record, and in all totals.
    shown = await dashboard.read(db, ledger, user)
    assert (shown.total_requests, shown.failed, shown.requests_this_month) == (4, 3, 2)
    assert (await verify(db)).differences == []


async def test_a_clock_that_goes_back_expires_nothing_early_and_nothing_twice(
    ledger: Ledger, db: Database, user: UUID, clock: Clock, owner: asyncpg.Connection
) -> None:
    pending = await started(ledger, user, model=OWN_MODEL)
    await clock.hold(pending.expires_at)
    assert await ledger.expire() == 1
    version = (await usage_of(owner, user))["version"]
    await clock.hold(NOON - timedelta(days=2))
    assert await ledger.expire() == 0
    assert (await records.one(db, user, pending.id)).error_code == "expired"
    assert (await usage_of(owner, user))["version"] == version
    assert (await ledger.finish(an_outcome(user, pending.id))).late
    assert (await verify(db)).differences == []
