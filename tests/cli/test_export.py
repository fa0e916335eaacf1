"""What leaves is whole, can come back, and can harm nobody who opens it."""

from __future__ import annotations

import csv
import json
import stat
import subprocess
import sys
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.cli.conftest import Told, Tollkeeper
from tollkeeper.cli.files import target
from tollkeeper.cli.past import past
from tollkeeper.errors import Invalid
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.dashboards.dashboard import Dashboard
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import NewRequest, Outcome
from tollkeeper.store.database import Database
from tollkeeper.traces import PastRequest

_WRITES = """
import pathlib, sys
from tollkeeper.cli.files import target
with target(pathlib.Path(sys.argv[1]), told_as="--output") as file:
    file.write(b"begun")
    file.flush()
    print("begun", flush=True)
    sys.stdin.readline()
"""

SAMPLE = Path(__file__).parents[2] / "src/tollkeeper/traces/sample/openllmetry.jsonl.gz"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
# What another server does not know or says anew.
OF_THE_SERVER = {"id": None, "createdAt": None, "user": None}


@pytest.fixture(scope="module")
def recorded(tollkeeper: Tollkeeper) -> str:
    """A user with real calls: texts, models, prices, failures, conversations."""
    answer = tollkeeper.json("import", "tollkeeper", SAMPLE, "--user", "recorded@example.com")
    assert (answer["imported"], answer["failed"]) == (419, 0)
    return "recorded@example.com"


def _lines(file: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]


def _comparable(file: Path) -> list[str]:
    """What must be the same on another server; requests of one instant come in any order."""
    return sorted(
        json.dumps(
            request | {"requestId": request["requestId"] != request["id"] and request["requestId"]} | OF_THE_SERVER
        )
        for request in _lines(file)
    )


def test_an_export_is_imported_as_it_was(told: Callable[..., Told], recorded: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    assert told("export", "--user", recorded, "--output", first, "--json").json == {"exported": 419, "file": str(first)}
    assert told("import", "tollkeeper", first, "--user", "copy@example.com").code == 0
    assert told("export", "--user", "copy@example.com", "--output", second).code == 0
    assert _comparable(second) == _comparable(first)
    assert any(each["costNanos"] for each in _lines(first))
    assert any(each["status"] == "failed" for each in _lines(first))
    again = told("import", "tollkeeper", first, "--user", "copy@example.com", "--json").json
    assert (again["imported"], again["skipped"]) == (0, 419)


def test_an_export_changes_nothing_where_it_was_made(told: Callable[..., Told], recorded: str, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    told("export", "--user", recorded, "--output", file)
    again = told("import", "tollkeeper", file, "--json").json
    assert (again["imported"], again["skipped"], again["failed"]) == (0, 419, 0)


def test_a_newer_export_brings_only_what_is_new(told: Callable[..., Told], recorded: str, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    told("export", "--user", recorded, "--output", file)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:100]))
    assert told("import", "tollkeeper", file, "--user", "nightly@example.com", "--json").json["imported"] == 100
    file.write_bytes(b"".join(lines[50:200]))
    newer = told("import", "tollkeeper", file, "--user", "nightly@example.com", "--json").json
    assert (newer["imported"], newer["skipped"], newer["failed"]) == (100, 50, 0)


async def test_what_a_user_has_used_moves_with_an_export(
    tollkeeper: Tollkeeper, house: Database, tmp_path: Path
) -> None:
    tollkeeper.json("user", "add", "moves@example.com")
    source = await house.value("user_of_email", email="moves@example.com")
    await _lived(house, source)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    tollkeeper.json("export", "--user", "moves@example.com", "--output", first)
    answer = tollkeeper.json("import", "tollkeeper", first, "--user", "moved@example.com")
    assert (answer["imported"], answer["failed"]) == (6, 0)
    tollkeeper.json("export", "--user", "moved@example.com", "--output", second)
    assert _comparable(second) == _comparable(first)
    copy = await house.value("user_of_email", email="moved@example.com")
    async with Ledger(house, pending_for=timedelta(minutes=15)) as ledger:
        one, other = [await dashboard.read(house, ledger, user) for user in (source, copy)]
        assert one.total_requests == 6
        assert max(one.requests_today, one.requests_this_month) <= 5  # one was given back
        assert _used(other) == _used(one)
        late = await ledger.finish(_ended(copy, "left", status="completed"))
        assert (late.late, late.status) == (True, "completed")
    assert tollkeeper.json("verify")["ok"]


