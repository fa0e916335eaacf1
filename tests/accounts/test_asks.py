"""Signing in by mail: what an ask gives, to whom, where, how often; and who may sign up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.accounts.clock import set_clock
from tollkeeper.accounts import tokens, users
from tollkeeper.accounts.mails.letters import Letter
from tollkeeper.accounts.sign_in import asks, invitations, logins
from tollkeeper.accounts.sign_in.asks import Arrived, Ask
from tollkeeper.accounts.sign_in.logins import Visit
from tollkeeper.accounts.sign_in.signing_up import SignUp
from tollkeeper.activity import OPERATOR
from tollkeeper.errors import (
    AccountInactive,
    AskedElsewhere,
    CodeOver,
    CodeWrong,
    LinkOver,
    NobodyKnown,
    TooManyAttempts,
)
from tollkeeper.store.database import Database, Transaction

PEPPER = bytes(range(32))
NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)
SITE = "https://usage.example"
INVITED = SignUp.of("invited")
pytestmark = pytest.mark.usefixtures("ada")
WRONG = "BBBB-BBBB"


def a_browser() -> bytes:
    return tokens.peppered(tokens.fresh(), pepper=PEPPER)


HERS, OTHER = a_browser(), a_browser()


async def asked(
    db: Database, address: str = "ada@example.com", *, browser: bytes = HERS, ip_address: str = "192.0.2.1"
) -> Ask:
    visit = Visit(ip_address, browser=browser)
    return await asks.ask(db, address, browser=browser, leads_to="/requests", pepper=PEPPER, visit=visit)


async def by_code(
    db: Database,
    code: str,
    *,
    address: str = "ada@example.com",
    browser: bytes | None = HERS,
    sign_up: SignUp = INVITED,
    ip_address: str = "192.0.2.1",
) -> Arrived:
    visit = Visit(ip_address, browser=browser)
    return await asks.redeem_code(db, address, code, browser=browser, pepper=PEPPER, sign_up=sign_up, visit=visit)


async def by_link(db: Database, token: str, *, browser: bytes | None = HERS) -> Arrived:
    return await asks.redeem_link(db, token, browser=browser, pepper=PEPPER, sign_up=INVITED, visit=Visit())


@pytest.fixture
async def ada(db: Database, owner: Any) -> users.User:
    await set_clock(owner, NOW)
    return await users.add(db, "ada@example.com")


async def test_a_code_signs_in_once_however_it_is_typed(db: Database, owner: Any, ada: users.User) -> None:
    ask = await asked(db, "ADA@Example.com")
    assert ask.expires_at == NOW + timedelta(minutes=10)
    arrived = await by_code(db, f" {ask.code.lower().replace('-', ' ')} ")
    assert (arrived.session.user_id, arrived.leads_to) == (ada.id, "/requests")
    assert await owner.fetchval("SELECT signed_in_by FROM sessions") == "email"
    with pytest.raises(CodeOver):
        await by_code(db, ask.code)
    with pytest.raises(LinkOver):
        await by_link(db, ask.token)


async def test_neither_code_nor_link_works_in_another_browser_and_both_stay_whole(
    db: Database, ada: users.User
) -> None:
    ask = await asked(db)
    for browser in (OTHER, None):
        with pytest.raises(CodeOver):
            await by_code(db, ask.code, browser=browser)
        for _ in range(6):
            with pytest.raises(AskedElsewhere):
                await by_link(db, ask.token, browser=browser)
            with pytest.raises(AskedElsewhere):
                await asks.look_at_link(db, ask.token, browser=browser, pepper=PEPPER)
    await asks.look_at_link(db, ask.token, browser=HERS, pepper=PEPPER)
    assert (await by_link(db, ask.token)).session.user_id == ada.id


async def test_of_a_hundred_who_come_with_one_code_or_link_one_is_signed_in(db: Database, owner: Any) -> None:
    ask = await asked(db)
    verdicts = await asyncio.gather(
        *(by_code(db, ask.code) for _ in range(50)),
        *(by_link(db, ask.token) for _ in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Arrived) for each in verdicts) == 1
    assert sum(isinstance(each, NobodyKnown) for each in verdicts) == 99, verdicts
    assert await owner.fetchval("SELECT count(*) FROM sessions") == 1


async def test_five_wrong_codes_end_it_however_many_guess_at_once(db: Database) -> None:
    ask = await asked(db)
    with pytest.raises(CodeWrong) as wrong:
        await by_code(db, WRONG)
    assert wrong.value.fields == {"triesLeft": 4}
    verdicts = await asyncio.gather(*(by_code(db, WRONG) for _ in range(50)), return_exceptions=True)
    assert sorted(each.fields["triesLeft"] for each in verdicts if isinstance(each, CodeWrong)) == [1, 2, 3]
    assert sum(isinstance(each, CodeOver) for each in verdicts) == 47
    for way in (by_code(db, ask.code), by_link(db, ask.token)):
        with pytest.raises(NobodyKnown):
            await way


async def test_both_expire_by_the_clock_of_the_database(db: Database, owner: Any) -> None:
    ask = await asked(db)
    await set_clock(owner, NOW + timedelta(minutes=10))
    with pytest.raises(CodeOver):
        await by_code(db, ask.code)
    with pytest.raises(LinkOver):
        await by_link(db, ask.token)


async def test_a_new_ask_of_a_browser_voids_its_last_one_and_no_others(db: Database) -> None:
    first, elsewhere = await asked(db), await asked(db, browser=OTHER)
    second = await asked(db)
    with pytest.raises(CodeWrong):
        await by_code(db, first.code)
    with pytest.raises(LinkOver):
        await by_link(db, first.token)
    await asks.look_at_link(db, elsewhere.token, browser=OTHER, pepper=PEPPER)
    assert await by_code(db, second.code)


async def test_a_sign_in_voids_all_codes_and_links_of_its_user_and_nobody_elses(db: Database, ada: users.User) -> None:
    bob = await users.add(db, "bob@example.com")
    elsewhere, bobs = await asked(db, browser=OTHER), await asked(db, "bob@example.com", browser=a_browser())
    link = await logins.make_link(db, ada.id, pepper=PEPPER, actor=OPERATOR)
    ask = await asked(db)
    await by_code(db, ask.code)
    with pytest.raises(CodeOver):
        await by_code(db, elsewhere.code, browser=OTHER)
    with pytest.raises(NobodyKnown):
        await logins.redeem(db, link.token, pepper=PEPPER)
    with pytest.raises(AskedElsewhere):  # and not over
        await asks.look_at_link(db, bobs.token, browser=None, pepper=PEPPER)
    # So does signing out everywhere.
    await logins.end_all(db, bob.id, actor=OPERATOR)
    with pytest.raises(LinkOver):
        await asks.look_at_link(db, bobs.token, browser=None, pepper=PEPPER)


async def test_the_switched_off_are_not_signed_in_by_a_right_code(db: Database, ada: users.User) -> None:
    ask = await asked(db)
    await users.change(db, ada.id, actor=OPERATOR, is_active=False)
    with pytest.raises(AccountInactive):
        await by_code(db, ask.code)


@pytest.mark.parametrize(
    ("setting", "address", "may"),
    [
        ("invited", "new@example.com", False),
        ("invited", "guest@example.com", True),
        ("invited", "GUEST@example.com", True),
        ("open", "new@example.com", True),
        ("example.com,example.org", "new@Example.COM", True),
        ("example.com,example.org", "new@example.org", True),
        ("example.com", "new@evil-example.com", False),
        ("example.com", "new@sub.example.com", False),
        ("example.com", "example.com@evil.example", False),
        ("example.org", "guest@example.com", True),
    ],
)
async def test_who_may_sign_up_gets_a_mail_and_an_account_and_nobody_else(
    db: Database, owner: Any, setting: str, address: str, *, may: bool
) -> None:
    await invitations.invite(db, "Guest@example.com", plan="pro", actor=OPERATOR)
    sign_up = SignUp.of(setting)
    ask = await asked(db, address)
    letter = await ask.letter(db, sign_up=sign_up, site=SITE)
    assert await owner.fetchval("SELECT count(*) FROM accounts") == 1
    # Whose mailbox is invited, and not who writes it in another way.
    own = "Guest@example.com" if "guest" in address.lower() else address
    assert letter.to == own if isinstance(letter, Letter) else not may
    if may:
        arrived = await by_code(db, ask.code, address=address, sign_up=sign_up)
        made = await users.show(db, arrived.session.user_id)
        assert (made.email, made.plan) == (own, "free" if own == address else "pro")
        noted = await owner.fetch("SELECT action FROM activity WHERE user_id = $1 ORDER BY action", made.id)
        assert [row[0] for row in noted] == ["login.begun", "user.signed_up"]
    else:
        with pytest.raises(CodeOver):
            await by_code(db, ask.code, address=address, sign_up=sign_up)
    made = await owner.fetchval("SELECT count(*) FROM accounts")
    left = await owner.fetchval("SELECT count(*) FROM invitations WHERE accepted_at IS NULL")
    assert (made, left) == (1 + may, int(own == address))


async def test_the_mail_goes_where_the_account_says_and_has_all_that_is_needed(db: Database) -> None:
    ask = await asked(db, "ADA@EXAMPLE.COM")
    letter = await ask.letter(db, sign_up=INVITED, site=SITE)
    assert isinstance(letter, Letter)
    assert letter.to == "ada@example.com"
    for text in (letter.text, letter.html):
        assert ask.code in text
        assert f"{SITE}/sign-in/email/{ask.token}" in text
        assert "12:10 UTC on 10 May 2026" in text
        assert "$" not in text


async def test_an_ask_looks_the_same_in_the_database_whether_anybody_has_the_address(db: Database, owner: Any) -> None:
    await asked(db, browser=HERS)
    await asked(db, "nobody@example.com", browser=OTHER)
    known, unknown = await owner.fetch("SELECT * FROM sign_in_asks ORDER BY address")
    same = {name for name, value in known.items() if value == unknown[name]}
    assert same == {"leads_to", "wrong_codes", "created_at", "expires_at"}


async def test_the_same_is_asked_of_the_database_whether_anybody_has_the_address(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no time can tell. Whom a mail goes to is looked up behind the scenes, after the answer."""
    ran: list[str] = []
    for kind in (Database, Transaction):
        run = kind._run

        async def noted(self: Any, name: str, values: Any, how: Any, run: Any = run) -> Any:
            ran.append(name)
            return await run(self, name, values, how)

        monkeypatch.setattr(kind, "_run", noted)
    for address in ("ada@example.com", "nobody@example.com"):
        browser = a_browser()
        await asked(db, address, browser=browser)
        for code, raised in ((WRONG, CodeWrong), (WRONG, CodeWrong)):
            with pytest.raises(raised):
                await by_code(db, code, address=address, browser=browser)
        assert ran == ["knows_place", "take_allowances", "put_ask", "try_code", "try_code"]
        ran.clear()


