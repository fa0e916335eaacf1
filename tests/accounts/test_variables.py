from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from tollkeeper.accounts import users
from tollkeeper.accounts.secrets import keyring, variables
from tollkeeper.accounts.secrets.sealing import KeyNotHere, SealBroken, Sealer
from tollkeeper.accounts.secrets.variables import NewVariable
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.store.database import Database

SEALER = Sealer({1: bytes(range(32))})
SECRET = "sk-0123456789abcdef"


@pytest.fixture
async def alice(db: Database) -> UUID:
    return (await users.add(db, "alice@example.com")).id


async def _put(db: Database, user_id: UUID, key: str, value: Any, **more: Any) -> variables.Put:
    return await variables.put(db, user_id, NewVariable(key, value, **more), sealer=SEALER, actor=Actor(str(user_id)))


async def _put_many(db: Database, user_id: UUID, *given: NewVariable) -> list[variables.Put]:
    return await variables.put_many(db, user_id, given, sealer=SEALER, actor=Actor(str(user_id)))


async def test_a_variable_is_created_then_updated_then_deleted(db: Database, alice: UUID) -> None:
    created = await _put(db, alice, "API_URL", "https://a", description="where")
    assert created.is_new
    updated = await _put(db, alice, "API_URL", "https://b")
    assert not updated.is_new
    assert (updated.variable.value, updated.variable.description) == ("https://b", "where")
    assert updated.variable.created_at == created.variable.created_at < updated.variable.updated_at
    assert await variables.listed(db, alice) == [updated.variable]
    assert await variables.one(db, alice, "API_URL") == updated.variable
    cleared = await _put(db, alice, "API_URL", "https://b", description=None)
    assert cleared.variable.description is None
    await variables.delete(db, alice, "API_URL", actor=Actor(str(alice)))
    for gone in ("API_URL", "never", "not a key", "nul\0"):
        with pytest.raises(NotFound):
            await variables.one(db, alice, gone)
        with pytest.raises(NotFound):
            await variables.delete(db, alice, gone, actor=Actor(str(alice)))


async def test_without_a_type_a_variable_keeps_its_own_and_a_new_one_takes_that_of_its_value(
    db: Database, alice: UUID
) -> None:
    put = await _put_many(
        db, alice, NewVariable("a", "x"), NewVariable("b", 1), NewVariable("c", value=True), NewVariable("d", {"e": []})
    )
    assert [each.variable.type for each in put] == ["string", "number", "boolean", "json"]
    await _put(db, alice, "n", "12", type="number")
    assert (await _put(db, alice, "n", "13")).variable.type == "number"
    with pytest.raises(Invalid, match=r"^value: "):
        await _put(db, alice, "n", "many")
    assert (await _put(db, alice, "n", "many", type="string")).variable.value == "many"
    await _put(db, alice, "s", SECRET, type="secret")
    assert (await _put(db, alice, "s", "another secret")).variable.value == "****cret"


async def test_nobody_sees_or_changes_the_variables_of_another_user(db: Database, alice: UUID) -> None:
    await _put(db, alice, "KEY", "x")
    eve = (await users.add(db, "eve@example.com")).id
    assert await variables.listed(db, eve) == []
    with pytest.raises(NotFound):
        await variables.one(db, eve, "KEY")
    with pytest.raises(NotFound):
        await variables.reveal(db, eve, "KEY", sealer=SEALER, actor=Actor(str(eve)))
    with pytest.raises(NotFound):
        await variables.delete(db, eve, "KEY", actor=Actor(str(eve)))
    assert (await _put(db, eve, "KEY", "y")).is_new
    assert (await variables.one(db, alice, "KEY")).value == "x"


async def test_a_user_that_does_not_exist_gets_no_variables(db: Database) -> None:
    with pytest.raises(NotFound):
        await _put(db, uuid4(), "KEY", "x")


