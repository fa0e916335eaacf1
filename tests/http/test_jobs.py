"""What happens without a caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.mailbox import mailbox
from tollkeeper import activity, jobs
from tollkeeper.accounts import users
from tollkeeper.accounts.mails.alerts import Post
from tollkeeper.accounts.mails.courier import Smtp
from tollkeeper.activity import OPERATOR
from tollkeeper.app import prepared
from tollkeeper.errors import Unavailable
from tollkeeper.jobs import Job
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.settings import Settings
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.partitions import ensure_partitions


@pytest.fixture
async def ledger(db: Database) -> AsyncGenerator[Ledger]:
    async with Ledger(db, pending_for=timedelta(minutes=15)) as ledger:
        yield ledger


def the_job(name: str, db: Database, ledger: Ledger, dsns: Addresses) -> Job:
    every = jobs.all_jobs(db, ledger, owner_dsn=dsns.owner, sweep_seconds=1)
    return next(job for job in every if name in job.name)


async def test_partitions_are_made_once_by_however_many_nodes(dsns: Addresses, owner: asyncpg.Connection) -> None:
    made = await asyncio.gather(*(ensure_partitions(dsns.owner, ahead=timedelta(days=62)) for _ in range(5)))
    assert sum(made) in {0, 2, 3}
    assert sorted(made)[:-1] == [0, 0, 0, 0]
    names = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'chat_requests'::regclass"
    assert len(await owner.fetch(names)) >= 4
    assert await ensure_partitions(dsns.owner, ahead=timedelta(days=62)) == 0


async def test_partitions_that_cannot_be_made_are_unavailable() -> None:
    with pytest.raises(Unavailable):
        await ensure_partitions("postgresql://nobody@localhost:1/none", ahead=timedelta(days=1))


async def test_sums_by_the_hour_are_forgotten_after_60_days_and_others_kept(
    db: Database, ledger: Ledger, dsns: Addresses, owner: asyncpg.Connection
) -> None:
    user = await users.add(db, "old@example.com")
    await owner.execute(
        """
        INSERT INTO usage_rollups
        SELECT $1, period, date_trunc('hour', (now() AT TIME ZONE 'UTC') - days * interval '1 day'), '', '', 'chat', '',
               1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}'
          FROM (VALUES ('hour', 1), ('hour', 59), ('hour', 61), ('hour', 400), ('day', 400), ('all', 400))
               AS v (period, days)
        """,
        user.id,
    )
    await the_job("sums by the hour", db, ledger, dsns).do()
    left = await owner.fetch("SELECT period FROM usage_rollups ORDER BY period, period_start")
    assert [row["period"] for row in left] == ["all", "day", "hour", "hour"]


async def test_every_job_runs_beside_itself(db: Database, ledger: Ledger, dsns: Addresses) -> None:
    every = jobs.all_jobs(db, ledger, owner_dsn=dsns.owner, sweep_seconds=1)
    await asyncio.gather(*(job.do() for job in every for _ in range(3)))


async def test_alerts_are_told_by_a_job_where_there_is_a_mail_server_and_not_without(
    db: Database, ledger: Ledger, dsns: Addresses
) -> None:
    user = await users.add(db, "told@example.com")
    await activity.note(db, user_id=user.id, actor=OPERATOR, action="key.created")
    with pytest.raises(StopIteration):
        the_job("tell people", db, ledger, dsns)
    async with mailbox() as box:
        post = Post(Smtp("127.0.0.1", box.port, "if-offered", "no-reply@usage.example"), "https://usage.example")
        every = jobs.all_jobs(db, ledger, owner_dsn=dsns.owner, sweep_seconds=1, post=post)
        await next(job for job in every if "tell people" in job.name).do()
        assert [got.to for got in box.got] == ["told@example.com"]


async def test_a_job_goes_on_after_an_outage_and_after_a_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[int] = []
    enough = asyncio.Event()

    async def fails() -> None:
        turns.append(1)
        if len(turns) == 1:
            raise Unavailable("the database is away")
        if len(turns) == 2:
            raise ValueError("unforeseen")
        if len(turns) == 4:
            enough.set()

    monkeypatch.setattr(jobs, "_AGAIN_SECONDS", 0.01)
    task = asyncio.create_task(jobs._again_and_again(Job("fails at first", 0.01, fails)))
    async with asyncio.timeout(5):
        await enough.wait()
    task.cancel()
    assert [record.levelname for record in caplog.records if record.name == "tollkeeper.jobs"] == ["WARNING", "ERROR"]


async def test_the_months_partition_is_there_before_anything_is_served(
    dsns: Addresses, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    settings = Settings.of({}, database_url=dsns.service, owner_database_url=dsns.owner, data=tmp_path)
    async with prepared(settings):
        assert await owner.fetchval("SELECT to_regclass('chat_requests' || to_char(now(), '_YYYY_MM')) IS NOT NULL")
