"""Reads that do not grow: each hot statement is held to a bound of rows, on a ledger with one long history.

Three times over: planned for the values at hand, planned once for all values, and planned while the tables were empty
(as on a new installation, or before a month begins) and never again.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

import asyncpg
import pytest

from tests.conftest import Server, a_database
from tests.metering.making import OWN_MODEL, PENDING_FOR, a_request, an_outcome
from tests.store.long_history import OTHERS, SHORT, make_partitions
from tests.store.looks import (
    A_FEW,
    ALL,
    DASHBOARDS,
    LISTS,
    LOOK_UPS,
    NOBODY,
    NOT_HELD,
    PAGE,
    PARTITIONS,
    SWEEP,
    Look,
    Marks,
    filled,
)
from tests.store.plans import Reader
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep import verify
from tollkeeper.store.connections import Session
from tollkeeper.store.database import Database, Transaction
from tollkeeper.store.queries import SQL, statements

# The ledger takes its time to be written.
pytestmark = pytest.mark.timeout(300)

LONG: Final = 60_000
PLANNED: Final = {"at hand": "force_custom_plan", "for all": "force_generic_plan"}
READS: Final = re.compile(r"^ *(FROM|UPDATE|INSERT)\b", re.MULTILINE)
# Tables that stay small, and may be read whole.
SMALL: Final = {"plans", "plan_versions", "plan_texts", "retention"}
# After five runs with plans of their own the server thinks of one for all.
OFTEN_ENOUGH: Final = 7


@dataclass(frozen=True, slots=True)
class Seeded:
    """A large ledger, and a session on it."""

    reader: Reader
    marks: Marks


@pytest.fixture(scope="module")
async def settled(server: Server) -> AsyncGenerator[tuple[str, Marks]]:
    """A ledger whose tables were analyzed."""
    async with a_database(server, template="tollkeeper") as addresses:
        admin = await asyncpg.connect(addresses.admin)
        await make_partitions(admin)
        marks = await filled(admin, long=LONG)
        # The seed leaves dead rows in the hours. What is to be frozen is waited for: a page that the server writes at
        # this moment would else be passed over.
        await admin.execute("VACUUM (FREEZE, ANALYZE)")
        await admin.close()
        yield addresses.service, marks


@pytest.fixture(scope="module")
async def young(server: Server) -> AsyncGenerator[Seeded]:
    """A ledger that has grown behind a session that made all of its plans when there was nothing."""
    async with a_database(server, template="tollkeeper") as addresses:
        admin = await asyncpg.connect(addresses.admin)
        await make_partitions(admin)
        await admin.execute("VACUUM ANALYZE")
        async with _a_session(addresses.service) as connection:
            reader = Reader(connection)
            for _ in range(OFTEN_ENOUGH):
                for look in ALL:
                    await reader.plan(look.statement, **look.values(NOBODY))
                async with reader.reading():
                    tx = _of(reader)
                    await _live(tx, await tx.value("find_or_add_user", email="a@b", plan="enterprise", time_zone="UTC"))
            yield Seeded(reader, await filled(admin, long=LONG // 3))
        await admin.close()


@pytest.fixture(scope="module", params=["at hand", "for all", "made early"])
async def seeded(request: pytest.FixtureRequest, settled: tuple[str, Marks], young: Seeded) -> AsyncGenerator[Seeded]:
    """Plans for the values at hand, for all values, and made while there was nothing."""
    if request.param == "made early":
        yield young
        return
    dsn, marks = settled
    async with _a_session(dsn) as connection:
        await connection.execute("SELECT set_config('plan_cache_mode', $1, false)", PLANNED[request.param])
        yield Seeded(Reader(connection), marks)


@pytest.mark.parametrize("look", LISTS, ids=str)
async def test_a_page_costs_the_same_wherever_it_is(seeded: Seeded, look: Look) -> None:
    plan = await seeded.reader.plan(look.statement, **look.values(seeded.marks))
    assert plan.rows <= look.most, plan.read
    assert plan.sorted <= PAGE + 1
    assert plan.walked <= SMALL


@pytest.mark.parametrize("look", LOOK_UPS, ids=str)
async def test_what_is_looked_up_is_found_by_its_key(seeded: Seeded, look: Look) -> None:
    plan = await seeded.reader.plan(look.statement, **look.values(seeded.marks))
    assert plan.rows <= look.most, plan.read
    assert plan.walked <= SMALL


async def test_a_dashboard_reads_no_more_for_a_long_history(seeded: Seeded) -> None:
    plans = [await seeded.reader.plan(look.statement, **look.values(seeded.marks)) for look in DASHBOARDS]
    long, short = (plan.rows for plan in plans)
    assert long <= short + 2 * PARTITIONS, [plan.read for plan in plans]
    assert long <= DASHBOARDS[0].most
    assert all(plan.walked <= SMALL for plan in plans)


async def test_the_sweep_reads_only_what_is_pending(seeded: Seeded) -> None:
    plan = await seeded.reader.plan(SWEEP.statement, **SWEEP.values(seeded.marks))
    pending = 2 * (OTHERS + 2)
    assert plan.rows <= pending + A_FEW, plan.read
    assert plan.walked <= SMALL


async def test_a_request_is_started_and_finished_by_its_keys(seeded: Seeded) -> None:
    async with seeded.reader.reading() as read:
        await _live(_of(seeded.reader), seeded.marks.people.long)
    assert read.rows.total() <= 100, read
    # Looked for in the one partition each time, of twenty.
    assert read.scans["chat_requests"] + read.scans["request_analytics"] <= 24, read


@pytest.mark.parametrize("look", [each for each in LOOK_UPS if each.statement == "one_request"], ids=str)
async def test_a_request_is_looked_for_in_its_own_partition(seeded: Seeded, look: Look) -> None:
    plan = await seeded.reader.plan(look.statement, **look.values(seeded.marks))
    assert (plan.read.scans["chat_requests"], plan.read.scans["request_analytics"]) == (1, 1)


@pytest.mark.parametrize("people", ["short", "short other abandoned"])
async def test_numbers_of_users_are_proved_from_their_own_rows(settled: tuple[str, Marks], people: str) -> None:
    dsn, marks = settled
    user_ids: list[UUID] = [getattr(marks.people, each) for each in people.split()]
    async with _a_session(dsn) as connection:
        reader = Reader(connection)
        async with reader.reading() as read:
            assert await verify.differences_of(_of(reader), user_ids) == []
    assert read.rows.total() <= 20 * SHORT, read


async def test_old_hours_are_found_without_reading_the_others(settled: tuple[str, Marks]) -> None:
    dsn, _ = settled
    async with _a_session(dsn) as connection:
        plan = await Reader(connection).plan("forget_old_hours", most=5_000)
    assert plan.rows <= A_FEW, plan.read


def test_every_statement_that_reads_is_held_or_says_why_not() -> None:
    held = {look.statement for look in ALL}
    for path in SQL.glob("*.sql"):
        if path.name not in NOT_HELD:
            _, *named = re.split(r"^-- name: ", path.read_text(), flags=re.MULTILINE)
            reading = {re.split(r"\W", each)[0] for each in named if READS.search(each)}
            assert reading - held <= NOT_HELD.keys(), path.name
    assert NOT_HELD.keys() - {path.name for path in SQL.glob("*.sql")} <= statements().keys() - held


@asynccontextmanager
async def _a_session(dsn: str) -> AsyncGenerator[asyncpg.Connection]:
    connection = await Session(dsn, statement_timeout=60, lock_timeout=5, transaction_pooler=False).connect()
    yield connection
    await connection.close()


def _of(reader: Reader) -> Transaction:
    return Transaction(reader.connection, statements())


async def _live(tx: Transaction, user: UUID) -> None:
    """Start two requests, one of them again, finish both, rate one."""
    book = Ledger(cast("Database", tx), pending_for=PENDING_FOR)  # which uses what it is handed alone
    requests = [a_request(user, client_id=f"live-{n}", session_id="s-0", model=OWN_MODEL) for n in range(2)]
    for given in (requests, requests[:1]):
        verdicts = await book._start(tx, given)
        assert {each["verdict"] for each in verdicts} <= {"admitted", "replayed"}
    outcomes = [an_outcome(user, f"live-{n}", tokens_input=1, tokens_output=1) for n in range(2)]
    for given in (outcomes, [an_outcome(user, "live-0", None, rated=True, rating=4)]):
        verdicts = await book._finish(tx, given, [None] * len(given), measure=True)
        assert {each["verdict"] for each in verdicts} <= {"finished", "patched"}
