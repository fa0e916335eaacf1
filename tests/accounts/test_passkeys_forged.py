from __future__ import annotations

import asyncio
import random
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from tests.accounts.ceremonies import BROWSER, NOW, PARTY, PEPPER, ask, enter, keep, make, use
from tests.accounts.clock import set_clock
from tests.authenticator import Authenticator, Key
from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import authenticators, logins, passkeys
from tollkeeper.accounts.sign_in.logins import LoginSession
from tollkeeper.errors import (
    Invalid,
    PasskeyRefused,
)
from tollkeeper.store.database import Database


@pytest.fixture
async def user(db: Database, owner: Any) -> users.User:
    await set_clock(owner, NOW)
    return await users.add(db, "ada@example.com", name="Ada")


@pytest.fixture
def device() -> Authenticator:
    return Authenticator(PARTY.origin, PARTY.host)


def cut(text: str) -> str:
    return text[:-8]


def flip(text: str) -> str:
    return text[:10] + ("A" if text[10] != "A" else "B") + text[11:]


FORGERIES: dict[str, dict[str, Any]] = {
    "another site": {"origin": "https://evil.example", "host": "evil.example"},
    "a page of another site": {"origin": "https://evil.example"},
    "another port": {"origin": PARTY.origin + ":8443"},
    "a part of the site's name": {"host": "example.com"},
    "nobody was asked for a finger or a code": {"verifies": False},
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_what_was_signed_elsewhere_or_by_anyone_is_refused(
    db: Database, user: users.User, device: Authenticator, forgery: str
) -> None:
    await make(db, user, device)
    forger = replace(device, **FORGERIES[forgery])
    with pytest.raises(PasskeyRefused):
        await use(db, forger)
    with pytest.raises(Invalid):
        await make(db, user, forger)
    assert len(await passkeys.listed(db, user.id)) == 1
    await use(db, device, device.keys[0])


async def test_a_passkey_of_another_or_of_nobody_signs_nobody_in(
    db: Database, user: users.User, device: Authenticator
) -> None:
    eve = await users.add(db, "eve@example.com")
    evil = Authenticator(PARTY.origin, PARTY.host)
    await make(db, user, device)
    await make(db, eve, evil)
    stranger = Authenticator(PARTY.origin, PARTY.host)
    stranger.make({"user": {"id": "AAAA"}, "challenge": "AAAA"})
    evil.keys.append(Key(evil.keys[0].id, evil.keys[0].secret, user.id.bytes, 10))
    as_her_key = Key(device.keys[0].id, evil.keys[0].secret, user.id.bytes, 10)
    for forger, key in ((stranger, None), (evil, None), (evil, as_her_key)):
        with pytest.raises(PasskeyRefused):
            await use(db, forger, key)
    assert (await use(db, evil, evil.keys[0])).user_id == eve.id


async def test_ceremonies_are_not_taken_for_each_other(db: Database, user: users.User, device: Authenticator) -> None:
    await make(db, user, device)
    eve = await users.add(db, "eve@example.com")
    asked = await ask(db)
    with pytest.raises(Invalid):
        await keep(db, user, asked.name, device.make({"user": {"id": "AAAA"}, **asked.options}))
    prepared = await passkeys.prepare(db, PARTY, user.id, browser=BROWSER, pepper=PEPPER)
    with pytest.raises(PasskeyRefused):
        await enter(db, prepared.name, device.use(prepared.options, device.keys[0]))
    with pytest.raises(Invalid):
        await keep(db, eve, prepared.name, device.make(prepared.options))
    with pytest.raises(Invalid):
        await keep(db, user, prepared.name, device.make(prepared.options), browser=secrets.token_bytes(32))
    assert await passkeys.count(db, user.id) == 1


@pytest.mark.parametrize("credential", [{}, {"id": 5}, {"id": "x", "rawId": "x", "type": "public-key", "response": []}])
async def test_a_credential_that_is_none_is_refused(db: Database, user: users.User, credential: Any) -> None:
    asked = await ask(db)
    with pytest.raises(PasskeyRefused):
        await enter(db, asked.name, credential)
    prepared = await passkeys.prepare(db, PARTY, user.id, browser=BROWSER, pepper=PEPPER)
    with pytest.raises(Invalid):
        await keep(db, user, prepared.name, credential)


@pytest.mark.parametrize("field", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
async def test_a_flipped_bit_or_a_cut_end_is_refused(
    db: Database, user: users.User, device: Authenticator, field: str
) -> None:
    await make(db, user, device)
    for spoil in (cut, flip):
        ceremony = await ask(db)
        signed = device.use(ceremony.options)
        signed["response"][field] = spoil(signed["response"][field])
        with pytest.raises(PasskeyRefused):
            await enter(db, ceremony.name, signed)


async def test_a_copied_passkey_is_refused_by_its_count_and_noted(
    db: Database, owner: Any, user: users.User, device: Authenticator
) -> None:
    await make(db, user, device)
    copied = device.keys[0].count
    await use(db, device)
    await use(db, device)
    device.keys[0].count = copied
    with pytest.raises(PasskeyRefused):
        await use(db, device)
    noted = await owner.fetchval("SELECT count(*) FROM activity WHERE action = 'passkey.refused'")
    assert (noted, len(await logins.listed(db, user.id))) == (1, 2)


async def test_two_who_sign_with_one_count_at_once_are_not_both_let_in(
    db: Database, user: users.User, device: Authenticator
) -> None:
    await make(db, user, device)
    tries: list[Any] = []
    for _ in range(10):
        browser = secrets.token_bytes(32)
        ceremony = await ask(db, browser)
        device.keys[0].count = 5
        tries.append(enter(db, ceremony.name, device.use(ceremony.options), browser=browser))
    verdicts = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, LoginSession) for each in verdicts) == 1


def test_whatever_is_sent_is_judged(device: Authenticator) -> None:
    chance = random.Random(7)
    options = {"user": {"id": "AAAA"}, "challenge": "x" * 43}
    made = device.make(options)
    kept = authenticators.made(PARTY, "x" * 43, made)
    assert kept is not None
    device.keys[0].user = bytes(16)
    used = device.use(options)

    def spoiled(credential: dict[str, Any], field: str) -> dict[str, Any]:
        raw = bytearray(urlsafe_b64decode(credential["response"][field] + "=="))
        for _ in range(chance.randint(1, 3)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        raw = raw[: chance.randint(0, 2 * len(raw))]
        return credential | {"response": credential["response"] | {field: urlsafe_b64encode(raw).decode()}}

    def is_taken(credential: dict[str, Any]) -> bool:
        came, user_id = authenticators.given(credential), UUID(bytes=bytes(16))
        if came is None:
            return False
        return authenticators.used(PARTY, "x" * 43, came, user_id=user_id, public_key=kept.public_key) is not None

    assert is_taken(used)
    for _ in range(500):
        field = chance.choice(["clientDataJSON", "authenticatorData", "signature", "userHandle"])
        worse = spoiled(used, field)
        same = urlsafe_b64decode(worse["response"][field]) == urlsafe_b64decode(used["response"][field] + "==")
        assert is_taken(worse) == same
        forged = spoiled(made, "attestationObject")
        authenticators.made(PARTY, "x" * 43, forged)
