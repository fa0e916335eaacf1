"""Days and months of each user's own zone, rolled over by whoever decides next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from tests.metering.making import Clock, a_plan, a_request, a_user, an_outcome, at, started, usage_of
from tollkeeper.activity import Actor
from tollkeeper.errors import LimitReached, TollkeeperError
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.plans import terms
from tollkeeper.metering.tracking import records
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database

HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
async def _verified(db: Database) -> AsyncGenerator[None]:
    """Whatever the clock did, in the end the numbers equal the rows."""
    yield
    assert (await verify(db)).differences == []


async def used(ledger: Ledger, user: UUID, **given: Any) -> tuple[int, int]:
    limits = (await started(ledger, user, **given)).limits
    return limits.daily_used, limits.monthly_used


# Zone, an instant of the day, that day's length in hours.
DAYS = [
    ("UTC", (2026, 5, 13, 12), 24),
    ("Europe/Berlin", (2026, 3, 29, 12), 23),
    ("Europe/Berlin", (2026, 10, 25, 12), 25),
    ("America/New_York", (2026, 11, 1, 0), 25),
    ("Australia/Lord_Howe", (2026, 4, 5, 12), 24.5),
    ("Asia/Kathmandu", (2026, 5, 13, 23), 24),
    ("Pacific/Kiritimati", (2026, 12, 31, 23), 24),
    ("Africa/Cairo", (2026, 4, 24, 5), 23),  # its clocks skip midnight itself
    ("UTC", (2028, 2, 29, 12), 24),
]


@pytest.mark.usefixtures("user")
async def test_a_day_and_a_month_are_those_of_the_zone(ledger: Ledger, db: Database, clock: Clock) -> None:
    for n, (zone, fields, hours) in enumerate(DAYS):
        now = at(zone, *fields)
        await clock.hold(now)
        user = await a_user(db, zone=zone, email=f"{n}@example.com")
        limits = (await started(ledger, user)).limits
        local = now.astimezone(ZoneInfo(zone))
        tomorrow = at(zone, local.year, local.month, local.day) + timedelta(hours=hours)
        assert limits.day_ends_at == tomorrow, zone
        next_month = (local.replace(day=1) + timedelta(days=32)).replace(day=1)
        assert limits.month_ends_at == at(zone, next_month.year, next_month.month, 1), zone
        await clock.hold(tomorrow - INSTANT)
        assert (await used(ledger, user))[0] == 2, zone
        await clock.hold(tomorrow)
        assert (await used(ledger, user))[0] == 1, zone


# Zone and the last instant of a month.
MONTH_ENDS = [
    ("Asia/Kathmandu", (2027, 1, 1)),
    ("Pacific/Kiritimati", (2028, 3, 1)),
    ("America/Santiago", (2026, 9, 1)),
]


async def test_a_month_begins_at_its_first_instant(ledger: Ledger, db: Database, clock: Clock) -> None:
    for n, (zone, first) in enumerate(MONTH_ENDS):
        boundary = at(zone, *first)
        await clock.hold(boundary - INSTANT)
        user = await a_user(db, zone=zone, email=f"{n}@example.com")
        assert [await used(ledger, user), await used(ledger, user)] == [(1, 1), (2, 2)]
        await clock.hold(boundary)
        assert await used(ledger, user) == (1, 1), zone


# Limit, zone, when it is used up, when it resets.
RESETS = [
    ("daily", "UTC", "2028-02-28T23:59:58", "2028-02-29T00:00"),
    ("daily", "UTC", "2028-02-29T00:00", "2028-03-01T00:00"),
    ("daily", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
    ("daily", "Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
    ("daily", "Asia/Kathmandu", "2026-05-13T18:15", "2026-05-14T18:15"),
    ("daily", "Pacific/Kiritimati", "2026-12-31T09:59", "2026-12-31T10:00"),
    ("monthly", "UTC", "2026-01-31T12:00", "2026-02-01T00:00"),
    ("monthly", "Asia/Kathmandu", "2026-05-13T18:15", "2026-05-31T18:15"),
    ("monthly", "Pacific/Kiritimati", "2028-02-10T12:00", "2028-02-29T10:00"),
    ("monthly", "America/New_York", "2026-11-01T12:00", "2026-12-01T05:00"),
    ("anniversary", "UTC", "2026-01-31T12:00", "2026-02-28T12:00"),
    ("anniversary", "UTC", "2028-01-31T12:00", "2028-02-29T12:00"),
    ("anniversary", "America/New_York", "2026-02-08T15:00", "2026-03-08T14:00"),
    ("anniversary", "Asia/Kathmandu", "2026-03-31T10:00", "2026-04-30T10:00"),
    ("anniversary", "Pacific/Kiritimati", "2026-12-31T10:00", "2027-01-31T10:00"),
    ("perMinute", "Asia/Kathmandu", "2026-05-13T18:14:30", "2026-05-13T18:15"),
]
TERMS = {
    "daily": {"daily_requests": 1},
    "monthly": {"monthly_requests": 1},
    "anniversary": {"monthly_requests": 1, "period": "anniversary"},
    "perMinute": {"requests_per_minute": 1},
}


@pytest.mark.parametrize("reset", RESETS)
async def test_a_second_before_it_resets_a_limit_refuses_and_then_it_admits(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock, reset: tuple[str, str, str, str]
) -> None:
    limit, zone, *instants = reset
    used_up_at, resets_at = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in instants)
    await clock.hold(used_up_at)
    plan = await a_plan(owner, "one", **TERMS[limit])
    # Nobody sees the other one until long after: the service was down meanwhile.
    user, other = [await a_user(db, plan, zone=zone, email=f"{n}@example.com") for n in range(2)]
    for each in (user, other):
        await started(ledger, each)
    await clock.hold(resets_at - timedelta(seconds=1))
    with pytest.raises(LimitReached) as refused:
        await started(ledger, user)
    named = "monthly" if limit == "anniversary" else limit
    assert (refused.value.fields["limit"], refused.value.fields["resetsAt"]) == (named, resets_at)
    await clock.hold(resets_at)
    await started(ledger, user)
    with pytest.raises(LimitReached):
        await started(ledger, user)
    await clock.hold(resets_at + timedelta(seconds=20))
    await started(ledger, other)
    with pytest.raises(LimitReached) as refused:
        await started(ledger, other)
    with pytest.raises(LimitReached) as same:
        await started(ledger, user)
    assert refused.value.fields["resetsAt"] == same.value.fields["resetsAt"]


async def test_a_request_counts_where_it_started(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(datetime(2026, 5, 31, 23, 59, tzinfo=UTC))
    user = await a_user(db, await a_plan(owner, "tight", monthly_tokens=100))
    pending = await started(ledger, user, max_tokens=99)
    await clock.hold(datetime(2026, 6, 1, tzinfo=UTC))
    # The reservation of May holds nothing of June.
    assert (await started(ledger, user, max_tokens=49)).limits.tokens_used == 50
    settled = await ledger.finish(an_outcome(user, pending.id, tokens_input=1, tokens_output=99))
    assert settled.limits.tokens_used == 50
    assert settled.limits.monthly_used == 1
    seen = await dashboard.read(db, ledger, user)
    assert [(day.on.day, day.requests, day.tokens_used) for day in seen.series[-2:]] == [(31, 1, 100), (1, 1, 0)]


async def test_a_window_rolls_over_after_a_long_sleep(ledger: Ledger, db: Database, clock: Clock) -> None:
    await clock.hold(datetime(2026, 1, 31, 12, tzinfo=UTC))
    user = await a_user(db, zone="Europe/Berlin")
    pending = await started(ledger, user)
    await clock.hold(datetime(2027, 3, 28, 12, tzinfo=UTC))
    limits = (await started(ledger, user)).limits
    assert (limits.daily_used, limits.monthly_used) == (1, 1)
    assert limits.day_ends_at == at("Europe/Berlin", 2027, 3, 29)
    assert limits.month_ends_at == at("Europe/Berlin", 2027, 4, 1)
    assert (await records.one(db, user, pending.id)).error_code == "expired"


async def test_a_clock_that_goes_back_opens_no_window_again(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(datetime(2026, 5, 31, 23, 59, tzinfo=UTC))
    user = await a_user(db, await a_plan(owner, "two", daily_requests=2))
    await started(ledger, user)
    await clock.hold(datetime(2026, 6, 1, 0, 1, tzinfo=UTC))
    assert await used(ledger, user) == (1, 1)
    await clock.hold(datetime(2026, 5, 30, tzinfo=UTC))
    back = await started(ledger, user)
    assert (back.limits.daily_used, back.limits.monthly_used) == (2, 2)
    assert back.limits.day_ends_at == datetime(2026, 6, 2, tzinfo=UTC)
    assert (await records.one(db, user, back.id)).started_at == datetime(2026, 6, 1, 0, 1, tzinfo=UTC)
    with pytest.raises(LimitReached):
        await started(ledger, user)
    settled = await ledger.finish(an_outcome(user, back.id))
    assert settled.duration_ms == 0
    await clock.hold(datetime(2026, 6, 1, 1, tzinfo=UTC))
    with pytest.raises(LimitReached):
        await started(ledger, user)
    await clock.hold(datetime(2026, 6, 2, tzinfo=UTC))
    assert await used(ledger, user) == (1, 3)


async def test_a_midnight_that_comes_twice_ends_the_day_once(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    # Clocks in Havana go back from 01:00 to 00:00, that year on the first of a month.
    twice = datetime(2026, 11, 1, 4, 30, tzinfo=UTC)
    await clock.hold(twice - timedelta(days=9))
    sleeper = await a_user(db, zone="America/Havana")
    await clock.hold(twice)
    newcomer = await a_user(db, zone="America/Havana", email="new@example.com")
    for user in (sleeper, newcomer):
        begun = await started(ledger, user)
        assert (await records.one(db, user, begun.id)).started_at == twice
        assert (begun.limits.daily_used, begun.limits.monthly_used) == (1, 1)
        row = await usage_of(owner, user)
        assert row["day_starts_at"] <= twice < row["day_ends_at"]
        assert row["month_starts_at"] <= twice < row["month_ends_at"]
    await clock.hold(datetime(2026, 11, 1, 5, tzinfo=UTC))
    for user in (sleeper, newcomer):
        assert await used(ledger, user) == (1, 1)


@pytest.mark.parametrize(
    ("hour", "day"), [(3, date(2026, 10, 31)), (4, date(2026, 10, 31)), (5, date(2026, 11, 1)), (6, date(2026, 11, 1))]
)
async def test_a_past_request_of_the_hour_that_comes_twice_belongs_to_the_day_that_windows_say(
    *, ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock, hour: int, day: date
) -> None:
    began = datetime(2026, 11, 1, hour, 30, tzinfo=UTC)
    await clock.hold(began)
    there = await a_user(db, zone="America/Havana", email="there@example.com")
    await started(ledger, there)
    await clock.hold(datetime(2026, 11, 9, 12, tzinfo=UTC))
    later = await a_user(db, zone="America/Havana")
    await ledger.start(a_request(later, started_at=began, import_key="1"))
    found = await owner.fetch("SELECT user_id, started_on FROM chat_requests WHERE started_at = $1", began)
    assert {row["user_id"]: row["started_on"] for row in found} == {there: day, later: day}


async def test_readers_see_a_new_window_before_anybody_decided(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    async def seen() -> tuple[int, ...]:
        one = await owner.fetchrow(
            "SELECT u.requests_used, d.requests_today, d.requests_this_month, d.total_requests"
            "  FROM users AS u JOIN user_dashboard_data AS d ON d.user_id = u.id WHERE u.id = $1",
            user,
        )
        return tuple(one or ())

    await clock.hold(at("Asia/Tokyo", 2026, 5, 30, 23, 59))
    user = await a_user(db, zone="Asia/Tokyo")
    await started(ledger, user)
    await started(ledger, user)
    assert await seen() == (2, 2, 2, 2)
    await clock.hold(at("Asia/Tokyo", 2026, 5, 31))
    assert await seen() == (2, 0, 2, 2)
    await clock.hold(at("Asia/Tokyo", 2026, 6, 1))
    assert await seen() == (0, 0, 0, 2)
    shown = await dashboard.read(db, ledger, user)
    assert (shown.requests_today, shown.requests_this_month, shown.total_requests) == (0, 0, 2)


async def test_readers_see_a_month_that_the_next_plan_makes_longer_before_anybody_decided(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(datetime(2026, 6, 10, 12, tzinfo=UTC))
    await owner.execute("UPDATE plans SET period = 'anniversary' WHERE name = 'free'")
    user = await a_user(db)
    await terms.set_plan(db, user, "pro", actor=Actor("test"), expires_at=datetime(2026, 6, 13, tzinfo=UTC))
    await started(ledger, user)
    await clock.hold(datetime(2026, 7, 5, tzinfo=UTC))
    seen = await owner.fetch(
        "SELECT requests_used FROM users WHERE id = $1"
        " UNION ALL SELECT requests_this_month FROM user_dashboard_data WHERE user_id = $1"
        " UNION ALL SELECT requests_this_month FROM directory WHERE id = $1",
        user,
    )
    assert [row[0] for row in seen] == [1, 1, 1]
    shown = await dashboard.read(db, ledger, user)
    assert (shown.requests_this_month, shown.limits.month_ends_at) == (1, datetime(2026, 7, 13, tzinfo=UTC))


async def test_an_expired_plan_falls_to_free_in_the_deciding_statement(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    now = datetime(2026, 5, 13, 12, tzinfo=UTC)
    await clock.hold(now)
    user = await a_user(db)
    await terms.set_plan(db, user, "pro", actor=Actor("test"), expires_at=now + HOUR)
    for _ in range(10):
        await started(ledger, user)
    await clock.hold(now + HOUR - INSTANT)
    last = await started(ledger, user)
    assert last.limits.plan_name == "pro"
    await clock.hold(now + HOUR)
    row = await db.one("user", user_id=user)
    assert row is not None
    assert (row["plan"], row["plan_expires_at"], row["requests_used"], row["requests_limit"]) == ("free", None, 11, 100)
    with pytest.raises(LimitReached) as told:
        await started(ledger, user)
    limits: Limits = told.value.fields["limits"]
    assert (limits.plan_name, limits.daily_used, limits.daily_limit, limits.monthly_limit) == ("free", 11, 10, 100)
    assert told.value.fields["upgradeTo"] == "pro"
    assert limits.version == last.limits.version + 1
    had = await owner.fetch(
        "SELECT plan_name, is_active FROM user_plans WHERE user_id = $1 ORDER BY starts_at, id", user
    )
    assert [tuple(each) for each in had if each["is_active"]] == [("free", True)]


async def test_a_new_catalogue_changes_nobodys_terms(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, user: UUID
) -> None:
    await owner.execute("UPDATE plans SET daily_requests = 1, features = '[]' WHERE name = 'pro'")
    await started(ledger, user)
    assert (await started(ledger, user)).limits.daily_limit == 50
    await terms.set_plan(db, user, "free", actor=Actor("test"))
    assert (await ledger.preview(a_request(user))).limits.daily_limit == 10


async def test_a_catalogue_without_free_is_an_error_and_no_endless_loop(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    now = datetime(2026, 5, 13, 12, tzinfo=UTC)
    await clock.hold(now)
    user = await a_user(db)
    await terms.set_plan(db, user, "pro", actor=Actor("test"), expires_at=now + HOUR)
    await owner.execute("DELETE FROM plans WHERE name = 'free'")
    await clock.hold(now + HOUR)
    async with asyncio.timeout(3):
        with pytest.raises(TollkeeperError):
            await dashboard.read(db, ledger, user)
