from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.accounts.clock import set_clock
from tollkeeper.accounts import tokens, users
from tollkeeper.accounts.sign_in import logins
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.errors import AccountInactive, NobodyKnown, NotFound, TollkeeperError
from tollkeeper.store.database import Database

PEPPER = bytes(range(32))
NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)


@pytest.fixture
async def user(db: Database, owner: Any) -> users.User:
    await set_clock(owner, NOW)
    return await users.add(db, "a@example.com", admin=True)


async def test_a_link_becomes_a_sign_in(db: Database, owner: Any, user: users.User) -> None:
    link = await logins.make_link(db, user.id, pepper=PEPPER, actor=OPERATOR)
    assert link.expires_at == NOW + timedelta(minutes=10)
    session = await logins.redeem(db, link.token, pepper=PEPPER, visit=logins.Visit("192.0.2.1", "Firefox"))
    assert session.user_id == user.id
    assert session.expires_at == NOW + timedelta(days=90)
    token_hash = tokens.hashed(session.token, pepper=PEPPER)
    assert await logins.who(db, [token_hash, tokens.hashed(link.token, pepper=PEPPER)]) == [
        logins.SignedIn(
            token_hash,
            session.id,
            user.id,
            "admin",
            is_active=True,
            created_at=NOW,
            expires_at=session.expires_at,
            is_recent=True,
            acted_by=None,
        )
    ]
    assert (await users.show(db, user.id)).last_login_at == NOW
    assert [each.user_agent for each in await logins.listed(db, user.id)] == ["Firefox"]
    noted = await owner.fetch("SELECT ip_address FROM activity WHERE user_id = $1 AND action = 'login.begun'", user.id)
    assert [tuple(row) for row in noted] == [("192.0.2.1",)]


async def test_of_a_hundred_who_come_with_one_link_one_is_signed_in(db: Database, owner: Any, user: users.User) -> None:
    link = await logins.make_link(db, user.id, pepper=PEPPER, actor=OPERATOR)
    verdicts = await asyncio.gather(
        *(logins.redeem(db, link.token, pepper=PEPPER) for _ in range(100)), return_exceptions=True
    )
    assert sum(isinstance(each, logins.LoginSession) for each in verdicts) == 1
    assert sum(isinstance(each, NobodyKnown) for each in verdicts) == 99
    assert await owner.fetchval("SELECT count(*) FROM sessions") == 1
    assert await owner.fetchval("SELECT count(*) FROM activity WHERE action = 'login.begun'") == 1


async def test_the_other_links_of_a_user_die_with_the_one_that_is_used(db: Database, user: users.User) -> None:
    one, other = [await logins.make_link(db, user.id, pepper=PEPPER, actor=OPERATOR) for _ in range(2)]
    bob = await users.add(db, "bob@example.com")
    bobs = await logins.make_link(db, bob.id, pepper=PEPPER, actor=OPERATOR)
    await logins.redeem(db, other.token, pepper=PEPPER)
    with pytest.raises(NobodyKnown):
        await logins.redeem(db, one.token, pepper=PEPPER)
    assert (await logins.redeem(db, bobs.token, pepper=PEPPER)).user_id == bob.id


async def test_links_of_one_user_that_race_do_not_wait_for_each_other(
    db: Database, owner: Any, user: users.User
) -> None:
    links = [await logins.make_link(db, user.id, pepper=PEPPER, actor=OPERATOR) for _ in range(20)]
    async with owner.transaction():
        first = tokens.hashed(links[0].token, pepper=PEPPER)
        await owner.execute("SELECT FROM sign_in_links WHERE token_hash = $1 FOR UPDATE", first)
        await asyncio.wait_for(logins.redeem(db, links[1].token, pepper=PEPPER), 0.5)
    verdicts = await asyncio.gather(
        *(logins.redeem(db, each.token, pepper=PEPPER) for each in links), return_exceptions=True
    )
    assert all(isinstance(each, logins.LoginSession | NobodyKnown) for each in verdicts), verdicts


async def test_a_link_expires_by_the_clock_of_the_database(db: Database, owner: Any, user: users.User) -> None:
    link = await logins.make_link(db, user.id, pepper=PEPPER, actor=OPERATOR, valid_for=timedelta(minutes=1))
    await set_clock(owner, NOW + timedelta(minutes=1))
    with pytest.raises(NobodyKnown):
        await logins.redeem(db, link.token, pepper=PEPPER)


