from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.accounts.clock import set_clock
from tollkeeper.accounts import users
from tollkeeper.activity import OPERATOR
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.metering.plans import terms
from tollkeeper.store.database import Database


async def test_a_new_user_is_on_the_plan_free_and_has_used_nothing(db: Database) -> None:
    user = await users.add(db, "Alice@Example.com", name="Alice")
    assert (user.email, user.name, user.role, user.time_zone) == ("Alice@Example.com", "Alice", "user", "UTC")
    assert (user.plan, user.requests_used, user.requests_limit, user.plan_expires_at) == ("free", 0, 100, None)
    assert user.is_active
    assert await users.show(db, user.id) == user


async def test_an_address_has_one_user_whatever_the_case_of_its_letters(db: Database) -> None:
    user = await users.add(db, "Jürgen@Example.com", plan="pro", admin=True, time_zone="europe/berlin")
    assert (user.plan, user.role, user.time_zone) == ("pro", "admin", "Europe/Berlin")
    assert await users.of_email(db, "JÜRGEN@example.COM") == user.id
    assert await users.of_email(db, "JU\N{COMBINING DIAERESIS}RGEN@example.com") == user.id
    assert await users.of_email_or_new(db, "jürgen@example.com") == user.id
    with pytest.raises(Contradiction):
        await users.add(db, "jürgen@EXAMPLE.com")


async def test_of_many_who_add_the_same_address_one_succeeds(db: Database) -> None:
    verdicts = await asyncio.gather(
        *(users.add(db, f"{'x' if one % 2 else 'X'}@example.com") for one in range(20)), return_exceptions=True
    )
    made = [each for each in verdicts if isinstance(each, users.User)]
    assert len(made) == 1
    assert all(isinstance(each, users.User | Contradiction) for each in verdicts), verdicts


async def test_of_many_who_name_an_unknown_user_all_get_the_same_one(db: Database, owner: Any) -> None:
    found = await asyncio.gather(*(users.of_email_or_new(db, "new@example.com") for _ in range(40)))
    assert len(set(found)) == 1
    assert await owner.fetchval("SELECT count(*) FROM accounts") == 1
    assert (await users.show(db, found[0])).plan == "free"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "@example.com",
        "alice@",
        "a@b@example.com",
        "a b@example.com",
        "a@example.com\r\nBcc: eve@example.com",
        "a\0@example.com",
        "a\ud800@example.com",
        "a\u200b@example.com",
        "a\u202e@example.com",
        "a\xa0@example.com",
        "<a@example.com>",
        "a@-example.com",
        "a@example..com",
        "a@example.com.",
        "a,b@example.com",
        "x" * 65 + "@example.com",
        "İnfo@example.com",
        "a@xn--.example",
        "a@" + ".".join(["x" * 60] * 6),
    ],
)
def test_what_cannot_be_an_address_is_refused_by_name(address: str) -> None:
    with pytest.raises(Invalid, match="email: "):
        users.address_of(address)


@pytest.mark.parametrize(
    "address", ["a@localhost", "o'brien+tag@sub.example.co.uk", "用户@例子.广告", "x" * 64 + "@bücher.example"]
)
def test_unusual_addresses_are_addresses(address: str) -> None:
    assert users.address_of(address) == address


@pytest.mark.parametrize(
    ("told", "canonical"),
    [
        ("a@xn--BCHER-KVA.example", "a@bücher.example"),
        ("a@BÜCHER.example", "a@bücher.example"),
        ("a@\N{FULLWIDTH LATIN SMALL LETTER E}xample.com", "a@example.com"),
        ("a@हिन्दी.example", "a@हिन्दी.example"),
        ("a@vİctim.example", "a@vi̇ctim.example"),
        ("a@straße.example", "a@straße.example"),
        ("a@XN--ls8h.example", "a@xn--ls8h.example"),
    ],
)
async def test_one_domain_has_one_name_and_is_no_other(db: Database, told: str, canonical: str) -> None:
    assert users.address_of(told) == users.address_of(canonical) == canonical
    user_id = await users.of_email_or_new(db, told)
    assert (await users.show(db, user_id)).email == canonical
    assert await users.of_email(db, canonical.upper() if canonical.isascii() else canonical) == user_id
    for other in ("a@victim.example", "a@strasse.example"):
        assert await users.of_email(db, other) is None


async def test_what_cannot_be_an_address_is_added_to_nobody_and_found_with_nobody(db: Database) -> None:
    for add in (users.add, users.of_email_or_new):
        with pytest.raises(Invalid, match="email: "):
            await add(db, "alice")
    assert await users.of_email(db, "alice") is None


