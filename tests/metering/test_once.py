"""What is sent twice happens once: starts by their names, finishes by their payload."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from tests.metering.making import PENDING_FOR, a_plan, a_request, a_user, an_outcome, outcomes_of, started, usage_of
from tollkeeper.errors import AlreadyFinished, KeyReused, LimitReached
from tollkeeper.metering.tracking import records
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import Settled, Started
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

NAMED = [{"client_id": "req-123"}, {"idempotency_key": "once"}, {"client_id": "req-123", "idempotency_key": "once"}]
PAYLOAD: dict[str, Any] = {
    "session_id": "s",
    "model": "gpt-4",
    "category": "nft",
    "complexity": "high",
    "max_tokens": 9,
    "metadata": {"b": 1, "a": {"d": 2, "c": 3}},
}
OTHERS: dict[str, Any] = {
    "prompt": "five5",
    "session_id": None,
    "model": "gpt-4o",
    "category": None,
    "complexity": "low",
    "max_tokens": None,
    "metadata": {"b": 1},
    "request_type": "analysis",
}


@pytest.mark.parametrize("named", NAMED, ids=["id", "key", "both"])
async def test_a_repeated_start_gets_the_first_answer_whatever_happened_since(
    ledger: Ledger, db: Database, user: UUID, named: dict[str, str]
) -> None:
    first = await started(ledger, user, **named, **PAYLOAD)
    await started(ledger, user)
    await ledger.finish(an_outcome(user, first.id))
    reordered = PAYLOAD | {"metadata": {"a": {"c": 3, "d": 2}, "b": 1}}
    # Who sends it and from where is not what it says.
    again = await started(ledger, user, **named, **reordered, ip_address="::1", user_agent="other")
    assert again == replace(first, replayed=True)
    assert await db.value("user", user_id=user)  # still there
    assert len(await records.newest(db, user, limit=9)) == 2


async def test_another_payload_under_the_same_name_is_refused(ledger: Ledger, user: UUID) -> None:
    await started(ledger, user, client_id="req-123", idempotency_key="once", **PAYLOAD)
    for field, value in OTHERS.items():
        for named in ({"client_id": "req-123"}, {"idempotency_key": "once", "client_id": "req-123"}):
            (told,) = await outcomes_of([started(ledger, user, **named, **PAYLOAD | {field: value})])
            assert isinstance(told, KeyReused), field
            assert told.fields["requestId"] == "req-123"


async def test_a_key_with_another_request_id_is_reused(ledger: Ledger, user: UUID) -> None:
    await started(ledger, user, idempotency_key="once", client_id="a")
    for other in ("b", None):
        with pytest.raises(KeyReused) as refused:
            await started(ledger, user, idempotency_key="once", client_id=other)
        assert refused.value.fields["requestId"] == "a"


async def test_names_of_two_requests_are_of_neither(ledger: Ledger, user: UUID) -> None:
    await started(ledger, user, idempotency_key="one", client_id="a")
    await started(ledger, user, idempotency_key="two", client_id="b")
    with pytest.raises(KeyReused) as refused:
        await started(ledger, user, idempotency_key="two", client_id="a")
    assert refused.value.fields["requestId"] == "a"


async def test_a_key_that_comes_with_a_repeat_is_of_the_same_request_from_then_on(ledger: Ledger, user: UUID) -> None:
    first = await started(ledger, user, client_id="a")
    for _ in range(2):
        assert await started(ledger, user, client_id="a", idempotency_key="late") == replace(first, replayed=True)
    for other in ({"prompt": "five5"}, {"client_id": "a", "prompt": "five5"}):
        with pytest.raises(KeyReused):
            await started(ledger, user, idempotency_key="late", **other)


async def test_ids_and_keys_are_name_spaces_of_their_own_for_each_user(
    ledger: Ledger, db: Database, user: UUID
) -> None:
    other = await a_user(db, email="eve@example.com")
    made = [
        await started(ledger, user, client_id="x"),
        await started(ledger, user, idempotency_key="x", prompt="other"),
        await started(ledger, other, client_id="x", prompt="third"),
        await started(ledger, other, idempotency_key="x", prompt="fourth"),
    ]
    assert len({each.id for each in made}) == 4
    assert not any(each.replayed for each in made)


async def test_fifty_twins_on_two_nodes_are_one(dsns: Addresses, db: Database, user: UUID) -> None:
    async with (
        Database.open(dsns.service, size=2) as other,
        Ledger(db, pending_for=PENDING_FOR) as here,
        Ledger(other, pending_for=PENDING_FOR) as there,
    ):
        nodes = [here, there]
        told = await asyncio.gather(*(started(nodes[n % 2], user, idempotency_key="k") for n in range(50)))
    assert len({(each.id, each.limits, each.expires_at) for each in told}) == 1
    assert sum(not each.replayed for each in told) == 1
    assert len(await records.newest(db, user, limit=9)) == 1


async def test_twins_in_one_set_are_decided_in_their_order(ledger: Ledger, user: UUID) -> None:
    told = await outcomes_of(
        [
            started(ledger, user, client_id="a"),
            started(ledger, user, client_id="a"),
            started(ledger, user, client_id="a", prompt="other"),
            started(ledger, user, client_id="b"),
            started(ledger, user, client_id="a"),
        ]
    )
    a, a_again, reused, b, a_last = told
    assert isinstance(a, Started)
    assert a_again == a_last == replace(a, replayed=True)
    assert isinstance(reused, KeyReused)
    assert b.limits.daily_used == 2


async def test_a_refused_start_is_decided_anew(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, await a_plan(owner, "one", daily_requests=1))
    pending = await started(ledger, user)
    for _ in range(2):
        with pytest.raises(LimitReached):
            await started(ledger, user, client_id="again")
    await ledger.finish(an_outcome(user, pending.id, "failed", trusted=True))
    assert not (await started(ledger, user, client_id="again")).replayed


async def test_twins_of_a_refused_start_in_one_set_are_each_refused(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "none", daily_requests=0))
    told = await outcomes_of([started(ledger, user, client_id="a") for _ in range(3)])
    assert {type(each) for each in told} == {LimitReached}
    assert ledger.starts.sets == 1


async def test_the_same_finish_again_gets_the_same_answer(ledger: Ledger, db: Database, user: UUID) -> None:
    pending = await started(ledger, user, client_id="a", model="gpt-4")
    outcome = an_outcome(user, "a", tokens_input=5, tokens_output=6, response="hi", rated=True, rating=3)
    first = await ledger.finish(outcome)
    await started(ledger, user)
    await ledger.finish(an_outcome(user, "a", None, rated=True, rating=5))
    assert await ledger.finish(outcome) == first
    assert await ledger.finish(replace(outcome, request=pending.id)) == first
    assert (await records.one(db, user, "a")).rating == 5
    assert (await verify(db)).differences == []


DIFFERENT: dict[str, Any] = {
    "status": "failed",
    "response": "other",
    "error_message": "other",
    "model": "gpt-4o",
    "tokens_input": 6,
    "tokens_cached": 1,
    "reported_nanos": 9,
    "duration_ms": 8,
    "rating": 4,
}


async def test_a_different_finish_contradicts(ledger: Ledger, user: UUID) -> None:
    pending = await started(ledger, user, client_id="a", model="gpt-4")
    outcome = an_outcome(user, "a", tokens_input=5, tokens_output=6, response="hi", rated=True, rating=3)
    settled = await ledger.finish(outcome)
    for field, value in DIFFERENT.items():
        (told,) = await outcomes_of([ledger.finish(replace(outcome, **{field: value}))])
        assert isinstance(told, AlreadyFinished), field
        assert told.fields == {"requestId": "a", "id": str(pending.id), "currentStatus": "completed"}
    assert await ledger.finish(outcome) == settled


async def test_finishes_of_one_request_in_one_set_under_both_its_names(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, user: UUID
) -> None:
    pending = await started(ledger, user, client_id="a")
    outcome = an_outcome(user, "a", tokens_input=5, tokens_output=6)
    ours = replace(outcome, request=pending.id)
    sent = [outcome, ours, replace(ours, status="failed"), an_outcome(user, "a", None, rated=True, rating=2), outcome]
    first, second, other, rated, last = await outcomes_of([ledger.finish(each) for each in sent])
    assert isinstance(first, Settled)
    assert first == second == last
    assert isinstance(other, AlreadyFinished)
    assert rated.limits.version == first.limits.version + 1
    assert (await usage_of(owner, user))["total_completed"] == 1
    assert (await verify(db)).differences == []


async def test_completed_and_failed_race_and_one_wins(dsns: Addresses, db: Database, user: UUID) -> None:
    async with (
        Database.open(dsns.service, size=2) as other,
        Ledger(db, pending_for=PENDING_FOR) as here,
        Ledger(other, pending_for=PENDING_FOR) as there,
    ):
        pending = [await started(here, user) for _ in range(20)]
        sent = [
            node.finish(an_outcome(user, each.id, status, duration_ms=5))
            for each in pending
            for status, node in (("completed", here), ("failed", there), ("completed", there), ("failed", here))
        ]
        told = await outcomes_of(sent)
    for n in range(20):
        four = told[4 * n : 4 * n + 4]
        settled = [each for each in four if isinstance(each, Settled)]
        assert len(settled) == 2
        assert settled[0] == settled[1]
        assert sum(isinstance(each, AlreadyFinished) for each in four) == 2
    assert (await verify(db)).differences == []


async def test_a_past_request_is_booked_once_at_its_own_time(ledger: Ledger, db: Database, user: UUID) -> None:
    then = datetime(2024, 2, 29, 23, 59, tzinfo=UTC)
    request = a_request(user, import_key="file:7", started_at=then, model="gpt-4")
    outcome = an_outcome(user, "", completed_at=then + timedelta(seconds=3), tokens_input=1, tokens_output=2)
    assert await ledger.record([(request, outcome)]) == [True]
    assert await ledger.record([(request, outcome)]) == [False]
    (booked,) = await records.newest(db, user, limit=9)
    assert (booked.started_at, booked.started_on, booked.status) == (then, then.date(), "completed")
    assert (booked.duration_ms, booked.completed_at) == (None, then + timedelta(seconds=3))
    assert (await started(ledger, user)).limits.monthly_used == 1
    assert (await verify(db)).differences == []


async def test_twins_in_one_set_of_past_requests_are_booked_once(ledger: Ledger, db: Database, user: UUID) -> None:
    past = a_request(user, import_key="file:7", started_at=datetime(2024, 2, 29, tzinfo=UTC))
    assert await ledger.record([(past, None), (past, None)]) == [True, False]
    assert len(await records.newest(db, user, limit=9)) == 1


async def test_past_requests_are_never_refused_and_today_they_count(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "one", daily_requests=1, features='["chat"]'))
    at = await owner.fetchval("SELECT tk_now()")
    past = [(a_request(user, import_key=str(n), started_at=at, request_type="own"), None) for n in range(5)]
    assert await ledger.record(past) == [True] * 5
    with pytest.raises(LimitReached) as told:
        await started(ledger, user)
    assert told.value.fields["used"] == 5
    assert told.value.fields["remaining"] == 0
