"""Texts of requests under a plan go after the days that the catalogue says, and those of others stay."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.metering.making import NOON, OWN_MODEL, Clock, a_request, a_user, an_outcome
from tests.metering.pruning import derived, in_any_table
from tollkeeper import jobs
from tollkeeper.activity import Actor
from tollkeeper.metering.plans import catalogue
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.importing import Importer, Past
from tollkeeper.metering.upkeep.retention import LOCK_SECONDS, plans_to_clear, prune_texts
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

pytestmark = pytest.mark.usefixtures("own_model")
FILE = "[plans.free]\nrank = 0\nretain_text_days = {free}\n[plans.pro]\nrank = 10\nretain_text_days = {pro}"


@pytest.fixture
async def keeper(dsns: Addresses) -> AsyncGenerator[Database]:
    async with Database.open(dsns.owner, size=1, statement_timeout=60, lock_timeout=LOCK_SECONDS) as database:
        yield database


async def a_day(ledger: Ledger, users: dict[str, Any], name: str) -> None:
    """Let each user begin two requests and finish one."""
    for plan, user in users.items():
        for end in ("open", "done"):
            named = f"{name}-{end}"
            text = f"canary-{plan}-{name}"
            await ledger.start(a_request(user, text, client_id=named, model=OWN_MODEL, metadata={"x": text}))
            if end == "done":
                await ledger.finish(an_outcome(user, named, tokens_input=1, tokens_output=2, response=text))


async def due_job(db: Database, ledger: Ledger, dsns: Addresses) -> None:
    (job,) = [
        each
        for each in jobs.all_jobs(db, ledger, owner_dsn=dsns.owner, sweep_seconds=1)
        if each.name == "clear texts as plans say"
    ]
    await job.do()


async def test_texts_live_as_long_as_their_plan_says(
    *, ledger: Ledger, db: Database, dsns: Addresses, keeper: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(NOON)
    await keeper.value("ensure_partitions", since=NOON, until=NOON + timedelta(days=40))
    users = {plan: await a_user(db, plan, email=f"{plan}@example.com") for plan in ("free", "pro", "enterprise")}
    await a_day(ledger, users, "first")
    await due_job(db, ledger, dsns)
    assert await owner.fetchval("SELECT count(*) FROM chat_requests WHERE prompt IS NOT NULL") == 6

    await catalogue.apply(db, catalogue.parse(FILE.format(free=2, pro=20)))
    assert await plans_to_clear(db) == [
        ("free", (NOON - timedelta(days=2, hours=12))),
        ("pro", NOON - timedelta(days=20, hours=12)),
    ]
    await clock.step(timedelta(days=3))
    await ledger.bring_current(list(users.values()))
    await a_day(ledger, users, "second")
    before = await derived(owner)
    await due_job(db, ledger, dsns)
    assert await derived(owner) == before
    await owner.execute("VACUUM")
    assert await in_any_table(owner, "canary-free-first") == []
    for kept in ("free-second", "pro-first", "pro-second", "enterprise-first"):
        assert await in_any_table(owner, f"canary-{kept}") != []

    # What comes later for what is that old is answered as ever, and not kept.
    late = await ledger.finish(an_outcome(users["free"], "first-open", response="canary-late", tokens_input=1))
    assert late.late
    past = a_request(users["free"], "canary-past", started_at=NOON, import_key="1")
    done = an_outcome(users["free"], "", response="canary-past", completed_at=NOON)
    assert (await Importer(ledger, keeper).book([Past(1, past, done)])).imported == 1
    assert await in_any_table(owner, "canary-late") == await in_any_table(owner, "canary-past") == []
    pro = await ledger.finish(an_outcome(users["pro"], "first-open", response="canary-kept", tokens_input=1))
    assert pro.late
    assert await in_any_table(owner, "canary-kept") != []
    assert (await plans_to_clear(db)) == []

    # Shortened, it holds for what is there; made longer, nothing comes back, and nothing is looked at twice.
    await catalogue.apply(db, catalogue.parse(FILE.format(free=30, pro=1)))
    await due_job(db, ledger, dsns)
    assert await in_any_table(owner, "canary-pro-first") == await in_any_table(owner, "canary-kept") == []
    assert await in_any_table(owner, "canary-free-second") != []
    assert await prune_texts(keeper, NOON, actor=Actor("x"), plan="pro") == 0
    assert (await verify(db)).differences == []
    noted = await owner.fetch(
        "SELECT detail ->> 'plan', left(detail ->> 'before', 10), detail ->> 'requests' FROM activity "
        "WHERE action = 'texts.pruned' ORDER BY 1, 2"
    )
    assert [tuple(row) for row in noted] == [
        ("free", "2026-05-14", "2"),
        ("pro", "2026-04-26", "0"),
        ("pro", "2026-05-15", "2"),
    ]


async def test_a_month_that_is_made_later_keeps_no_old_texts_either(
    *, ledger: Ledger, db: Database, dsns: Addresses, keeper: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(NOON)
    users = {plan: await a_user(db, plan, email=f"{plan}@example.com") for plan in ("free", "pro")}
    await catalogue.apply(db, catalogue.parse("[plans.free]\nrank = 0\nretain_text_days = 2"))
    await due_job(db, ledger, dsns)
    at = NOON - timedelta(days=100)
    rows = [
        Past(n, a_request(user, "text", started_at=at, import_key="1"), an_outcome(user, "", completed_at=at))
        for n, user in enumerate(users.values())
    ]
    assert (await Importer(ledger, keeper).book(rows)).imported == 2
    kept = await owner.fetch("SELECT tableoid::regclass::text AS place, plan_name, prompt FROM chat_requests")
    assert {tuple(row) for row in kept} == {
        ("chat_requests_2026_02", "free", None),
        ("chat_requests_2026_02", "pro", "text"),
    }


async def test_where_all_texts_went_there_is_nothing_left_for_a_plan(
    *, db: Database, keeper: Database, clock: Clock
) -> None:
    await clock.hold(NOON)
    await prune_texts(keeper, NOON - timedelta(days=5), actor=Actor("x"))
    await catalogue.apply(db, catalogue.parse(FILE.format(free=30, pro=2)))
    assert [plan for plan, _ in await plans_to_clear(db)] == ["pro"]
