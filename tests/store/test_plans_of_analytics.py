"""What usage over time reads: the sums of its range and of the one before it, however long the history is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import pytest

from tests.conftest import Server, a_database
from tests.store.long_history import People, fill, make_partitions
from tests.store.plans import Reader
from tollkeeper.store.connections import Session

pytestmark = pytest.mark.timeout(300)

LONG: Final = 20_000
DAYS: Final = 7
_USUAL: Final[dict[str, Any]] = {
    "group_by": "model", "plan": None, "model": None, "category": None, "request_type": None, "complexity": None,
    "status": None, "most_groups": 50,
}  # fmt: skip
_ROWS: Final = """
SELECT (SELECT count(*) FROM usage_rollups WHERE user_id = $1 AND period = 'day' AND period_start >= $2) AS own,
       (SELECT count(*) FROM usage_rollups WHERE user_id = $1 AND period = 'hour' AND period_start >= $2) AS hours,
       (SELECT count(*) FROM overall_rollups WHERE hour_at >= $2::timestamp AT TIME ZONE 'UTC') AS overall,
       (SELECT count(*) FROM usage_rollups WHERE period = 'day' AND period_start >= $3) AS everybody
"""


@dataclass(frozen=True, slots=True)
class Seeded:
    """A long history, a session on it, and how many sums lie in the ranges that are asked for."""

    reader: Reader
    people: People
    until: datetime
    rows: asyncpg.Record

    @property
    def range(self) -> dict[str, Any]:
        """The last days, and as many before them."""
        return {"before": self.until - timedelta(days=2 * DAYS), **self.days}

    @property
    def days(self) -> dict[str, Any]:
        """The last days."""
        return {"since": self.until - timedelta(days=DAYS), "until": self.until}


@pytest.fixture(scope="module", params=["at hand", "for all", "made early"])
async def seeded(request: pytest.FixtureRequest, server: Server) -> AsyncGenerator[Seeded]:
    """Plans for the values at hand, for all values, and made while there was nothing."""
    async with a_database(server, template="tollkeeper") as addresses:
        admin = await asyncpg.connect(addresses.admin)
        await make_partitions(admin)
        session = Session(addresses.service, statement_timeout=60, lock_timeout=5, transaction_pooler=False)
        connection = await session.connect()
        reader = Reader(connection)
        until: datetime = await admin.fetchval(
            "SELECT date_trunc('day', tk_now() AT TIME ZONE 'UTC') + interval '1 day'"
        )
        mode = "force_custom_plan" if request.param == "at hand" else "force_generic_plan"
        await connection.execute("SELECT set_config('plan_cache_mode', $1, false)", mode)
        if request.param == "made early":
            await admin.execute("VACUUM ANALYZE")
            await _ask_once(reader, until)
        people = await fill(admin, long=LONG)
        if request.param != "made early":
            await admin.execute("VACUUM ANALYZE")
        since = until - timedelta(days=2 * DAYS)
        rows = await admin.fetchrow(_ROWS, people.long, since, until - timedelta(days=DAYS))
        assert rows is not None
        yield Seeded(reader, people, until, rows)
        await connection.close()
        await admin.close()


@pytest.mark.parametrize(("period", "counted"), [("day", "own"), ("hour", "hours")])
async def test_a_users_range_reads_its_own_sums(seeded: Seeded, period: str, counted: str) -> None:
    given = _USUAL | seeded.range | {"user_id": seeded.people.long, "period": period, "granularity": period}
    plan = await seeded.reader.plan("analytics", **given)
    assert seeded.rows[counted] > DAYS
    # What the seed took back is still there.
    assert plan.rows <= 2 * seeded.rows[counted] + 10, plan.read
    assert plan.walked == set()


async def test_over_all_it_reads_the_hours_of_the_range(seeded: Seeded) -> None:
    given = _USUAL | seeded.range | {"user_id": None, "period": "day", "granularity": "day"}
    plan = await seeded.reader.plan("analytics", **given)
    assert plan.rows <= 2 * seeded.rows["overall"] + 10, plan.read
    assert set(plan.read.rows) <= {"overall_rollups"} | {name for name, rows in plan.read.rows.items() if not rows}


async def test_who_used_most_reads_the_days_of_the_range(seeded: Seeded) -> None:
    plan = await seeded.reader.plan("top_users", **seeded.days, by="cost", most=5)
    # Once for the sums, those of the five once more for their percentiles; and who the five are.
    assert plan.rows <= 2 * seeded.rows["everybody"] + 10 * 5, plan.read
    assert plan.walked <= {"plans"}


async def _ask_once(reader: Reader, until: datetime) -> None:
    days = {"since": until - timedelta(days=DAYS), "until": until}
    given = _USUAL | days | {"before": days["since"], "user_id": None, "period": "day", "granularity": "day"}
    await reader.plan("analytics", **given)
    await reader.plan("top_users", **days, by="cost", most=5)
