"""Reading requests and conversations back, page by page, each user their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.metering.making import NOON, Clock, a_request, a_user, an_outcome, started
from tollkeeper.errors import NotFound
from tollkeeper.metering.tracking import records
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Database


async def test_a_request_reads_as_it_was_written(ledger: Ledger, db: Database, user: UUID) -> None:
    prompt, response = 'naïve\n"\\ 👩🏽\u200d💻 \u202eabc', "١٢٣ " * 1000
    made = await started(
        ledger, user, prompt=prompt, client_id="req-123", session_id="s/1", model="gpt-4", request_type="analysis",
        category="nft", complexity="high", max_tokens=7, metadata={"a": {"b": [1.5, "x", None, True]}},
        ip_address="::1", user_agent="agent",
    )  # fmt: skip
    await ledger.finish(
        an_outcome(user, "req-123", "failed", response=response, error_message="why", tokens_input=1, tokens_output=2,
                   tokens_cached=3, tokens_cache_write=4, tokens_reasoning=5, reported_nanos=6, duration_ms=8,
                   rated=True, rating=1)
    )  # fmt: skip
    seen = await records.one(db, user, "req-123")
    assert seen == await records.one(db, user, made.id)
    assert (seen.prompt, seen.response, seen.metadata) == (prompt, response, {"a": {"b": [1.5, "x", None, True]}})
    assert (seen.client_id, seen.session_id, seen.request_type, seen.category, seen.complexity) == (
        "req-123", "s/1", "analysis", "nft", "high")  # fmt: skip
    assert (seen.status, seen.error_message, seen.error_code, seen.duration_ms, seen.rating) == (
        "failed",
        "why",
        None,
        8,
        1,
    )
    kinds = (
        seen.tokens_used,
        seen.tokens_input,
        seen.tokens_output,
        seen.tokens_cached,
        seen.tokens_cache_write,
        seen.tokens_reasoning,
    )
    assert kinds == (3, 1, 2, 3, 4, 5)
    assert (seen.ip_address, seen.user_agent, seen.plan_name, seen.reported_nanos) == ("::1", "agent", "pro", 6)


async def test_an_idempotency_key_is_no_name_of_a_request(ledger: Ledger, db: Database, user: UUID) -> None:
    await started(ledger, user, idempotency_key="once")
    for reference in ("once", "", uuid4()):
        with pytest.raises(NotFound):
            await records.one(db, user, reference)


async def test_pages_follow_each_other_without_gap_or_twin(ledger: Ledger, db: Database, user: UUID) -> None:
    other = await a_user(db, email="eve@example.com")
    made = [(await started(ledger, user)).id for _ in range(7)]
    await started(ledger, other)
    seen: list[UUID] = []
    before: UUID | None = None
    while page := await records.newest(db, user, limit=3, before=before):
        seen += [each.id for each in page]
        before = page[-1].id
        await started(ledger, user)  # what comes meanwhile is on no later page
    assert seen == made[::-1]


async def test_a_conversation_reads_in_order(ledger: Ledger, db: Database, clock: Clock) -> None:
    await clock.hold(NOON)
    user = await a_user(db)
    made: list[UUID] = []
    for n in range(5):
        made.append((await started(ledger, user, session_id="s", prompt=str(n))).id)
        await started(ledger, user, session_id="t")
        await clock.step(timedelta(milliseconds=1))
    first = await records.in_session(db, user, "s", limit=3)
    rest = await records.in_session(db, user, "s", limit=3, after=first[-1].id)
    assert [each.id for each in (*first, *rest)] == made
    assert await records.in_session(db, await a_user(db, email="eve@example.com"), "s", limit=3) == []


async def test_conversations_are_listed_from_the_one_begun_last(ledger: Ledger, db: Database, clock: Clock) -> None:
    await clock.hold(NOON)
    user = await a_user(db)
    for name in ("a", "b", "c", "a", "b", "a"):
        made = await started(ledger, user, session_id=name)
        await clock.step(timedelta(minutes=1))
        if name == "b":
            await ledger.finish(an_outcome(user, made.id, tokens_used=5, reported_nanos=7))
    await started(ledger, user)
    seen = await records.newest_sessions(db, user, limit=9)
    assert [(each.session_id, each.requests, each.completed, each.tokens_used, each.cost_nanos) for each in seen] == [
        ("c", 1, 0, 0, 0), ("b", 2, 2, 10, 14), ("a", 3, 0, 0, 0)]  # fmt: skip
    assert [each.last_at - each.started_at for each in seen] == [timedelta(minutes=m) for m in (0, 3, 5)]
    paged = await records.newest_sessions(db, user, limit=1)
    paged += await records.newest_sessions(db, user, limit=9, before=(paged[0].started_at, paged[0].session_id))
    assert paged == seen


async def test_conversations_begun_at_one_instant_are_paged_without_loss(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    await clock.hold(NOON)
    user = await a_user(db)
    for name in "abcde":
        await started(ledger, user, session_id=name)
    newest, oldest = "", ""
    last: tuple[datetime, str] | None = None
    while page := await records.newest_sessions(db, user, limit=2, before=last):
        newest += "".join(each.session_id for each in page)
        last = (page[-1].started_at, page[-1].session_id)
    last = None
    while page := await records.oldest_sessions(db, user, limit=2, after=last):
        oldest += "".join(each.session_id for each in page)
        last = (page[-1].started_at, page[-1].session_id)
    assert (newest, oldest) == ("edcba", "abcde")


async def test_a_conversation_of_the_past_begins_with_its_first_request(
    ledger: Ledger, db: Database, user: UUID
) -> None:
    days = [datetime(2025, 1, day, tzinfo=UTC) for day in (5, 3, 9)]
    past = [
        (
            a_request(user, import_key=str(at), session_id="s", started_at=at),
            an_outcome(user, "", tokens_used=1, completed_at=at),
        )
        for at in days
    ]
    assert await ledger.record(past[:1]) == [True]
    assert await ledger.record(past) == [False, True, True]
    (seen,) = await records.newest_sessions(db, user, limit=9)
    assert (seen.started_at, seen.last_at, seen.requests) == (min(days), max(days), 3)
