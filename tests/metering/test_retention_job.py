"""What is old goes by itself where the operator says so, and by one node alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from tests.metering.making import Clock
from tests.metering.pruning import FEBRUARY, NOW, a_history, derived
from tollkeeper import jobs
from tollkeeper.errors import Misconfigured
from tollkeeper.jobs import Keep
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep import retention
from tollkeeper.metering.upkeep.importing import Importer
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.settings import Settings
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

pytestmark = pytest.mark.usefixtures("own_model")


def the_jobs(db: Database, ledger: Ledger, dsns: Addresses, keep: Keep | None) -> list[jobs.Job]:
    every = jobs.all_jobs(db, ledger, owner_dsn=dsns.owner, sweep_seconds=1, keep=keep)
    return [job for job in every if "prune" in job.name]


async def test_without_a_setting_all_is_kept_for_ever(db: Database, ledger: Ledger, dsns: Addresses) -> None:
    assert the_jobs(db, ledger, dsns, None) == the_jobs(db, ledger, dsns, Keep()) == []
    assert (Settings.of({}).retain_rows_days, Settings.of({}).retain_text_days) == (None, None)


async def test_of_many_nodes_one_prunes_and_nothing_is_counted_twice(
    *, db: Database, ledger: Ledger, dsns: Addresses, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(NOW)
    history = await a_history(db, 31)
    async with Database.open(dsns.owner, size=1) as keeper:
        await Importer(ledger, keeper).book(history.rows(120, FEBRUARY, NOW))
    before = await derived(owner)
    (job,) = the_jobs(db, ledger, dsns, Keep(rows_days=62, texts_days=20))
    await asyncio.gather(*(job.do() for _ in range(4)))
    assert await derived(owner) == before
    assert (await verify(db)).differences == []
    kept = await retention.retained(db)
    assert (f"{kept.rows_from:%m-%d}", f"{kept.texts_from:%m-%d}") == ("03-01", "04-23")
    sums = await owner.fetch("SELECT action, sum((detail ->> 'requests')::int) FROM activity GROUP BY 1")
    noted = {row[0]: row[1] for row in sums}
    assert noted["requests.pruned"] + await owner.fetchval("SELECT count(*) FROM chat_requests") == 120
    assert noted["texts.pruned"] == await owner.fetchval("SELECT count(*) FROM chat_requests WHERE prompt IS NULL")
    await clock.step(timedelta(days=20))
    await job.do()
    assert f"{(await retention.retained(db)).rows_from:%m-%d}" == "04-01"
    assert (await verify(db)).differences == []


async def test_a_backup_that_takes_long_puts_it_off(
    *,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    db: Database,
    ledger: Ledger,
    dsns: Addresses,
    owner: asyncpg.Connection,
    clock: Clock,
) -> None:
    monkeypatch.setattr(retention, "_PAUSES_SECONDS", (0.01,) * 3)
    await clock.hold(NOW)
    history = await a_history(db, 32)
    async with Database.open(dsns.owner, size=1) as keeper:
        await Importer(ledger, keeper).book(history.rows(20, FEBRUARY, NOW))
    (job,) = the_jobs(db, ledger, dsns, Keep(rows_days=62))
    await owner.execute("BEGIN; LOCK TABLE chat_requests IN ACCESS SHARE MODE")
    await job.do()
    await owner.execute("COMMIT")
    assert "within an hour" in caplog.text
    assert await owner.fetchval("SELECT count(*) FROM chat_requests") == 20
    await job.do()
    assert await owner.fetchval("SELECT count(*) FROM chat_requests") < 20
    assert (await verify(db)).differences == []


@pytest.mark.parametrize(("rows", "texts"), [("61", ""), ("", "0"), ("62", "63"), ("1.5", ""), ("-1", "")])
def test_what_cannot_be_meant_is_refused(rows: str, texts: str) -> None:
    with pytest.raises(Misconfigured, match="TOLLKEEPER_RETAIN_"):
        Settings.of({"TOLLKEEPER_RETAIN_ROWS_DAYS": rows, "TOLLKEEPER_RETAIN_TEXT_DAYS": texts})


def test_texts_may_be_as_old_as_their_rows() -> None:
    settings = Settings.of({"TOLLKEEPER_RETAIN_ROWS_DAYS": "62", "TOLLKEEPER_RETAIN_TEXT_DAYS": "62"})
    assert (settings.retain_rows_days, settings.retain_text_days) == (62, 62)
