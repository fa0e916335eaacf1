"""Endpoints: added, changed, rotated and removed; each is told of what happens while it is there and wants it."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook

from tests.accounts.clock import set_clock
from tests.receivers import Receiver
from tests.webhooks.making import ACTOR, NOW, ROOT, deliver, states, tell, webhooks
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.store.database import Database
from tollkeeper.webhooks import endpoints
from tollkeeper.webhooks.guard import Guard


async def add(db: Database, receiver: Receiver, **more: Any) -> endpoints.Endpoint:
    return await endpoints.add(db, webhooks(), receiver.url, actor=ACTOR, **more)


async def test_it_is_told_of_the_kinds_it_wants_from_its_creation_on(
    db: Database, owner: Any, ada: UUID, receiver: Receiver
) -> None:
    await tell(owner, ada)
    await add(db, receiver, kinds=["plan.changed", "plan.expired"])
    assert await states(owner) == []
    await tell(owner, ada)
    wanted = await tell(owner, ada, kind="plan.changed")
    wanted += await tell(owner, ada, kind="plan.expired")
    await deliver(db)
    assert sorted(receiver.ids) == sorted(wanted)


async def test_an_event_that_is_rolled_back_is_told_to_nobody(
    db: Database, owner: Any, ada: UUID, receiver: Receiver
) -> None:
    await add(db, receiver)
    transaction = owner.transaction()
    await transaction.start()
    await tell(owner, ada)
    await transaction.rollback()
    await deliver(db)
    assert not receiver.got


async def test_what_is_switched_off_is_told_nothing_and_what_waits_goes_out_when_it_is_on_again(
    db: Database, owner: Any, ada: UUID, receiver: Receiver
) -> None:
    made = await add(db, receiver)
    before = await tell(owner, ada)
    off = await endpoints.change(db, webhooks(), made.id, is_active=False, actor=ACTOR)
    assert (off.is_active, off.disabled_for, off.disabled_at) == (False, "operator", NOW)
    await tell(owner, ada)
    await deliver(db)
    assert not receiver.got
    on = await endpoints.change(db, webhooks(), made.id, is_active=True, actor=ACTOR)
    assert (on.is_active, on.disabled_for, on.disabled_at) == (True, None, None)
    await deliver(db)
    assert sorted(receiver.ids) == before


async def test_what_waits_for_a_later_try_goes_out_as_soon_as_it_is_on_again_or_elsewhere(
    db: Database, owner: Any, ada: UUID, receiver: Receiver, other: Receiver
) -> None:
    made = await add(db, receiver)
    told = await tell(owner, ada)
    changes: tuple[dict[str, Any], ...] = ({"is_active": True}, {"url": other.url})
    for count, change in enumerate(changes, start=1):
        await owner.execute("UPDATE webhook_deliveries SET due_at = tk_now() + interval '20 hours'")
        receiver.mood = "status 500"
        await deliver(db)
        assert len(receiver.got) == count - 1
        await endpoints.change(db, webhooks(), made.id, **change, actor=ACTOR)
        await deliver(db)
        assert (len(receiver.got), [each.id for each in other.got]) == ((1, []) if count == 1 else (1, told))
    assert await states(owner) == [("delivered", 1)]


async def test_there_are_ten_at_most_however_many_add_at_once(db: Database, receiver: Receiver) -> None:
    tries = await asyncio.gather(*(add(db, receiver) for _ in range(13)), return_exceptions=True)
    refused = [each for each in tries if isinstance(each, Contradiction)]
    assert len(refused) == 3
    assert len(await endpoints.listed(db)) == 10
    await endpoints.remove(db, (await endpoints.listed(db))[0].id, actor=ACTOR)
    await add(db, receiver)


async def test_what_cannot_be_is_refused_by_its_field(db: Database) -> None:
    for url in ("http://169.254.169.254/", "https://10.0.0.1/", "https://nothing.invalid/", "x"):
        with pytest.raises(Invalid, match=r"^url: "):
            await endpoints.add(db, webhooks(), url, actor=ACTOR)
    good = "http://127.0.0.1:9000/"
    with pytest.raises(Invalid, match=r"^kinds: "):
        await endpoints.add(db, webhooks(), good, kinds=["plan.bought"], actor=ACTOR)
    with pytest.raises(Invalid, match=r"^description: "):
        await endpoints.add(db, webhooks(), good, description="x" * 501, actor=ACTOR)
    made = await endpoints.add(db, webhooks(), good, actor=ACTOR)
    with pytest.raises(Invalid, match=r"^url: "):
        await endpoints.change(db, webhooks(), made.id, url="http://10.0.0.1/", actor=ACTOR)
    assert (await endpoints.one(db, made.id)).url == good


async def test_nobody_waits_for_a_dead_name_server(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_: str) -> list[str]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(endpoints, "_LOOK_UP_SECONDS", 0.05)
    waiting = endpoints.Webhooks(Guard(resolve=resolve), ROOT, "tollkeeper/test")
    with pytest.raises(Invalid, match="looked up in time"):
        await endpoints.add(db, waiting, "https://dead.example/", actor=ACTOR)


async def test_one_that_is_not_there_is_not_found(db: Database) -> None:
    nobody = uuid4()
    for act in (
        endpoints.one(db, nobody),
        endpoints.change(db, webhooks(), nobody, description="x", actor=ACTOR),
        endpoints.remove(db, nobody, actor=ACTOR),
        endpoints.secret(db, webhooks(), nobody, actor=ACTOR),
        endpoints.rotate(db, webhooks(), nobody, actor=ACTOR),
        endpoints.test(db, webhooks(), nobody, actor=ACTOR),
    ):
        with pytest.raises(NotFound):
            await act


async def test_after_a_rotation_both_secrets_sign_for_a_day(
    db: Database, owner: Any, ada: UUID, receiver: Receiver
) -> None:
    made = await add(db, receiver)
    old = endpoints.secret_of(webhooks(), made)
    rotated, new = await endpoints.rotate(db, webhooks(), made.id, actor=ACTOR)
    assert new != old
    assert await endpoints.secret(db, webhooks(), made.id, actor=ACTOR) == new
    assert rotated.old_secret_until == NOW + timedelta(hours=24)
    for later, both in ((timedelta(), True), (timedelta(hours=24, seconds=-1), True), (timedelta(hours=24), False)):
        await set_clock(owner, NOW + later)
        await tell(owner, ada)
        await deliver(db)
        got = receiver.got[-1]
        assert got.is_signed_with(new)
        assert got.is_signed_with(old) is both
        assert len(got.headers["webhook-signature"].split(" ")) == (2 if both else 1)


async def test_a_removed_endpoint_takes_its_deliveries_along(
    db: Database, owner: Any, ada: UUID, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "_AT_ONCE", 2)
    made, other = await add(db, receiver), await add(db, receiver)
    await tell(owner, ada, count=5)
    await endpoints.remove(db, made.id, actor=ACTOR)
    assert len(await states(owner)) == 5
    await deliver(db)
    assert set(receiver.ids.values()) == {1}
    assert [each.id for each in await endpoints.listed(db)] == [other.id]


async def test_while_one_is_removed_what_happens_neither_waits_nor_fails(
    db: Database, owner: Any, ada: UUID, receiver: Receiver
) -> None:
    """A request that tells something is in the middle of its transaction when its endpoint goes."""
    made = await add(db, receiver)
    transaction = owner.transaction()
    await transaction.start()
    await tell(owner, ada)
    await asyncio.wait_for(endpoints.remove(db, made.id, actor=ACTOR), 1)
    await transaction.commit()
    await deliver(db)
    assert not receiver.got


async def test_a_test_comes_back_at_once_with_what_was_answered(db: Database, owner: Any, receiver: Receiver) -> None:
    await set_clock(owner, datetime.now(UTC))
    made = await add(db, receiver)
    outcome = await endpoints.test(db, webhooks(), made.id, actor=ACTOR)
    assert (outcome.is_delivered, outcome.status, outcome.error) == (True, 204, None)
    (got,) = receiver.got
    said = Webhook(endpoints.secret_of(webhooks(), made)).verify(got.body, got.headers)
    assert (said["type"], said["data"]) == ("webhook.test", {"endpoint": str(made.id)})
    receiver.mood = "status 500"
    outcome = await endpoints.test(db, webhooks(), made.id, actor=ACTOR)
    assert (outcome.is_delivered, outcome.status) == (False, 500)


async def test_what_is_done_is_noted_without_the_secret_and_the_path(
    db: Database, owner: Any, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await add(db, receiver)
    await endpoints.change(db, webhooks(), made.id, url=receiver.url + "?token=s3cret", actor=ACTOR)
    _, new = await endpoints.rotate(db, webhooks(), made.id, actor=ACTOR)
    await endpoints.secret(db, webhooks(), made.id, actor=ACTOR)
    await endpoints.test(db, webhooks(), made.id, actor=ACTOR)
    await endpoints.remove(db, made.id, actor=ACTOR)
    rows = await owner.fetch("SELECT action, detail::text FROM activity WHERE action LIKE 'webhook.%' ORDER BY id")
    assert [row["action"] for row in rows] == [
        *("webhook.added", "webhook.changed", "webhook.rotated", "webhook.revealed", "webhook.tested"),
        "webhook.removed",
    ]
    told = " ".join(row["detail"] for row in rows)
    assert str(made.id) in told
    for hidden in ("s3cret", new, endpoints.secret_of(webhooks(), made), "/hooks"):
        assert hidden not in told
    ours = [each.getMessage() for each in caplog.records if not each.name.startswith("aiohttp")]
    assert ours
    assert "s3cret" not in " ".join(ours)