async def _passed(asking: Sequence[Any]) -> int:
    verdicts = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(each, Ask | TooManyAttempts) for each in verdicts), verdicts
    return sum(isinstance(each, Ask) for each in verdicts)


async def test_of_many_who_ask_at_once_exactly_as_many_pass_as_may(db: Database, owner: Any) -> None:
    # From one network for one address; for one address from anywhere; from one network for anybody.
    assert await _passed([asked(db, browser=a_browser()) for _ in range(40)]) == 5
    everywhere = [asked(db, browser=a_browser(), ip_address=f"10.{each}.0.1") for each in range(40)]
    assert await _passed(everywhere) == 10 - 5
    for_many = [asked(db, f"u{each}@example.com", browser=a_browser(), ip_address="203.0.113.9") for each in range(60)]
    assert await _passed(for_many) == 20
    with pytest.raises(TooManyAttempts) as refused:
        await asked(db)
    assert refused.value.retry_after_seconds == 600
    # What was refused has taken nothing: when the address is free again, all of the rest is.
    await set_clock(owner, NOW + timedelta(minutes=10))
    assert await _passed([asked(db, browser=a_browser(), ip_address="198.51.100.7") for _ in range(5)]) == 1


async def test_everybody_together_asks_so_often_and_who_is_known_at_a_place_asks_there_all_the_same(
    db: Database, owner: Any
) -> None:
    ask = await asked(db, ip_address="198.51.100.7")
    await by_code(db, ask.code, ip_address="198.51.100.7")
    await owner.execute("DELETE FROM allowances")
    crowd = [
        asked(db, f"x{each}@example.com", browser=a_browser(), ip_address=f"10.{each // 200}.{each % 200}.1")
        for each in range(340)
    ]
    passed = [await _passed(crowd[start : start + 100]) for start in range(0, 340, 100)]
    assert sum(passed) == 300
    with pytest.raises(TooManyAttempts) as refused:
        await asked(db, "y@example.com", browser=OTHER, ip_address="172.16.0.1")
    assert refused.value.retry_after_seconds <= 2
    again = await asked(db, browser=OTHER, ip_address="198.51.100.9")
    assert await by_code(db, again.code, browser=OTHER, ip_address="198.51.100.9")


