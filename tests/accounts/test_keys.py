from __future__ import annotations

import asyncio
import re
import string
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.accounts.clock import set_clock
from tollkeeper.accounts import keys, users
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.errors import Contradiction, Invalid, NobodyKnown, NotFound, TollkeeperError
from tollkeeper.instants import LAST_YEAR
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

PEPPER = bytes(range(32))


@given(st.sampled_from(["user", "service"]))
def test_a_key_matches_the_pattern_for_scanners_and_no_two_are_equal(kind: keys.Kind) -> None:
    key = keys.generate(kind)
    assert re.findall(keys.KEY_PATTERN, f"token={key}; x") == [key]
    assert key.startswith(f"tk_{kind}_")
    assert len(key.removeprefix(f"tk_{kind}_")) == 43 + 1 + 6
    assert keys.generate(kind) != key


@given(st.integers(0, 57), st.sampled_from(string.ascii_letters + string.digits))
def test_every_typing_error_is_refused_before_the_database_is_asked(place: int, typed: str) -> None:
    key = keys.generate("user")
    place %= len(key)
    if key[place] == typed:
        return
    with pytest.raises(NobodyKnown):
        keys.hashed(key[:place] + typed + key[place + 1 :], pepper=PEPPER)


@given(st.text())
def test_nothing_else_is_a_key(text: str) -> None:
    with pytest.raises(NobodyKnown):
        keys.hashed(text, pepper=PEPPER)


def test_the_hash_depends_on_the_pepper() -> None:
    key = keys.generate("user")
    assert len(keys.hashed(key, pepper=PEPPER)) == 32
    assert keys.hashed(key, pepper=PEPPER) != keys.hashed(key, pepper=PEPPER[::-1])


async def test_a_key_is_found_by_its_hash_with_its_user_and_scopes(db: Database) -> None:
    user = await users.add(db, "a@example.com")
    mine = await keys.create(db, kind="user", name="laptop", user_id=user.id, pepper=PEPPER, actor=Actor(str(user.id)))
    theirs = await keys.create(db, kind="service", name="app", scopes=["metrics"], pepper=PEPPER, actor=OPERATOR)
    hashes = [keys.hashed(each, pepper=PEPPER) for each in (mine.key, theirs.key, keys.generate("user"))]
    found = {each.key_hash: each for each in await keys.look_up(db, hashes)}
    assert found.keys() == set(hashes[:2])
    anywhere: tuple[keys.Network, ...] = ()
    assert found[hashes[0]] == keys.FoundKey(
        hashes[0], mine.id, "user", user.id, keys.DEFAULT_SCOPES, anywhere, is_active=True, is_noted=False
    )
    assert found[hashes[1]] == keys.FoundKey(
        hashes[1], theirs.id, "service", None, frozenset({"metrics"}), anywhere, is_active=True, is_noted=False
    )


async def test_a_revoked_key_is_not_found(db: Database) -> None:
    user, key = await _user_and_key(db)
    await keys.revoke(db, user.id, key.id, actor=Actor(str(user.id)))
    assert await _found(db, key) == []
    with pytest.raises(NotFound):
        await keys.revoke(db, user.id, key.id, actor=Actor(str(user.id)))
    assert [each.revoked_at is not None for each in await keys.listed(db, user.id)] == [True]


async def test_nobody_revokes_the_key_of_another_user_but_the_operator_does(db: Database) -> None:
    _, key = await _user_and_key(db)
    eve = await users.add(db, "eve@example.com")
    with pytest.raises(NotFound):
        await keys.revoke(db, eve.id, key.id, actor=Actor(str(eve.id)))
    assert await keys.listed(db, eve.id) == []
    assert len(await _found(db, key)) == 1
    await keys.revoke_any(db, key.id, actor=OPERATOR)
    assert await _found(db, key) == []
    with pytest.raises(NotFound):
        await keys.revoke_any(db, uuid4(), actor=OPERATOR)


async def test_a_key_expires_by_the_clock_of_the_database(db: Database, owner: Any) -> None:
    now = datetime(2026, 5, 10, 12, tzinfo=UTC)
    await set_clock(owner, now)
    user, key = await _user_and_key(db, expires_at=now + timedelta(hours=1))
    assert len(await _found(db, key)) == 1
    await set_clock(owner, now + timedelta(hours=1))
    assert await _found(db, key) == []
    for over in (now, now + timedelta(hours=1)):
        with pytest.raises(Invalid, match="expiresAt"):
            await keys.create(
                db, kind="user", name="late", user_id=user.id, expires_at=over, pepper=PEPPER, actor=OPERATOR
            )


