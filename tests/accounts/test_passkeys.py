from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.accounts.ceremonies import BROWSER, NOW, PARTY, PEPPER, ask, enter, keep, make, use
from tests.accounts.clock import set_clock
from tests.authenticator import Authenticator, Key
from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import logins, passkeys
from tollkeeper.accounts.sign_in.logins import LoginSession, Visit
from tollkeeper.accounts.sign_in.passkeys import Ceremony, Passkey, RelyingParty
from tollkeeper.activity import Actor
from tollkeeper.errors import (
    AccountInactive,
    Contradiction,
    Invalid,
    NotFound,
    PasskeyRefused,
    TollkeeperError,
    TooManyAttempts,
)
from tollkeeper.store.database import Database


@pytest.fixture
async def user(db: Database, owner: Any) -> users.User:
    await set_clock(owner, NOW)
    return await users.add(db, "ada@example.com", name="Ada")


@pytest.fixture
def device() -> Authenticator:
    return Authenticator(PARTY.origin, PARTY.host)


async def test_a_passkey_is_made_and_signs_in(
    db: Database, owner: Any, user: users.User, device: Authenticator
) -> None:
    made = await make(db, user, device, " My phone ")
    assert (made.name, made.transports, made.is_synced) == ("My phone", ("hybrid", "internal"), False)
    assert (made.created_at, made.last_used_at) == (NOW, None)
    await set_clock(owner, NOW + timedelta(hours=1))
    session = await use(db, device)
    assert session.user_id == user.id
    assert [each.signed_in_by for each in await logins.listed(db, user.id)] == ["passkey"]
    assert [each.last_used_at for each in await passkeys.listed(db, user.id)] == [NOW + timedelta(hours=1)]
    noted = await owner.fetch(
        "SELECT action, detail ->> 'by' AS by, ip_address FROM activity WHERE user_id = $1", user.id
    )
    assert [tuple(row) for row in noted][1:] == [
        ("passkey.added", None, None),
        ("login.begun", "passkey", "192.0.2.1"),
    ]


async def test_what_browsers_are_asked_for(db: Database, user: users.User, device: Authenticator) -> None:
    await make(db, user, device)
    wanted = (await passkeys.prepare(db, PARTY, user.id, browser=BROWSER, pepper=PEPPER)).options
    assert wanted["rp"] == {"id": PARTY.host, "name": "tollkeeper"}
    assert (wanted["user"]["name"], wanted["user"]["displayName"]) == ("ada@example.com", "Ada")
    assert [each["alg"] for each in wanted["pubKeyCredParams"]] == [-8, -7, -257]
    assert wanted["authenticatorSelection"] == {
        "residentKey": "required", "requireResidentKey": True, "userVerification": "required",
    }  # fmt: skip
    assert (wanted["attestation"], wanted["timeout"], len(wanted["excludeCredentials"])) == ("none", 300_000, 1)
    asked = (await ask(db)).options
    assert asked == {
        "challenge": asked["challenge"],
        "timeout": 300_000,
        "rpId": PARTY.host,
        "allowCredentials": [],
        "userVerification": "required",
    }
    assert len(asked["challenge"]) == 43


@pytest.mark.parametrize(
    ("url", "host", "origin"),
    [
        ("http://localhost:8080", "localhost", "http://localhost:8080"),
        ("https://usage.example.com", "usage.example.com", "https://usage.example.com"),
        ("https://usage.example.com:443", "usage.example.com", "https://usage.example.com"),
        ("https://usage.example.com:8443", "usage.example.com", "https://usage.example.com:8443"),
        ("http://usage.example.com:80", "usage.example.com", "http://usage.example.com"),
        ("http://[::1]:8080", "::1", "http://[::1]:8080"),
    ],
)
def test_passkeys_are_bound_to_where_people_reach_the_service(url: str, host: str, origin: str) -> None:
    assert RelyingParty.at(url) == RelyingParty(host, origin)


async def test_a_challenge_is_good_once_for_five_minutes_in_its_browser_and_until_the_next(
    db: Database, owner: Any, user: users.User, device: Authenticator
) -> None:
    await make(db, user, device)
    first, second = [await ask(db) for _ in range(2)]
    with pytest.raises(PasskeyRefused):
        await enter(db, first.name, device.use(first.options))
    with pytest.raises(PasskeyRefused):
        await enter(db, second.name, device.use(second.options), browser=secrets.token_bytes(32))
    await enter(db, second.name, device.use(second.options))
    with pytest.raises(PasskeyRefused):
        await enter(db, second.name, device.use(second.options))
    late = await ask(db)
    await set_clock(owner, NOW + timedelta(minutes=5))
    with pytest.raises(PasskeyRefused):
        await enter(db, late.name, device.use(late.options))