@pytest.mark.parametrize(
    ("secret", "mask"), [(SECRET, "****cdef"), ("x" * 12, "****xxxx"), ("x" * 11, "****"), ("", "****")]
)
async def test_a_secret_is_masked_until_it_is_revealed_and_that_is_noted(
    db: Database, owner: Any, alice: UUID, secret: str, mask: str
) -> None:
    put = await _put(db, alice, "TOKEN", secret, type="secret")
    assert put.variable.value == mask
    assert [each.value for each in await variables.listed(db, alice)] == [mask]
    assert (await variables.one(db, alice, "TOKEN")).value == mask
    assert (await variables.reveal(db, alice, "TOKEN", sealer=SEALER, actor=Actor("me"))).value == secret
    noted = await owner.fetch("SELECT actor FROM activity WHERE action = 'variable.revealed'")
    assert [row["actor"] for row in noted] == ["me"]


async def test_who_writes_back_what_was_read_changes_nothing(db: Database, alice: UUID) -> None:
    await _put(db, alice, "TOKEN", SECRET, type="secret", description="of the provider")
    await _put(db, alice, "LIST", [1, {"a": "b"}])
    read = await variables.listed(db, alice)
    typed = [NewVariable(each.key, each.value, each.type, each.description) for each in read]
    await _put_many(db, alice, *typed)
    await _put_many(db, alice, *(NewVariable(each.key, each.value) for each in read))
    assert (await variables.reveal(db, alice, "TOKEN", sealer=SEALER, actor=Actor("me"))).text == SECRET
    again = await variables.listed(db, alice)
    assert [(each.key, each.type, each.text, each.description) for each in again] == [
        (each.key, each.type, each.text, each.description) for each in read
    ]
    described = await _put(db, alice, "TOKEN", "****cdef", description="renamed")
    assert (described.variable.value, described.variable.description, described.is_new) == (
        "****cdef",
        "renamed",
        False,
    )


async def test_a_mask_never_takes_the_place_of_a_secret(db: Database, alice: UUID) -> None:
    await _put(db, alice, "TOKEN", SECRET, type="secret")
    for key, value, kind in (
        ("TOKEN", "****0000", None),  # of an older list
        ("TOKEN", "****", "secret"),
        ("TOKEN", "****cdef", "string"),
        ("NEW", "****cdef", "secret"),
    ):
        with pytest.raises(Invalid, match="value: is the mask"):
            await _put(db, alice, key, value, type=kind)
    assert (await variables.reveal(db, alice, "TOKEN", sealer=SEALER, actor=Actor("me"))).text == SECRET
    assert (await _put(db, alice, "STARS", "****cdef")).variable.value == "****cdef"


async def test_a_secret_becomes_plain_only_when_told_so_with_a_new_value(db: Database, owner: Any, alice: UUID) -> None:
    await _put(db, alice, "TOKEN", SECRET, type="secret")
    assert (await _put(db, alice, "TOKEN", "plain", type="string")).variable.value == "plain"
    row = await owner.fetchrow("SELECT sealed, sealed_with, hint FROM variables")
    assert tuple(row) == (None, None, None)


async def test_a_sealed_row_that_was_moved_changed_or_cut_is_refused(db: Database, owner: Any, alice: UUID) -> None:
    bob = (await users.add(db, "bob@example.com")).id
    await _put(db, alice, "TOKEN", SECRET, type="secret")
    await _put(db, alice, "OTHER", SECRET, type="secret")
    await _put(db, bob, "TOKEN", "of bob", type="secret")
    faults = (
        "UPDATE variables SET sealed = (SELECT sealed FROM variables WHERE user_id = $1 AND key = 'OTHER')",
        "UPDATE variables SET sealed = (SELECT sealed FROM variables WHERE user_id <> $1)",
        "UPDATE variables SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)",
        "UPDATE variables SET sealed = substr(sealed, 1, 30)",
        "UPDATE variables SET sealed = ''",
        "UPDATE variables SET sealed_with = 2",
    )
    for fault in faults:
        tried = owner.transaction()
        await tried.start()
        before = await owner.fetchrow(
            "SELECT sealed, sealed_with FROM variables WHERE user_id = $1 AND key = 'TOKEN'", alice
        )
        await owner.execute(f"{fault} WHERE user_id = $1 AND key = 'TOKEN'", alice)
        await tried.commit()
        with pytest.raises((SealBroken, KeyNotHere)) as broken:
            await variables.reveal(db, alice, "TOKEN", sealer=SEALER, actor=Actor("me"))
        assert SECRET not in str(broken.value)
        await owner.execute(
            "UPDATE variables SET sealed = $2, sealed_with = $3 WHERE user_id = $1 AND key = 'TOKEN'", alice, *before
        )
    assert (await variables.reveal(db, alice, "TOKEN", sealer=SEALER, actor=Actor("me"))).text == SECRET


