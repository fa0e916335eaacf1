"""Refusals name what was typed, and come before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from tests.cli.conftest import Told

ADA = "typed@example.com"
PAST = ["--until", "2020-01-01"]


@pytest.fixture
def ada(told: Callable[..., Told]) -> str:
    told("user", "add", ADA)
    return ADA


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (["plan", "set", ADA, "pro", *PAST], "--until: must lie in the future"),
        (["grant", "add", ADA, "5", "requests", "--reason", "x", *PAST], "--until: must lie in the future"),
        (["override", "add", ADA, "daily_requests=5", "--reason", "x", *PAST], "--until: must lie in the future"),
        (
            ["override", "add", ADA, "monthly_cost_cents=5", "monthly_cost_cents=6", "--reason", "x"],
            "monthly_cost_cents is given more than once",
        ),
        (["key", "create", "--service", "shop", *PAST], "--until: must lie in the future"),
        (["key", "create", "--service", "shop", "--scope", "all"], "--scope: 'all' is no scope"),
        (["key", "create", "--service", "shop", "--address", "x"], "--address: must be an address"),
        (["key", "create", "--service", ""], "--service: must say what the key is for"),
        (["key", "create", "--user", ADA, "--name", "x" * 500], "--name: must have at most"),
        (["key", "create", "--user", ADA, "--name", ""], "--name: must say what the key is for"),
        (["key", "create", "--user", ADA, "--name", "  "], "--name: must say what the key is for"),
        (["user", "add", "z@example.com", "--timezone", "Mars/Crater"], "--timezone: must be the name"),
        (["user", "set", ADA, "--name", "x" * 500], "--name: must have at most"),
        (["user", "add", "nobody"], "EMAIL: must be an e-mail address"),
        (["user", "invite", "nobody"], "EMAIL: must be an e-mail address"),
        (["import", "burstgpt", "x.csv", "--user", "nobody"], "--user: must be an e-mail address"),
        (["plan", "change", ADA, "pro", "--billing-cycle", "yearly"], "--billing-cycle: is not one in which"),
        (["plan", "change", ADA, "pro", "--trial"], "--trial: is not to be had"),
        (["webhook", "add", "https://example.com/x", "--kind", "all"], "--kind: 'all' is none of"),
        (["webhook", "add", "ftp://example.com/x"], "URL: "),
        (["prune", "--rows-before", "2999-01-01"], "--rows-before: rows of this month"),
        (["prune", "--rows-older-than", "1"], "--rows-older-than: rows of this month"),
        (["prune", "--texts-before", "2999-01-01"], "--texts-before: lies in the future"),
        (["user", "list", "--after", "x"], "--after takes what the list before said, and 'x' is no id"),
        (["key", "list", "--after", "x"], "--after takes what the list before said, and 'x' is no id"),
        (["plan", "history", ADA, "--after", "x"], "--after takes what the list before said, and 'x' is no id"),
        (["import", "tollkeeper", "/none.jsonl"], "none.jsonl: file: cannot be read: No such file or directory\n"),
        (["grant", "add", ADA, "0.0000000001", "cost", "--reason", "x"], "AMOUNT: must have no more than 9 decimals"),
        (["user", "list", "--limit", "ten"], 'Invalid value for --limit: "ten" is not a whole number.\n'),
        (["user", "list", "--limit", "1.5"], 'Invalid value for --limit: "1.5" is not a whole number.\n'),
        (["serve", "--workers", "1.5"], 'Invalid value for --workers: "1.5" is not a whole number.\n'),
        (["user", "show", ADA, "b"], '"b" is more than this command takes.\n'),
        (["key", "rotate", "x", "--overlap-hours", "?"], 'Invalid value for --overlap-hours: "?" is not a number.\n'),
        (["key", "create", "--service", "x", "--until", "?"], 'Invalid value for --until: "?" is not an instant such'),
    ],
)
@pytest.mark.usefixtures("ada")
def test_the_option_or_argument_is_named(told: Callable[..., Told], words: list[str], typed: str) -> None:
    done = told(*words)
    assert (done.out, len(done.err.splitlines())) == ("", 1)
    assert done.err.startswith(f"tollkeeper: {typed}")


def test_a_program_reads_the_same_name(told: Callable[..., Told], ada: str) -> None:
    problem = told("plan", "set", ada, "pro", *PAST, "--json").json
    assert [each["field"] for each in problem["errors"]] == ["--until"]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_an_exception_has_a_reason(told: Callable[..., Told], ada: str, reason: str) -> None:
    for words in (["grant", "add", ada, "5", "requests"], ["override", "add", ada, "daily_requests=5"]):
        done = told(*words, "--reason", reason)
        assert (done.code, "--reason must say why" in done.err) == (2, True)
    assert told("grant", "list", ada, "--json").json["items"] == []


def test_a_rotation_that_cannot_be_meant_adds_no_version(told: Callable[..., Told]) -> None:
    before = told("secrets", "status", "--json").json["versions"]
    done = told("secrets", "rotate", "--wait", "-1")
    assert (done.code, "--wait" in done.err) == (2, True)
    assert told("secrets", "status", "--json").json["versions"] == before


@pytest.mark.parametrize(
    "words",
    [
        ["user", "add", "z@example.com", "--plan", "\udcfc"],
        ["plan", "set", ADA, "\udcfc"],
        ["price", "remove", "\udcfc"],
        ["override", "add", ADA, "daily_requests=5", "--reason", "\udcfc"],
        ["override", "add", ADA, "daily_requests=\udcfc", "--reason", "x"],
        ["key", "create", "--service", "x", "--scope", "\udcfc"],
    ],
)
def test_text_that_is_not_utf_8_is_no_text(told: Callable[..., Told], ada: str, words: list[str]) -> None:
    done = told(*words)
    assert (done.code, done.out, done.err.endswith("\\xfc is not UTF-8\n")) == (2, "", True)
    assert told(*words, "--json").json["status"] == 400
    assert told("override", "list", ada, "--json").json["items"] == []


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["serve", "--host", ""], "--host"),
        (["demo", "--host="], "--host"),
        (["user", "list", "--data", ""], "--data"),
        (["export", "--user", ""], "--user"),
        (["import", "tollkeeper", "x.jsonl", "--user", ""], "--user"),
        (["key", "create", "--user", ""], "--user"),
        (["key", "list", "--user", ""], "--user"),
        (["key", "rotate", str(UUID(int=7)), "--user", ""], "--user"),
        (["plan", "migrate", "pro", "--to", ""], "--to"),
        (["user", "add", "empty@example.com", "--plan", ""], "--plan"),
        (["user", "add", "empty@example.com", "--timezone", ""], "--timezone"),
    ],
)
def test_what_is_empty_is_not_the_default(told: Callable[..., Told], words: list[str], option: str) -> None:
    done = told(*words, "--json")
    assert (done.code, done.json["type"]) == (2, "/problems/usage")
    assert done.json["detail"] == f"Invalid value for {option}: it is empty"


@pytest.mark.parametrize("port", ["0", "-1", "65536"])
def test_a_link_leads_to_a_port_that_can_be(told: Callable[..., Told], ada: str, port: str) -> None:
    done = told("user", "link", ada, "--port", port)
    assert (done.code, "--port" in done.err) == (2, True)


@pytest.mark.parametrize("words", [["plan", "apply"], ["price", "set"]])
def test_a_file_that_cannot_be_read_is_named_as_it_was_given(
    told: Callable[..., Told], tmp_path: Path, words: list[str]
) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# f\xfcr\n")
    for file, why in (
        (tmp_path / "nope.toml", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
        (latin, "is not UTF-8 (byte 4)"),
    ):
        done, problem = told(*words, file), told(*words, file, "--json").json
        assert (done.code, done.out, done.err) == (1, "", f"tollkeeper: {file}: file: {why}\n")
        assert (problem["type"], problem["status"], problem["file"]) == ("/problems/invalid", 422, str(file))
        assert problem["errors"] == [{"field": "file", "message": why}]


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(told: Callable[..., Told], tmp_path: Path) -> None:
    for output, why in (
        (tmp_path / "none" / "all.jsonl", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (Path("/dev/full"), "No space left on device"),
    ):
        message = f"cannot be written: {why}"
        words = ("export", "--format", "csv", "--output", output)
        done, problem = told(*words), told(*words, "--json").json
        assert (done.code, done.out, done.err) == (1, "", f"tollkeeper: {output}: --output: {message}\n")
        assert (problem["type"], problem["status"], problem["file"]) == ("/problems/invalid", 422, str(output))
        assert problem["errors"] == [{"field": "--output", "message": message}]


def test_a_data_directory_that_cannot_be_is_not_fit_to_start(told: Callable[..., Told], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    problem = told("migrate", "--data", file / "data", "--json").json
    assert (problem["type"], problem["status"]) == ("/problems/misconfigured", 500)


def test_one_is_not_told_as_many(told: Callable[..., Told], ada: str, tmp_path: Path) -> None:
    for amount, unit, said in (
        ("1", "requests", "1 request"),
        ("1", "cost", "1 cent"),
        ("1000", "tokens", "1,000 tokens"),
    ):
        assert f"may use {said} beyond" in told("grant", "add", ada, amount, unit, "--reason", "x").out
    file = tmp_path / "prices.toml"
    file.write_text("[prices.one-model]\ninput = 1\n")
    assert told("price", "set", file).out == "1 price is set: one-model.\n"
    assert told("price", "remove", "one-model").out == "1 price of one-model is removed.\n"
    file.write_text("[prices.one-model]\ninput = 1\n[prices.other-model]\ninput = 1\n")
    assert told("price", "set", file).out == "2 prices are set: one-model, other-model.\n"
    told("price", "remove", "one-model")
    told("price", "remove", "other-model")
