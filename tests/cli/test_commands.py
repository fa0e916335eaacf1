"""The operator's words, each as an operator would say it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.cli.conftest import COMMAND, Serving, Told, Tollkeeper
from tollkeeper import cli
from tollkeeper.store.embedded import Addresses

NOBODY = "nobody@example.com"


def _post(serving: Serving, key: str, email: str) -> int:
    request = Request(  # noqa: S310 - our own server
        f"{serving.url}/api/chat/track",
        data=b'{"prompt": "Create an NFT contract"}',
        headers={"Authorization": f"Bearer {key}", "Tollkeeper-User": email, "Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status
    except HTTPError as error:
        return error.code


def test_a_user_is_added_shown_changed_and_listed(tollkeeper: Tollkeeper) -> None:
    added = tollkeeper.json("user", "add", "Ada@Example.com", "--plan", "pro", "--admin", "--timezone", "europe/berlin")
    assert (added["email"], added["plan"], added["role"], added["timeZone"]) == (
        "Ada@Example.com",
        "pro",
        "admin",
        "Europe/Berlin",
    )
    assert (added["requestsUsed"], added["requestsLimit"]) == (0, 1000)
    assert tollkeeper.json("user", "show", "ada@example.COM") == added
    changed = tollkeeper.json("user", "set", "ada@example.com", "--plan", "enterprise", "--no-admin", "--name", "Ada")
    assert (changed["plan"], changed["role"], changed["name"]) == ("enterprise", "user", "Ada")
    assert changed["requestsLimit"] is None
    assert changed["id"] in {user["id"] for user in tollkeeper.json("user", "list")["items"]}
    assert "enterprise" in tollkeeper.run("user", "list").stdout


def test_a_list_goes_on_behind_its_page(told: Callable[..., Told]) -> None:
    emails = {told("user", "add", f"paged-{number}@example.com", "--json").json["email"] for number in range(3)}
    seen: list[str] = []
    after: list[str] = []
    while True:
        page = told("user", "list", "--limit", 2, *after, "--json").json
        seen += [user["email"] for user in page["items"]]
        if page["nextAfter"] is None:
            break
        after = ["--after", page["nextAfter"]]
    assert emails <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_link_signs_in_on_the_running_service(serving: Serving, a_user: Callable[[str], str]) -> None:
    email = a_user("linked")
    link = serving.tollkeeper.json("user", "link", email)
    assert link["url"].startswith(f"{serving.url}/sign-in/")
    assert link["expiresAt"].endswith("Z")
    elsewhere = serving.tollkeeper.json("user", "link", email, "--port", "9001")
    assert elsewhere["url"].startswith("http://localhost:9001/sign-in/")
    shown = serving.tollkeeper.run("user", "link", email)
    assert shown.stdout.startswith(f"{serving.url}/sign-in/")
    assert len(shown.stdout.splitlines()) == 1, "standard output has the link alone, so that a script can take it"
    assert email in shown.stderr


def test_a_service_key_works_until_it_is_revoked(serving: Serving) -> None:
    made = serving.tollkeeper.json("key", "create", "--service", "shop")
    assert made["key"].startswith("tk_service_")
    assert _post(serving, made["key"], "keyed@example.com") == 201
    listed = serving.tollkeeper.json("key", "list")["items"]
    assert [key["name"] for key in listed if key["id"] == made["id"]] == ["shop"]
    assert made["key"] not in str(listed)
    assert serving.tollkeeper.json("key", "revoke", made["id"]) == {"id": made["id"], "revoked": True}
    assert serving.tollkeeper.json("key", "revoke", made["id"], code=1)["status"] == 404


def test_a_key_is_rotated_and_bound_to_a_place(serving: Serving) -> None:
    tollkeeper = serving.tollkeeper
    made = tollkeeper.json("key", "create", "--service", "shop", "--address", "203.0.113.0/24", "--address", "::1")
    assert made["addresses"] == ["203.0.113.0/24", "::1/128"]
    assert _post(serving, made["key"], "keyed@example.com") == 403
    rotated = tollkeeper.json("key", "rotate", made["id"], "--overlap-hours", "1")
    assert (rotated["replaces"]["id"], rotated["addresses"]) == (made["id"], made["addresses"])
    assert rotated["key"] != made["key"]
    listed = {key["id"]: key for key in tollkeeper.json("key", "list")["items"]}
    assert (listed[made["id"]]["status"], listed[rotated["id"]]["replaces"]) == ("replaced", made["id"])
    assert tollkeeper.json("key", "rotate", made["id"], code=1)["status"] == 409
    assert (
        "--overlap-hours must be from 0 to 720"
        in tollkeeper.run("key", "rotate", made["id"], "--overlap-hours", "721").stderr
    )


def test_the_pattern_finds_keys_and_nothing_else(told: Callable[..., Told]) -> None:
    made = told("key", "create", "--service", "shop", "--json").json
    pattern = told("key", "pattern", "--json").json["pattern"]
    assert told("key", "pattern").out.strip() == pattern
    assert re.findall(pattern, f"KEY={made['key']}\ntk_user_short tk_other_{'x' * 43}_{'y' * 6}") == [made["key"]]


def test_the_state_of_the_master_key_is_told(told: Callable[..., Told], tollkeeper: Tollkeeper) -> None:
    found = told("secrets", "status", "--json").json
    assert (found["ok"], found["keptIn"]) == (True, str(tollkeeper.data / "master.key"))
    (first,) = found["versions"]
    assert (first["version"], first["isHere"], first["isSealing"], first["isNeeded"]) == (1, True, True, True)
    assert "VERSION" in told("secrets", "status").out


def test_a_user_key_is_the_users(serving: Serving, a_user: Callable[[str], str]) -> None:
    email = a_user("own-key")
    made = serving.tollkeeper.json("key", "create", "--user", email, "--name", "laptop", "--scope", "track")
    assert (made["kind"], made["name"], made["scopes"]) == ("user", "laptop", ["track"])
    assert [key["id"] for key in serving.tollkeeper.json("key", "list", "--user", email)["items"]] == [made["id"]]
    assert serving.tollkeeper.run("key", "create", "--user", email).stdout.startswith("tk_user_")


def test_a_plan_file_is_shown_first_and_applied_when_told(
    tollkeeper: Tollkeeper, tmp_path: Path, a_user: Callable[[str], str]
) -> None:
    file = tmp_path / "plans.toml"
    file.write_text('[plans.tiny]\nrank = 5\ndaily_requests = 3\nmonthly_cost_cents = 500\nfeatures = ["chat"]\n')
    shown = tollkeeper.json("plan", "apply", file)
    assert shown["applied"] is False
    assert (shown["plans"][0]["name"], shown["plans"][0]["kind"]) == ("tiny", "added")
    assert "tiny" not in {plan["name"] for plan in tollkeeper.json("plan", "list")["items"]}
    assert tollkeeper.json("plan", "apply", file, "--yes")["applied"] is True
    (tiny,) = [plan for plan in tollkeeper.json("plan", "list")["items"] if plan["name"] == "tiny"]
    assert (tiny["dailyRequests"], tiny["monthlyRequests"], tiny["monthlyCostCents"]) == (3, None, 500)
    file.write_text("[plans.tiny]\nrank = 5\ndaily_requests = 4\n")
    told = tollkeeper.run("plan", "apply", file)
    assert "daily_requests: 3 -> 4" in told.stdout
    assert "--yes" in told.stderr
    assert "text_policy" not in told.stdout
    file.write_text("[plans.tiny]\nrank = 5\ntext_policy = 'redacted'\nretain_text_days = 30\n")
    assert "text_policy: all -> redacted" in tollkeeper.run("plan", "apply", file, "--yes").stdout
    assert "redacted (30 days)" in tollkeeper.run("plan", "list").stdout
    email = a_user("planned")
    assert tollkeeper.json("plan", "set", email, "tiny", "--until", "2999-01-01")["expiresAt"] == "2999-01-01T00:00:00Z"
    assert tollkeeper.json("user", "show", email)["plan"] == "tiny"
    assert tollkeeper.json("plan", "set", email, "gold", code=1)["detail"] == "the catalogue has no plan 'gold'"


def test_plans_live_at_the_command_line(tollkeeper: Tollkeeper, tmp_path: Path, a_user: Callable[[str], str]) -> None:
    file = tmp_path / "plans.toml"
    file.write_text("[plans.gym]\nrank = 7\nmonthly_requests = 3\nprice_per_month = 900\nrequests_per_minute = 2\n")
    tollkeeper.json("plan", "apply", file, "--yes")
    email = a_user("living")
    told = tollkeeper.json("plan", "change", email, "gym", "--preview")
    assert (told["kind"], told["price"], told["previewed"]) == ("upgraded", 900, True)
    assert tollkeeper.json("user", "show", email)["plan"] == "free"
    assert "upgraded to gym at once, 900 usd cents monthly" in tollkeeper.run("plan", "change", email, "gym").stdout
    assert tollkeeper.json("plan", "change", email, "gym", code=1)["status"] == 409
    assert tollkeeper.json("plan", "change", email, "free")["isAtOnce"] is False
    assert [each["kind"] for each in tollkeeper.json("plan", "history", email)["items"]] == ["upgraded", "given"]
    page = tollkeeper.json("plan", "history", email, "--limit", "1")
    assert page["nextAfter"] == page["items"][-1]["id"]
    shown = tollkeeper.run("plan", "history", email, "--limit", "1")
    assert shown.stderr == f"more: --after {page['nextAfter']}\n"
    last = tollkeeper.json("plan", "history", email, "--limit", "1", "--after", page["nextAfter"])
    assert ([each["kind"] for each in last["items"]], last["nextAfter"]) == (["given"], None)
    file.write_text("[plans.gym]\nrank = 7\nmonthly_requests = 4\nprice_per_month = 900\n")
    tollkeeper.json("plan", "apply", file, "--yes")
    shown = tollkeeper.run("plan", "migrate", "gym")
    assert ("monthly_requests: 3 -> 4" in shown.stdout, "--yes" in shown.stderr) == (True, True)
    assert tollkeeper.json("plan", "migrate", "gym", "--yes")["moved"] == 1
    assert tollkeeper.json("plan", "migrate", "gym", "--yes")["moved"] == 0
    assert tollkeeper.json("plan", "migrate", "none", code=1)["status"] == 404


def test_overrides_and_grants_at_the_command_line(tollkeeper: Tollkeeper, a_user: Callable[[str], str]) -> None:
    email = a_user("excepted")
    made = tollkeeper.json(
        "override", "add", email, "daily_requests=-1", "monthly_cost_cents=2.5", "--reason", "beta"
    )  # fmt: skip
    assert made["limits"] == {"dailyRequests": None, "monthlyCostCents": 2.5}
    assert "daily_requests unlimited, monthly_cost_cents 2.5" in tollkeeper.run("override", "list", email).stdout
    assert tollkeeper.json("override", "end", email, made["id"])["endedAt"]
    assert tollkeeper.json("override", "end", email, made["id"], code=1)["status"] == 404
    for unfit in ("daily=1", "daily_requests", "daily_requests=x", "daily_requests=-3", "monthly_tokens=1.5"):
        assert tollkeeper.run("override", "add", email, unfit, "--reason", "x").returncode == 2
    given = tollkeeper.json("grant", "add", email, "12.5", "cost", "--reason", "sorry", "--until", "2999-01-01")
    assert (given["amount"], given["burned"], given["expiresAt"]) == (12.5, 0, "2999-01-01T00:00:00Z")
    assert "12.5 cents" in tollkeeper.run("grant", "list", email).stdout
    assert tollkeeper.json("grant", "end", email, given["id"])["id"] == given["id"]
    for amount, unit in (("0", "requests"), ("1.5", "tokens"), ("x", "cost"), ("1", "love")):
        assert tollkeeper.run("grant", "add", email, amount, unit, "--reason", "x").returncode == 2


def test_own_prices_are_set_listed_and_removed(tollkeeper: Tollkeeper, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('[prices."house-model"]\ninput = 2.5\noutput = 10\n')
    assert tollkeeper.json("price", "set", file) == {"set": 1, "models": ["house-model"]}
    (price,) = tollkeeper.json("price", "list")["items"]
    assert (price["model"], price["rates"]["input"]) == ("house-model", 2_500_000_000)
    assert "house-model  1970-01-01 00:00:00 UTC  2.5" in tollkeeper.run("price", "list").stdout
    assert tollkeeper.json("price", "remove", "house-model")["removed"] == 1
    assert tollkeeper.json("price", "remove", "house-model", code=1)["status"] == 404


def test_migrate_finds_nothing_to_do_where_a_server_runs(tollkeeper: Tollkeeper) -> None:
    assert tollkeeper.json("migrate") == {"applied": []}
    assert tollkeeper.run("migrate").stdout.startswith("Nothing to do")


async def test_verify_names_a_number_that_was_changed_behind_its_back(
    tollkeeper: Tollkeeper, a_user: Callable[[str], str], as_owner: Any
) -> None:
    email = a_user("corrupted")
    assert tollkeeper.json("verify")["ok"] is True
    change = "UPDATE usage SET total_requests = total_requests + $2 WHERE user_id = tk_user_of($1)"
    await as_owner.execute(change, email, 7)
    found = tollkeeper.json("verify", code=1)
    told = tollkeeper.run("verify")
    await as_owner.execute(change, email, -7)
    assert found["ok"] is False
    (difference,) = found["differences"]
    assert (difference["user"], difference["field"]) == (email, "total_requests")
    assert (difference["stored"], difference["actual"]) == (7, 0)
    assert (told.returncode, email in told.stdout, "total_requests" in told.stdout) == (1, True, True)
    assert tollkeeper.json("verify")["differences"] == []


def test_doctor_finds_a_running_service_well(tollkeeper: Tollkeeper) -> None:
    found = tollkeeper.json("doctor")
    assert {check["check"] for check in found["checks"]} >= {"data directory", "server", "migrations", "role", "clock"}
    assert [check for check in found["checks"] if check["level"] != "ok"] == []


def test_doctor_names_what_is_wrong_and_changes_nothing(tollkeeper: Tollkeeper, tmp_path: Path) -> None:
    found = tollkeeper.json("doctor", "--data", tmp_path / "none", code=1)
    assert [check["check"] for check in found["checks"] if check["level"] == "fail"] == ["data directory", "database"]
    assert not (tmp_path / "none").exists()
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "master.key").write_text("1:short")
    told = tollkeeper.run("doctor", "--data", tmp_path / "open")
    assert told.returncode == 1
    assert "fail  data directory  others may write" in told.stdout
    assert "fail  master key" in told.stdout


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["usr", "list"], 2, 'Unknown command "usr"'),
        (["user", "add"], 2, "EMAIL"),
        (["user", "list", "--limt", "3"], 2, "--limit"),
        (["user", "list", "--limit", "0"], 2, "from 1 to 1000"),
        (["user", "list", "--after", "x"], 2, "is no id"),
        (["user", "set", NOBODY], 2, "nothing to set"),
        (["user", "add", "not-an-address"], 1, "must be an e-mail address"),
        (["user", "add", "z@example.com", "--timezone", "Mars/Crater"], 1, "time zone"),
        (["user", "show", NOBODY], 1, "there is no user"),
        (["user", "link", NOBODY], 1, "there is no user"),
        (["key", "create"], 2, "--service NAME or --user EMAIL"),
        (["key", "create", "--service", ""], 1, "must say what the key is for"),
        (["key", "create", "--user", ""], 2, "--user: it is empty"),
        (["key", "create", "--service", "x", "--until", "0001-01-01T00:00:00+14:00"], 2, "from 1970 to 9998"),
        (["key", "create", "--service", "x", "--scope", "everything"], 1, "is no scope"),
        (["plan", "apply", "/none.toml"], 1, "/none.toml: file: cannot be read: No such file"),
        (["import", "excel", "x"], 2, "FORMAT"),
        (["import", "mooncake", "x.jsonl"], 2, "--users-by session|model"),
        (["import", "mooncake", "x.jsonl", "--user", NOBODY], 1, "x.jsonl: file: cannot be"),
        (["serve", "--port", "70000"], 2, "65535"),
    ],
)
def test_what_cannot_be_done_is_told_on_one_line(
    told: Callable[..., Told], words: list[str], code: int, reason: str
) -> None:
    done = told(*words)
    assert (done.code, done.out) == (code, "")
    assert reason in done.err
    assert len(done.err.splitlines()) == 1


def test_with_json_an_error_is_a_problem_document(tollkeeper: Tollkeeper, told: Callable[..., Told]) -> None:
    assert tollkeeper.json("user", "show", NOBODY, code=1) == {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": f"there is no user {NOBODY}",
    }
    for words in (["user", "shw"], ["export", "--format", "csv"], ["key", "create"]):
        done = told(*words, "--json")
        assert (done.code, done.json["type"], done.err) == (2, "/problems/usage", "")


def test_an_unknown_setting_stops_every_command(tollkeeper: Tollkeeper) -> None:
    done = tollkeeper.run("user", "list", TOLLKEEPER_PROT="9000")
    assert (done.returncode, done.stderr) == (1, "tollkeeper: TOLLKEEPER_PROT is not a setting\n")


def test_another_database_serves_as_well(tollkeeper: Tollkeeper, addresses: Addresses, tmp_path: Path) -> None:
    theirs = {"TOLLKEEPER_DATABASE_URL": addresses.service, "TOLLKEEPER_OWNER_DATABASE_URL": addresses.owner}
    elsewhere = Tollkeeper(tmp_path / "elsewhere")
    assert elsewhere.run("user", "add", "external@example.com", **theirs).returncode == 0
    assert tollkeeper.json("user", "show", "external@example.com")["plan"] == "free"
    assert elsewhere.run("verify", **theirs).returncode == 0
    assert elsewhere.run("doctor", **theirs).stdout.count("ok ") > 5
    assert not elsewhere.data.exists()


def test_what_users_wrote_cannot_steer_a_terminal(tollkeeper: Tollkeeper, tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text('{"\\u001b[31m": 1}\n')
    told = tollkeeper.run("import", "tollkeeper", file)
    assert told.returncode == 1
    assert "\x1b" not in told.stdout + told.stderr


def test_a_reader_who_leaves_early_is_no_error(tollkeeper: Tollkeeper) -> None:
    shell = f"{COMMAND} user list | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", shell], env=tollkeeper.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() in {"0", "141"}
    assert not done.stderr


COMMANDS = [
    [],
    *([command] for command in ("serve", "demo", "migrate", "import", "export", "verify", "scrub", "doctor")),
    *(["user", verb] for verb in ("add", "list", "show", "set", "invite", "link", "delete")),
    *(["plan", verb] for verb in ("list", "apply", "set")),
    *(["key", verb] for verb in ("create", "list", "revoke", "rotate", "pattern")),
    *(["webhook", verb] for verb in ("add", "list", "test", "rotate", "secret", "remove", "deliveries", "replay")),
    *(["secrets", verb] for verb in ("status", "rotate")),
    *(["price", verb] for verb in ("set", "list", "remove")),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*words, "--help"]) == 0
    page = capsys.readouterr().out
    assert " ".join(["Usage: tollkeeper", *words]) in page
    assert not words or ("--data" in page and "--json" in page)
    assert len(page.split("╭")[0].split()) > len(words) + 6, "a sentence stands before the options"


@pytest.mark.parametrize("command", [(COMMAND,), (sys.executable, "-m", "tollkeeper")])
def test_the_version_is_told(command: tuple[str, ...]) -> None:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.startswith("tollkeeper ")
