"""What is secret stands nowhere in the database."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tollkeeper.accounts import keys, users
from tollkeeper.accounts.secrets import keyring, variables
from tollkeeper.accounts.secrets.sealing import Sealer
from tollkeeper.accounts.sign_in import logins, passkeys
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.errors import NobodyKnown
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

PEPPER = bytes(range(32))
MASTER_KEY = bytes(range(100, 132))
SEALER = Sealer({1: MASTER_KEY})
CANARY = "canary-9f83b1c2d4e5-tail"


async def test_no_key_secret_or_token_can_be_read_from_any_table(db: Database, owner: Any) -> None:
    user = await users.add(db, "alice@example.com")
    mine = await keys.create(db, kind="user", name="x", user_id=user.id, pepper=PEPPER, actor=Actor(str(user.id)))
    service = await keys.create(db, kind="service", name="x", pepper=PEPPER, actor=OPERATOR)
    used, unused = [await logins.make_link(db, user.id, pepper=PEPPER, actor=OPERATOR) for _ in range(2)]
    session = await logins.redeem(db, used.token, pepper=PEPPER)
    party = passkeys.RelyingParty("localhost", "http://localhost:8080")
    open_one = await passkeys.prepare(db, party, user.id, browser=bytes(32), pepper=PEPPER)
    secret = variables.NewVariable("TOKEN", CANARY, "secret")
    await variables.put(db, user.id, secret, sealer=SEALER, actor=Actor(str(user.id)))
    await variables.reveal(db, user.id, "TOKEN", sealer=SEALER, actor=Actor(str(user.id)))
    rotated = await keys.rotate(db, mine.id, user_id=user.id, pepper=PEPPER, actor=Actor(str(user.id)))
    await variables.reveal_all(db, user.id, sealer=SEALER, actor=Actor(str(user.id)))
    await keyring.admit(db, {1: MASTER_KEY})
    await keys.revoke(db, user.id, mine.id, actor=Actor(str(user.id)))
    with pytest.raises(NobodyKnown):
        await logins.redeem(db, unused.token, pepper=PEPPER)

    dump = await _dump(owner)
    assert str(user.id) in dump
    assert MASTER_KEY.hex() not in dump
    for plain in (
        mine.key,
        rotated.new.key,
        service.key,
        used.token,
        unused.token,
        session.token,
        open_one.name,
        CANARY,
    ):
        body = plain.removeprefix("tk_user_").removeprefix("tk_service_")
        pieces = [body[place : place + 10] for place in range(len(body) - 9)]
        assert [each for each in pieces if each in dump or each.encode().hex() in dump] == []


async def test_the_service_can_only_add_to_the_activity(db: Database, dsns: Addresses) -> None:
    await users.add(db, "alice@example.com")
    service = await asyncpg.connect(dsns.service)
    try:
        assert await service.fetchval("SELECT count(*) FROM activity") == 1
        for forbidden in ("UPDATE activity SET actor = ''", "DELETE FROM activity", "TRUNCATE activity"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(forbidden)
    finally:
        await service.close()


async def _dump(owner: Any) -> str:
    tables = await owner.fetch(
        "SELECT format('SELECT string_agg(t::text, E''\\n'') FROM %I AS t', c.relname) AS sql FROM pg_class AS c "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')"
    )
    assert len(tables) > 10
    return "\n".join([await owner.fetchval(table["sql"]) or "" for table in tables])