async def test_the_key_of_a_user_who_is_switched_off_says_so(db: Database) -> None:
    user, key = await _user_and_key(db)
    await users.change(db, user.id, actor=OPERATOR, is_active=False)
    assert [each.is_active for each in await _found(db, key)] == [False]


async def test_use_is_noted_once_a_minute_and_never_waited_for(db: Database, owner: Any) -> None:
    now = datetime(2026, 5, 10, 12, tzinfo=UTC)
    await set_clock(owner, now)
    user, key = await _user_and_key(db)
    noted: list[datetime | None] = []
    is_noted: list[bool] = []
    for seconds in (0, 59, 60, 61):
        await set_clock(owner, now + timedelta(seconds=seconds))
        is_noted += [each.is_noted for each in await _found(db, key)]
        await keys.note_used(db, [key.id, uuid4()])
        noted.append((await keys.listed(db, user.id))[0].last_used_at)
    assert is_noted == [False, True, False, True]
    assert noted == [now, now, now + timedelta(minutes=1), now + timedelta(minutes=1)]
    await set_clock(owner, now + timedelta(hours=1))
    async with owner.transaction():
        await owner.execute("SELECT FROM api_keys FOR UPDATE")
        await asyncio.wait_for(keys.note_used(db, [key.id]), 0.5)
        assert len(await asyncio.wait_for(_found(db, key), 0.5)) == 1
    assert (await keys.listed(db, user.id))[0].last_used_at == now + timedelta(minutes=1)


async def test_a_key_may_all_daily_work_unless_told_otherwise(db: Database) -> None:
    _, key = await _user_and_key(db)
    assert set(key.scopes) == keys.DEFAULT_SCOPES
    assert all(scopes > keys.DEFAULT_SCOPES for scopes in keys.SCOPES.values())
    assert keys.SCOPES["user"] - keys.DEFAULT_SCOPES == {"variables:reveal"}
    assert keys.SCOPES["service"] - keys.DEFAULT_SCOPES == {"metrics", "plans:write"}


FAULTY: list[tuple[str, dict[str, Any]]] = [
    ("scopes", {"kind": "service", "scopes": ["variables:reveal"]}),
    ("scopes", {"kind": "service", "scopes": []}),
    ("scopes", {"kind": "service", "scopes": ["admin"]}),
    ("name", {"kind": "service", "name": " "}),
    ("name", {"kind": "service", "name": "x" * 201}),
    ("name", {"kind": "service", "name": "a\nb"}),
    ("user", {"kind": "user"}),
    ("user", {"kind": "service", "user_id": uuid4()}),
    ("expiresAt", {"kind": "service", "expires_at": datetime(2099, 1, 1)}),  # noqa: DTZ001 - that is the fault
    (r"addresses\[1\]", {"kind": "service", "addresses": ["10.0.0.0/8", "10.0.0.7/8"]}),
    (r"addresses\[0\]", {"kind": "service", "addresses": ["example.com"]}),
    (r"addresses\[0\]", {"kind": "service", "addresses": ["fe80::1%eth0"]}),
    ("addresses", {"kind": "service", "addresses": [f"10.0.0.{n}" for n in range(51)]}),
]


async def test_a_faulty_field_is_named(db: Database) -> None:
    for field, asked in FAULTY:
        all_of_it: dict[str, Any] = {"name": "app", "pepper": PEPPER, "actor": "operator"} | asked
        with pytest.raises(Invalid, match=rf"^{field}: "):
            await keys.create(db, **all_of_it)
    assert await keys.of_services(db) == []


async def test_an_unknown_user_gets_no_key(db: Database) -> None:
    with pytest.raises(NotFound):
        await keys.create(db, kind="user", name="x", user_id=uuid4(), pepper=PEPPER, actor=OPERATOR)


async def test_forty_racers_get_twenty_keys_and_a_revoked_one_makes_room(db: Database) -> None:
    user = await users.add(db, "a@example.com")

    async def create() -> keys.NewKey:
        return await keys.create(db, kind="user", name="x", user_id=user.id, pepper=PEPPER, actor=Actor(str(user.id)))

    verdicts = await asyncio.gather(*(create() for _ in range(40)), return_exceptions=True)
    made = [each for each in verdicts if isinstance(each, keys.NewKey)]
    assert len(made) == keys.MOST_KEYS
    assert all(isinstance(each, keys.NewKey | Contradiction) for each in verdicts), verdicts
    with pytest.raises(TollkeeperError):
        await create()
    await keys.revoke(db, user.id, made[0].id, actor=OPERATOR)
    await create()