async def test_of_many_who_come_with_one_signature_one_is_signed_in(
    db: Database, owner: Any, user: users.User, device: Authenticator
) -> None:
    await make(db, user, device)
    ceremony = await ask(db)
    signed = device.use(ceremony.options)
    verdicts = await asyncio.gather(*(enter(db, ceremony.name, signed) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(each, LoginSession) for each in verdicts) == 1
    assert sum(isinstance(each, PasskeyRefused) for each in verdicts) == 49
    assert await owner.fetchval("SELECT count(*) FROM sessions") == 1


async def test_a_failed_try_uses_the_challenge_up(db: Database, user: users.User, device: Authenticator) -> None:
    await make(db, user, device)
    ceremony = await ask(db)
    signed = device.use(ceremony.options)
    with pytest.raises(PasskeyRefused):
        await enter(db, ceremony.name, signed | {"response": {}})
    with pytest.raises(PasskeyRefused):
        await enter(db, ceremony.name, signed)


async def test_a_device_that_does_not_count_signs_in_each_time(
    db: Database, user: users.User, device: Authenticator
) -> None:
    device.counts = False
    await make(db, user, device)
    for _ in range(3):
        await use(db, device)
    device.keys[0].count = 7
    await use(db, device)
    device.keys[0].count = 0
    with pytest.raises(PasskeyRefused):
        await use(db, device)


async def test_a_user_who_is_switched_off_is_not_signed_in(
    db: Database, user: users.User, device: Authenticator
) -> None:
    await make(db, user, device)
    await users.change(db, user.id, actor=Actor("t"), is_active=False)
    with pytest.raises(AccountInactive):
        await use(db, device)
    assert await logins.listed(db, user.id) == []
    await users.change(db, user.id, actor=Actor("t"), is_active=True)
    await use(db, device)


async def test_passkeys_are_renamed_and_removed_by_their_owner_alone(
    db: Database, owner: Any, user: users.User, device: Authenticator
) -> None:
    made = await make(db, user, device)
    eve = await users.add(db, "eve@example.com")
    with pytest.raises(NotFound):
        await passkeys.rename(db, eve.id, made.id, "mine", actor=Actor("t"))
    with pytest.raises(NotFound):
        await passkeys.remove(db, eve.id, made.id, actor=Actor("t"))
    assert (await passkeys.rename(db, user.id, made.id, "Laptop", actor=Actor("t"))).name == "Laptop"
    session = await use(db, device)
    await passkeys.remove(db, user.id, made.id, actor=Actor("t"))
    assert await passkeys.listed(db, user.id) == []
    with pytest.raises(PasskeyRefused):
        await use(db, device)
    assert [each.id for each in await logins.listed(db, user.id)] == [session.id]
    noted = await owner.fetch("SELECT action FROM activity WHERE user_id = $1 AND action LIKE 'passkey.%'", user.id)
    assert [row["action"] for row in noted] == ["passkey.added", "passkey.renamed", "passkey.removed"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\0b"])
async def test_a_faulty_name_is_refused_before_the_ceremony_is_used_up(
    db: Database, user: users.User, device: Authenticator, name: str
) -> None:
    ceremony = await passkeys.prepare(db, PARTY, user.id, browser=BROWSER, pepper=PEPPER)
    made = device.make(ceremony.options)
    with pytest.raises(Invalid):
        await keep(db, user, ceremony.name, made, name=name)
    await keep(db, user, ceremony.name, made, name="Phone")


async def test_the_same_passkey_is_kept_once(db: Database, user: users.User, device: Authenticator) -> None:
    await make(db, user, device)
    eve = await users.add(db, "eve@example.com")
    for person in (user, eve):
        ceremony = await passkeys.prepare(db, PARTY, person.id, browser=BROWSER, pepper=PEPPER)
        twin = Key(device.keys[0].id, ec.generate_private_key(ec.SECP256R1()), person.id.bytes)
        with pytest.raises(Contradiction):
            await keep(db, person, ceremony.name, device.attest(twin, ceremony.options))
    assert (await use(db, device)).user_id == user.id


async def test_of_many_who_fill_the_last_room_one_does(db: Database, user: users.User, device: Authenticator) -> None:
    for _ in range(passkeys.MOST_PASSKEYS - 1):
        await make(db, user, device)
    tries: list[Any] = []
    for _ in range(8):
        browser = secrets.token_bytes(32)
        ceremony = await passkeys.prepare(db, PARTY, user.id, browser=browser, pepper=PEPPER)
        tries.append(keep(db, user, ceremony.name, device.make(ceremony.options), browser=browser))
    verdicts = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, Passkey) for each in verdicts) == 1
    assert sum(isinstance(each, TollkeeperError) for each in verdicts) == 7
    assert await passkeys.count(db, user.id) == passkeys.MOST_PASSKEYS


async def test_ceremonies_that_nobody_ended_go_by_themselves(db: Database, owner: Any, user: users.User) -> None:
    for _ in range(40):
        await ask(db, secrets.token_bytes(32))
    await set_clock(owner, NOW + timedelta(minutes=6))
    for _ in range(5):
        await passkeys.prepare(db, PARTY, user.id, browser=BROWSER, pepper=PEPPER)
    assert await owner.fetchval("SELECT count(*) FROM passkey_ceremonies") == 1


async def test_a_network_begins_only_so_many_sign_ins(db: Database, owner: Any, user: users.User) -> None:
    assert user
    verdicts: list[Any] = []
    while len(verdicts) < 320:
        verdicts += await asyncio.gather(*(ask(db) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(each, Ceremony) for each in verdicts) == 300
    assert sum(isinstance(each, TooManyAttempts) for each in verdicts) == 20
    await passkeys.ask(db, PARTY, browser=BROWSER, pepper=PEPPER, visit=Visit("198.51.100.1"))
    await set_clock(owner, NOW + timedelta(seconds=1))
    verdicts = await asyncio.gather(*(ask(db) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(each, Ceremony) for each in verdicts) == 5


def test_a_start_does_not_load_the_library() -> None:
    """It takes a tenth of all the time that a start takes; GitHub's is loaded no sooner."""
    asked = "import sys, tollkeeper.app; print({'webauthn', 'authlib'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