async def _lived(house: Database, user: UUID) -> None:
    """Have a request of each kind: left to expire, rated or finished after that, failed for both, and completed."""
    async with Ledger(house, pending_for=timedelta(microseconds=1)) as ledger:
        for name in ("left", "rated", "late"):
            await ledger.start(NewRequest(user_id=user, prompt="?", priced_at=datetime.now(UTC), client_id=name))
        await ledger.finish(_ended(user, "rated", rated=True, rating=2))
        await ledger.finish(_ended(user, "late", status="completed", tokens_used=7, rated=True, rating=4))
    async with Ledger(house, pending_for=timedelta(minutes=15)) as ledger:
        for name in ("user", "service", "done"):
            await ledger.start(NewRequest(user_id=user, prompt="?", priced_at=datetime.now(UTC), client_id=name))
        await ledger.finish(_ended(user, "user", status="failed", error_message="no"))
        await ledger.finish(_ended(user, "service", status="failed", trusted=True, tokens_used=3))
        await ledger.finish(_ended(user, "done", status="completed", trusted=True, reported_nanos=5))


def _ended(user: UUID, name: str, **how: Any) -> Outcome:
    return Outcome(user_id=user, request=name, priced_at=datetime.now(UTC), **how)


def _used(shown: Dashboard) -> Dashboard:
    """Leave out what comes from the server and the clock."""
    limits = msgspec.structs.replace(shown.limits, version=0, minute_used=0, minute_ends_us=0)
    return replace(shown, limits=limits, user_id=UUID(int=0), email=None, recent=[], calculated_at=None, stamp="")


def test_times_that_cannot_be_are_told_of_their_rows_and_the_rest_goes_on(
    told: Callable[..., Told], tmp_path: Path
) -> None:
    good, bad = "2026-01-01T00:00:00Z", ("0001-01-01T00:00:00+14:00", "2025-12-31T00:00:00Z", "2999-01-01T00:00:00Z")
    rows = [
        {"status": "completed", "startedAt": good, "completedAt": good},
        {"status": "completed", "startedAt": bad[0]},
        *({"status": "completed", "startedAt": good, "completedAt": ends} for ends in bad[1:]),
        {"status": "completed", "startedAt": good},
    ]
    file = tmp_path / "times.jsonl"
    file.write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    done = told("import", "tollkeeper", file, "--user", "times@example.com", "--json").json
    assert (done["imported"], done["failed"]) == (2, 3)
    assert [(each["row"], each["field"]) for each in sorted(done["errors"], key=lambda each: each["row"])] == [
        (2, "startedAt"), (3, "completedAt"), (4, "completedAt"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "field"),
    [({"completed_at": NOON + timedelta(seconds=1)}, "completedAt"), ({"duration_ms": 3_600_001}, "duration")],
)
def test_what_has_ended_is_said_by_the_instant_that_is_given(ends: dict[str, Any], field: str) -> None:
    row = PastRequest(row=1, fingerprint=b"", started_at=NOON - timedelta(hours=1), status="completed", **ends)
    with pytest.raises(Invalid) as caught:
        past(row, UUID(int=1), now=NOON)
    assert caught.value.fields["errors"][0]["field"] == field
    assert past(row, UUID(int=1), now=NOON + timedelta(seconds=1)).outcome


def test_a_row_beyond_what_can_be_counted_names_what_it_says(told: Callable[..., Told], tmp_path: Path) -> None:
    row = {
        "status": "completed",
        "startedAt": "2026-01-01T00:00:00Z",
        "costNanos": 9 * 10**18,
        "costSource": "reported",
    }
    file = tmp_path / "much.jsonl"
    file.write_bytes(b"\n".join([msgspec.json.encode(row)] * 2))
    done = told("import", "tollkeeper", file, "--user", "much@example.com", "--json").json
    assert (done["imported"], done["failed"], done["errors"][0]["field"]) == (1, 1, "cost")


def test_rates_are_called_as_the_api_calls_them(told: Callable[..., Told], recorded: str, tmp_path: Path) -> None:
    file = tmp_path / "rates.jsonl"
    told("export", "--user", recorded, "--output", file)
    names = {name for request in _lines(file) for name in request["unitPrices"] or ()}
    assert {name for name in names if "_" in name} == set()
    assert "cacheRead" in names


