"""Old texts stand nowhere, none comes back, and no number knows."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace as with_

from tests.metering.making import OWN_MODEL, Clock, a_request, a_user, an_outcome
from tests.metering.pruning import APRIL, FEBRUARY, MARCH, NOW, a_history, derived, in_any_table
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.metering.tracking import records
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep import retention
from tollkeeper.metering.upkeep.importing import Importer
from tollkeeper.metering.upkeep.retention import LOCK_SECONDS, Boundaries, planned, prune_rows, prune_texts, retained
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

pytestmark = pytest.mark.usefixtures("own_model")

CANARY = "canary-4b1f"
OLD = MARCH + timedelta(days=9)


@pytest.fixture
async def keeper(dsns: Addresses) -> AsyncGenerator[Database]:
    """The database as its owner, who prunes."""
    async with Database.open(dsns.owner, size=1, statement_timeout=60, lock_timeout=LOCK_SECONDS) as database:
        yield database


@pytest.fixture
async def old(ledger: Ledger, clock: Clock, db: Database, keeper: Database) -> UUID:
    """A user with texts of March wherever a request can have one, in a month's partition and in the default one."""
    await clock.hold(OLD)
    user = await a_user(db, "enterprise")
    for kind in ("stray", "kept"):
        for status in ("completed", "failed", None):
            await ledger.start(a_text(user, f"{kind}-{status}"))
            if status:
                ends: dict[str, Any] = {"response": CANARY} if status == "completed" else {"error_message": CANARY}
                await ledger.finish(
                    an_outcome(user, f"{kind}-{status}", status, tokens_input=1, tokens_output=2, **ends)
                )
        await clock.hold(APRIL + timedelta(days=9))
        await keeper.value("ensure_partitions", since=APRIL, until=APRIL)
    await clock.hold(NOW)
    return user


def a_text(user: UUID, name: str, **given: Any) -> Any:
    return a_request(
        user,
        CANARY,
        client_id=name,
        model=OWN_MODEL,
        session_id="s",
        metadata={"told": [CANARY]},
        ip_address=CANARY,
        user_agent=f"Browser {CANARY}",
        **given,
    )


async def test_after_clearing_a_text_stands_in_no_column_of_any_table(
    ledger: Ledger, db: Database, keeper: Database, owner: asyncpg.Connection, old: UUID
) -> None:
    assert sorted(await in_any_table(owner, CANARY)) == ["chat_requests_2026_04", "chat_requests_default"]
    before = await derived(owner)
    plan = await planned(keeper, Boundaries(None, NOW))
    assert (plan.texts, plan.months) == (6, ())
    assert plan.text_bytes > 6 * len(CANARY) * 5
    assert await prune_texts(keeper, NOW, actor=OPERATOR) == 6
    await owner.execute("VACUUM")
    assert await in_any_table(owner, CANARY) == []
    assert await derived(owner) == before
    assert (await verify(db)).differences == []
    assert (await retained(db)).texts_from == NOW
    shown = await records.newest(db, old, limit=9)
    assert {(each.prompt, each.response, each.error_message, each.metadata) for each in shown} == {(None,) * 4}
    assert {each.model for each in shown} == {OWN_MODEL}
    assert await ledger.expire() == 1
    assert (await verify(db)).differences == []


async def test_younger_texts_stay(keeper: Database, db: Database, old: UUID) -> None:
    assert await prune_texts(keeper, APRIL, actor=Actor("x")) == 3
    shown = {each.client_id: each.prompt for each in await records.newest(db, old, limit=9)}
    assert {name for name, prompt in shown.items() if prompt == CANARY} == {
        "kept-completed",
        "kept-failed",
        "kept-None",
    }


async def test_what_is_said_of_an_old_request_is_answered_as_ever_and_not_kept(
    ledger: Ledger, db: Database, keeper: Database, owner: asyncpg.Connection, old: UUID
) -> None:
    outcome = an_outcome(old, "kept-completed", tokens_input=1, tokens_output=2, response=CANARY)
    await prune_texts(keeper, NOW, actor=Actor("x"))
    await ledger.bring_current([old])
    before = await derived(owner)
    assert (await ledger.finish(outcome)).tokens_used == 3
    assert await derived(owner) == before
    late = await ledger.finish(an_outcome(old, "kept-None", tokens_input=5, tokens_output=5, response=CANARY))
    assert (late.status, late.late) == ("completed", True)
    for name in ("kept-None", "kept-completed", "stray-failed"):
        await ledger.finish(an_outcome(old, name, None, response=CANARY, rated=True, rating=3))
    started = await ledger.start(a_text(old, "kept-completed"))
    assert started.replayed
    assert await in_any_table(owner, CANARY) == []
    assert (await verify(db)).differences == []


async def test_texts_that_come_in_for_the_past_are_not_kept(
    ledger: Ledger, db: Database, keeper: Database, owner: asyncpg.Connection, old: UUID
) -> None:
    await prune_texts(keeper, APRIL, actor=Actor("x"))
    rows = (await a_history(db, 5)).rows(60, FEBRUARY, NOW)
    rows = [replace(each, request=with_(each.request, prompt=f"{CANARY} {each.row}")) for each in rows]
    await Importer(ledger, keeper).book(rows)
    kept = await owner.fetch(
        "SELECT started_at >= $1 AS is_young, prompt FROM chat_requests WHERE user_id <> $2", APRIL, old
    )
    assert {row["is_young"] for row in kept} == {True, False}
    assert all((row["prompt"] is not None) == row["is_young"] for row in kept)
    assert (await verify(db)).differences == []
    # So there is nothing to be cleared a second time.
    assert await prune_texts(keeper, APRIL, actor=Actor("x")) == 0


