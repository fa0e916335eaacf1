"""Many requests at once end where the same requests, one by one, would have ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.metering.making import NOON, OWN_MODEL, Clock, a_plan, a_request, a_user, usage_of
from tollkeeper.errors import KeyReused, LimitReached, TollkeeperError
from tollkeeper.metering.tracking import batch
from tollkeeper.metering.tracking.batch import Entry, PastRequest, book
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import NewRequest, Outcome, Started
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database, TryAgain
from tollkeeper.store.patience import firmly

_SUMS = (
    *("day_requests", "month_requests", "month_tokens", "month_cost_nanos", "reserved_tokens", "reserved_nanos"),
    *("version", "total_requests", "total_completed", "total_failed", "total_tokens_used", "total_cost_nanos"),
    *("total_unpriced", "total_timed", "total_duration_ms", "total_rated", "total_rating"),
)


def past(user: UUID, seconds_ago: int = 60, **given_: Any) -> Entry:
    """Make a request that ended elsewhere."""
    name = given_.pop("client_id", None)
    at = NOON - timedelta(seconds=seconds_ago)
    new = NewRequest(user_id=user, prompt="four", priced_at=at, model=given_.pop("model", "gpt-4o"), client_id=name)
    ended: dict[str, Any] = {"tokens_used": 3, "tokens_input": 2, "tokens_output": 1, "status": "completed"}
    outcome = Outcome(user, "-", at, trusted=True, completed_at=at, **(ended | given_))
    return PastRequest.of(new, outcome, started_at=at, said=(at, None)), outcome


@pytest.fixture(autouse=True)
async def noon(clock: Clock) -> None:
    await clock.hold(NOON)


def kinds(told: list[Started | TollkeeperError]) -> list[str]:
    """Name what became of each."""
    return [("replayed" if each.replayed else "new") if isinstance(each, Started) else each.slug for each in told]


async def test_nothing_is_decided_of_nothing(ledger: Ledger) -> None:
    assert await book(ledger, []) == []


async def test_sets_are_small_and_many_and_every_place_has_its_verdict(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    plan = await a_plan(owner, "three-a-day", daily_requests=3)
    people = [await a_user(db, plan, email=f"u{number}@example.com") for number in range(7)]
    wanted = [people[place % 7] for place in range(batch.SET_ITEMS * 3)]
    told = await book(ledger, [(a_request(user), None) for user in wanted])
    seen = Counter[UUID]()
    for user, each in zip(wanted, told, strict=True):
        seen[user] += 1
        # The first come are the first served.
        assert isinstance(each, Started if seen[user] <= 3 else LimitReached)
    assert not (await verify(db)).differences


async def test_a_start_sees_what_all_that_ended_has_left(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "tight", daily_requests=2, monthly_tokens=10))
    entries = [(a_request(user, max_tokens=1), None), past(user)]
    entries.insert(1, past(user, status="failed", tokens_used=9, tokens_input=9, tokens_output=0))
    told = await book(ledger, [*entries, (a_request(user), None)])
    # The failed one gave its unit back, and its 9 tokens and 3 more are above 10.
    assert kinds(told) == ["limit-reached", "new", "new", "limit-reached"]
    assert {each.fields["limit"] for each in told if isinstance(each, LimitReached)} == {"tokens"}
    assert not (await verify(db)).differences


async def test_twins_of_one_batch_are_one_request(ledger: Ledger, db: Database, user: UUID) -> None:
    entries = [past(user, client_id="a"), past(user, client_id="a"), past(user, client_id="a", tokens_used=4)]
    entries += [(a_request(user, client_id="b"), None), (a_request(user, client_id="b"), None)]
    entries += [(a_request(user, client_id="b", prompt="other"), None), past(user, client_id="a")]
    told = await book(ledger, entries)
    assert kinds(told) == ["new", "replayed", "key-reused", "new", "replayed", "key-reused", "replayed"]
    assert isinstance(told[2], KeyReused)
    assert not (await verify(db)).differences


async def test_one_to_blame_stands_alone_in_the_middle_of_one_users_set(
    ledger: Ledger, db: Database, user: UUID
) -> None:
    entries = [past(user, client_id=f"r{place}") for place in range(100)]
    entries[37] = past(user, client_id="r37", rated=True, rating=6)
    entries[38] = past(user, client_id="r38", tokens_used=2**62)
    told = await book(ledger, entries)
    assert [place for place, each in enumerate(told) if not isinstance(each, Started)] == [37, 38]
    assert not (await verify(db)).differences


async def test_what_a_driver_cannot_send_is_nobody_elses_fault(ledger: Ledger, db: Database, user: UUID) -> None:
    entries = [past(user) for _ in range(20)]
    entries[3] = past(user, duration_ms=2**70)
    entries[11] = past(user, response="\ud800")
    told = await book(ledger, entries)
    wrong = [place for place, each in enumerate(told) if not isinstance(each, Started)]
    assert wrong == [3, 11]
    assert not (await verify(db)).differences


async def test_two_batches_of_the_same_users_do_not_lock_each_other_up(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    people = [await a_user(db, email=f"u{number}@example.com") for number in range(30)]
    entries = [past(each, client_id=f"r{place}", model=OWN_MODEL) for place in range(20) for each in people]
    told = await asyncio.gather(book(ledger, entries), book(ledger, entries[::-1]), book(ledger, entries[300:]))
    assert Counter(kind for each in told for kind in kinds(each)) == {"new": 600, "replayed": 900}
    assert await owner.fetchval("SELECT count(*) FROM chat_requests") == 600
    assert not (await verify(db)).differences


async def test_a_conflict_is_tried_again_and_not_for_ever() -> None:
    left = 3

    async def act() -> int:
        nonlocal left
        left -= 1
        if left >= 0:
            raise TryAgain("a deadlock", sqlstate="40P01")
        return left

    assert await firmly(act) == -1
    left = 100
    with pytest.raises(TryAgain):
        await firmly(act)


def test_a_past_request_is_known_by_all_that_was_said_of_it() -> None:
    user_id = UUID(int=7)
    first = past(user_id, client_id="a")[0].payload_hash()
    assert first == past(user_id, client_id="a")[0].payload_hash()
    others = [
        past(user_id, client_id="a", tokens_used=4),
        past(user_id, client_id="a", response="more"),
        past(user_id, client_id="a", seconds_ago=61),
        (a_request(user_id, model="gpt-4o", client_id="a"), None),
    ]
    assert first not in {request.payload_hash() for request, _ in others}


PEOPLE = 3
ITEMS = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.integers(0, PEOPLE - 1),
            "name": st.sampled_from([None, None, "a", "b", "c"]),
            "kind": st.sampled_from(["start", "completed", "failed"]),
            "tokens": st.integers(0, 9),
            "seconds_ago": st.sampled_from([0, 60, 86_400, 40 * 86_400]),
        }
    ),
    max_size=15,
)


def entry(user: Any, item: dict[str, Any]) -> Entry:
    if item["kind"] == "start":
        return a_request(user, client_id=item["name"], max_tokens=item["tokens"], model=OWN_MODEL), None
    tokens = {"tokens_used": item["tokens"], "tokens_input": item["tokens"], "tokens_output": 0}
    given_ = tokens | {"status": item["kind"], "duration_ms": item["tokens"], "model": OWN_MODEL}
    return past(user, item["seconds_ago"], client_id=item["name"], **given_)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=ITEMS)
@pytest.mark.usefixtures("own_model")
async def test_a_batch_ends_where_its_items_one_by_one_end(
    ledger: Ledger, db: Database, owner: Any, items: list[dict[str, Any]]
) -> None:
    number = await owner.fetchval("SELECT count(*) FROM accounts")
    plan = await a_plan(owner, f"few-{number}", daily_requests=4, monthly_tokens=40)
    people: list[Any] = [await a_user(db, plan, email=f"h{number}-{each}@example.com") for each in range(2 * PEOPLE)]
    twins: list[Any] = people[PEOPLE:]
    at_once = await book(ledger, [entry(people[item["person"]], item) for item in items])
    # What has ended comes first.
    order = sorted(range(len(items)), key=lambda place: items[place]["kind"] == "start")
    for place in order:
        (apart,) = await book(ledger, [entry(twins[items[place]["person"]], items[place])])
        assert kinds([at_once[place]]) == kinds([apart])
    for user, twin in zip(people, twins, strict=False):
        mine, theirs = await usage_of(owner, user), await usage_of(owner, twin)
        assert [mine[name] for name in _SUMS] == [theirs[name] for name in _SUMS]
