"""Pruning as an operator does it, and killed where it hurts most."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from tests.cli.conftest import COMMAND, SECONDS, Tollkeeper
from tests.metering.making import PENDING_FOR, a_request, a_user, an_outcome
from tests.metering.pruning import a_history, derived, in_any_table
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.importing import Importer, Past
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

# 40 requests of three months that were over three months ago, in a database of the test's own.
_MONTHS_AGO = "SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => $1)) AT TIME ZONE 'UTC'"


@dataclass(frozen=True, slots=True)
class Operator:
    """The command on a database of its own."""

    tollkeeper: Tollkeeper
    addresses: Addresses

    @property
    def urls(self) -> dict[str, str]:
        return {
            "TOLLKEEPER_DATABASE_URL": self.addresses.service,
            "TOLLKEEPER_OWNER_DATABASE_URL": self.addresses.owner,
        }

    async def run(self, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(self.tollkeeper.run, *words, **self.urls, **more)

    async def json(self, *words: object, code: int = 0, **more: str) -> Any:
        done = await self.run(*words, "--json", **more)
        assert done.returncode == code, done.stderr + done.stdout
        return msgspec.json.decode(done.stdout)

    async def started(self, *words: object) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            COMMAND, *map(str, words), env=self.tollkeeper.environment | self.urls, stdout=asyncio.subprocess.PIPE
        )


@pytest.fixture
async def operator(dsns: Addresses, db: Database, owner: asyncpg.Connection, tmp_path: Path) -> Operator:
    """An operator of a service with a past of five months."""
    since, until = [await owner.fetchval(_MONTHS_AGO, months) for months in (5, 2)]
    history = await a_history(db, 21)
    async with Database.open(dsns.owner, size=1) as keeper:
        await Importer(Ledger(db, pending_for=PENDING_FOR), keeper).book(history.rows(40, since, until))
    return Operator(Tollkeeper(tmp_path), dsns)


async def day(owner: asyncpg.Connection, months_ago: int) -> str:
    return f"{await owner.fetchval(_MONTHS_AGO, months_ago):%Y-%m-%d}"


async def test_rows_and_texts_are_pruned_after_a_look_at_what_would_go(
    operator: Operator, owner: asyncpg.Connection
) -> None:
    before = await derived(owner)
    asked = ("prune", "--rows-before", await day(owner, 3), "--texts-before", await day(owner, 1))
    plan = await operator.json(*asked, "--dry-run")
    assert (plan["dryRun"], plan["strays"], plan["texts"]) == (True, 0, 40)
    assert [each["pending"] for each in plan["months"]] == [0, 0]
    assert sum(each["requests"] for each in plan["months"]) == plan["requests"] > 0
    assert min(each["bytes"] for each in plan["months"]) > 8192
    shown = await operator.run(*asked, "--dry-run")
    assert [line.split()[0] for line in shown.stdout.splitlines()] == [
        "WHAT",
        *(each["month"] for each in plan["months"]),
        "texts",
    ]
    assert "dry run" in shown.stderr
    assert await owner.fetchval("SELECT count(prompt) FROM chat_requests") == 40
    done = await operator.json(*asked)
    assert done["requests"] == plan["requests"]
    assert done["texts"] == 40 - plan["requests"]
    assert (done["months"], done["heldBy"]) == ([each["month"] for each in plan["months"]], None)
    assert (done["rowsFrom"][:10], done["textsFrom"][:10]) == (asked[2], asked[4])
    assert await derived(owner) == before
    assert await in_any_table(owner, "prompt ") == []
    verified = await operator.json("verify")
    assert (verified["ok"], verified["rowsFrom"], verified["textsFrom"]) == (True, done["rowsFrom"], done["textsFrom"])
    told = await operator.run("verify")
    assert f"There are rows since {asked[2]} 00:00:00 UTC" in told.stdout
    again = await operator.run(*asked)
    assert again.stdout.startswith("0 requests pruned, the texts of 0 others cleared.\nRows: since ")
    assert (await operator.json("export"))["exported"] == 40 - plan["requests"]


async def test_an_export_of_what_is_pruned_since_is_refused_until_somebody_is_sure(
    operator: Operator, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    named, nameless = tmp_path / "named.jsonl", tmp_path / "nameless.jsonl"
    assert (await operator.json("export", "--output", named))["exported"] == 40
    rows = [msgspec.json.decode(line) for line in named.read_bytes().splitlines()]
    nameless.write_bytes(b"\n".join(msgspec.json.encode(row | {"requestId": row["id"]}) for row in rows))
    pruned = (await operator.json("prune", "--rows-before", await day(owner, 3)))["requests"]
    known = await operator.json("import", "tollkeeper", named)
    assert (known["imported"], known["skipped"], known["failed"]) == (0, 40, 0)
    again = await operator.json("import", "tollkeeper", nameless, code=1)
    assert (again["imported"], again["skipped"], again["failed"]) == (0, 40 - pruned, pruned)
    assert again["errors"][0]["field"] == "startedAt"
    sure = await operator.json("import", "tollkeeper", nameless, "--count-pruned")
    assert (sure["imported"], sure["skipped"], sure["failed"]) == (pruned, 40 - pruned, 0)


async def test_the_settings_decide_when_nothing_is_said(operator: Operator, owner: asyncpg.Connection) -> None:
    done = await operator.json("prune", TOLLKEEPER_RETAIN_ROWS_DAYS="70", TOLLKEEPER_RETAIN_TEXT_DAYS="20")
    assert done["requests"] > 0
    assert (done["requests"] + done["texts"], len(done["months"])) == (40, len(set(done["months"])))
    assert await owner.fetchval("SELECT count(prompt) FROM chat_requests") == 0
    assert (await operator.json("verify"))["ok"]


async def test_texts_go_as_plans_say_and_those_of_other_plans_stay(
    operator: Operator, db: Database, owner: asyncpg.Connection, dsns: Addresses
) -> None:
    at, user = await owner.fetchval(_MONTHS_AGO, 3), await a_user(db, "free", email="free@example.com")
    async with Database.open(dsns.owner, size=1) as keeper:
        past = a_request(user, "text", started_at=at, import_key="1")
        await Importer(Ledger(db, pending_for=PENDING_FOR), keeper).book(
            [Past(1, past, an_outcome(user, "", completed_at=at))]
        )
    counted = await owner.fetch("SELECT plan_name, count(*) FROM chat_requests GROUP BY plan_name ORDER BY 1")
    assert [tuple(row) for row in counted] == [("enterprise", 40), ("free", 1)]
    plan, under_it, others = "enterprise", 40, [("free", 1)]
    nothing = await operator.run("prune", "--by-plan")
    assert nothing.stdout.startswith("0 requests pruned, the texts of 0 others cleared.\nRows: since ")
    await owner.execute("UPDATE plans SET retain_text_days = 20 WHERE name = $1", plan)
    would = await operator.json("prune", "--by-plan", "--dry-run")
    assert (would["requests"], would["texts"], would["textsBefore"]) == (0, 0, None)
    assert [(each["plan"], each["texts"]) for each in would["textsOfPlans"]] == [(plan, under_it)]
    assert would["textsOfPlans"][0]["textBytes"] > 0
    shown = await operator.run("prune", "--dry-run")
    assert shown.stdout.splitlines()[1].startswith(f"texts of {plan}  ")
    assert await owner.fetchval("SELECT count(prompt) FROM chat_requests") == 41
    # What goes for all is not told twice.
    for_all = ("prune", "--by-plan", "--texts-older-than", "1")
    twice = await operator.json(*for_all, "--dry-run")
    assert (twice["texts"], [each["texts"] for each in twice["textsOfPlans"]]) == (41, [0])
    # Without a word plans decide as well.
    done = await operator.json("prune")
    assert (done["requests"], done["texts"], done["textsOfPlans"]) == (0, 0, {plan: under_it})
    left = await owner.fetch("SELECT plan_name, count(prompt) FROM chat_requests GROUP BY plan_name ORDER BY 1")
    assert [tuple(row) for row in left] == [(plan, 0), *others]
    assert (await operator.json("prune"))["textsOfPlans"] == {}
    assert (await operator.json("verify"))["ok"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "what to prune: give --rows-before, "),
        (["--rows-before", "2999-01-01"], "rows of this month and the last one always stay: "),
        (["--texts-before", "2999-01-01"], "--texts-before: lies in the future"),
        (["--rows-older-than", "0"], "--rows-older-than must be from 1 to "),
        (["--texts-before", "2020-01-01", "--texts-older-than", "3"], "--texts-before or --texts-older-than, not both"),
        (["--rows-before", "yesterday"], "yesterday"),
        (["--rows-before", "0001-01-01"], "from 1970 to 9998"),
        (["--texts-before", "0001-01-01", "--dry-run"], "from 1970 to 9998"),
        (["--rows-before", "0001-01-01T00:00:00+14:00"], "from 1970 to 9998"),
        (["--texts-before", "9999-12-31T23:59:59-14:00"], "from 1970 to 9998"),
    ],
)
async def test_a_line_that_cannot_be_meant_is_told(operator: Operator, words: list[str], message: str) -> None:
    done = await operator.run("prune", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_settings_that_contradict_each_other_are_told(operator: Operator) -> None:
    for rows, texts in (("61", "5"), ("70", "71"), ("70", "0"), ("many", "1")):
        settings = {"TOLLKEEPER_RETAIN_ROWS_DAYS": rows, "TOLLKEEPER_RETAIN_TEXT_DAYS": texts}
        done = await operator.run("prune", **settings)
        assert done.returncode == 1
        assert "TOLLKEEPER_RETAIN_" in done.stderr


@pytest.mark.parametrize(
    ("step", "held"),
    [
        # Before a month is taken out of the ledger ...
        ("close_month", "LOCK TABLE chat_requests IN ACCESS SHARE MODE"),
        # ... when it is out and not yet summed ...
        ("seal", "LOCK TABLE sealed_rollups IN SHARE MODE"),
        # ... and when it is summed and not yet dropped.
        ("seal", "LOCK TABLE accounts IN ROW SHARE MODE"),
    ],
)
async def test_killed_at_any_point_it_has_lost_nothing_and_goes_on(
    *,
    operator: Operator,
    db: Database,
    owner: asyncpg.Connection,
    dsns: Addresses,
    step: str,
    held: str,
) -> None:
    before = await derived(owner)
    other: Any = await asyncpg.connect(dsns.owner)
    try:
        holding = other.transaction()
        await holding.start()
        await other.execute(held)
        process = await operator.started("prune", "--rows-before", await day(owner, 3))
        await _until(lambda: owner.fetchval(_IS_WAITING, step))
        process.kill()
        await process.wait()
        await holding.rollback()
    finally:
        await other.close()
    await _until(lambda: owner.fetchval(_IS_GONE))
    # What waited for its lock when its caller died may have got it: a month that is out, and nothing worse.
    assert step == "close_month" or await owner.fetchval(_CLOSING) > 0
    assert (await verify(db)).differences == []
    assert await derived(owner) == before
    assert (await operator.json("prune", "--rows-before", await day(owner, 3)))["requests"] > 0
    assert await owner.fetchval(_CLOSING) == 0
    assert (await verify(db)).differences == []
    assert await derived(owner) == before


_CLOSING = "SELECT count(*) FROM request_facts WHERE is_closing"
_IS_WAITING = """
SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
                  AND query LIKE '%tk_' || $1 || '(%' AND wait_event_type IN ('Lock', 'Timeout'))
"""
_IS_GONE = """
SELECT NOT EXISTS (SELECT FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                      AND query ~ 'tk_(close_month|seal)[(]')
"""


async def _until(asked: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await asked():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
