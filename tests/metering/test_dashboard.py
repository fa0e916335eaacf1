"""What a dashboard shows: each number by its rule, percentiles close to the exact ones."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.metering.making import NOON, OWN_MODEL, Clock, a_plan, a_request, a_user, an_outcome, started
from tollkeeper.errors import NotFound
from tollkeeper.metering.dashboards import analytics, dashboard
from tollkeeper.metering.plans import own_plan
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Database


async def test_before_the_first_request_nothing_is_made_up(ledger: Ledger, db: Database, user: UUID) -> None:
    seen = await dashboard.read(db, ledger, user)
    assert (seen.total_requests, seen.total_tokens_used, seen.total_cost_nanos, seen.pending) == (0, 0, 0, 0)
    unknown = (seen.average_response_ms, seen.success_rate, seen.average_rating, seen.p50, seen.p95, seen.p99)
    assert set(unknown) == {None}
    assert (seen.by_category, seen.by_model, seen.by_type, seen.recent) == ({}, {}, {}, [])
    assert len(seen.series) == 30
    assert (seen.limits.can_make_request, seen.limits.daily_limit, seen.limits.monthly_limit) == (True, 50, 1000)


async def test_nobody_known_has_no_dashboard(ledger: Ledger, db: Database) -> None:
    with pytest.raises(NotFound):
        await dashboard.read(db, ledger, uuid4())


async def test_requests_count_from_the_start_and_all_else_from_the_finish(
    ledger: Ledger,
    db: Database,
    user: UUID,
    own_model: None,  # noqa: ARG001
) -> None:
    kinds = [("nft", OWN_MODEL), ("nft", None), (None, OWN_MODEL), ("token", "gpt-4")]
    pending = [await started(ledger, user, category=category, model=model) for category, model in kinds]
    seen = await dashboard.read(db, ledger, user)
    assert (seen.total_requests, seen.requests_today, seen.requests_this_month, seen.pending) == (4, 4, 4, 4)
    assert seen.by_category == {"nft": 2, "token": 1, "uncategorized": 1}
    assert seen.by_model == {OWN_MODEL: 2, "gpt-4": 1, "unknown": 1}
    assert seen.by_type == {"chat": 4}
    assert (seen.total_tokens_used, seen.success_rate, seen.series[-1].requests, seen.series[-1].failed) == (
        0,
        None,
        4,
        0,
    )

    await ledger.finish(
        an_outcome(user, pending[0].id, tokens_input=1, tokens_output=2, duration_ms=10, rated=True, rating=4)
    )
    await ledger.finish(an_outcome(user, pending[1].id, "failed", tokens_used=9, duration_ms=5000))
    await ledger.finish(an_outcome(user, pending[2].id, tokens_used=5, duration_ms=13))
    seen = await dashboard.read(db, ledger, user)
    assert (seen.total_requests, seen.completed, seen.failed, seen.pending) == (4, 2, 1, 1)
    assert (seen.total_tokens_used, seen.total_cost_nanos, seen.unpriced) == (17, 7000, 2)
    # Failed ones have no part in the mean; 11.5 rounds up.
    assert (seen.average_response_ms, seen.success_rate, seen.average_rating, seen.rated) == (12, 2 / 3, 4.0, 1)
    assert seen.by_category == {"nft": 2, "token": 1, "uncategorized": 1}
    today = seen.series[-1]
    assert (today.requests, today.failed, today.tokens_used, today.cost_nanos) == (4, 1, 17, 7000)


async def test_a_rating_goes_to_the_requests_own_day_and_is_one_however_often_given(
    ledger: Ledger, db: Database, user: UUID
) -> None:
    pending = await started(ledger, user)
    await ledger.finish(an_outcome(user, pending.id))
    for rating, average in ((1, 1.0), (5, 5.0), (None, None), (2, 2.0)):
        await ledger.finish(an_outcome(user, pending.id, None, rated=True, rating=rating))
        seen = await dashboard.read(db, ledger, user)
        assert (seen.average_rating, seen.rated) == (average, int(rating is not None))


async def test_the_series_has_thirty_days_of_the_users_zone(ledger: Ledger, db: Database, clock: Clock) -> None:
    zone = "Pacific/Auckland"
    await clock.hold(NOON)  # past midnight there
    user = await a_user(db, "enterprise", zone=zone)
    today = date(2026, 5, 14)
    for days in (0, 1, 1, 29, 30, 400):
        at = NOON - timedelta(days=days)
        await ledger.record(
            [
                (
                    a_request(user, import_key=f"{days}{uuid4()}", started_at=at),
                    an_outcome(user, "", "failed", tokens_used=days, completed_at=at),
                )
            ]
        )
    seen = await dashboard.read(db, ledger, user)
    assert [day.on for day in seen.series] == [today - timedelta(days=n) for n in reversed(range(30))]
    told = {day.on: (day.requests, day.failed, day.tokens_used) for day in seen.series if day.requests}
    assert told == {today: (1, 1, 0), today - timedelta(days=1): (2, 2, 2), today - timedelta(days=29): (1, 1, 29)}
    assert (seen.total_requests, seen.requests_today, seen.requests_this_month) == (6, 1, 3)


async def test_the_ten_newest_are_shown_newest_first(ledger: Ledger, db: Database, user: UUID) -> None:
    made = [(await started(ledger, user, prompt=f"p{n}", metadata={"n": n}, model="gpt-4")).id for n in range(12)]
    await ledger.finish(an_outcome(user, made[11], tokens_input=1, tokens_output=1, rated=True, rating=3))
    recent = (await dashboard.read(db, ledger, user)).recent
    assert [each.id for each in recent] == made[:1:-1]
    newest = recent[0]
    assert (newest.prompt, newest.metadata, newest.status, newest.rating, newest.tokens_output) == (
        "p11",
        {"n": 11},
        "completed",
        3,
        1,
    )
    assert newest.unit_prices is not None


async def test_limits_say_why_no_further_request_is_admitted(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "one", daily_requests=1, monthly_requests=1, monthly_tokens=1))
    assert (await dashboard.read(db, ledger, user)).limits.reason is None
    await started(ledger, user)
    assert (await dashboard.read(db, ledger, user)).limits.reason == "daily"
    await owner.execute("UPDATE usage SET day_requests = 0")
    assert (await dashboard.read(db, ledger, user)).limits.reason == "monthly"
    await db.run("switch_user", user_id=user, is_active=False)
    assert (await dashboard.read(db, ledger, user)).limits.reason == "inactive"


async def test_the_seeds_table_says_the_same(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, user: UUID
) -> None:
    for n in range(3):
        pending = await started(ledger, user, category=["nft", None, "nft"][n], model="gpt-4")
        if n:
            await ledger.finish(an_outcome(user, pending.id, tokens_input=10**6, tokens_output=n, duration_ms=n + 1))
    seen = await dashboard.read(db, ledger, user)
    row = await owner.fetchrow("SELECT * FROM user_dashboard_data WHERE user_id = $1", user)
    assert row is not None
    assert (row["total_requests"], row["requests_today"], row["requests_this_month"]) == (3, 3, 3)
    assert (row["average_response_time"], row["total_tokens_used"]) == (3, seen.total_tokens_used)
    assert seen.average_response_ms == 3
    assert row["total_cost"] == 6000 + round(180_000 / 10**7)
    assert row["requests_by_category"] == '{"nft": 2, "uncategorized": 1}'


Draw = Callable[[random.Random], float]
DISTRIBUTIONS: dict[str, Draw] = {
    "log-uniform": lambda chance: 10 ** chance.uniform(0, 9),
    "log-normal": lambda chance: chance.lognormvariate(7, 1.5),
    "uniform": lambda chance: chance.uniform(1, 60_000),
    "pareto": lambda chance: 50 * chance.paretovariate(1.1),
    "two humps": lambda chance: chance.gauss(300, 20) if chance.random() < 0.9 else chance.gauss(90_000, 5000),
    "all the same": lambda _: 777,
    "small": lambda chance: chance.randint(0, 4),
    "the ends": lambda chance: chance.choice([1, 10**9, 10**12]),
}


@pytest.mark.parametrize("count", [1, 2, 7, 999])
async def test_percentiles_are_within_two_percent_of_the_exact_ones(owner: asyncpg.Connection, count: int) -> None:
    chance = random.Random(count)
    for name, draw in DISTRIBUTIONS.items():
        durations = sorted(min(max(round(draw(chance)), 0), 10**12) for _ in range(count))
        shuffled = chance.sample(durations, count)
        found = await owner.fetchval(
            "SELECT tk_percentiles(tk_latencies_total(s.latencies), '{0.5, 0.95, 0.99}') FROM ("
            " SELECT tk_latencies(array_agg(tk_latency_bucket(d.ms))) AS latencies"
            "   FROM unnest($1::bigint[]) WITH ORDINALITY AS d (ms, n) GROUP BY n % 5) AS s",
            shuffled,
        )
        for rank, value in zip((50, 95, 99), found, strict=True):
            exact = nearest_rank(durations, rank)
            assert abs(float(value) - exact) <= 0.02 * exact, (name, rank)


def nearest_rank(ordered: Sequence[int], percent: int) -> int:
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


async def test_every_duration_of_the_bounds_is_within_two_percent_of_its_bucket(owner: asyncpg.Connection) -> None:
    chance = random.Random(3)
    durations = [*range(2000), *(round(10 ** chance.uniform(3, 12)) for _ in range(5000)), 10**12]
    worst = await owner.fetchval(
        "SELECT max(abs(tk_latency_ms(tk_latency_bucket(d)) - d) / greatest(d, 1)) FROM unnest($1::bigint[]) AS d",
        durations,
    )
    assert worst <= 0.02


async def test_durations_of_real_finishes_make_the_percentiles(ledger: Ledger, db: Database) -> None:
    user = await a_user(db, "enterprise")
    chance = random.Random(1)
    durations = [round(10 ** chance.uniform(0, 9)) for _ in range(300)]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    await ledger.record(
        [
            (
                a_request(user, import_key=str(n), started_at=at, category=str(n % 3), model=f"m{n % 2}"),
                an_outcome(user, "", "failed" if n >= 250 else "completed", duration_ms=duration, completed_at=at),
            )
            for n, duration in enumerate(durations)
        ]
    )
    seen = await dashboard.read(db, ledger, user)
    ordered = sorted(durations[:250])
    for percent, told in ((50, seen.p50), (95, seen.p95), (99, seen.p99)):
        exact = nearest_rank(ordered, percent)
        assert told is not None
        assert abs(told - exact) <= 0.02 * exact
    assert seen.average_response_ms == (2 * sum(ordered) + 250) // 500


async def test_whose_requests_expire_all_the_time_is_read_all_the_same(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    await clock.hold(NOON)
    user = await a_user(db, "enterprise")
    for number in range(300):
        await clock.hold(NOON + timedelta(seconds=number))
        await started(ledger, user)
    # Whenever a statement reads the clock, one more is past its deadline.
    await clock.run(since=NOON + timedelta(minutes=15), step=timedelta(seconds=1))
    assert (await dashboard.read(db, ledger, user)).total_requests == 300
    assert (await own_plan.read(db, ledger, user)).limits.monthly_used == 300
    assert (await analytics.of_user(db, ledger, user, analytics.Question())).totals.failed > 0
