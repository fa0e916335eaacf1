"""Users who go to another time zone: it counts from the next window on, and no allowance is to be had by it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import Clock, a_user, at, started
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def _verified(db: Database) -> AsyncGenerator[None]:
    """Whatever the clock did, in the end the numbers equal the rows."""
    yield
    assert (await verify(db)).differences == []


async def move(db: Database, user: UUID, zone: str) -> None:
    await db.run("plan_zone_of_user", user_id=user, time_zone=zone)


async def limits_at(ledger: Ledger, clock: Clock, user: UUID, now: datetime) -> Limits:
    await clock.hold(now)
    return (await started(ledger, user)).limits


async def test_a_new_zone_counts_from_the_next_window_on(ledger: Ledger, db: Database, clock: Clock) -> None:
    noon = datetime(2026, 5, 13, 12, tzinfo=UTC)
    await clock.hold(noon)
    user = await a_user(db)
    await started(ledger, user)
    await move(db, user, "Asia/Kathmandu")
    still = await limits_at(ledger, clock, user, noon + HOUR)
    assert (still.daily_used, still.day_ends_at) == (2, datetime(2026, 5, 14, tzinfo=UTC))
    first = await limits_at(ledger, clock, user, datetime(2026, 5, 14, tzinfo=UTC))
    assert (first.daily_used, first.day_ends_at) == (1, at("Asia/Kathmandu", 2026, 5, 15))
    assert (first.monthly_used, first.month_ends_at) == (3, datetime(2026, 6, 1, tzinfo=UTC))
    june = await limits_at(ledger, clock, user, datetime(2026, 6, 1, tzinfo=UTC))
    assert (june.monthly_used, june.month_ends_at) == (1, at("Asia/Kathmandu", 2026, 7, 1))


async def test_a_zone_further_west_makes_one_short_window(ledger: Ledger, db: Database, clock: Clock) -> None:
    await clock.hold(datetime(2026, 5, 13, 12, tzinfo=UTC))
    user = await a_user(db)
    await move(db, user, "Pacific/Honolulu")
    short = await limits_at(ledger, clock, user, datetime(2026, 5, 14, tzinfo=UTC))
    assert short.day_ends_at == at("Pacific/Honolulu", 2026, 5, 14) == datetime(2026, 5, 14, 10, tzinfo=UTC)
    whole = await limits_at(ledger, clock, user, datetime(2026, 5, 14, 10, tzinfo=UTC))
    assert (whole.daily_used, whole.day_ends_at) == (1, datetime(2026, 5, 15, 10, tzinfo=UTC))
    seen = await dashboard.read(db, ledger, user)
    assert (seen.requests_today, seen.requests_this_month, seen.time_zone) == (1, 2, "Pacific/Honolulu")


async def test_one_change_of_zone_a_month_takes_effect(ledger: Ledger, db: Database, clock: Clock) -> None:
    await clock.hold(datetime(2026, 5, 13, 12, tzinfo=UTC))
    user = await a_user(db)
    await move(db, user, "Asia/Tokyo")
    await limits_at(ledger, clock, user, datetime(2026, 5, 14, tzinfo=UTC))
    await move(db, user, "America/New_York")
    may = await limits_at(ledger, clock, user, datetime(2026, 5, 20, 12, tzinfo=UTC))
    assert may.day_ends_at == at("Asia/Tokyo", 2026, 5, 21)
    await limits_at(ledger, clock, user, datetime(2026, 6, 1, 12, tzinfo=UTC))
    june = await limits_at(ledger, clock, user, datetime(2026, 6, 3, 12, tzinfo=UTC))
    assert june.day_ends_at == at("America/New_York", 2026, 6, 4)


# First, within a month, and what waits for the next one. Further west makes months of an hour, or of a day.
HOPS = [
    ("Asia/Tokyo", "Asia/Kathmandu", "America/New_York"),
    ("Pacific/Kiritimati", "Pacific/Tongatapu", "Pacific/Honolulu"),
    ("Pacific/Kiritimati", "Pacific/Honolulu", "Pacific/Niue"),
    ("Pacific/Niue", "Pacific/Honolulu", "Pacific/Kiritimati"),
]


@pytest.mark.parametrize(("zone", "soon", "later"), HOPS)
async def test_a_zone_that_has_to_wait_comes_when_it_may_whoever_looks(
    *, ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock, zone: str, soon: str, later: str
) -> None:
    columns = "day_zone, month_zone, next_zone, zone_changed_at, day_ends_at, month_ends_at"
    kept = f"SELECT {columns} FROM usage WHERE user_id = $1"  # noqa: S608 - our own columns
    looks = [datetime(2026, 5, 31, 9, 30, tzinfo=UTC) + hours * HOUR for hours in (*range(40), 24 * 20)]
    await clock.hold(datetime(2026, 5, 13, 12, tzinfo=UTC))
    watched, *alone = [await a_user(db, zone=zone, email=f"{n}@example.com") for n in range(1 + len(looks))]
    for user in (watched, *alone):
        await move(db, user, soon)
    await clock.hold(datetime(2026, 5, 15, 12, tzinfo=UTC))
    await ledger.bring_current([watched, *alone])
    for user in (watched, *alone):
        await move(db, user, later)
    for now, user in zip(looks, alone, strict=True):
        await clock.hold(now)
        await ledger.bring_current([watched, user])
        assert await owner.fetchrow(kept, watched) == await owner.fetchrow(kept, user), now
    assert await owner.fetchval("SELECT day_zone FROM usage WHERE user_id = $1", watched) == later


async def test_hopping_west_at_the_end_of_a_month_gains_one_short_window_at_most(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    eve = datetime(2026, 10, 31, 9, tzinfo=UTC)
    await clock.hold(eve)
    user = await a_user(db, "enterprise", zone="Etc/GMT-14")
    ends = {(await started(ledger, user)).limits.month_ends_at}
    for hour in range(1, 26):
        await move(db, user, f"Etc/GMT{hour - 14:+d}")
        ends.add((await limits_at(ledger, clock, user, eve + hour * HOUR)).month_ends_at)
    assert len(ends) <= 3