async def test_a_made_up_token_signs_nobody_in(db: Database) -> None:
    for token in ("", "x" * 43, "x" * 42, "ü" * 43, "\ud800" * 43, "x" * 42 + "\n", "x" * 10**6):
        with pytest.raises(NobodyKnown):
            await logins.redeem(db, token, pepper=PEPPER)


async def test_a_sign_in_ends_after_14_days_without_use(db: Database, owner: Any, user: users.User) -> None:
    session = await _signed_in(db, user)
    await set_clock(owner, NOW + timedelta(days=14))
    assert await _holds(db, session) is None


async def test_a_sign_in_in_use_ends_after_90_days(db: Database, owner: Any, user: users.User) -> None:
    session = await _signed_in(db, user)
    for days in range(10, 90, 10):
        await set_clock(owner, NOW + timedelta(days=days))
        assert await _holds(db, session)
    await set_clock(owner, NOW + timedelta(days=90))
    assert await _holds(db, session) is None
    assert await logins.listed(db, user.id) == []


async def test_use_is_noted_every_five_minutes_and_never_waited_for(db: Database, owner: Any, user: users.User) -> None:
    session = await _signed_in(db, user)
    seen: list[datetime] = []
    for minutes in (4, 6, 10, 12):
        await set_clock(owner, NOW + timedelta(minutes=minutes))
        await _holds(db, session)
        seen.append((await logins.listed(db, user.id))[0].last_seen_at)
    assert seen == [NOW, *[NOW + timedelta(minutes=6)] * 2, NOW + timedelta(minutes=12)]
    await set_clock(owner, NOW + timedelta(hours=1))
    async with owner.transaction():
        await owner.execute("SELECT FROM sessions FOR UPDATE")
        assert await asyncio.wait_for(_holds(db, session), 0.5)


async def test_a_sign_in_is_recent_for_15_minutes(db: Database, owner: Any, user: users.User) -> None:
    session = await _signed_in(db, user)
    found: list[bool] = []
    for minutes in (14, 15):
        await set_clock(owner, NOW + timedelta(minutes=minutes))
        holding = await _holds(db, session)
        found.append(bool(holding and holding.is_recent))
    assert found == [True, False]


async def test_role_and_activity_are_those_of_now(db: Database, user: users.User) -> None:
    session = await _signed_in(db, user)
    await users.change(db, user.id, actor=OPERATOR, admin=False, is_active=False)
    holding = await _holds(db, session)
    assert holding
    assert (holding.role, holding.is_active) == ("user", False)


async def test_a_sign_in_that_was_ended_holds_no_longer(db: Database, user: users.User) -> None:
    session = await _signed_in(db, user)
    eve = await users.add(db, "eve@example.com")
    with pytest.raises(NotFound):
        await logins.end(db, eve.id, session.id, actor=Actor(str(eve.id)))
    assert await _holds(db, session)
    await logins.end(db, user.id, session.id, actor=Actor(str(user.id)))
    assert await _holds(db, session) is None
    with pytest.raises(NotFound):
        await logins.end(db, user.id, session.id, actor=Actor(str(user.id)))


async def test_a_new_sign_in_ends_the_session_that_its_browser_had_and_no_other(db: Database, user: users.User) -> None:
    had, elsewhere = [await _signed_in(db, user) for _ in range(2)]
    visit = logins.Visit(replaces=tokens.hashed(had.token, pepper=PEPPER))
    anew = await logins.begin(db, user.id, by="passkey", pepper=PEPPER, visit=visit)
    assert [await _holds(db, each) is not None for each in (had, elsewhere, anew)] == [False, True, True]
    assert anew.token != had.token


async def test_who_is_switched_off_or_gone_is_signed_in_by_nothing(db: Database, owner: Any, user: users.User) -> None:
    link = await logins.make_link(db, user.id, pepper=PEPPER, actor=OPERATOR)
    await users.change(db, user.id, actor=OPERATOR, is_active=False)
    ways: tuple[logins.Way, ...] = ("link", "email", "github", "passkey")
    for by in ways:
        with pytest.raises(AccountInactive):
            await logins.begin(db, user.id, by=by, pepper=PEPPER)
    with pytest.raises(AccountInactive):
        await logins.begin(db, uuid4(), by="email", pepper=PEPPER)
    with pytest.raises(AccountInactive):
        await logins.redeem(db, link.token, pepper=PEPPER)
    assert await owner.fetchval("SELECT count(*) FROM sessions") == 0
    await users.change(db, user.id, actor=OPERATOR, is_active=True)
    assert await logins.redeem(db, link.token, pepper=PEPPER)  # what was refused has used nothing up


