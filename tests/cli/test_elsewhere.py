"""What commands do where there is no service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.cli.conftest import Told, Tollkeeper
from tests.conftest import Server, a_database
from tollkeeper.location import located
from tollkeeper.settings import Settings
from tollkeeper.store.connections import directly
from tollkeeper.store.embedded import Addresses, embedded_server

PLANS = "[plans.tiny]\nrank = 5\n"
WORDS = [
    ["user", "list"],
    ["user", "link", "ada@example.com"],
    ["plan", "list"],
    ["plan", "apply", "plans.toml"],
    ["key", "create", "--user", "ada@example.com"],
    ["webhook", "list"],
    ["grant", "list", "ada@example.com"],
    ["secrets", "status"],
    ["secrets", "rotate"],
    ["verify"],
    ["backup", "file"],
    ["export"],
    ["prune"],
    ["scrub"],
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_a_directory_that_was_mistyped_stays_as_it_is(
    told: Callable[..., Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plans.toml").write_text(PLANS)
    done = told(*words, "--data", "nowhere")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert "there is no service in nowhere (--data)" in done.err
    assert "`tollkeeper serve` makes one there" in done.err
    assert not Path("nowhere").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["user", "add", "ada@example.com"],
        ["plan", "apply", "plans.toml", "--yes"],
        ["price", "set", "prices.toml"],
        ["key", "create", "--service", "shop"],
        ["import", "tollkeeper", "past.jsonl", "--user", "ada@example.com"],
    ],
    ids=" ".join,
)
def test_what_a_service_begins_with_begins_one_and_says_so(
    told: Callable[..., Told], open_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plans.toml").write_text(PLANS)
    Path("prices.toml").write_text("[prices.house]\ninput = 1\n")
    Path("past.jsonl").write_text('{"status": "failed", "startedAt": "2026-01-01T00:00:00Z"}\n')
    data = open_dir / f"begun-by-{'-'.join(words[:2])}"
    done = told(*words, "--data", data, "--json")
    assert (done.code, done.err.splitlines()[0]) == (0, f"tollkeeper: a new service begins in {data}")
    assert told("verify", "--data", data, "--json").json["ok"]


def test_who_named_the_directory_is_told(
    told: Callable[..., Told], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOLLKEEPER_DATA", "nowhere")
    document = told("user", "list", "--json").json
    assert (document["type"], document["title"]) == ("/problems/no-service", "There is no service")
    assert "no service in nowhere (TOLLKEEPER_DATA)" in document["detail"]
    monkeypatch.delenv("TOLLKEEPER_DATA")
    assert "no service in .data/tollkeeper (neither --data nor" in told("user", "list").err
    assert list(tmp_path.iterdir()) == []


def test_a_directory_with_something_else_stays_as_it_is(told: Callable[..., Told], tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("Dear Ada")
    assert told("user", "list", "--data", tmp_path).code == 2
    assert [each.name for each in tmp_path.iterdir()] == ["letters.txt"]


async def test_a_first_start_that_broke_off_is_gone_on_with(open_dir: Path) -> None:
    begun = Tollkeeper(open_dir / "begun")
    async with embedded_server(begun.data):
        pass
    assert begun.json("user", "list")["items"] == []


async def test_the_workers_of_two_nodes_find_room_in_their_postgresql(open_dir: Path) -> None:
    settings = Settings(data=str(open_dir / "many"), workers=12)
    async with located(settings) as addresses, directly(addresses.owner, "test") as owner:
        assert int(await owner.fetchval("SHOW max_connections")) > 2 * 12 * (settings.database_connections + 5)


async def test_a_database_of_others_stays_as_it_is(server: Server, tollkeeper: Tollkeeper) -> None:
    async with a_database(server, template="template0") as theirs:
        named = _named(theirs)
        done = tollkeeper.run("user", "list", **named)
        assert (done.returncode, done.stdout) == (2, "")
        assert "there is no service in the database of TOLLKEEPER_DATABASE_URL" in done.stderr
        checks = tollkeeper.json("doctor", code=1, **named)["checks"]
        (failed,) = [each for each in checks if each["level"] == "fail"]
        assert (failed["check"], "no service in this database yet" in failed["message"]) == ("migrations", True)
        assert await _tables(theirs) == 0
        begun = tollkeeper.run("user", "add", "ada@example.com", **named)
        assert begun.stderr == "tollkeeper: a new service begins in the database of TOLLKEEPER_DATABASE_URL\n"
        assert tollkeeper.run("user", "list", **named).returncode == 0


def test_doctor_asks_for_no_data_directory_where_none_is_needed(dsns: Addresses, tmp_path: Path) -> None:
    nowhere = Tollkeeper(tmp_path / "nowhere")
    database = _named(dsns)
    key = {"TOLLKEEPER_MASTER_KEY": "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
    assert _failed(nowhere.json("doctor", code=1, **database)) == ["data directory"]
    assert _failed(nowhere.json("doctor", code=1, **key)) == ["data directory", "database"]
    found = nowhere.json("doctor", code=0, **database, **key)
    assert _failed(found) == []
    assert {"data directory", "master key", "server"} <= {each["check"] for each in found["checks"]}
    unfit = {"TOLLKEEPER_MASTER_KEY": "1:short"}
    assert _failed(nowhere.json("doctor", code=1, **database, **unfit)) == ["master key"]
    assert not nowhere.data.exists()


def _failed(found: dict[str, Any]) -> list[str]:
    return [each["check"] for each in found["checks"] if each["level"] == "fail"]


def _named(theirs: Addresses) -> dict[str, str]:
    return {"TOLLKEEPER_DATABASE_URL": theirs.service, "TOLLKEEPER_OWNER_DATABASE_URL": theirs.owner}


async def _tables(theirs: Addresses) -> int:
    owner = await asyncpg.connect(theirs.owner)
    try:
        return await owner.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await owner.close()


def test_a_master_key_that_a_command_made_is_known_to_the_first_start(open_dir: Path) -> None:
    tollkeeper = Tollkeeper(open_dir / "key-first")
    tollkeeper.json("migrate")
    tollkeeper.json("key", "create", "--service", "app")
    (tollkeeper.data / "master.key").unlink()
    done = tollkeeper.run("serve", "--port", "0")
    assert (done.returncode, "master.key is not there" in done.stderr) == (1, True)
    assert not (tollkeeper.data / "master.key").exists()
