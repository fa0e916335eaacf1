"""Who leaves is gone with all that is theirs, and the sums over all users stay and are proved."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import OWN_MODEL, PENDING_FOR, Clock, a_request, a_user, an_outcome, until_somebody_waits
from tests.metering.pruning import APRIL, FEBRUARY, NOW, History, a_history, in_any_table
from tollkeeper import activity
from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import logins
from tollkeeper.activity import Actor
from tollkeeper.errors import AccountInactive, Contradiction, NotFound, TollkeeperError
from tollkeeper.metering.admin import directory
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep import leaving
from tollkeeper.metering.upkeep.importing import Importer
from tollkeeper.metering.upkeep.retention import prune_rows
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

pytestmark = pytest.mark.usefixtures("own_model")

ACTOR = Actor("test")
# Tables in which rows of a user may be that is gone: the log, stripped of what tells of them.
STAYS = {"activity"}


async def leave(db: Database, user: UUID, actor: Actor = ACTOR) -> bool:
    return await leaving.leave(db, db, user, actor=actor, may_be_last=True, seconds=60)


async def rows_of(owner: asyncpg.Connection, user: UUID) -> set[str]:
    """Name the tables in which a user has rows."""
    tables = await owner.fetch(
        "SELECT a.attrelid::regclass::text AS name FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
        "WHERE a.attname = 'user_id' AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
    )
    assert len(tables) > 10
    count = "SELECT count(*) FROM {} WHERE user_id = $1"
    return {name for (name,) in tables if await owner.fetchval(count.format(name), user)}


async def overall(owner: asyncpg.Connection, *by: str) -> list[Any]:
    """Give the sums over all users."""
    names = ", ".join(by)
    return await owner.fetch(
        f"SELECT {names}, sum(completed) AS completed, sum(failed) AS failed, sum(tokens_used) AS tokens, "  # noqa: S608
        f"sum(cost_nanos) AS cost, sum(duration_ms) AS ms, sum(rating) AS rating FROM overall_rollups "
        f"GROUP BY {names} ORDER BY {names}"
    )


@pytest.fixture
async def history(db: Database, clock: Clock) -> History:
    await clock.hold(NOW)
    return await a_history(db, 11)


async def test_all_of_a_user_goes_and_no_sum_over_all_changes(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, dsns: Addresses, history: History
) -> None:
    async with Database.open(dsns.owner, size=2) as keeper:
        await Importer(ledger, keeper).book(history.rows(300, FEBRUARY, NOW))
        await prune_rows(keeper, ledger, APRIL, actor=ACTOR)
    gone, *others = history.users
    await ledger.start(a_request(gone))
    before = await overall(owner, "hour_at", "plan_name")
    theirs = await owner.fetch("SELECT * FROM usage WHERE user_id <> $1 ORDER BY user_id", gone)
    assert len(await rows_of(owner, gone)) > 8

    assert await leave(db, gone)

    assert await rows_of(owner, gone) <= STAYS
    assert await in_any_table(owner, str(gone)) == ["activity"]
    assert (await verify(db)).differences == []
    assert await overall(owner, "hour_at", "plan_name") == before
    assert await owner.fetch("SELECT * FROM usage WHERE user_id <> $1 ORDER BY user_id", gone) == theirs
    for other in others:
        assert await leave(db, other)
        assert (await verify(db)).differences == []
    assert await overall(owner, "hour_at", "plan_name") == before
    assert await owner.fetchval("SELECT count(*) FROM chat_requests") == 0


async def test_at_every_instant_of_a_leaving_all_is_proved_and_others_go_on(
    *, monkeypatch: pytest.MonkeyPatch, ledger: Ledger, db: Database, dsns: Addresses, history: History
) -> None:
    monkeypatch.setattr(leaving, "_ROWS", 7)
    async with Database.open(dsns.owner, size=2) as keeper:
        await Importer(ledger, keeper).book(history.rows(400, FEBRUARY, NOW))
    stay, *leavers = history.users
    over = asyncio.Event()
    turns = {"prove": 0, "track": 0}

    async def prove() -> None:
        while not over.is_set():
            assert (await verify(db)).differences == []
            turns["prove"] += 1

    async def track() -> None:
        while not over.is_set():
            started = await ledger.start(a_request(stay, model=OWN_MODEL, category="code"))
            await ledger.finish(an_outcome(stay, started.id, tokens_input=1, tokens_output=1))
            turns["track"] += 1

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(prove())
        tasks.create_task(track())
        try:
            await asyncio.sleep(0.2)
            for done in await asyncio.gather(*(leave(db, user) for user in leavers)):
                assert done
        finally:
            over.set()
    assert min(turns.values()) > 2
    assert (await verify(db)).differences == []


async def test_tracking_that_races_a_leaving_is_refused_clearly_and_counts_for_nobody(
    db: Database, owner: asyncpg.Connection, dsns: Addresses
) -> None:
    user = await a_user(db, "enterprise")
    refused = set[type[Exception]]()

    async def track(ledger: Ledger, dice: random.Random) -> None:
        while True:
            try:
                started = await ledger.start(a_request(user, session_id=f"s{dice.randrange(5)}", client_id=None))
                await asyncio.sleep(dice.random() / 100)
                await ledger.finish(an_outcome(user, started.id, tokens_input=3, tokens_output=4))
            except TollkeeperError as error:
                refused.add(type(error))
                if isinstance(error, NotFound) and "user" in error.detail:
                    return

    async with (
        Ledger(db, pending_for=PENDING_FOR) as one,
        Database.open(dsns.service, size=4) as elsewhere,
        Ledger(elsewhere, pending_for=PENDING_FOR) as other,
        asyncio.TaskGroup() as tasks,
    ):
        for place in range(16):
            tasks.create_task(track((one, other)[place % 2], random.Random(place)))
        while await owner.fetchval("SELECT total_completed FROM usage WHERE user_id = $1", user) < 30:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # until it is under way
        assert await leave(db, user)
    assert refused <= {NotFound, AccountInactive}
    assert await rows_of(owner, user) <= STAYS
    assert (await verify(db)).differences == []


async def test_a_leaving_that_was_interrupted_anywhere_is_finished_later(
    *,
    monkeypatch: pytest.MonkeyPatch,
    ledger: Ledger,
    db: Database,
    owner: asyncpg.Connection,
    dsns: Addresses,
    history: History,
) -> None:
    monkeypatch.setattr(leaving, "_ROWS", 5)
    async with Database.open(dsns.owner, size=2) as keeper:
        await Importer(ledger, keeper).book(history.rows(200, FEBRUARY, NOW))
    user = history.users[0]
    assert not await leaving.leave(db, db, user, actor=ACTOR, may_be_last=True, seconds=0)
    assert await leaving.unfinished(db) == [user]
    assert (await verify(db)).differences == []
    with pytest.raises(AccountInactive):
        await ledger.start(a_request(user))
    with pytest.raises(NotFound):
        await users.show(db, await users.of_email(db, "nobody@example.com") or UUID(int=1))
    assert await leaving.finish(db, db, user, seconds=60)
    assert await leaving.unfinished(db) == []
    assert await rows_of(owner, user) <= STAYS
    assert await leaving.finish(db, db, user, seconds=60), "once more does no harm"


async def test_who_is_gone_meanwhile_is_told_as_no_such_user(db: Database) -> None:
    with pytest.raises(NotFound, match="no such user"):
        await db.run("put_preferences", user_id=UUID(int=5), settings={})


async def test_nobody_switches_on_who_is_on_the_way_out(db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db)
    await leaving.begin(db, user, actor=ACTOR, may_be_last=True)
    with pytest.raises(NotFound, match="no such user"):
        await directory.change(db, user, directory.Change(is_active=True), actor=ACTOR)
    with pytest.raises(NotFound, match="no such user"):
        await users.change(db, user, actor=ACTOR, is_active=True, admin=True)
    await db.run("switch_user", user_id=user, is_active=True)
    kept = "SELECT u.is_active, a.role FROM usage AS u JOIN accounts AS a ON a.id = u.user_id WHERE u.user_id = $1"
    assert [tuple(row) for row in await owner.fetch(kept, user)] == [(False, "user")]


async def test_names_that_only_who_left_had_used_go_to_those_without_a_name(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    alice, bob = [await a_user(db, "enterprise", email=f"{name}@example.com") for name in ("alice", "bob")]

    async def use(user: UUID, **named: Any) -> None:
        started = await ledger.start(a_request(user, **named))
        await ledger.finish(an_outcome(user, started.id, tokens_input=10, tokens_output=5, rated=True, rating=4))

    for named in ({"category": "canary-c"}, {"model": "canary-m"}, {"model": "gpt-4o", "category": "shared"}, {}):
        await use(alice, **named)
    await use(bob, category="shared", model="gpt-4o-mini-2024-07-18")
    before = await overall(owner, "hour_at", "plan_name", "request_type")
    await leave(db, alice)
    assert await in_any_table(owner, "canary") == []
    assert await overall(owner, "hour_at", "plan_name", "request_type") == before
    assert (await verify(db)).differences == []
    names = {row["model"] for row in await overall(owner, "model")}
    assert names == {"", "gpt-4o", "gpt-4o-mini-2024-07-18"}
    assert {row["category"] for row in await overall(owner, "category")} == {"", "shared"}
    # What two had shared goes with the second.
    await leave(db, bob)
    assert {row["category"] for row in await overall(owner, "category")} == {""}
    assert {row["category"] for row in await owner.fetch("SELECT category FROM left_rollups")} == {""}
    assert (await verify(db)).differences == []


async def test_who_names_the_address_later_is_somebody_new(ledger: Ledger, db: Database) -> None:
    old = await a_user(db)
    await ledger.start(a_request(old))
    await leaving.begin(db, old, actor=ACTOR, may_be_last=True)
    new = await users.of_email_or_new(db, "ada@example.com")
    assert new != old
    await leaving.finish(db, db, old, seconds=60)
    await ledger.start(a_request(new))
    assert (await users.show(db, new)).requests_used == 1
    assert (await verify(db)).differences == []


async def test_the_log_keeps_what_was_done_and_nothing_that_tells_of_who_left(
    db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, email="canary@example.com")
    other = await a_user(db, email="other@example.com")
    own = Actor(str(user), "203.0.113.77", "canary browser")
    operator = Actor(str(other), "203.0.113.88", "operator's browser")
    await activity.note(db, user_id=user, actor=own, action="variables.put", detail={"keys": ["canary"]})
    await activity.note(db, user_id=user, actor=Actor("key:1", "203.0.113.77", "canary"), action="variables.put")
    await activity.note(db, user_id=user, actor=operator, action="user.changed", detail={"time_zone": "canary"})
    # They were an operator too.
    await activity.note(db, user_id=other, actor=own, action="user.changed", detail={"role": "user"})
    acting = Actor(str(other), "203.0.113.77", "canary", acted_by=user)
    await activity.note(db, user_id=other, actor=acting, action="variables.put", detail={"keys": ["A"]})
    with pytest.raises(asyncpg.PostgresError, match="stays"):
        await owner.execute("SELECT tk_forget_activity($1)", user)
    await leave(db, user, operator)
    # Too late: it would stay for ever.
    await activity.note(db, user_id=user, actor=own, action="login.ended")
    assert await in_any_table(owner, "canary") == []
    assert await in_any_table(owner, "203.0.113.77") == []
    noted = await activity.listed(db, activity.Wanted(user_id=user), limit=9)
    assert [each.action for each in noted] == ["user.deleted", "user.changed", "variables.put", "variables.put"]
    assert {each.ip_address for each in noted} == {None, "203.0.113.88"}
    kept = await activity.listed(db, activity.Wanted(user_id=other), limit=9)
    assert [each.detail for each in kept] == [{"keys": ["A"]}, {"role": "user"}]


async def two_operators(db: Database) -> tuple[UUID, UUID]:
    ann, ben = [await a_user(db, email=f"{name}@example.com") for name in ("ann", "ben")]
    for each in (ann, ben):
        await users.change(db, each, actor=ACTOR, admin=True)
    return ann, ben


async def gone(db: Database, user: UUID) -> None:
    await leaving.begin(db, user, actor=ACTOR, may_be_last=False)


async def off(db: Database, user: UUID) -> None:
    await directory.change(db, user, directory.Change(is_active=False), actor=ACTOR)


Going: TypeAlias = Callable[[Database, UUID], Awaitable[None]]


@pytest.mark.parametrize(("first", "second"), [(gone, gone), (off, off), (gone, off), (off, gone)])
async def test_of_two_operators_who_go_at_once_one_stays(db: Database, first: Going, second: Going) -> None:
    for _ in range(10):
        ann, ben = await two_operators(db)
        told = await asyncio.gather(first(db, ann), second(db, ben), return_exceptions=True)
        assert [type(each) for each in told if each] == [Contradiction]
        for each in (ann, ben):
            with suppress(NotFound):
                await leaving.leave(db, db, each, actor=ACTOR, may_be_last=True, seconds=60)
    with pytest.raises(NotFound):
        await leaving.begin(db, UUID(int=7), actor=ACTOR, may_be_last=True)


async def test_who_is_no_operator_goes_though_one_alone_is_left(db: Database) -> None:
    ann, ben = await two_operators(db)
    await users.change(db, ben, actor=ACTOR, admin=False)
    await off(db, ben)
    await gone(db, ben)
    with pytest.raises(Contradiction):
        await off(db, ann)


MAKES = {
    "try_code": """
        INSERT INTO sign_in_asks (browser_hash, address, code_hash, token_hash, leads_to, created_at, expires_at)
        SELECT $2, i.shown_as, $2, $2, '', tk_now(), tk_now() + interval '1 hour'
          FROM user_identities AS i WHERE i.user_id = $1 AND i.kind = 'email'
    """,
    "use_sign_in_link": """
        INSERT INTO sign_in_links (token_hash, user_id, created_at, expires_at)
        VALUES ($2, $1, tk_now(), tk_now() + interval '1 hour')
    """,
    "use_passkey": """
        INSERT INTO passkeys (credential_id, user_id, public_key, sign_count, name, transports, is_synced)
        VALUES ($2, $1, $2, 0, 'mine', '{}', false)
    """,
}
HASH = bytes(32)


@pytest.mark.parametrize("way", MAKES)
async def test_who_signs_in_while_they_leave_locks_nobody_up_and_is_out_in_the_end(
    db: Database, owner: asyncpg.Connection, way: str
) -> None:
    user = await a_user(db)
    await owner.execute(MAKES[way], user, HASH)
    uses: dict[str, dict[str, Any]] = {
        "try_code": {"browser_hash": HASH, "address": "ada@example.com", "code_hash": HASH, "tries": 5},
        "use_sign_in_link": {"link_hash": HASH},
        "use_passkey": {
            "user_id": user,
            "passkey_id": await owner.fetchval("SELECT id FROM passkeys"),
            "sign_count": 0,
            "is_synced": False,
        },
    }
    async with db.transaction() as tx:
        assert await tx.value(way, **uses[way])
        going = asyncio.create_task(leave(db, user))
        await until_somebody_waits(owner)
        await logins.begin(tx, user, by="link", pepper=b"pepper")
    assert await going
    assert await rows_of(owner, user) <= STAYS


async def test_who_signs_out_everywhere_while_they_leave_locks_nobody_up(
    db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db)
    await owner.execute(MAKES["try_code"], user, HASH)
    await owner.execute(MAKES["use_sign_in_link"], user, HASH)
    await owner.execute(
        "INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, expires_at) "
        "VALUES ($2, $1, tk_now(), tk_now(), tk_now() + interval '1 hour')",
        user,
        HASH,
    )
    async with db.transaction() as tx:
        await tx.value("try_code", browser_hash=HASH, address="ada@example.com", code_hash=HASH, tries=5)
        going = asyncio.create_task(leave(db, user))
        await until_somebody_waits(owner)
        ending = asyncio.create_task(logins.end_all(db, user, actor=ACTOR))
        await until_somebody_waits(owner, 2)
    assert await asyncio.gather(going, ending) == [True, 0]
