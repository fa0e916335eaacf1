"""Alerts: people are told by mail, once, what was done with their account that might not have been they."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.accounts.clock import set_clock
from tests.mailbox import Mailbox, mailbox
from tollkeeper import activity
from tollkeeper.accounts import preferences, users
from tollkeeper.accounts.mails import alerts
from tollkeeper.accounts.mails.alerts import Post
from tollkeeper.accounts.mails.courier import Smtp
from tollkeeper.accounts.sign_in import logins
from tollkeeper.accounts.sign_in.logins import Visit
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.store.database import Database

# After the database was made: what is older is not told.
NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
SITE = "https://usage.example"
PEPPER = bytes(range(32))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ADA = "ada@example.com"
KINDS: list[tuple[str, dict[str, str]]] = [
    ("passkey.added", {}),
    ("passkey.removed", {}),
    ("passkey.refused", {}),
    ("key.created", {}),
    ("key.rotated", {}),
    ("github.connected", {}),
    ("github.disconnected", {}),
    ("variable.revealed", {"key": "PRIVATE_NAME"}),
    ("acting.begun", {}),
    ("user.changed", {"role": "admin"}),
    ("account.exported", {}),
    ("login.begun", {"place": "new"}),
]
UNTOLD: list[tuple[str, dict[str, str]]] = [
    ("key.revoked", {}),
    ("user.changed", {"name": "given"}),
    ("login.begun", {"by": "email"}),
    ("link.made", {}),
]


@pytest.fixture
async def box() -> AsyncGenerator[Mailbox]:
    async with mailbox() as box:
        yield box


@pytest.fixture
async def ada(db: Database, owner: Any) -> UUID:
    await set_clock(owner, NOW)
    return (await users.add(db, ADA, time_zone="Asia/Kolkata")).id


def post(box: Mailbox, port: int | None = None) -> Post:
    return Post(Smtp("127.0.0.1", port or box.port, "if-offered", "no-reply@usage.example"), SITE)


def subjects(box: Mailbox) -> list[str]:
    return sorted(str(each.message["Subject"]) for each in box.got)


async def act(
    db: Database, user_id: UUID, action: str, detail: dict[str, Any] | None = None, actor: Actor | None = None
) -> None:
    doer = actor or Actor(str(user_id), "192.0.2.7", FIREFOX)
    await activity.note(db, user_id=user_id, actor=doer, action=action, detail=detail)


async def test_each_kind_is_mailed_once_however_many_nodes_tell(db: Database, ada: UUID, box: Mailbox) -> None:
    for kind, detail in [*KINDS, *UNTOLD]:
        await act(db, ada, kind, detail)
    for _ in range(3):
        await asyncio.gather(*(alerts.tell(db, post(box)) for _ in range(3)))
    assert len(set(subjects(box))) == len(box.got) == len(KINDS)
    assert {each.to for each in box.got} == {ADA}


async def test_it_says_what_when_and_from_where_and_no_names(db: Database, ada: UUID, box: Mailbox) -> None:
    await act(db, ada, "variable.revealed", {"key": "PRIVATE_NAME"})
    await alerts.tell(db, post(box))
    got = await box.next(ADA)
    local = NOW + timedelta(hours=5, minutes=30)
    for part in (got.part("plain"), got.part("html")):
        assert f"{local:%-d %B %Y, %H:%M} in Asia/Kolkata ({NOW:%-d %B %Y, %H:%M} UTC)" in part
        assert "192.0.2.7, Firefox on Linux" in part
        assert f"{SITE}/settings/security" in part
        assert "PRIVATE_NAME" not in part


async def test_of_an_operator_neither_name_nor_address_is_told(db: Database, ada: UUID, box: Mailbox) -> None:
    bob = await users.add(db, "bob@example.com", admin=True)
    operator = Actor(str(bob.id), "198.51.100.9", FIREFOX)
    await act(db, ada, "acting.begun", actor=operator)
    await act(db, ada, "key.created", actor=replace(operator, who=str(ada), acted_by=bob.id))
    await act(db, ada, "user.changed", {"role": "admin"}, actor=OPERATOR)
    await alerts.tell(db, post(box))
    assert len(box.got) == 3
    for got in box.got:
        assert "From: an operator of this service" in got.part("plain")
        assert not any(word in got.part("plain") for word in ("198.51.100.9", "bob@", str(bob.id)))


async def test_hostile_words_are_text(db: Database, ada: UUID, box: Mailbox) -> None:
    hostile = "<img/src=//evil.example>$site"
    await act(db, ada, "key.created", actor=Actor(str(ada), hostile, hostile))
    await alerts.tell(db, post(box))
    got = await box.next(ADA)
    assert "<img" not in got.part("html")
    assert "&lt;img/src=//evil.example&gt;$site" in got.part("html")


async def test_who_wants_none_or_is_switched_off_or_leaving_gets_none_even_later(
    db: Database, owner: Any, ada: UUID, box: Mailbox
) -> None:
    await preferences.change(db, ada, actor=OPERATOR, mails_security=False)
    await alerts.tell(db, post(box))
    box.got.clear()
    bob = (await users.add(db, "bob@example.com")).id
    await users.change(db, bob, actor=OPERATOR, is_active=False)
    eve = (await users.add(db, "eve@example.com")).id
    for each in (ada, bob, eve):
        await act(db, each, "key.created")
    await owner.fetchval("SELECT tk_begin_leaving($1, true)", eve)
    await alerts.tell(db, post(box))
    await preferences.change(db, ada, actor=OPERATOR, mails_security=True)
    await users.change(db, bob, actor=OPERATOR, is_active=True)
    await alerts.tell(db, post(box))
    assert not box.got
    await act(db, ada, "key.created")
    await alerts.tell(db, post(box))
    assert len(box.got) == 1


async def test_that_mails_were_switched_off_is_itself_told(db: Database, ada: UUID, box: Mailbox) -> None:
    await preferences.change(db, ada, actor=OPERATOR, mails_security=False)
    await act(db, ada, "key.created")
    assert await alerts.tell(db, post(box)) == 1
    assert "Mails about security were switched off" in box.got[0].message["Subject"]


async def test_what_was_done_before_mails_were_switched_off_is_told(
    db: Database, owner: Any, ada: UUID, box: Mailbox
) -> None:
    async def switch(second: int, *, to: bool) -> None:
        await set_clock(owner, NOW + timedelta(seconds=second))
        await preferences.change(db, ada, actor=OPERATOR, mails_security=to)

    await act(db, ada, "key.created")
    await alerts.tell(db, post(box, port=1))
    await switch(1, to=False)
    await set_clock(owner, NOW + timedelta(seconds=2))
    await act(db, ada, "github.connected")
    assert await alerts.tell(db, post(box)) == 1
    await switch(3, to=True)
    await set_clock(owner, NOW + timedelta(seconds=4))
    await act(db, ada, "passkey.added")
    await switch(5, to=False)
    await set_clock(owner, NOW + timedelta(seconds=6))
    await act(db, ada, "passkey.removed")
    assert await alerts.tell(db, post(box)) == 2
    # What failed at first is tried again, switched off or not.
    await set_clock(owner, NOW + timedelta(minutes=1))
    assert await alerts.tell(db, post(box)) == 1
    off = "Mails about security were switched off"
    told = ["A passkey was added to your account", "An API key was created for your account", off, off]
    assert subjects(box) == [f"tollkeeper: {each}" for each in told]


async def test_an_address_that_is_put_off_keeps_nobody_elses_alerts(
    db: Database, owner: Any, ada: UUID, box: Mailbox
) -> None:
    eve = (await users.add(db, "eve@greylisting.example")).id
    for _ in range(12):
        await act(db, eve, "key.created")
    await set_clock(owner, NOW + timedelta(seconds=1))
    await act(db, ada, "key.created")
    box.refuses, box.refuses_of = "450 greylisted", "@greylisting.example"
    assert await alerts.tell(db, post(box)) == 1


async def test_a_mail_server_that_comes_back_gets_it_once(db: Database, owner: Any, ada: UUID, box: Mailbox) -> None:
    await act(db, ada, "key.created")
    assert await alerts.tell(db, post(box, port=1)) == 0
    assert await alerts.tell(db, post(box)) == 0
    await set_clock(owner, NOW + timedelta(minutes=1))
    box.refuses = "450 come back later"
    assert await alerts.tell(db, post(box)) == 0
    box.refuses = None
    await set_clock(owner, NOW + timedelta(minutes=4))
    assert await alerts.tell(db, post(box)) == 0
    await set_clock(owner, NOW + timedelta(minutes=5))
    assert await alerts.tell(db, post(box)) == 1
    assert len(box.got) == 1


async def test_after_a_day_it_is_given_up_and_forgotten(db: Database, owner: Any, ada: UUID, box: Mailbox) -> None:
    await act(db, ada, "key.created")
    assert await alerts.tell(db, post(box, port=1)) == 0
    await set_clock(owner, NOW + timedelta(hours=24, seconds=1))
    assert await alerts.tell(db, post(box)) == 0
    await set_clock(owner, NOW + timedelta(days=2, seconds=1))
    await alerts.forget(db)
    assert await owner.fetchval("SELECT count(*) FROM alerts") == 0


async def test_refused_for_good_it_is_not_tried_again(db: Database, owner: Any, ada: UUID, box: Mailbox) -> None:
    await act(db, ada, "key.created")
    box.refuses = "550 no such user"
    assert await alerts.tell(db, post(box)) == 0
    box.refuses = None
    await set_clock(owner, NOW + timedelta(hours=2))
    assert await alerts.tell(db, post(box)) == 0
    assert not box.got


async def test_what_a_killed_node_had_taken_another_sends(db: Database, owner: Any, ada: UUID, box: Mailbox) -> None:
    await act(db, ada, "key.created")
    assert len(await alerts._take(db)) == 1
    assert await alerts.tell(db, post(box)) == 0
    await set_clock(owner, NOW + alerts.LEASE)
    assert await alerts.tell(db, post(box)) == 1
    assert len(box.got) == 1


async def test_of_revealed_secrets_one_an_hour_is_told(db: Database, owner: Any, ada: UUID, box: Mailbox) -> None:
    for minutes, kind in ((0, "variable.revealed"), (0, "variables.revealed"), (30, "variable.revealed")):
        await set_clock(owner, NOW + timedelta(minutes=minutes))
        await act(db, ada, kind)
    for _ in range(2):
        await asyncio.gather(*(alerts.tell(db, post(box)) for _ in range(3)))
    assert len(box.got) == 1
    await set_clock(owner, NOW + timedelta(minutes=91))
    await alerts.tell(db, post(box))
    await act(db, ada, "variables.revealed")
    await alerts.tell(db, post(box))
    assert len(box.got) == 2


async def test_an_upgrade_floods_nobody(db: Database, owner: Any, ada: UUID, box: Mailbox) -> None:
    await act(db, ada, "key.created")
    await owner.execute("UPDATE alerts_begin SET since = $1", NOW + timedelta(seconds=1))
    assert await alerts.tell(db, post(box)) == 0
    await set_clock(owner, NOW + timedelta(seconds=1))
    await act(db, ada, "key.rotated")
    assert await alerts.tell(db, post(box)) == 1


async def test_only_a_sign_in_from_an_unknown_browser_and_network_is_told(
    db: Database, ada: UUID, box: Mailbox
) -> None:
    home, phone = bytes([1]) * 32, bytes([2]) * 32
    known = [Visit("192.0.2.1", FIREFOX, home), Visit("192.0.2.9", FIREFOX, phone), Visit("203.0.113.5", FIREFOX, home)]
    for visit in known:
        await logins.begin(db, ada, by="email", pepper=PEPPER, visit=visit)
    assert await alerts.tell(db, post(box)) == 0
    await logins.begin(db, ada, by="email", pepper=PEPPER, visit=Visit("198.51.100.1", FIREFOX, bytes([3]) * 32))
    assert await alerts.tell(db, post(box)) == 1
    assert subjects(box) == ["tollkeeper: New sign-in to your account"]
    assert "198.51.100.1, Firefox on Linux" in box.got[0].part("plain")
