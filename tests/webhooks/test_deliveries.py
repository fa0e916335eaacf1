"""Deliveries as operators see them, and trying them anew."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.accounts.clock import set_clock
from tests.receivers import Receiver
from tests.store.plans import Reader
from tests.webhooks.making import ACTOR, NOW, deliver, states, tell, webhooks
from tollkeeper.accounts import users
from tollkeeper.errors import Contradiction, NotFound
from tollkeeper.metering.upkeep import leaving
from tollkeeper.store.database import Database
from tollkeeper.webhooks import deliveries, delivering, endpoints
from tollkeeper.webhooks.endpoints import OVERLAP, Endpoint


async def test_the_last_ten_attempts_are_kept(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    await tell(owner, ada)
    for status in range(500, 513):
        receiver.mood = f"status {status}"
        (found,) = await deliveries.listed(db, endpoint.id, limit=5)
        await deliveries.replay(db, endpoint.id, found.id, actor=ACTOR)
        await deliver(db)
    (found,) = await deliveries.listed(db, endpoint.id, limit=5)
    assert [each["status"] for each in found.attempts] == list(range(503, 513))
    assert {datetime.fromisoformat(each["at"]) for each in found.attempts} == {NOW}


async def test_of_a_user_who_leaves_nothing_more_is_told(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    assert endpoint
    bob = (await users.add(db, "bob@example.com")).id
    await tell(owner, ada)
    (name,) = await tell(owner, bob)
    await leaving.begin(db, ada, actor=ACTOR, may_be_last=True)
    await deliver(db)
    assert receiver.ids == {name: 1}
    await leaving.finish(db, db, ada, seconds=60)
    assert len(await states(owner)) == 1


async def test_deliveries_go_with_their_event(db: Database, owner: Any, ada: UUID, endpoint: Endpoint) -> None:
    await tell(owner, ada)
    await owner.execute("DELETE FROM events")
    assert await deliveries.listed(db, endpoint.id, limit=5) == []


async def test_a_delivery_is_replayed_under_its_id(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    names = await tell(owner, ada, count=2)
    await deliver(db)
    (found, _) = await deliveries.listed(db, endpoint.id, limit=5)
    await deliveries.replay(db, endpoint.id, found.id, actor=ACTOR)
    await deliver(db)
    assert receiver.ids == {name: 2 if name == found.message_id else 1 for name in names}
    for unknown in (f"{ada.hex}-{ada.hex}", "x", "-", "a-b-c"):
        with pytest.raises(NotFound):
            await deliveries.replay(db, endpoint.id, unknown, actor=ACTOR)
    with pytest.raises(NotFound):
        await deliveries.replay(db, ada, found.id, actor=ACTOR)
    await endpoints.change(db, webhooks(), endpoint.id, is_active=False, actor=ACTOR)
    with pytest.raises(Contradiction):
        await deliveries.replay(db, endpoint.id, found.id, actor=ACTOR)


async def test_all_that_failed_since_is_replayed_and_disturbs_who_rests(
    *, db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "_AT_ONCE", 2)
    await tell(owner, ada, count=2)
    await set_clock(owner, NOW + timedelta(hours=1))
    late = await tell(owner, ada, count=5)
    await owner.execute("UPDATE webhook_deliveries SET state = 'failed', due_at = NULL, tries = 10")
    await owner.execute("UPDATE webhook_endpoints SET failures = 50, resting_until = tk_now() + interval '1 hour'")
    assert await deliveries.replay_failed(db, endpoint.id, NOW + timedelta(minutes=1), actor=ACTOR) == 5
    await deliver(db)
    assert receiver.ids == dict.fromkeys(late, 1)
    assert [state for state, _ in await states(owner)] == ["failed"] * 2 + ["delivered"] * 5
    assert await deliveries.replay_failed(db, endpoint.id, NOW, actor=ACTOR) == 2


async def test_what_failed_and_waits_for_its_next_try_is_replayed_too_but_not_what_may_be_under_way(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.mood = "status 500"
    later = await tell(owner, ada)
    await deliver(db)
    await owner.execute("UPDATE webhook_deliveries SET due_at = tk_now() + interval '10 hours', tries = 6")
    await tell(owner, ada)
    taking = {"lease": delivering.LEASE, "most": 9, "enough": delivering.ENOUGH, "overlap": OVERLAP}
    await db.all("take_webhooks", endpoint_id=endpoint.id, **taking)
    receiver.mood = "well"
    assert await deliveries.replay_failed(db, endpoint.id, NOW, actor=ACTOR) == 1
    await deliver(db)
    assert [each.id for each in receiver.got] == later * 2
    assert sorted(await states(owner)) == [("delivered", 1), ("waiting", 0)]


async def test_deliveries_are_listed_the_newest_first_page_by_page(
    db: Database, owner: Any, ada: UUID, endpoint: Endpoint
) -> None:
    for minute in range(7):
        await set_clock(owner, NOW + timedelta(minutes=minute // 2))
        await tell(owner, ada)
    found: list[deliveries.Delivery] = []
    while page := await deliveries.listed(
        db, endpoint.id, limit=3, before=(found[-1].created_at, found[-1].event_id) if found else None
    ):
        found += page
    assert len({each.id for each in found}) == 7
    assert [each.created_at for each in found] == sorted((each.created_at for each in found), reverse=True)
    assert await deliveries.listed(db, endpoint.id, limit=3, state="failed") == []
    assert (await endpoints.one(db, endpoint.id)).waiting == 7


async def test_of_many_that_wait_a_node_reads_those_that_it_takes(owner: Any, ada: UUID, endpoint: Endpoint) -> None:
    """Whatever waits for one endpoint, and for others that are switched off."""
    await owner.execute(
        """WITH made AS (INSERT INTO events (user_id, id, kind, once, data, created_at)
           SELECT $1, g.id, 'plan.changed', g.id::text, '{}', tk_now()
             FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 20000)) AS g RETURNING id)
           SELECT count(*) FROM made""",
        ada,
    )
    await owner.execute("ANALYZE webhook_deliveries, events")
    await owner.execute("SET plan_cache_mode = force_generic_plan")
    reader = Reader(owner)
    taken = {"endpoint_id": endpoint.id, "lease": delivering.LEASE, "overlap": OVERLAP, "most": 4, "enough": 5}
    plan = await reader.plan("take_webhooks", **taken)
    assert plan.rows <= 60, plan.read.rows
    assert (await reader.plan("webhooks_due")).rows <= 10