async def test_of_twenty_who_make_service_keys_at_two_nodes_only_those_find_room_whom_there_is_room_for(
    db: Database, dsns: Addresses, owner: Any
) -> None:
    await owner.execute(
        "INSERT INTO api_keys (key_hash, kind, name, shown_as, scopes) "
        "SELECT sha256(n::text::bytea), 'service', 'x', 'tk_service_x…', '{track}' FROM generate_series(1, $1) AS n",
        keys.MOST_SERVICE_KEYS - 5,
    )
    async with Database.open(dsns.service, size=4) as other:

        async def create(node: Database) -> keys.NewKey:
            return await keys.create(node, kind="service", name="x", pepper=PEPPER, actor=OPERATOR)

        verdicts = await asyncio.gather(*(create((db, other)[each % 2]) for each in range(20)), return_exceptions=True)
        made = [each for each in verdicts if isinstance(each, keys.NewKey)]
        assert len(made) == 5
        assert {str(each) for each in verdicts if not isinstance(each, keys.NewKey)} == {
            "services have at most 200 keys that work: revoke one first"
        }
        # A user's own are counted apart, a key that is replaced makes no room, and a revoked one does.
        user = await users.add(db, "a@example.com")
        await keys.create(db, kind="user", name="x", user_id=user.id, pepper=PEPPER, actor=OPERATOR)
        await keys.rotate(db, made[0].id, pepper=PEPPER, actor=OPERATOR)
        with pytest.raises(Contradiction):
            await create(other)
        await keys.revoke_any(db, made[1].id, actor=OPERATOR)
        assert await create(other)


async def test_addresses_are_kept_as_networks(db: Database) -> None:
    given = ["203.0.113.7", "2001:DB8::/32", "203.0.113.7/32", "::ffff:203.0.113.7", "::ffff:10.0.0.0/104"]
    made = await keys.create(db, kind="service", name="app", addresses=given, pepper=PEPPER, actor=OPERATOR)
    assert made.addresses == ("203.0.113.7/32", "2001:db8::/32", "10.0.0.0/8")
    assert [each.addresses for each in await keys.of_services(db)] == [made.addresses]
    assert [tuple(map(str, each.addresses)) for each in await _found(db, made)] == [made.addresses]


async def test_a_rotated_key_works_on_until_the_overlap_is_over(db: Database, owner: Any) -> None:
    now = datetime(2026, 5, 10, 12, tzinfo=UTC)
    await set_clock(owner, now)
    user, old = await _user_and_key(db, expires_at=now + timedelta(days=90), addresses=["10.0.0.0/8"])
    await set_clock(owner, now + timedelta(days=60))
    rotated = await _rotated(db, user, old.id, overlap=timedelta(hours=1))
    assert rotated.old_ends_at == now + timedelta(days=60, hours=1)
    assert (rotated.new.scopes, rotated.new.addresses, rotated.new.name) == (old.scopes, old.addresses, old.name)
    assert rotated.new.expires_at == now + timedelta(days=150), "it lasts as long as the old one was meant to"
    assert rotated.new.key != old.key
    new, former = await keys.listed(db, user.id)
    assert (former.status, former.replaced_by, new.status, new.replaces) == ("replaced", new.id, "active", old.id)
    assert len(await _found(db, old)) == len(await _found(db, rotated.new)) == 1
    await set_clock(owner, rotated.old_ends_at)
    assert (len(await _found(db, old)), len(await _found(db, rotated.new))) == (0, 1)
    assert [each.status for each in await keys.listed(db, user.id)] == ["active", "expired"]


async def test_a_key_that_ends_sooner_is_not_prolonged_by_the_overlap(db: Database, owner: Any) -> None:
    now = datetime(2026, 5, 10, 12, tzinfo=UTC)
    await set_clock(owner, now)
    user, old = await _user_and_key(db, expires_at=now + timedelta(hours=2))
    assert (await _rotated(db, user, old.id)).old_ends_at == now + timedelta(hours=2)


async def test_a_rotated_key_never_ends_where_no_instant_has_a_name(db: Database, owner: Any) -> None:
    await set_clock(owner, datetime(2026, 5, 10, 12, tzinfo=UTC))
    user, old = await _user_and_key(db, expires_at=LAST_YEAR - timedelta(seconds=1))
    await set_clock(owner, datetime(2036, 5, 10, 12, tzinfo=UTC))
    rotated = await _rotated(db, user, old.id)
    assert rotated.new.expires_at == LAST_YEAR - timedelta(microseconds=1)
    assert [each.expires_at for each in await keys.listed(db, user.id)] == [rotated.new.expires_at, rotated.old_ends_at]
    assert len(await _found(db, rotated.new)) == 1


