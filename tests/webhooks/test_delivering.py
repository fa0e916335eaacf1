"""Delivering: at least once, under one id, on a schedule; whatever receivers do, others are told in time."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.accounts.clock import set_clock
from tests.receivers import Receiver
from tests.webhooks.making import ACTOR, NOW, deliver, due, states, tell, webhooks
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses
from tollkeeper.webhooks import deliveries, delivering, endpoints, transport
from tollkeeper.webhooks.delivering import Messenger
from tollkeeper.webhooks.endpoints import Endpoint
from tollkeeper.webhooks.messages import PAUSES

A_WHILE = timedelta(hours=30)


async def has_come(receiver: Receiver, count: int = 1) -> None:
    """Wait until it got something, which it tells nobody."""
    async with asyncio.timeout(60):
        while len(receiver.got) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_event_is_delivered_once_as_the_documents_say(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    (name,) = await tell(owner, ada, content='{"used": 12345678901234567890.123456789, "plan": "\\u00e9"}')
    for _ in range(3):
        await deliver(db)
    (got,) = receiver.got
    assert got.id == name
    assert got.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert got.headers["user-agent"] == "tollkeeper/test"
    assert got.is_signed_with(endpoints.secret_of(webhooks(), endpoint))
    assert b"12345678901234567890.123456789" in got.body, "no digit is lost on the way"
    assert got.json == {
        "type": "limit.threshold",
        "timestamp": "2026-03-01T12:00:00.000000Z",
        "data": {
            "used": 12345678901234567890.123456789,
            "plan": "é",
            "user": {"id": str(ada), "email": "ada@example.com"},
        },
    }
    (found,) = await deliveries.listed(db, endpoint.id, limit=5)
    assert (found.state, found.tries, found.delivered_at, found.message_id) == ("delivered", 1, NOW, name)
    assert [(each["status"], each["error"]) for each in found.attempts] == [(204, None)]


async def test_it_is_tried_for_days_under_one_id_and_then_given_up(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.mood = "status 500"
    (name,) = await tell(owner, ada)
    at = NOW
    for tries, pause in enumerate(PAUSES, 1):
        await deliver(db)
        assert await states(owner) == [("waiting", tries)]
        (next_at,) = await due(owner)
        assert pause <= next_at - at <= pause * 1.1
        # One that rests is waited for as well.
        rests = await owner.fetchval("SELECT resting_until FROM webhook_endpoints")
        await set_clock(owner, next_at - timedelta(seconds=1))
        await deliver(db)
        assert len(receiver.got) == tries, "not a second too early"
        at = max(next_at, rests or next_at)
        await set_clock(owner, at)
    await deliver(db)
    assert await states(owner) == [("failed", len(PAUSES) + 1)]
    assert receiver.ids == {name: len(PAUSES) + 1}
    assert await due(owner) == []
    (found,) = await deliveries.listed(db, endpoint.id, limit=5, state="failed")
    assert len(found.attempts) == 10
    # It waited for the sum of all pauses.
    assert at - NOW > timedelta(days=3)


@pytest.mark.parametrize("mood", ["redirect 302", "status 404", "status 400"])
async def test_what_is_no_success_is_tried_again(
    *, db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver, mood: str
) -> None:
    assert endpoint
    receiver.mood = mood
    await tell(owner, ada)
    await deliver(db)
    receiver.mood = "well"
    await set_clock(owner, NOW + timedelta(seconds=6))
    await deliver(db)
    assert await states(owner) == [("delivered", 2)]
    assert list(receiver.ids.values()) == [2]


@pytest.mark.parametrize(
    ("status", "asked", "least"), [(429, 7200, 7200), (503, 60, 60), (429, 1, 5), (503, 10**9 - 1, 86400)]
)
async def test_a_busy_receiver_is_left_alone_as_long_as_it_asks(
    *, db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver, status: int, asked: int, least: int
) -> None:  # fmt: skip
    receiver.mood = f"wait {status} {asked}"
    await tell(owner, ada)
    await deliver(db)
    (next_at,) = await due(owner)
    assert timedelta(seconds=least) <= next_at - NOW <= timedelta(seconds=least * 1.1)
    receiver.mood = "well"
    # All of the endpoint waits, and not that message alone.
    await tell(owner, ada)
    await deliver(db)
    assert len(receiver.got) == 1
    assert (await endpoints.one(db, endpoint.id)).resting_until == NOW + timedelta(seconds=min(asked, 86400))
    await set_clock(owner, NOW + timedelta(seconds=least * 1.1))
    await deliver(db)
    assert [state for state, _ in await states(owner)] == ["delivered", "delivered"]


async def test_who_answers_that_it_is_gone_is_told_no_more(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.mood = "status 410"
    await tell(owner, ada)
    await deliver(db)
    found = await endpoints.one(db, endpoint.id)
    assert (found.is_active, found.disabled_for, found.disabled_at) == (False, "gone", NOW)
    await set_clock(owner, NOW + A_WHILE)
    await tell(owner, ada)
    await deliver(db)
    assert len(receiver.got) == 1
    noted = await owner.fetchrow("SELECT actor, detail FROM activity WHERE action = 'webhook.disabled'")
    assert (noted["actor"], json.loads(noted["detail"])) == (
        "webhooks",
        {"endpoint": str(endpoint.id), "reason": "gone"},
    )


async def test_one_that_fails_everything_for_five_days_is_switched_off_and_noted_once(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.mood = "status 500"
    for day in (0, 1, 2, 3, 4):
        await set_clock(owner, NOW + timedelta(days=day))
        await tell(owner, ada)
        await deliver(db)
    assert (await endpoints.one(db, endpoint.id)).is_active
    await set_clock(owner, NOW + timedelta(days=5))
    await deliver(db)
    found = await endpoints.one(db, endpoint.id)
    assert (found.is_active, found.disabled_for) == (False, "failing")
    assert await owner.fetchval("SELECT count(*) FROM activity WHERE action = 'webhook.disabled'") == 1


async def test_one_success_in_five_days_is_enough(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    for day, mood in ((0, "status 500"), (3, "well"), (4, "status 500"), (6, "status 500"), (8, "status 500")):
        receiver.mood = mood
        await set_clock(owner, NOW + timedelta(days=day))
        await tell(owner, ada)
        await deliver(db)
    assert (await endpoints.one(db, endpoint.id)).is_active


async def test_one_that_nothing_was_sent_to_for_days_is_not_switched_off_by_one_failure(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.mood = "status 500"
    await tell(owner, ada)
    await deliver(db)
    await owner.execute("UPDATE webhook_deliveries SET state = 'failed', due_at = NULL")
    later = NOW + timedelta(days=6)
    await set_clock(owner, later)
    await tell(owner, ada)
    await deliver(db)
    found = await endpoints.one(db, endpoint.id)
    assert (found.is_active, found.failing_since) == (True, later)


async def test_one_that_fails_is_not_tried_sooner_because_it_asks_for_it(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.mood = "wait 503 0"
    await tell(owner, ada, count=30)
    await deliver(db)
    tried = len(receiver.got)
    assert delivering.ENOUGH <= tried < delivering.ENOUGH + delivering.AT_ONCE
    rests = (await endpoints.one(db, endpoint.id)).resting_until
    assert rests
    assert rests - NOW >= timedelta(seconds=15)
    await deliver(db)
    assert len(receiver.got) == tried


async def test_what_was_taken_and_never_sent_is_no_try(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    await tell(owner, ada)
    taken = {
        "endpoint_id": endpoint.id,
        "lease": delivering.LEASE,
        "overlap": endpoints.OVERLAP,
        "most": 4,
        "enough": 5,
    }
    for dead in range(12):
        await set_clock(owner, NOW + dead * delivering.LEASE)
        assert [row["tries"] for row in await db.all("take_webhooks", **taken)] == [1]
    await set_clock(owner, NOW + 12 * delivering.LEASE)
    receiver.mood = "status 500"
    await deliver(db)
    assert await states(owner) == [("waiting", 1)]


async def test_one_that_fails_rests_and_is_tried_with_one_message_then(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.mood = "status 500"
    await tell(owner, ada, count=30)
    await deliver(db)
    assert delivering.ENOUGH <= len(receiver.got) < delivering.ENOUGH + delivering.AT_ONCE
    tried = len(receiver.got)
    rests = (await endpoints.one(db, endpoint.id)).resting_until
    assert rests
    assert timedelta(seconds=15) <= rests - NOW <= timedelta(minutes=5)
    await deliver(db)
    assert len(receiver.got) == tried
    await set_clock(owner, rests)
    await deliver(db)
    assert len(receiver.got) == tried + 1
    receiver.mood = "well"
    await set_clock(owner, NOW + A_WHILE)
    await deliver(db)
    assert {state for state, _ in await states(owner)} == {"delivered"}
    found = await endpoints.one(db, endpoint.id)
    assert (found.failures, found.failing_since, found.resting_until) == (0, None, None)


async def test_a_receiver_that_hangs_holds_up_no_other(
    *,
    db: Database,
    owner: Any,
    ada: UUID,
    endpoint: Endpoint,
    receiver: Receiver,
    other: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert endpoint
    await endpoints.add(db, webhooks(), other.url, actor=ACTOR)
    receiver.mood = "hang"
    await tell(owner, ada, count=40)
    # However busy this machine is: what hangs is still waited for when all of the others have come.
    monkeypatch.setattr(transport, "ALL_SECONDS", 90.0)
    async with Messenger(db, webhooks()) as messenger:
        await messenger.look()
        await has_come(other, 40)
        # And it goes on for the well one.
        (name,) = await tell(owner, ada)
        while name not in other.ids:
            await messenger.look()
            await asyncio.sleep(0.02)
        assert len(receiver.got) == receiver.at_once == delivering.AT_ONCE
    assert set(other.ids.values()) == {1}


async def test_one_receiver_gets_four_at_once_at_most(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    assert endpoint
    receiver.mood = "slow 0.05"
    await tell(owner, ada, count=24)
    await deliver(db)
    assert receiver.most_at_once == delivering.AT_ONCE == 4
    assert len(receiver.ids) == 24


async def test_many_nodes_deliver_each_event_once(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    assert endpoint
    names = await tell(owner, ada, count=60)
    messengers = [Messenger(db, webhooks()) for _ in range(5)]
    for _ in range(3):
        await asyncio.gather(*(each.look() for each in messengers))
        await asyncio.gather(*(each.idle() for each in messengers))
    assert receiver.ids == dict.fromkeys(names, 1)


async def test_what_a_killed_node_had_taken_another_delivers_after_the_lease(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.mood = "hang"
    (name,) = await tell(owner, ada)
    async with Messenger(db, webhooks()) as killed:
        await killed.look()
        await has_come(receiver)
    receiver.mood = "well"
    await set_clock(owner, NOW + delivering.LEASE - timedelta(seconds=1))
    await deliver(db)
    assert receiver.ids == {name: 1}
    await set_clock(owner, NOW + delivering.LEASE)
    await deliver(db)
    assert receiver.ids == {name: 2}
    assert await states(owner) == [("delivered", 1)]
    assert endpoint


@pytest.mark.parametrize("late", ["status 500", "status 410", "well"])
async def test_who_wakes_after_the_lease_has_nothing_more_to_say(
    *, db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver, late: str
) -> None:
    """One node sent, and slept before it noted the outcome; another delivered meanwhile."""
    await tell(owner, ada)
    slow, noting = Messenger(db, webhooks()), asyncio.Event()
    note, slow._note = slow._note, None  # type: ignore[method-assign, assignment]

    async def noted_late(*args: Any) -> None:
        await noting.wait()
        await note(*args)

    slow._note = noted_late  # type: ignore[method-assign]
    receiver.mood = late
    await slow.look()
    await has_come(receiver)
    receiver.mood = "well" if late != "well" else "status 500"
    await set_clock(owner, NOW + delivering.LEASE)
    await deliver(db)
    newer = await states(owner)
    assert newer == [("delivered" if late != "well" else "waiting", 1)]
    noting.set()
    await slow.idle()
    assert await states(owner) == newer
    found = await endpoints.one(db, endpoint.id)
    assert found.is_active
    (delivery,) = await deliveries.listed(db, endpoint.id, limit=5)
    assert delivery.attempts[0]["status"] == (204 if late != "well" else 500)


async def test_who_slept_before_sending_leaves_it_to_others(
    *, db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert endpoint
    await tell(owner, ada)
    monkeypatch.setattr(delivering, "_TRY", delivering.LEASE + timedelta(seconds=1))
    await deliver(db)
    assert not receiver.got
    monkeypatch.undo()
    await set_clock(owner, NOW + delivering.LEASE)
    await deliver(db)
    assert len(receiver.got) == 1


async def test_a_database_that_goes_away_in_between_loses_nothing(
    *, db: Database, dsns: Addresses, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    assert endpoint
    receiver.mood = "slow 0.3"
    names = await tell(owner, ada, count=4)
    async with Messenger(db, webhooks()) as messenger:
        await messenger.look()
        await has_come(receiver, 4)
        admin = await asyncpg.connect(dsns.admin)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND usename = 'tollkeeper_service'"
        )
        await admin.close()
        await messenger.idle()
    await set_clock(owner, NOW + delivering.LEASE)
    await deliver(db)
    assert receiver.ids.keys() == set(names)
    assert {state for state, _ in await states(owner)} == {"delivered"}