async def test_a_sign_in_says_by_what_and_from_which_network(db: Database, owner: Any, user: users.User) -> None:
    signed_in: tuple[tuple[logins.Way, str | None], ...] = (
        ("email", "192.0.2.77"),
        ("github", "2001:db8:1:2:3::4"),
        ("passkey", None),
    )
    for by, address in signed_in:
        await logins.begin(db, user.id, by=by, pepper=PEPPER, visit=logins.Visit(address))
    kept = await owner.fetch("SELECT signed_in_by, network FROM sessions ORDER BY signed_in_by")
    assert [tuple(row) for row in kept] == [
        ("email", "192.0.2.0/24"), ("github", "2001:db8:1:2::/64"), ("passkey", None),
    ]  # fmt: skip
    noted = await owner.fetch("SELECT detail->>'by' FROM activity WHERE action = 'login.begun'")
    assert {row[0] for row in noted} == {"email", "github", "passkey"}


async def test_signing_out_everywhere_spares_one_sign_in_and_voids_open_links(db: Database, user: users.User) -> None:
    sessions = [await _signed_in(db, user) for _ in range(3)]
    link = await logins.make_link(db, user.id, pepper=PEPPER, actor=OPERATOR)
    assert await logins.end_all(db, user.id, actor=Actor(str(user.id)), but=sessions[1].id) == 2
    assert [await _holds(db, each) is not None for each in sessions] == [False, True, False]
    with pytest.raises(TollkeeperError):
        await logins.redeem(db, link.token, pepper=PEPPER)
    assert await logins.end_all(db, user.id, actor=Actor(str(user.id))) == 1


async def test_two_who_sign_out_everywhere_at_once_do_not_lock_up(db: Database, user: users.User) -> None:
    sessions = [await _signed_in(db, user) for _ in range(20)]
    ended = await asyncio.gather(*(logins.end_all(db, user.id, actor=OPERATOR, but=each.id) for each in sessions[:8]))
    assert sum(ended) == 20
    assert await logins.listed(db, user.id) == []


async def test_what_was_over_already_is_not_counted(db: Database, owner: Any, user: users.User) -> None:
    await _signed_in(db, user)
    await set_clock(owner, NOW + timedelta(days=14))
    await _signed_in(db, user)
    assert await logins.end_all(db, user.id, actor=OPERATOR) == 1


async def test_the_newest_sign_ins_come_first_page_by_page(db: Database, user: users.User) -> None:
    sessions = [(await _signed_in(db, user)).id for _ in range(5)]
    first = await logins.listed(db, user.id, limit=3)
    second = await logins.listed(db, user.id, limit=3, before=first[-1].id)
    assert {each.id for each in (*first, *second)} == set(sessions)
    assert len(first) == 3


async def test_an_unknown_user_gets_no_link(db: Database) -> None:
    with pytest.raises(NotFound):
        await logins.make_link(db, uuid4(), pepper=PEPPER, actor=OPERATOR)


async def test_what_is_long_over_is_forgotten_and_nothing_else(db: Database, owner: Any, user: users.User) -> None:
    ended = await _signed_in(db, user)
    await logins.end(db, user.id, ended.id, actor=OPERATOR)
    assert await logins.forget(db) == 0
    await set_clock(owner, NOW + timedelta(days=31))
    holding = await _signed_in(db, user)
    assert await logins.forget(db) == 2  # the session and its link
    assert await _holds(db, holding)


async def _signed_in(db: Database, user: users.User) -> logins.LoginSession:
    link = await logins.make_link(db, user.id, pepper=PEPPER, actor=OPERATOR)
    return await logins.redeem(db, link.token, pepper=PEPPER)


async def _holds(db: Database, session: logins.LoginSession) -> logins.SignedIn | None:
    found = await logins.who(db, [tokens.hashed(session.token, pepper=PEPPER)])
    return found[0] if found else None