async def test_a_month_that_is_made_again_keeps_no_texts(
    ledger: Ledger, db: Database, keeper: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(NOW)
    history = await a_history(db, 6)
    await Importer(ledger, keeper).book(history.rows(20, FEBRUARY, MARCH))
    await prune_rows(keeper, ledger, MARCH, actor=Actor("x"))
    await prune_texts(keeper, MARCH, actor=Actor("x"))
    await Importer(ledger, keeper, counts_pruned=True).book(history.rows(20, FEBRUARY, MARCH))
    assert await owner.fetchval("SELECT count(*) FROM chat_requests_2026_02 WHERE prompt IS NULL") == 20


async def test_what_comes_in_for_pruned_rows_has_its_texts_until_rows_are_pruned_again(
    ledger: Ledger, db: Database, keeper: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(NOW)
    history = await a_history(db, 6)
    await prune_rows(keeper, ledger, MARCH, actor=Actor("x"))
    await Importer(ledger, keeper, counts_pruned=True).book(history.rows(20, FEBRUARY, MARCH))
    assert await owner.fetchval("SELECT count(*) FROM chat_requests WHERE prompt IS NOT NULL") == 20
    await prune_rows(keeper, ledger, MARCH, actor=Actor("x"))
    assert await owner.fetchval("SELECT count(*) FROM chat_requests") == 0
    assert (await verify(db)).differences == []


async def test_nobody_waits_for_a_row_that_another_holds(
    keeper: Database, owner: asyncpg.Connection, dsns: Addresses, old: UUID
) -> None:
    other: Any = await asyncpg.connect(dsns.service)
    try:
        held = other.transaction()
        await held.start()
        await other.execute(
            "SELECT FROM chat_requests WHERE user_id = $1 AND client_id = 'stray-failed' FOR UPDATE", old
        )
        clearing = asyncio.create_task(prune_texts(keeper, NOW, actor=Actor("x")))
        left = "SELECT count(*) FROM chat_requests WHERE prompt IS NOT NULL"
        async with asyncio.timeout(10):
            while await owner.fetchval(left) > 1:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        assert not clearing.done()
        await held.rollback()
        assert await clearing == 6
    finally:
        await other.close()


async def test_what_was_cleared_is_not_touched_again(
    *,
    monkeypatch: pytest.MonkeyPatch,
    ledger: Ledger,
    db: Database,
    keeper: Database,
    owner: asyncpg.Connection,
    clock: Clock,
) -> None:
    monkeypatch.setattr(retention, "_BLOCKS", 1)
    await clock.hold(NOW)
    history = await a_history(db, 7)
    rows = [
        replace(each, request=with_(each.request, prompt=secrets.token_hex(700)))
        for each in history.rows(80, FEBRUARY, NOW)
    ]
    await Importer(ledger, keeper).book(rows)
    cleared: list[datetime] = []
    seen = 0
    for before in (MARCH, MARCH + timedelta(days=10), APRIL, APRIL + timedelta(days=1)):
        told: list[int] = []
        blocks = 0

        def begin(total: int) -> Any:
            nonlocal blocks
            blocks = total
            return told.append  # noqa: B023 - of this turn

        untouched = await owner.fetch(_VERSIONS, cleared[-1] if cleared else FEBRUARY)
        assert await prune_texts(keeper, before, actor=Actor("x"), begin=begin) > 0
        assert sum(told) == blocks > 3
        assert await owner.fetch(_VERSIONS, cleared[-1] if cleared else FEBRUARY) == untouched
        left = await owner.fetchrow(
            "SELECT min(started_at) FILTER (WHERE prompt IS NOT NULL) AS first, "
            "count(*) FILTER (WHERE prompt IS NULL) AS gone FROM chat_requests"
        )
        assert left is not None
        assert left["first"] >= before
        assert left["gone"] > seen
        seen = left["gone"]
        cleared.append(before)
        assert await prune_texts(keeper, before, actor=Actor("x"), begin=begin) == 0
        assert blocks == 0


_VERSIONS = "SELECT id, xmin FROM chat_requests WHERE started_at < $1 ORDER BY 1"


async def test_who_was_interrupted_goes_on(keeper: Database, owner: asyncpg.Connection, old: UUID) -> None:
    places = await keeper.all("begin_clearing", before=NOW)
    assert [place["partition"] for place in places][-1] == "chat_requests_default"
    await keeper.one("clear_texts", partition="chat_requests_default", from_block=0, to_block=10, plan=None)
    assert (await retained(keeper)).texts_from is None
    assert old
    assert await prune_texts(keeper, APRIL, actor=Actor("x")) == 3
    assert (await retained(keeper)).texts_from == NOW
    assert await in_any_table(owner, CANARY) == []


async def test_what_was_cleared_is_noted(keeper: Database, owner: asyncpg.Connection, old: UUID) -> None:
    assert old
    await prune_texts(keeper, NOW, actor=Actor("retention"))
    noted = await owner.fetch("SELECT actor, detail::text FROM activity WHERE action = 'texts.pruned'")
    assert [tuple(row) for row in noted] == [("retention", '{"before": "2026-05-13T12:00:00+00:00", "requests": 6}')]