async def test_a_time_zone_must_be_one_that_the_database_knows(db: Database) -> None:
    for zone in ("Mars/Base", "", "right/Europe/Berlin", "UTC+3", "Europe/Berlin\0", "localtime"):
        with pytest.raises(Invalid, match="timeZone: "):
            await users.add(db, "a@example.com", time_zone=zone)
    assert await users.of_email(db, "a@example.com") is None


async def test_an_unknown_plan_adds_nobody(db: Database) -> None:
    with pytest.raises(NotFound):
        await users.add(db, "a@example.com", plan="gold")
    assert await users.of_email(db, "a@example.com") is None


async def test_pages_show_every_user_once_newest_first(db: Database) -> None:
    added = [(await users.add(db, f"u{n}@example.com")).id for n in range(7)]
    seen: list[UUID] = []
    after = None
    while True:
        page = await users.listed(db, limit=3, after=after)
        seen += [user.id for user in page.items]
        if page.next_after is None:
            break
        after = page.next_after
    assert seen == sorted(added, reverse=True)


async def test_only_what_is_given_changes(db: Database) -> None:
    user = await users.add(db, "a@example.com", name="A")
    await users.change(db, user.id, actor=OPERATOR, admin=True)
    changed = await users.change(db, user.id, actor=OPERATOR, name="B")
    assert (changed.role, changed.name, changed.is_active) == ("admin", "B", True)
    cleared = await users.change(db, user.id, actor=OPERATOR, name="", admin=False)
    assert (cleared.role, cleared.name) == ("user", None)
    with pytest.raises(NotFound):
        await users.change(db, uuid4(), actor=OPERATOR, admin=True)


async def test_switching_a_user_off_and_on_raises_the_version_once_each(db: Database, owner: Any) -> None:
    user = await users.add(db, "a@example.com")
    before = await _version(owner)
    for is_active in (False, False, True):
        assert (await users.change(db, user.id, actor=OPERATOR, is_active=is_active)).is_active is is_active
    assert await _version(owner) == before + 2


async def test_a_time_zone_takes_effect_with_the_next_window_only(db: Database, owner: Any) -> None:
    await set_clock(owner, datetime(2026, 5, 10, 12, tzinfo=UTC))
    user = await users.add(db, "a@example.com")
    before = await _usage(owner)
    changed = await users.change(db, user.id, actor=OPERATOR, time_zone="Asia/Tokyo")
    assert changed.time_zone == "Asia/Tokyo"
    during = await _usage(owner)
    assert during["next_zone"] == "Asia/Tokyo"
    for column in ("day_zone", "day_starts_at", "day_ends_at", "month_ends_at", "version"):
        assert during[column] == before[column]

    await set_clock(owner, datetime(2026, 5, 11, 3, tzinfo=UTC))
    await db.value("bring_current", user_ids=[user.id])
    after = await _usage(owner)
    assert (after["day_zone"], after["next_zone"]) == ("Asia/Tokyo", None)
    assert after["day_starts_at"] == before["day_ends_at"]
    assert after["day_ends_at"] == datetime(2026, 5, 11, 15, tzinfo=UTC)


async def test_changing_the_time_zone_back_cancels_the_change(db: Database, owner: Any) -> None:
    user = await users.add(db, "a@example.com", time_zone="Europe/Berlin")
    await users.change(db, user.id, actor=OPERATOR, time_zone="Asia/Tokyo")
    back = await users.change(db, user.id, actor=OPERATOR, time_zone="Europe/Berlin")
    assert back.time_zone == "Europe/Berlin"
    assert (await _usage(owner))["next_zone"] is None


async def test_an_expired_plan_reads_as_free_at_once_and_is_replaced_by_the_next_decision(
    db: Database, owner: Any
) -> None:
    now = datetime(2026, 5, 10, 12, tzinfo=UTC)
    await set_clock(owner, now)
    user = await users.add(db, "a@example.com")
    ends_at = now + timedelta(days=1)
    await terms.set_plan(db, user.id, "pro", expires_at=ends_at, actor=OPERATOR)
    assert (await users.show(db, user.id)).requests_limit == 1000

    await set_clock(owner, ends_at)
    shown = await users.show(db, user.id)
    assert (shown.plan, shown.requests_limit, shown.plan_expires_at) == ("free", 100, None)
    await db.value("bring_current", user_ids=[user.id])
    usage = await _usage(owner)
    assert (usage["plan_name"], usage["monthly_requests"]) == ("free", 100)
    active = await owner.fetch("SELECT plan_name, starts_at FROM user_plans WHERE is_active")
    assert [tuple(row) for row in active] == [("free", ends_at)]


async def _usage(owner: Any) -> Any:
    return await owner.fetchrow("SELECT * FROM usage")


async def _version(owner: Any) -> int:
    return await owner.fetchval("SELECT version FROM usage")
