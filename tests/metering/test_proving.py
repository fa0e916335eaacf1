"""A node proves every number by itself: part by part, beside those who write, and so that somebody hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from functools import partial
from uuid import UUID

import asyncpg
import pytest

from tests.mailbox import mailbox
from tests.metering.making import OWN_MODEL, Clock, a_user, an_outcome, started
from tests.metering.pruning import FEBRUARY, NOW, a_history
from tollkeeper import jobs
from tollkeeper.accounts import users
from tollkeeper.accounts.mails.alerts import Post
from tollkeeper.accounts.mails.courier import Smtp
from tollkeeper.metering.admin import system
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep import retention
from tollkeeper.metering.upkeep.importing import Importer
from tollkeeper.metering.upkeep.proving import Proof, prove
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

pytestmark = pytest.mark.usefixtures("own_model")

A_DAY = timedelta(days=1)
SITE = "https://usage.example"


@pytest.fixture
async def keeper(dsns: Addresses) -> AsyncGenerator[Database]:
    async with Database.open(dsns.owner, size=1) as keeper:
        yield keeper


async def no_rest(_: float) -> None:
    """Go on at once."""


async def proved(keeper: Database) -> Proof:
    proof = await prove(keeper, timedelta(), rest=no_rest)
    assert proof is not None
    return proof


async def the_past(db: Database, ledger: Ledger, keeper: Database, clock: Clock, *, seed: int) -> None:
    """Let there be requests of some months, of which the oldest is sealed."""
    await clock.hold(NOW)
    await Importer(ledger, keeper).book((await a_history(db, seed)).rows(150, FEBRUARY, NOW))
    where = await retention.boundaries(keeper, rows_days=62, texts_days=None)
    assert where.rows_before is not None
    assert (await retention.prune_rows(keeper, ledger, where.rows_before, actor=jobs.PRUNING)).requests


async def test_what_is_right_is_proved_once_a_day(db: Database, ledger: Ledger, keeper: Database, clock: Clock) -> None:
    await the_past(db, ledger, keeper, clock, seed=51)
    proof = await prove(keeper, A_DAY, rest=no_rest)
    assert proof is not None
    assert (proof.at, proof.users, proof.wrong, proof.unreadable, proof.alarm()) == (NOW, 5, 0, [], None)
    last = await system.last_verification(db)
    assert last is not None
    assert (last.at, last.is_clean) == (NOW, True)
    await clock.step(A_DAY - timedelta(seconds=1))
    assert await prove(keeper, A_DAY, rest=no_rest) is None
    await clock.step(timedelta(seconds=1))
    assert await prove(keeper, A_DAY, rest=no_rest) is not None


async def test_part_by_part_it_finds_what_one_snapshot_of_all_finds(
    *, db: Database, ledger: Ledger, keeper: Database, clock: Clock, owner: asyncpg.Connection
) -> None:
    await the_past(db, ledger, keeper, clock, seed=52)
    for table in ("usage", "usage_rollups", "overall_rollups", "chat_sessions"):
        counted = "total_completed" if table == "usage" else "completed"
        await owner.execute(f"UPDATE {table} SET {counted} = {counted} + 7")  # noqa: S608 - our own names
    # One sum stands where no month is.
    await owner.execute(
        "UPDATE overall_rollups SET hour_at = hour_at + interval '4000 days'"
        " WHERE ctid = (SELECT ctid FROM overall_rollups ORDER BY hour_at DESC LIMIT 1)"
    )
    whole = (await verify(db)).differences
    by_place = {each.place for each in whole}
    assert by_place == {"usage", "usage_rollups", "overall_rollups", "chat_sessions"}
    proof = await proved(keeper)
    assert proof.wrong == len(whole) > len(proof.differences) == 100
    named = {(each.user_id, each.place, str(each.key), each.field) for each in whole}
    assert {(each.user_id, each.place, str(each.key), each.field) for each in proof.differences} < named
    last = await system.last_verification(db)
    assert last is not None
    assert (last.differences, last.is_clean) == (len(whole), False)


async def test_sums_of_each_month_are_proved_apart(
    *, db: Database, ledger: Ledger, keeper: Database, clock: Clock, owner: asyncpg.Connection
) -> None:
    await the_past(db, ledger, keeper, clock, seed=53)
    hours = [
        row[0]
        for row in await owner.fetch("SELECT DISTINCT hour_at FROM overall_rollups WHERE hour_at >= '2026-03-01'")
    ]
    assert len({f"{hour:%m}" for hour in hours}) == 3
    for hour in (min(hours), max(hours)):
        await owner.execute("UPDATE overall_rollups SET failed = failed + 1 WHERE hour_at = $1", hour)
    proof = await proved(keeper)
    assert {each.key["hour_at"] for each in proof.differences} == {
        f"{hour:%Y-%m-%dT%H:%M:%S+00:00}" for hour in (min(hours), max(hours))
    }
    assert {(each.user_id, each.place, each.field) for each in proof.differences} == {
        (None, "overall_rollups", "failed")
    }


async def test_of_many_nodes_one_proves(
    db: Database, dsns: Addresses, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await started(ledger, await a_user(db))
    every = partial(jobs.all_jobs, db, ledger, owner_dsn=dsns.owner, sweep_seconds=1)
    assert not [job for job in every() if "prove" in job.name]
    (job,) = [job for job in every(prove_every=A_DAY) if "prove" in job.name]
    await asyncio.gather(*(job.do() for _ in range(4)))
    await job.do()
    assert caplog.text.count("the numbers of 1 users were proved, 0 are wrong") == 1


async def test_nothing_is_wrong_while_others_write(db: Database, ledger: Ledger, keeper: Database) -> None:
    people = [await a_user(db, "enterprise", email=f"{n}@example.com") for n in range(4)]
    over = asyncio.Event()

    async def track(user: UUID) -> int:
        done = 0
        while not over.is_set():
            begun = await started(ledger, user, model=OWN_MODEL, max_tokens=9, session_id="s")
            await ledger.finish(an_outcome(user, begun.id, tokens_input=1, tokens_output=2))
            done += 1
        return done

    tracking = [asyncio.create_task(track(each)) for each in people]
    proofs = [await proved(keeper) for _ in range(8)]
    over.set()
    assert min(await asyncio.gather(*tracking)) > 8
    assert {(proof.users, proof.wrong) for proof in proofs} == {(4, 0)}


async def rests_of(keeper: Database) -> list[float]:
    """Prove all, and give how long it would have rested after each part with users."""
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    assert await prove(keeper, timedelta(), rest=rest) is not None
    return rests[: -len(await keeper.all("edges_of_months")) - 1]


async def test_it_rests_after_each_part_nine_times_as_long_as_that_took(
    db: Database, keeper: Database, owner: asyncpg.Connection
) -> None:
    for n in range(3):
        await a_user(db, email=f"{n}@example.com")
    await owner.execute("UPDATE usage SET total_requests = 5000")
    began = asyncio.get_running_loop().time()
    rests = await rests_of(keeper)
    took = asyncio.get_running_loop().time() - began
    assert len(rests) == 3
    assert min(rests) > 0
    assert 9 * took > sum(rests) > took


async def test_users_of_few_requests_are_proved_together_and_one_of_many_alone(
    keeper: Database, owner: asyncpg.Connection
) -> None:
    await owner.execute("SELECT tk_add_user(n || '@example.com', 'free', 'UTC') FROM generate_series(1, 500) AS n")
    assert len(await rests_of(keeper)) == 3  # 200, 200 and 100
    # Of 1,000 requests each no three are taken together.
    few = "(SELECT user_id FROM usage ORDER BY user_id OFFSET $1 LIMIT $2)"
    await owner.execute(f"UPDATE usage SET total_requests = 1000 WHERE user_id IN {few}", 200, 5)  # noqa: S608
    assert len(await rests_of(keeper)) == 5  # 200, 2, 2, 200, 96
    # And whoever has many is a part of their own.
    await owner.execute(f"UPDATE usage SET total_requests = 9000 WHERE user_id IN {few}", 300, 1)  # noqa: S608
    assert len(await rests_of(keeper)) == 6  # 200, 2, 2, 96, 1, 199


async def test_a_user_who_cannot_be_read_hides_nothing_of_those_proved_together(
    *, db: Database, ledger: Ledger, keeper: Database, owner: asyncpg.Connection
) -> None:
    people = sorted([await a_user(db, email=f"{n}@example.com") for n in range(9)])
    for each in people:
        begun = await started(ledger, each, model=OWN_MODEL, max_tokens=9)
        await ledger.finish(an_outcome(each, begun.id, duration_ms=666 if each == people[4] else 5))
    await owner.execute("UPDATE usage SET total_rated = 7 WHERE user_id = ANY ($1)", [people[0], people[8]])
    # As if the page with one request were damaged.
    await owner.execute("ALTER FUNCTION tk_latency_bucket RENAME TO tk_whole_bucket")
    await owner.execute(
        "CREATE FUNCTION tk_latency_bucket(p_ms bigint) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN IF p_ms = 666 THEN"
        " RAISE EXCEPTION 'invalid page' USING ERRCODE = 'data_corrupted'; END IF; RETURN tk_whole_bucket(p_ms); END $$"
    )
    proof = await proved(keeper)
    assert {(each.user_id, each.field) for each in proof.differences} == {
        (people[0], "total_rated"),
        (people[8], "total_rated"),
    }
    assert (proof.users, proof.wrong) == (9, 2)
    of_user, of_month = (each.partition(" ")[0::2] for each in proof.unreadable)
    assert (of_user[0], of_user[1].partition(":")[0], of_month[0]) == ("user", str(people[4]), "sums")


async def test_who_runs_the_service_hears_of_it(
    *, db: Database, ledger: Ledger, dsns: Addresses, owner: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await users.add(db, "operator@example.com", admin=True)
    await users.add(db, "ada@example.com")
    user = await a_user(db, email="eve@example.com")
    await owner.execute("UPDATE usage SET total_rated = 7 WHERE user_id = $1", user)
    async with mailbox() as box:
        post = Post(Smtp("127.0.0.1", box.port, "if-offered", "no-reply@usage.example"), SITE)
        every = jobs.all_jobs(db, ledger, owner_dsn=dsns.owner, sweep_seconds=1, prove_every=A_DAY, post=post)
        (job,) = [job for job in every if "prove" in job.name]
        await job.do()
        got = await box.next("operator@example.com")
        assert not box.got
    assert got.message["Subject"] == "tollkeeper: Numbers are not what the requests say"
    for part in (got.part("plain"), got.part("html")):
        assert "Of 3 users, or over all of them, 1 numbers were wrong" in part
        assert f"{SITE}/admin/system" in part
    assert f"wrong: total_rated of user {user} in usage is 7, the requests say 0" in caplog.text
    assert "eve@example.com" not in caplog.text