async def test_the_master_keys_in_use_are_known(db: Database, alice: UUID) -> None:
    assert await keyring.needed(db) == set()
    await _put(db, alice, "ONE", SECRET, type="secret")
    rotated = Sealer({1: bytes(range(32)), 7: bytes(range(1, 33))})
    await variables.put(db, alice, NewVariable("TWO", SECRET, "secret"), sealer=rotated, actor=Actor("me"))
    assert await keyring.needed(db) == {1, 7}
    assert (await variables.reveal(db, alice, "ONE", sealer=rotated, actor=Actor("me"))).text == SECRET


async def test_a_set_is_put_whole_or_not_at_all_and_every_fault_is_named(db: Database, alice: UUID) -> None:
    with pytest.raises(Invalid) as refused:
        await _put_many(
            db,
            alice,
            NewVariable("good", "x"),
            NewVariable("1bad", "x"),
            NewVariable("n", "x", "number"),
            NewVariable("t", "x", "text"),
            NewVariable("d", "x", description="x" * 2001),
            NewVariable("good", "y"),
            NewVariable("good\n", "y"),
        )
    assert [each["field"] for each in refused.value.fields["errors"]] == [
        "variables[1].key",
        "variables[2].value",
        "variables[3].type",
        "variables[4].description",
        "variables[5].key",
        "variables[6].key",
    ]
    assert await variables.listed(db, alice) == []
    assert await _put_many(db, alice) == []


async def test_of_three_hundred_racers_two_hundred_find_room(db: Database, owner: Any, alice: UUID) -> None:
    verdicts = await asyncio.gather(*(_put(db, alice, f"K{n}", n) for n in range(300)), return_exceptions=True)
    assert all(isinstance(each, variables.Put | Contradiction) for each in verdicts), verdicts
    assert sum(isinstance(each, variables.Put) for each in verdicts) == variables.MOST_VARIABLES
    assert await owner.fetchval("SELECT count(*) FROM variables") == variables.MOST_VARIABLES


async def test_two_hundred_at_once_fit_may_be_replaced_and_not_one_more_is_added(db: Database, alice: UUID) -> None:
    full = [NewVariable(f"K{n}", "x" * 1000) for n in range(variables.MOST_VARIABLES)]
    assert all(each.is_new for each in await _put_many(db, alice, *full))
    assert not any(each.is_new for each in await _put_many(db, alice, *full))
    with pytest.raises(Contradiction):
        await _put_many(db, alice, NewVariable("K0", "y"), NewVariable("more", "y"))
    assert (await variables.one(db, alice, "K0")).value == "x" * 1000
    with pytest.raises(Invalid, match=r"^variables: "):
        await _put_many(db, alice, *full, NewVariable("more", "y"))


async def test_racers_on_one_variable_leave_one_value_and_create_once(db: Database, alice: UUID) -> None:
    puts = await asyncio.gather(*(_put(db, alice, "K", n) for n in range(50)))
    assert sum(each.is_new for each in puts) == 1
    assert (await variables.one(db, alice, "K")).type == "number"


async def test_values_come_back_as_the_json_they_were(db: Database, alice: UUID) -> None:
    await _put(db, alice, "PI", msgspec.Raw(b"3.1415926535897932384626433832795"))
    wire = msgspec.json.encode({each.key: each.value for each in await variables.listed(db, alice)})
    assert wire == b'{"PI":3.1415926535897932384626433832795}'