async def test_after_the_clock_ran_ahead_what_was_spent_then_counts_as_all_spent_now(db: Database, owner: Any) -> None:
    async def ask_often() -> int:
        return await _passed([asked(db, browser=a_browser()) for _ in range(9)])

    await set_clock(owner, NOW + timedelta(days=30))
    assert await ask_often() == 5
    await set_clock(owner, NOW)
    # One passes, so that there is a now to count from.
    assert await ask_often() == 1
    with pytest.raises(TooManyAttempts) as refused:
        await asked(db)
    assert refused.value.retry_after_seconds <= 601
    await set_clock(owner, NOW + timedelta(minutes=10))
    assert await ask_often() == 1


async def test_neighbours_of_one_network_share_its_allowance(db: Database) -> None:
    six = [f"2001:db8:0:1::{each:x}" for each in range(1, 41)]
    asking = [asked(db, f"v{each}@example.com", browser=a_browser(), ip_address=at) for each, at in enumerate(six)]
    assert await _passed(asking) == 20
    assert await asked(db, ip_address="2001:db8:0:2::1")


async def test_who_signed_in_from_a_place_before_can_ask_from_there_whatever_strangers_do(db: Database) -> None:
    ask = await asked(db, ip_address="198.51.100.7")
    await by_code(db, ask.code, ip_address="198.51.100.7")
    everywhere = [asked(db, browser=a_browser(), ip_address=f"10.{each}.0.1") for each in range(40)]
    assert await _passed(everywhere) == 9
    for each in range(20):  # her network's own neighbours too
        await _passed([asked(db, f"w{each}@example.com", browser=a_browser(), ip_address="198.51.100.8")])
    with pytest.raises(TooManyAttempts):
        await asked(db, browser=a_browser(), ip_address="172.16.0.1")
    # From her network in another browser, and from elsewhere in her browser.
    at_home = await asked(db, browser=OTHER, ip_address="198.51.100.9")
    assert await by_code(db, at_home.code, browser=OTHER, ip_address="198.51.100.9")
    on_the_way = await asked(db, browser=HERS, ip_address="172.16.0.1")
    assert await by_code(db, on_the_way.code, ip_address="172.16.0.1")


