"""Where browsers would keep no sign-in, the operator is told."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, Tollkeeper
from tollkeeper.location import forgotten_at
from tollkeeper.settings import Settings

FAR = "http://usage.example.com"


@pytest.mark.parametrize(
    ("site", "insecure", "is_forgotten"),
    [
        (FAR, False, True),
        (FAR, True, False),
        ("https://usage.example.com", False, False),
        ("http://10.0.0.5:8080", False, True),
        ("http://[fd00::5]:8080", False, True),
        ("http://localhost:8080", False, False),
        ("http://shop.localhost", False, False),
        ("http://localhost.example.com", False, True),
        ("http://127.0.0.2:8080", False, False),
        ("http://[::1]:8080", False, False),
    ],
)
def test_cookies_are_kept_over_tls_and_on_this_machine(site: str, insecure: bool, is_forgotten: bool) -> None:
    told = forgotten_at(site, Settings(insecure_cookies=insecure))
    assert (told is not None, told is None or site in told) == (is_forgotten, True)


INSECURE = {"TOLLKEEPER_PUBLIC_URL": FAR, "TOLLKEEPER_INSECURE_COOKIES": "true"}


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("far", {"TOLLKEEPER_PUBLIC_URL": FAR}, f"nobody can sign in at {FAR}"),
        ("insecure", INSECURE, "TOLLKEEPER_INSECURE_COOKIES is on: sessions are sent in the clear"),
    ],
)
def test_a_start_where_nobody_can_sign_in_or_all_can_listen_says_so(
    open_dir: Path, name: str, settings: dict[str, str], told: str
) -> None:
    far = Tollkeeper(open_dir / name)
    errors = open_dir / f"{name}.log"
    with errors.open("wb") as log:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0", "--json"],
            env=far.environment | settings,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    (warned,) = errors.read_text().splitlines()
    assert "WARNING" in warned
    assert told in warned


def test_doctor_warns_of_an_address_where_nobody_can_sign_in(tollkeeper: Tollkeeper, open_dir: Path) -> None:
    found = Tollkeeper(open_dir / "far-none").run("doctor", TOLLKEEPER_PUBLIC_URL=FAR)
    assert f"warn  sign-in         nobody can sign in at {FAR}" in found.stdout
    insecure = Tollkeeper(open_dir / "far-none").run("doctor", **INSECURE)
    assert "warn  sign-in         TOLLKEEPER_INSECURE_COOKIES is on" in insecure.stdout
    checks = {each["check"]: each for each in tollkeeper.json("doctor")["checks"]}
    assert checks["sign-in"]["level"] == "ok"