async def test_without_an_overlap_the_old_key_ends_at_once(db: Database) -> None:
    user, old = await _user_and_key(db)
    rotated = await _rotated(db, user, old.id, overlap=timedelta(0))
    assert (len(await _found(db, old)), len(await _found(db, rotated.new))) == (0, 1)
    assert rotated.new.expires_at is None
    for overlap in (timedelta(seconds=-1), keys.LONGEST_OVERLAP + timedelta(seconds=1)):
        with pytest.raises(Invalid, match=r"^overlapSeconds: "):
            await _rotated(db, user, rotated.new.id, overlap=overlap)


async def test_of_many_who_rotate_a_key_one_succeeds(db: Database) -> None:
    user, old = await _user_and_key(db)
    service = await keys.create(db, kind="service", name="app", pepper=PEPPER, actor=OPERATOR)
    for user_id, key in ((user.id, old), (None, service)):
        racers = (keys.rotate(db, key.id, user_id=user_id, pepper=PEPPER, actor=OPERATOR) for _ in range(20))
        verdicts = await asyncio.gather(*racers, return_exceptions=True)
        assert sum(isinstance(each, keys.Rotated) for each in verdicts) == 1
        assert sum(isinstance(each, Contradiction) for each in verdicts) == 19, verdicts
    assert len(await keys.listed(db, user.id)) == len(await keys.of_services(db)) == 2


async def test_nobody_rotates_what_is_anothers_ended_or_unknown(db: Database) -> None:
    user, key = await _user_and_key(db)
    eve = await users.add(db, "eve@example.com")
    service = await keys.create(db, kind="service", name="app", pepper=PEPPER, actor=OPERATOR)
    for user_id, key_id in ((eve.id, key.id), (None, key.id), (user.id, service.id), (user.id, uuid4())):
        with pytest.raises(NotFound):
            await keys.rotate(db, key_id, user_id=user_id, pepper=PEPPER, actor=OPERATOR)
    await keys.revoke(db, user.id, key.id, actor=OPERATOR)
    with pytest.raises(NotFound):
        await _rotated(db, user, key.id)
    assert len(await keys.listed(db, user.id)) == 1


async def test_who_has_twenty_keys_may_rotate_them_all_and_no_further(db: Database) -> None:
    user, first = await _user_and_key(db)
    for _ in range(keys.MOST_KEYS - 1):
        await keys.create(db, kind="user", name="x", user_id=user.id, pepper=PEPPER, actor=OPERATOR)
    for each in await keys.listed(db, user.id):
        await _rotated(db, user, each.id)
    newest = (await keys.listed(db, user.id, limit=1))[0]
    with pytest.raises(Contradiction, match="revoke one of the old ones"):
        await _rotated(db, user, newest.id)
    await keys.revoke(db, user.id, first.id, actor=OPERATOR)
    await _rotated(db, user, newest.id)
    with pytest.raises(Contradiction):
        await keys.create(db, kind="user", name="x", user_id=user.id, pepper=PEPPER, actor=OPERATOR)


async def test_a_list_goes_on_behind_its_page(db: Database) -> None:
    user, _ = await _user_and_key(db)
    for _ in range(4):
        await keys.create(db, kind="user", name="x", user_id=user.id, pepper=PEPPER, actor=OPERATOR)
    whole = await keys.listed(db, user.id)
    assert await keys.listed(db, user.id, limit=2) == whole[:2]
    assert await keys.listed(db, user.id, limit=9, after=whole[1].id) == whole[2:]


async def _rotated(db: Database, user: users.User, key_id: UUID, *, overlap: timedelta = keys.OVERLAP) -> keys.Rotated:
    actor = Actor(str(user.id))
    return await keys.rotate(db, key_id, user_id=user.id, overlap=overlap, pepper=PEPPER, actor=actor)


async def _user_and_key(
    db: Database, expires_at: datetime | None = None, addresses: Collection[str] = ()
) -> tuple[users.User, keys.NewKey]:
    user = await users.add(db, "a@example.com")
    key = await keys.create(
        db,
        kind="user",
        name="x",
        user_id=user.id,
        expires_at=expires_at,
        addresses=addresses,
        pepper=PEPPER,
        actor=Actor(str(user.id)),
    )
    return user, key


async def _found(db: Database, key: keys.NewKey) -> list[keys.FoundKey]:
    return await keys.look_up(db, [keys.hashed(key.key, pepper=PEPPER)])
