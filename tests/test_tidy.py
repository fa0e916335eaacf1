"""The house rules hold, and each one bites."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tidy import code, files, statements
from tests.tidy.checkout import ROOT, Checkout, Rule, read_checkout


class Sample(NamedTuple):
    """Made-up files: `bad` ones that break the rule, each by itself, and a `good` one that comes close and keeps it."""

    rule: Rule
    bad: tuple[dict[str, str], ...]
    good: dict[str, str]


LEDGER_SQL = "src/tollkeeper/store/sql/ledger.sql"
ROUTINE_SQL = "src/tollkeeper/store/routines/20_start.sql"
LEDGER = "src/tollkeeper/metering/tracking/ledger.py"
DATABASE = "src/tollkeeper/store/database.py"
USAGE = {
    "src/tollkeeper/store/migrations/0001_initial.sql": "CREATE TABLE usage (\n    user_id uuid,\n    used bigint\n);\n"
}
HASH = "--hash=sha256:" + 64 * "0"
PYPROJECT = """
build-system.requires = ["hatchling==1"]
project.dependencies = ["rich[all]==2 ; sys_platform != 'win32'"]
dependency-groups = {build = ["hatchling==1"], dev = ["ruff==3"]}
"""

SAMPLES = [
    Sample(
        code.a_function_has_at_most_60_lines,
        ({LEDGER: "async def start():\n" + 60 * "    pass\n"},),
        {LEDGER: "async def start():\n" + 59 * "    pass\n"},
    ),
    Sample(
        code.a_secret_is_compared_in_constant_time,
        (
            {LEDGER: "def same(token, other):\n    return token == other\n"},
            {LEDGER: "def same(row, given):\n    return given != row['code_hash']\n"},
            {DATABASE: "ok = found.fingerprint == ours\n"},
        ),
        {LEDGER: "import hmac\nok = hmac.compare_digest(token, other) and tokens == 5 and done.returncode == 0\n"},
    ),
    Sample(
        code.what_decides_reads_no_clock_and_no_environment,
        (
            {LEDGER: "from datetime import datetime as dt, UTC\nat = dt.now(UTC)\n"},
            {LEDGER: "import datetime\non = datetime.date.today()\n"},
            {LEDGER: "from time import time\n"},
            {DATABASE: "import time as t\nat = t.time_ns()\n"},
            {DATABASE: "import os\nurl = os.environ['URL']\n"},
            {"src/tollkeeper/errors.py": "from os import getenv\n"},
            {"src/tollkeeper/store/embedded.py": "import time\nat = time.time()\n"},
        ),
        {
            LEDGER: "import time\nfrom datetime import datetime\nat = datetime.fromisoformat('2026-01-01')\n",
            DATABASE: "import time\nwaited = time.monotonic()\n",
            "src/tollkeeper/store/embedded.py": "import os\npath = os.environ['PATH']\n",
            "src/tollkeeper/settings.py": "import os\npath = os.environ['PATH']\n",
            "src/tollkeeper/http/dashboards/live.py": "import time\nat = time.time()\n",
        },
    ),
    Sample(
        code.nothing_runs_text_as_code,
        (
            {LEDGER: "import pickle\n"},
            {"bench/load.py": "from marshal import loads\n"},
            {LEDGER: "eval('1')\n"},
            {LEDGER: "import yaml\nyaml.load('')\n"},
        ),
        {LEDGER: "import yaml\nyaml.safe_load('')\nevaluate = 1\n"},
    ),
    Sample(
        code.a_name_says_what_it_is,
        (
            {"src/tollkeeper/http/utils.py": ""},
            {"src/tollkeeper/helpers/money.py": ""},
            {"tests/http_helpers.py": ""},
            {LEDGER: "class ChatService: ...\n"},
            {LEDGER: "class LLMManager: ...\n"},
            {LEDGER: "class _UserInfo: ...\n"},
            {"bench/data.py": ""},
        ),
        {
            LEDGER: "class ServiceKey: ...\nclass LLM: ...\nclass Usage_: ...\n",
            "src/tollkeeper/http/service_keys.py": "",
        },
    ),
    Sample(
        files.a_python_file_has_less_than_400_lines,
        ({LEDGER: 400 * "\n"},),
        {LEDGER: 399 * "\n"},
    ),
    Sample(
        files.a_web_file_has_less_than_250_lines,
        ({"web/src/UsagePage.tsx": 250 * "\n"},),
        {"web/src/UsagePage.tsx": 249 * "\n", "web/src/api.gen.ts": 900 * "\n"},
    ),
    Sample(
        files.the_source_makes_no_promises,
        ({LEDGER: "# TO" + "DO: later\n"}, {"web/src/UsagePage.tsx": "// FIX" + "ME\n"}),
        {LEDGER: "TODOS = 1\n", "README.md": "TO" + "DO"},
    ),
    Sample(
        files.nothing_names_the_place_where_it_was_written,
        (
            {"README.md": "see /wo" + "rk/main"},
            {"README.md": "see ../sha" + "red/plan.md"},
            {"Makefile": "https://files.py" + "thonhosted.org"},
        ),
        {"README.md": "docs/wo" + "rk/this", "web/src/a.ts": 'from "../sha' + 'red/quota"'},
    ),
    Sample(
        files.a_decision_record_is_indexed_and_short,
        (
            {"docs/decisions/0001-sql.md": "", "docs/decisions/README.md": "0001-sql.md"},
            {"docs/decisions/0001-sql.md": 71 * "\n", "docs/decisions/README.md": "[1](0001-sql.md)"},
            {
                "docs/decisions/0001-sql.md": "",
                "docs/decisions/0001-money.md": "",
                "docs/decisions/README.md": "[1](0001-sql.md) [1](0001-money.md)",
            },
        ),
        {"docs/decisions/0001-sql.md": 70 * "\n", "docs/decisions/README.md": "[1](0001-sql.md)"},
    ),
    Sample(
        files.a_lock_pins_by_hash_and_names_no_address,
        (
            {"requirements.txt": f"a==1 \\\n    {HASH}\nb==1\n"},
            {"requirements.txt": f"a>=1 \\\n    {HASH}\n"},
            {"requirements-dev.txt": f"--index-url x\na==1 \\\n    {HASH}\n"},
            {"requirements.txt": f"a @ https://example.com/a.whl \\\n    {HASH}\n"},
            {"web/package-lock.json": '{"resolved": "https://example.com"}'},
        ),
        {
            "requirements.txt": f"# by make lock\na==1 \\\n    {HASH} \\\n    {HASH}\nb==1 ; c > 'd' \\\n    {HASH}\n",
            "web/package-lock.json": '{"funding": "https://example.com"}',
        },
    ),
    Sample(
        files.the_locks_hold_what_pyproject_asks_for,
        (
            {"pyproject.toml": PYPROJECT, "requirements.txt": "rich==2\nhatchling==1"},
            {
                "pyproject.toml": PYPROJECT,
                "requirements.txt": "rich==2.1\nhatchling==1",
                "requirements-dev.txt": "hatchling==1\nrich==2\nruff==3",
            },
            {
                "pyproject.toml": PYPROJECT.replace('"hatchling==1"', '"hatchling==9"', 1),
                "requirements.txt": "rich==2\nhatchling==1",
                "requirements-dev.txt": "hatchling==1\nrich==2\nruff==3",
            },
        ),
        {
            "pyproject.toml": PYPROJECT,
            "requirements.txt": "rich==2 ; x\nhatchling==1",
            "requirements-dev.txt": "hatchling==1\nrich==2\nruff==3",
        },
    ),
    Sample(
        statements.a_statement_is_named_once,
        (
            {LEDGER_SQL: "-- name: rate\n-- name: rate\n"},
            {LEDGER_SQL: "-- name: a\n", "src/tollkeeper/store/sql/x.sql": "--name: a"},
        ),
        {LEDGER_SQL: "-- name: rate\n-- name: rates\n"},
    ),
    Sample(
        statements.a_routine_is_defined_once,
        (
            {ROUTINE_SQL: 2 * "CREATE OR REPLACE VIEW seen AS SELECT 1;\n"},
            {
                ROUTINE_SQL: "CREATE OR REPLACE FUNCTION f(p_one int) RETURNS int",
                "src/tollkeeper/store/routines/30_end.sql": "CREATE OR REPLACE FUNCTION f(\n p_one int) RETURNS text",
            },
        ),
        {ROUTINE_SQL: "CREATE OR REPLACE FUNCTION f(p_one int)\nCREATE OR REPLACE FUNCTION f(p_one text)\n"},
    ),
    Sample(
        statements.a_statement_says_what_it_is_for,
        ({LEDGER_SQL: "-- name: rate^\nSELECT 1; -- One and only.\n"}, {LEDGER_SQL: "-- name: rate\n--\nSELECT 1;"}),
        {LEDGER_SQL: "-- name: rate^\n-- Note, and keep, what users thought.\nSELECT 1;\n"},
    ),
    Sample(
        statements.a_statement_has_a_caller,
        ({LEDGER_SQL: "-- name: rate\n", LEDGER: "# rate\nrate = 'rates'\n", "tests/test_rate.py": "'rate'"},),
        {LEDGER_SQL: "-- name: rate\n", LEDGER: "tx.run('rate')\n"},
    ),
    Sample(
        statements.a_statement_on_user_data_carries_the_user,
        (
            USAGE | {LEDGER_SQL: "-- name: all_of_it\nSELECT user_id FROM usage;"},
            USAGE | {LEDGER_SQL: "-- name: all_of_it\nUPDATE usage SET used = 0 WHERE used > 1 -- user_id\n;"},
            USAGE | {LEDGER_SQL: "-- name: rate\nINSERT INTO usage (used) VALUES (1);"},
            USAGE
            | {ROUTINE_SQL: "CREATE FUNCTION f() AS $$\n SELECT 1 FROM x WHERE user_id = 1;\n DELETE FROM usage; $$"},
        ),
        USAGE
        | {
            LEDGER_SQL: "-- name: rate\nUPDATE usage SET used = 0 WHERE user_id = :user_id;\n"
            "-- name: add\nINSERT INTO usage (user_id, used) SELECT 1, 2;\n"
            "-- name: other\nSELECT 'FROM usage' FROM plans;\n",
            ROUTINE_SQL: "CREATE FUNCTION f() AS $$\n SELECT 1 FROM usage AS u JOIN given USING (user_id); $$",
        },
    ),
    Sample(
        statements.a_statement_asks_only_tk_now_for_the_time,
        (
            {LEDGER_SQL: "-- name: at\nSELECT NOW();"},
            {LEDGER_SQL: "-- name: at\nSELECT current_timestamp;"},
            {ROUTINE_SQL: "SELECT tk_now();\nSELECT clock_timestamp();"},
        ),
        {
            LEDGER_SQL: "-- name: at\n-- As now() would.\nSELECT tk_now(), 'now()';",
            "src/tollkeeper/store/migrations/0001_initial.sql": "CREATE FUNCTION tk_now() RETURN clock_timestamp();",
        },
    ),
    Sample(
        statements.sql_is_never_built_in_python,
        (
            {DATABASE: "await tx.fetch(f'SELECT {x}')"},
            {DATABASE: "await tx.execute('SELECT ' + x)"},
            {DATABASE: "await tx.fetchval('SELECT %s' % x)"},
            {DATABASE: "await tx.fetchrow('SELECT {}'.format(x))"},
            {DATABASE: "await tx.execute(query='; '.join(x))"},
            {DATABASE: "sql = f'SELECT {x}'\nawait tx.execute(sql)"},
            {DATABASE: "sql = 'SELECT '\nsql += 'x'\nawait tx.prepare(sql)"},
        ),
        {DATABASE: "await tx.fetch('SELECT $1', f'{x}')\nsql = path.read_text()\nawait tx.execute(sql)\ny = f'{x}'\n"},
    ),
]


@pytest.fixture(scope="module")
def checkout() -> Checkout:
    return read_checkout()


def _name(sample: object) -> str:
    return sample.rule.__name__ if isinstance(sample, Sample) else ""


@pytest.mark.parametrize("sample", SAMPLES, ids=_name)
def test_the_house_keeps_the_rule(sample: Sample, checkout: Checkout) -> None:
    broken = list(sample.rule(checkout))
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize("sample", SAMPLES, ids=_name)
def test_the_rule_bites(sample: Sample) -> None:
    for bad in sample.bad:
        assert list(sample.rule(Checkout(bad))), f"does not see {bad}"
    assert list(sample.rule(Checkout(sample.good))) == []


def test_every_rule_has_its_sample() -> None:
    rules = {
        function.__name__
        for module in (code, files, statements)
        for function in vars(module).values()
        if inspect.isgeneratorfunction(function) and not function.__name__.startswith("_")
    }
    assert rules == {sample.rule.__name__ for sample in SAMPLES}


def test_user_tables_are_found_in_the_migrations(checkout: Checkout) -> None:
    assert {"chat_requests", "request_analytics", "usage", "variables", "plan_terms"} <= statements.user_tables(
        checkout
    )


def test_every_exception_still_has_its_place_and_its_reason(checkout: Checkout) -> None:
    assert set(statements.WITHOUT_USER) <= statements.names(checkout), "delete the entries of statements that are gone"
    assert set(statements.BUILDS_SQL) <= set(checkout.files), "delete the entries of files that are gone"
    reasons = [*statements.WITHOUT_USER.values(), *statements.BUILDS_SQL.values()]
    assert all(len(reason.split()) > 2 for reason in reasons)


@pytest.mark.parametrize(("body", "fails"), [("pass", False), ("pytest.skip('no database')", True)])
def test_ci_fails_where_a_test_was_skipped(tmp_path: Path, body: str, *, fails: bool) -> None:
    (tmp_path / "test_one.py").write_text(f"import pytest\ndef test_one(): {body}\n", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.no_skips", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode != 0, "nothing may be" in run.stdout) == (fails, fails), run.stdout
