"""Races over the end of a day and of a month, on a clock that runs from a chosen instant."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from tests.faults.audit import audit
from tests.faults.callers import Caller, Reply, calling
from tests.faults.nodes import Site, connected
from tests.faults.races import PLANS, SAID, Start, counted, faults_of

# The race begins so long before the boundary and ends so long after it.
EARLY, LATE = 0.8, 0.4
GET_READY = timedelta(seconds=3)
RACERS = 200
_ROWS = """
    SELECT r.id::text, r.started_on, r.started_at, u.day_requests, u.month_requests, u.day_on
      FROM chat_requests AS r JOIN usage AS u USING (user_id) JOIN user_identities AS i USING (user_id)
     WHERE i.value = $1"""


@dataclass(frozen=True, slots=True)
class Boundary:
    """The first day of a new window, in a zone, and how many starts fit into the days before and after it."""

    zone: str
    first: date
    plan: str
    admitted: tuple[int, int]

    @property
    def instant(self) -> datetime:
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=ZoneInfo(self.zone)).astimezone(UTC)

    @property
    def name(self) -> str:
        return f"{self.zone.rpartition('/')[2]}-{self.first}".lower()


# In the order of time, for the clock shall not go back. Of a month that goes on, 15 are left for both days together.
BOUNDARIES = [
    Boundary("Asia/Kathmandu", date(2027, 2, 11), "day_and_month", (10, 5)),
    Boundary("America/New_York", date(2027, 2, 18), "day_and_month", (10, 5)),
    Boundary("Pacific/Kiritimati", date(2027, 2, 20), "day_and_month", (10, 5)),
    Boundary("Asia/Kathmandu", date(2027, 3, 1), "less_a_month", (8, 8)),
    Boundary("Pacific/Kiritimati", date(2028, 1, 1), "less_a_month", (8, 8)),
    Boundary("America/New_York", date(2028, 3, 1), "less_a_month", (8, 8)),
]


@pytest.fixture(scope="module")
async def timeless(open_dir: Path) -> AsyncGenerator[Site]:
    """Two nodes whose database tells another time than ours."""
    site = Site(open_dir / "timeless")
    try:
        await asyncio.gather(site.start(), site.start(), site.furnish(PLANS))
        yield site
    finally:
        await site.close()


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=[each.name for each in BOUNDARIES])
async def test_a_race_over_a_boundary_fills_both_windows(timeless: Site, boundary: Boundary) -> None:
    user = f"{boundary.name}@example.com"
    async with calling(timeless.key) as caller, connected(timeless, "owner") as owner:
        await run_clock_from(owner, boundary.instant - GET_READY)
        await timeless.add_users(user, plan=boundary.plan, zone=boundary.zone)
        before = await caller.start(timeless.nodes[0].url, user, "before", **SAID)
        sent = await race(caller, timeless, user, at=await monotonic_at(owner, boundary.instant))
        starts, replies = [start for start, _ in sent], [reply for _, reply in sent]
        assert faults_of(starts, replies, before) == []
        assert counted(replies)[201] == sum(boundary.admitted) - 1
        await each_counts_in_one_window(owner, boundary, user, [before, *replies])
    found = await timeless.run("verify")
    assert found["ok"], found


async def run_clock_from(owner: asyncpg.Connection, instant: datetime) -> None:
    """Let the database's clock go on from an instant."""
    offset: timedelta = instant - await owner.fetchval("SELECT clock_timestamp()")
    await owner.execute(
        "CREATE OR REPLACE FUNCTION tk_now() RETURNS timestamptz LANGUAGE sql VOLATILE "
        f"AS $$SELECT clock_timestamp() + interval '{offset // timedelta(microseconds=1)} microseconds'$$"
    )


async def monotonic_at(owner: asyncpg.Connection, instant: datetime) -> float:
    """Tell when an instant of the database's clock comes, by the machine's monotonic one."""
    return time.monotonic() + (instant - await owner.fetchval("SELECT tk_now()")).total_seconds()


async def race(caller: Caller, site: Site, user: str, *, at: float) -> list[tuple[Start, Reply]]:
    """Send starts around an instant, every second one twice: to both nodes, at different moments."""
    rolled = random.Random(user)
    loop = asyncio.get_running_loop()

    async def one(n: int, node: int) -> tuple[Start, Reply]:
        start = Start(site.nodes[node].url, user, f"r-{n}")
        await asyncio.sleep(at + rolled.uniform(-EARLY, LATE) - loop.time())
        return start, await start.sent_by(caller)

    ones = [one(n, n % 2) for n in range(RACERS)]
    twins = [one(n, 1 - n % 2) for n in range(0, RACERS, 2)]
    return await asyncio.gather(*ones, *twins)


async def each_counts_in_one_window(
    owner: asyncpg.Connection, boundary: Boundary, user: str, replies: list[Reply]
) -> None:
    """The rows stand in the days in which they started, as their answers told, and the counters know the last ones."""
    rows = await owner.fetch(_ROWS, user)
    days = (boundary.first - timedelta(days=1), boundary.first)
    assert Counter(row["started_on"] for row in rows) == dict(zip(days, boundary.admitted, strict=True))
    assert all(row["started_on"] == row["started_at"].astimezone(ZoneInfo(boundary.zone)).date() for row in rows)
    ends = {reply.told["id"]: reply.told["limits"]["resetsAt"]["daily"] for reply in replies if reply.status < 300}
    assert ends.keys() == {row["id"] for row in rows}
    assert all(
        (datetime.fromisoformat(ends[row["id"]]) == boundary.instant) == (row["started_on"] == days[0]) for row in rows
    )
    day, month = boundary.admitted[1], boundary.admitted[1] if boundary.first.day == 1 else sum(boundary.admitted)
    assert {(row["day_on"], row["day_requests"], row["month_requests"]) for row in rows} == {
        (boundary.first, day, month)
    }


async def test_all_windows_add_up(timeless: Site) -> None:
    await audit(timeless)