async def test_strangers_who_guess_use_up_no_tries_but_their_own(db: Database) -> None:
    hers, theirs = await asked(db), await asked(db, browser=OTHER)
    for _ in range(20):
        with pytest.raises(NobodyKnown):
            await by_code(db, WRONG, browser=OTHER)
    with pytest.raises(CodeOver):
        await by_code(db, theirs.code, browser=OTHER)
    assert await by_code(db, hers.code)


async def test_what_has_expired_is_forgotten_and_nothing_else(db: Database, owner: Any) -> None:
    await asked(db)
    await set_clock(owner, NOW + timedelta(hours=3))
    await asked(db, browser=OTHER, ip_address="203.0.113.1")
    await asks.forget(db)
    assert await owner.fetchval("SELECT count(*) FROM sign_in_asks") == 1
    assert await owner.fetchval("SELECT count(*) FROM allowances") == 4


async def test_neither_code_nor_link_can_be_read_from_the_database_nor_who_asked_how_often(
    db: Database, owner: Any
) -> None:
    ask = await asked(db)
    with pytest.raises(CodeWrong):
        await by_code(db, WRONG)
    for table in ("sign_in_asks", "allowances", "activity"):
        for row in await owner.fetch(f"SELECT t::text FROM {table} AS t"):  # noqa: S608 - our own tables
            assert ask.code not in row[0]
            assert ask.token not in row[0]
            assert table != "allowances" or "ada" not in row[0]
