"""A walk through a long history reads no more than it walks, and only the months that are asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import pytest

from tests.conftest import Server, a_database
from tests.store.long_history import make_partitions
from tests.store.looks import PARTITIONS, Marks, filled
from tests.store.plans import Reader
from tollkeeper.metering.tracking.records import MOST_BYTES
from tollkeeper.metering.tracking.searching import Wanted
from tollkeeper.store.connections import Session

pytestmark = pytest.mark.timeout(300)

LONG: Final = 20_000
WALK: Final = 300
PAGE: Final = 50
# Both ways, and what only one of them is asked.
WALKS: Final[dict[str, dict[str, Any]]] = {"search_requests": {"rank": None}, "search_requests_upwards": {}}
Seeded = tuple[Reader, Marks]


def asking(marks: Marks | None, wanted: Wanted, *, deep: bool = False) -> dict[str, Any]:
    """Say what the statement is asked."""
    user = {"user_id": marks.people.long if marks else None, "beyond": marks.middle if marks and deep else None}
    return asdict(wanted) | user | {"walk": WALK, "most": PAGE, "most_bytes": MOST_BYTES}


@pytest.fixture(scope="module", params=["at hand", "for all", "made early"])
async def seeded(request: pytest.FixtureRequest, server: Server) -> AsyncGenerator[Seeded]:
    """Plans for the values at hand, for all values, and made while there was nothing."""
    async with a_database(server, template="tollkeeper") as addresses:
        admin = await asyncpg.connect(addresses.admin)
        await make_partitions(admin)
        session = Session(addresses.service, statement_timeout=60, lock_timeout=5, transaction_pooler=False)
        connection = await session.connect()
        reader = Reader(connection)
        mode = "force_custom_plan" if request.param == "at hand" else "force_generic_plan"
        await connection.execute("SELECT set_config('plan_cache_mode', $1, false)", mode)
        if request.param == "made early":
            await admin.execute("VACUUM ANALYZE")
            for statement, besides in WALKS.items():
                await reader.plan(statement, **asking(None, Wanted()), **besides)
        marks = await filled(admin, long=LONG)
        if request.param != "made early":
            await admin.execute("VACUUM ANALYZE")
        yield reader, marks
        await connection.close()
        await admin.close()


@pytest.mark.parametrize("statement", WALKS)
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(model="model-1"),
        Wanted(text="nowhere"),
        Wanted(rating="any"),
        Wanted(session_id="s-0"),
        Wanted(session_id="no"),
        Wanted(status="pending"),
        Wanted(status="failed", least_nanos=1),
    ],
    ids=lambda wanted: " ".join(name for name, value in asdict(wanted).items() if value is not None),
)
async def test_a_walk_reads_as_far_as_it_goes(seeded: Seeded, wanted: Wanted, statement: str, *, deep: bool) -> None:
    reader, marks = seeded
    plan = await reader.plan(statement, **asking(marks, wanted, deep=deep), **WALKS[statement])
    # What is walked, a rating of each where they are asked for, what is found with its analytics; and of each
    # partition the first that it might give.
    ratings = WALK if wanted.rating else 0
    assert plan.rows <= WALK + ratings + 2 * PAGE + PARTITIONS, plan.read
    assert plan.walked == set()


async def test_what_is_ranked_is_walked_once_and_no_text_is_read(seeded: Seeded) -> None:
    reader, marks = seeded
    asked = asking(marks, Wanted()) | {"rank": "cost", "most": 0, "most_bytes": 0}
    plan = await reader.plan("search_requests", **asked)
    assert plan.rows <= WALK + PARTITIONS, plan.read
    assert plan.walked == set()


@pytest.mark.parametrize("statement", WALKS)
async def test_what_is_pending_is_found_without_a_walk(seeded: Seeded, statement: str) -> None:
    reader, marks = seeded
    plan = await reader.plan(statement, **asking(marks, Wanted(status="pending")), **WALKS[statement])
    assert plan.rows <= PARTITIONS, plan.read


@pytest.mark.parametrize("statement", WALKS)
async def test_only_the_months_that_are_asked_for_are_looked_at(seeded: Seeded, statement: str) -> None:
    reader, marks = seeded
    now = datetime.now(UTC)
    wanted = Wanted(since=now - timedelta(days=100), until=now - timedelta(days=95), model="none")
    plan = await reader.plan(statement, **asking(marks, wanted), **WALKS[statement])
    assert plan.read.scans["chat_requests"] <= 2, plan.read
    # Some days of fourteen months.
    assert plan.rows <= WALK + 10, plan.read
