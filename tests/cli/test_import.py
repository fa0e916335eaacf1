"""Importing real traces: every number that their expectations name, from the rows, the rollups and the dashboard."""

from __future__ import annotations

import asyncio
import csv
import gzip
import itertools
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.cli.conftest import Told, Tollkeeper
from tollkeeper.cli import progress
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.dashboards.dashboard import Dashboard
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Database

DATA = Path(__file__).parents[1] / "data"
SAMPLE = Path(__file__).parents[2] / "src/tollkeeper/traces/sample"
FILES = {
    "burstgpt": SAMPLE / "burstgpt_1_first400.csv",
    "ragpulse": SAMPLE / "ragpulse_trace.jsonl.gz",
    "mooncake": DATA / "mooncake_conversation_trace.jsonl.gz",
    "azure": DATA / "azure_llm_2023_conv.csv.gz",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """A trace as one user has it now, beside what is expected of it."""

    answer: dict[str, Any]
    expected: dict[str, Any]
    user_id: UUID
    dashboard: Dashboard
    connection: asyncpg.Connection

    async def rows(self, sql: str) -> dict[str, Any]:
        return {str(key): value for key, *value in await self.connection.fetch(sql, self.user_id)}

    async def hours(self, form: str) -> dict[str, int]:
        """Count finished requests by the hour of the rollups."""
        sql = """SELECT to_char(period_start, $2), sum(completed + failed)::int FROM usage_rollups
                  WHERE user_id = $1 AND period = 'hour' GROUP BY 1"""
        return {hour.lstrip("0") or "0": count for hour, count in await self.connection.fetch(sql, self.user_id, form)}


async def imported(tollkeeper: Tollkeeper, name: str, house: Database, connection: asyncpg.Connection) -> Imported:
    file = FILES[name]
    expected = json.loads((DATA / f"{file.name.split('.')[0]}.expected.json").read_text())
    answer = tollkeeper.json("import", name, file, "--user", f"{name}@example.com")
    user_id = await connection.fetchval("SELECT tk_user_of($1)", f"{name}@example.com")
    async with Ledger(house, pending_for=timedelta(minutes=15)) as ledger:
        shown = await dashboard.read(house, ledger, user_id)
    trace = Imported(answer, expected, user_id, shown, connection)
    await agrees(trace)
    return trace


async def agrees(trace: Imported) -> None:
    """What holds of every trace: rows, failures and sums of tokens, wherever they are kept."""
    expected, shown = trace.expected, trace.dashboard
    tokens_in, tokens_out = (
        (expected.get(f"{kind}_tokens") or expected[f"{kind}_tokens_all"])["sum"] for kind in ("input", "output")
    )
    told = {key: trace.answer[key] for key in ("rows", "imported", "skipped", "failed", "users")}
    assert told == {"rows": expected["rows"], "imported": expected["rows"], "skipped": 0, "failed": 0, "users": 1}
    assert (shown.total_requests, shown.failed) == (expected["rows"], expected["failures"])
    assert shown.completed == expected["rows"] - expected["failures"]
    assert shown.total_tokens_used == tokens_in + tokens_out
    assert shown.average_response_ms is None, "a duration that the file lacks is unknown"
    totals = [expected["rows"] - expected["failures"], expected["failures"], tokens_in, tokens_out]
    rollups = """SELECT period, sum(completed)::bigint, sum(failed)::bigint, sum(tokens_input)::bigint,
                        sum(tokens_output)::bigint FROM usage_rollups WHERE user_id = $1 GROUP BY period"""
    assert await trace.rows(rollups) == {"all": totals, "day": totals, "hour": totals}
    rows = """SELECT 'rows', count(*) FILTER (WHERE was_successful), count(*) FILTER (WHERE NOT was_successful),
                     sum(tokens_input)::bigint, sum(tokens_output)::bigint FROM request_analytics WHERE user_id = $1"""
    assert await trace.rows(rows) == {"rows": totals}


async def test_burstgpt_by_model_log_type_and_hour(
    tollkeeper: Tollkeeper, house: Database, as_owner: asyncpg.Connection
) -> None:
    trace = await imported(tollkeeper, "burstgpt", house, as_owner)
    by_model = """SELECT model, sum(completed + failed)::int, sum(failed)::int, sum(tokens_input)::int,
                         sum(tokens_output)::int, sum(tokens_used)::int
                    FROM usage_rollups WHERE user_id = $1 AND period = 'day' GROUP BY model"""
    fields = ("requests", "failed", "input_tokens", "output_tokens", "total_tokens")
    per_model = trace.expected["per_model"]
    assert await trace.rows(by_model) == {name: [model[field] for field in fields] for name, model in per_model.items()}
    assert trace.dashboard.by_model == {name: model["requests"] for name, model in per_model.items()}
    assert trace.dashboard.by_category == trace.expected["per_log_type"]
    assert await trace.hours("HH24") == trace.expected["requests_per_hour"]
    cost = await as_owner.fetchval(
        "SELECT sum(cost_nanos)::text FROM usage_rollups WHERE user_id = $1 AND period = 'all' AND model = 'GPT-4'",
        trace.user_id,
    )
    assert int(cost) == 2_357_640_000, "GPT-4 has a public price, 30 and 60 USD a million"
    assert trace.dashboard.unpriced == per_model["ChatGPT"]["completed"]


async def test_ragpulse_by_day_hour_and_conversation(
    tollkeeper: Tollkeeper, house: Database, as_owner: asyncpg.Connection
) -> None:
    trace = await imported(tollkeeper, "ragpulse", house, as_owner)
    by_day = """SELECT (period_start::date - '2025-01-01'::date)::text, sum(completed)::int FROM usage_rollups
                 WHERE user_id = $1 AND period = 'day' GROUP BY 1"""
    assert {day: count for day, (count,) in (await trace.rows(by_day)).items()} == trace.expected[
        "requests_per_day_index"
    ]
    assert await trace.hours("HH24") == trace.expected["requests_per_hour_offset"]
    sessions = "SELECT count(*)::text, sum(completed)::int FROM chat_sessions WHERE user_id = $1"
    assert await trace.rows(sessions) == {str(trace.expected["sessions"]): [trace.expected["rows"]]}
    categories = trace.dashboard.by_category
    searched = sum(count for name, count in categories.items() if "web search" in name)
    retrieved = sum(count for name, count in categories.items() if "passages" in name)
    assert searched == trace.expected["requests_with_web_search"]
    assert retrieved == trace.expected["requests_with_retrieved_passages"]


async def test_mooncake_by_minute(tollkeeper: Tollkeeper, house: Database, as_owner: asyncpg.Connection) -> None:
    trace = await imported(tollkeeper, "mooncake", house, as_owner)
    by_minute = """SELECT floor(extract(epoch FROM started_at - '2025-01-01Z'::timestamptz) / 60)::int, count(*)::int
                     FROM chat_requests WHERE user_id = $1 GROUP BY 1"""
    minutes = {int(minute): count for minute, (count,) in (await trace.rows(by_minute)).items()}
    peak = trace.expected["peak_minute"]
    assert (len(minutes), minutes[0]) == (
        trace.expected["minutes_with_traffic"],
        trace.expected["requests_in_first_minute"],
    )
    assert max(sorted(minutes.items()), key=lambda pair: pair[1]) == (peak["minute"], peak["requests"])


async def test_azure_by_ten_minutes(tollkeeper: Tollkeeper, house: Database, as_owner: asyncpg.Connection) -> None:
    trace = await imported(tollkeeper, "azure", house, as_owner)
    by_ten = """SELECT to_char(date_bin('10 minutes', started_at, '2000-01-01Z'), 'HH24:MI'), count(*)::int
                  FROM chat_requests WHERE user_id = $1 GROUP BY 1"""
    assert {ten: count for ten, (count,) in (await trace.rows(by_ten)).items()} == trace.expected["requests_per_10min"]
    ends = "SELECT 'ends', min(started_at)::text, max(started_at)::text FROM chat_requests WHERE user_id = $1"
    first, last = (await trace.rows(ends))["ends"]
    assert (first, last) == (
        f"{trace.expected['first_ts'][:26]}+00".replace("680590", "68059"),
        f"{trace.expected['last_ts']}+00",
    )
    again = tollkeeper.json("import", "azure", FILES["azure"], "--user", "azure@example.com")
    assert (again["imported"], again["skipped"]) == (0, trace.expected["rows"])


def test_a_user_for_each_session_or_model(told: Callable[..., Told]) -> None:
    file = FILES["burstgpt"]
    by_model = told("import", "burstgpt", file, "--users-by", "model", "--json").json
    assert (by_model["imported"], by_model["users"]) == (400, 2)
    by_session = told("import", "burstgpt", file, "--users-by", "session", "--json").json
    assert (by_session["imported"], by_session["users"]) == (400, 1), "the first version of the trace has no sessions"
    shown = told("user", "show", "no-session@import.invalid", "--json").json
    assert shown["plan"] == "free"


async def test_an_import_that_is_killed_goes_on_and_books_nothing_twice(
    tollkeeper: Tollkeeper, as_owner: asyncpg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "azure.csv"
    with gzip.open(FILES["azure"]) as whole:
        file.write_bytes(b"".join(itertools.islice(whole, 6001)))
    words = ("import", "azure", file, "--user", "killed@example.com")
    booked = "SELECT count(*) FROM chat_requests WHERE user_id = tk_user_of('killed@example.com')"
    process = tollkeeper.started(*words)
    while await as_owner.fetchval(booked) < 1000:
        assert process.poll() is None, "the import was over too soon to be killed"
        await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = await as_owner.fetchval(booked)
    assert there < 6000
    answer = tollkeeper.json(*words)
    assert (answer["skipped"], answer["imported"], answer["failed"]) == (there, 6000 - there, 0)
    assert await as_owner.fetchval(booked) == 6000
    assert tollkeeper.json("verify")["ok"] is True


def test_a_bad_row_is_told_and_the_rest_goes_on(told: Callable[..., Told], tmp_path: Path) -> None:
    lines = FILES["burstgpt"].read_text().splitlines()[:31]
    lines[3] = "not a number,ChatGPT,1,2,3,Conversation log"
    lines[7] = "5,ChatGPT,1"
    lines[20] = "999999999999,ChatGPT,1,2,3,Conversation log"
    file = tmp_path / "bad.csv"
    file.write_text("\n".join(lines))
    done = told("import", "burstgpt", file, "--user", "bad@example.com", "--json")
    assert done.code == 1
    assert (done.json["rows"], done.json["imported"], done.json["failed"]) == (30, 27, 3)
    errors = {error["row"]: error["field"] for error in done.json["errors"]}
    assert errors == {3: "Timestamp", 7: "columns", 20: "Timestamp"}
    spoken = told("import", "burstgpt", file, "--user", "bad@example.com")
    assert (spoken.code, "row 3: Timestamp: must be seconds" in spoken.err) == (1, True)
    assert spoken.out.startswith("0 requests imported, 27 there before, 3 failed")


def test_a_user_is_made_with_their_first_row_that_is_booked_and_no_earlier(
    told: Callable[..., Told], tmp_path: Path
) -> None:
    good = {"status": "completed", "startedAt": "2026-01-01T00:00:00Z", "user": "came@example.com"}
    ghosts = (
        {"tokensUsed": 5, "tokensInput": 1, "tokensOutput": 1},
        {"completedAt": "2999-01-01T00:00:00Z"},
        {"startedAt": "1969-12-31T00:00:00Z"},
        {"costNanos": 9 * 10**18, "costSource": "reported"},
        {"startedAt": "2026-01-01T00:00:00Z", "late": True, "status": "pending"},
    )
    rows = [good | {"user": f"ghost-{number}@x.com"} | ghost for number, ghost in enumerate(ghosts)]
    rows.insert(4, rows[3])  # the first is booked, and the second is more than can be counted
    file = tmp_path / "ghosts.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in (*rows, good, good | {"user": "Came@example.com"})))
    done = told("import", "tollkeeper", file, "--json").json
    assert (done["imported"], done["failed"], done["users"]) == (3, 5, 2)
    assert [told("user", "show", f"ghost-{number}@x.com").code for number in range(5)] == [1, 1, 1, 0, 1]
    assert told("import", "tollkeeper", file, "--json").json["skipped"] == 3
    alone = tmp_path / "alone.jsonl"
    alone.write_text(json.dumps(rows[0]))
    assert told("import", "tollkeeper", alone, "--user", "ghost@x.com", "--json").json["failed"] == 1
    assert told("user", "show", "ghost@x.com").code == 1


def test_a_pending_request_brings_the_response_that_it_has(told: Callable[..., Told], tmp_path: Path) -> None:
    file, again = tmp_path / "pending.jsonl", tmp_path / "again.jsonl"
    started_at = datetime.now(UTC).isoformat()
    file.write_text(json.dumps({"status": "pending", "startedAt": started_at, "response": "half of it"}))
    user = ("--user", "pending@example.com")
    assert told("import", "tollkeeper", file, *user, "--json").json["imported"] == 1
    assert told("export", *user, "--output", again).code == 0
    shown = json.loads(again.read_text())
    assert (shown["status"], shown["response"]) == ("pending", "half of it")


def test_a_file_that_cannot_be_read_is_told_before_anything_is_booked(
    told: Callable[..., Told], tmp_path: Path
) -> None:
    file = tmp_path / "cut.csv.gz"
    file.write_bytes(FILES["azure"].read_bytes()[:60_000])
    done = told("import", "azure", file, "--user", "cut@example.com")
    assert (done.code, "cut.csv.gz: file: cannot be read" in done.err) == (1, True)
    done = told("import", "burstgpt", FILES["azure"], "--user", "cut@example.com", "--json")
    assert (done.code, done.json["errors"][0]["field"]) == (1, "Timestamp")
    assert told("user", "show", "cut@example.com").code == 1


def test_names_that_are_not_utf_8_are_told_escaped(
    told: Callable[..., Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_SECONDS", 0.0)
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/l\xfctin.csv"))
    file.write_bytes("TIMESTAMP,für\n1,2\n".encode("latin-1"))
    words = ("import", "azure", file, "--user", "latin@example.com")
    problem = told(*words, "--json").json
    assert (problem["file"], problem["detail"]) == (
        "l\\xfctin.csv",
        "l\\xfctin.csv: file: is not UTF-8 (byte 12 of the header)",
    )
    assert told(*words).err == f"tollkeeper: {problem['detail']}\n"
    file.write_bytes(FILES["azure"].read_bytes())
    done = told(*words, "--json")
    assert done.json["file"] == "l\\xfctin.csv"
    assert done.err.startswith("Importing l\\xfctin.csv: 500 of ")


def test_a_trace_may_begin_at_another_time(told: Callable[..., Told], tmp_path: Path) -> None:
    output = tmp_path / "moved.csv"
    user = ("--user", "moved@example.com")
    assert told("import", "burstgpt", FILES["burstgpt"], *user, "--starting-at", "2025-06-01T12:00:00").code == 0
    assert told("export", *user, "--format", "csv", "--output", output).code == 0
    with output.open(newline="") as file:
        assert next(csv.DictReader(file))["startedAt"] == "2025-06-01T12:00:05Z"


async def test_texts_are_imported_as_the_setting_says(
    tollkeeper: Tollkeeper, tmp_path: Path, as_owner: asyncpg.Connection
) -> None:
    prompt, response = "ask rose@example.com, K-1234", "sk-0123456789abcdef0123"
    row: dict[str, Any] = {"user": "rose@example.com", "startedAt": "2026-01-02T03:04:05Z", "status": "completed"}
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps(row | {"prompt": prompt, "response": response, "metadata": {"a": "b@c.io"}}))
    cases: list[tuple[dict[str, str], tuple[str | None, ...]]] = [
        (
            {"TOLLKEEPER_TEXT_POLICY": "redacted", "TOLLKEEPER_REDACT_PATTERNS": "K-[0-9]{4}"},
            ("ask [email], [redacted]", "[key]", '{"a": "[email]"}'),
        ),
        ({"TOLLKEEPER_TEXT_POLICY": "none"}, (None, None, None)),
        ({}, (prompt, response, '{"a": "b@c.io"}')),
    ]
    for number, (environment, kept) in enumerate(cases):
        email = f"rose-{number}@example.com"
        told = tollkeeper.run("import", "tollkeeper", file, "--user", email, "--json", **environment)
        assert json.loads(told.stdout)["imported"] == 1, told.stderr
        again = tollkeeper.run("import", "tollkeeper", file, "--user", email, "--json")
        assert json.loads(again.stdout)["skipped"] == 1
        found = await as_owner.fetch(
            "SELECT prompt, response, metadata::text FROM chat_requests WHERE user_id = tk_user_of($1)", email
        )
        assert [tuple(each) for each in found] == [kept]