def test_rows_name_their_users(told: Callable[..., Told], recorded: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    told("export", "--user", recorded, "--output", file)
    some = [json.loads(line) for line in file.read_text().splitlines()[:4]]
    for place, each in enumerate(some):
        each["user"] = f"row-{place % 2}@example.com"
    some[3]["user"] = None
    file.write_text("".join(f"{json.dumps(each)}\n" for each in some))
    done = told("import", "tollkeeper", file, "--json")
    assert (done.code, done.json["imported"], done.json["users"]) == (1, 3, 2)
    assert done.json["errors"] == [{"row": 4, "field": "user", "message": "is not told: give --user or --users-by"}]


def test_a_file_is_for_its_owner_alone_and_whole_or_not_there(
    told: Callable[..., Told], recorded: str, tmp_path: Path
) -> None:
    file = tmp_path / "out.jsonl"
    told("export", "--user", recorded, "--output", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert told("export", "--user", "nobody@example.com", "--output", tmp_path / "none.jsonl").code == 1
    assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl"]
    lost = told("export", "--output", tmp_path / "no" / "such.jsonl")
    assert (lost.code, len(lost.err.splitlines())) == (1, 1)


def test_what_a_killed_one_left_is_taken_away_and_what_a_living_one_writes_is_not(
    told: Callable[..., Told], recorded: str, tmp_path: Path
) -> None:
    file, other = tmp_path / "out.jsonl", tmp_path / ".out.jsonl.kept"
    other.write_text("not ours")
    with _writing(file) as dying, _writing(file) as living:
        dying.kill()
        dying.wait()
        assert told("export", "--user", recorded, "--output", file).code == 0
        assert len(_lines(file)) == 419
        (left,) = set(tmp_path.iterdir()) - {file, other}
        assert left.read_bytes() == b"begun"
        living.communicate(b"\n")
        assert living.returncode == 0
    assert (file.read_bytes(), set(tmp_path.iterdir())) == (b"begun", {file, other})


@contextmanager
def _writing(file: Path) -> Generator[subprocess.Popen[bytes]]:
    """Begin to write a file as commands do, in a process of its own that goes on when it is told to."""
    with subprocess.Popen(
        [sys.executable, "-c", _WRITES, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"begun\n"
        yield process
        process.kill()


def test_many_may_write_one_file_at_a_time_and_one_of_them_is_it(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"

    def write(number: int) -> None:
        with target(file, told_as="--output") as written:
            written.write(b"%d" % number)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(120)))
    assert list(tmp_path.iterdir()) == [file]
    assert int(file.read_bytes()) in range(120)


def test_the_export_goes_to_standard_output_and_as_one_document_with_json(
    tollkeeper: Tollkeeper, recorded: str
) -> None:
    lines = tollkeeper.run("export", "--user", recorded).stdout.splitlines()
    assert {json.loads(line)["user"] for line in lines} == {recorded}
    document = tollkeeper.json("export", "--user", recorded)
    assert (document["exported"], len(document["items"]), len(lines)) == (419, 419, 419)


def test_no_cell_of_a_csv_acts_as_a_formula(told: Callable[..., Told], tmp_path: Path) -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", '=HYPERLINK("http://x")', 'a,b\n"c"', "plain"]
    file, output = tmp_path / "odd.jsonl", tmp_path / "odd.csv"
    request = {"status": "completed", "startedAt": "2025-02-03T04:05:06Z", "tokensInput": 1, "tokensOutput": 2}
    file.write_text("".join(f"{json.dumps(request | {'prompt': text, 'metadata': {'a': 1}})}\n" for text in texts))
    assert told("import", "tollkeeper", file, "--user", "odd@example.com").code == 0
    assert told("export", "--user", "odd@example.com", "--format", "csv", "--output", output).code == 0
    with output.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert {row["prompt"] for row in rows} == {f"'{text}" for text in texts[:8]} | set(texts[8:])
    assert {(row["tokensInput"], row["tokensOutput"], row["metadata"], row["late"]) for row in rows} == {
        ("1", "2", '{"a":1}', "false")
    }
    assert {row["startedAt"] for row in rows} == {"2025-02-03T04:05:06Z"}
