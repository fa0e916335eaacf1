"""The demo: real requests at the first start, all of them once, and the same ones at every later start."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

import msgspec

from tests.cli.conftest import Serving, Tollkeeper

SAMPLED = 1926


def _demo(tollkeeper: Tollkeeper, *words: str) -> tuple[subprocess.Popen[bytes], bytes]:
    process = tollkeeper.started("demo", "--port", "0", *words)
    assert process.stdout is not None
    return process, process.stdout.readline()


def _ended(process: subprocess.Popen[bytes], how: signal.Signals) -> bytes:
    process.send_signal(how)
    assert process.stdout is not None
    said = process.stdout.read()
    assert process.wait(timeout=30) == 0
    return said


def test_a_demo_that_was_killed_is_completed_and_then_kept(open_dir: Path) -> None:
    tollkeeper = Tollkeeper(open_dir / "demo")
    killed = tollkeeper.started("demo", "--port", "0", "--json")
    while not (tollkeeper.data / "demo.json").exists():
        assert killed.poll() is None
        time.sleep(0.05)
    time.sleep(0.4)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    process, first = _demo(tollkeeper, "--json")
    shown = msgspec.json.decode(first)
    for fact in ("OpenLLMetry", "BurstGPT", "RAGPulse", "moved", "made up"):
        assert fact in shown["note"]
    assert shown["signInUrl"].startswith(f"{shown['url']}/sign-in/")
    with urlopen(f"{shown['url']}/readyz", timeout=10) as answer:  # noqa: S310 - our own server
        assert answer.status == 200
    users = tollkeeper.json("user", "list")["items"]
    assert {user["plan"] for user in users} == {"free", "pro", "enterprise"}
    assert shown["email"] in {user["email"] for user in users}
    verified = tollkeeper.json("verify")
    assert (verified["ok"], verified["requests"], verified["users"]) == (True, SAMPLED, len(users))
    _ended(process, signal.SIGINT)

    began = time.monotonic()
    process, again = _demo(tollkeeper)
    assert time.monotonic() - began < 5
    assert again.startswith(b"The demo shows real requests")
    assert tollkeeper.json("verify")["requests"] == SAMPLED
    said = _ended(process, signal.SIGTERM).decode()
    assert "tollkeeper serves http://localhost:" in said
    assert f"Sign in as {shown['email']}" in said
    assert "/sign-in/" in said


def test_whoever_is_still_there_is_signed_in(open_dir: Path) -> None:
    tollkeeper = Tollkeeper(open_dir / "demo")
    known = tollkeeper.json("user", "list")["items"]
    process, first = _demo(tollkeeper, "--json")
    liveliest = msgspec.json.decode(first)["email"]
    assert tollkeeper.json("user", "delete", liveliest, "--yes")["deleted"]
    _ended(process, signal.SIGINT)
    process, again = _demo(tollkeeper, "--json")
    assert msgspec.json.decode(again)["email"] in {user["email"] for user in known} - {liveliest}
    _ended(process, signal.SIGINT)


def test_serve_says_where_it_serves_and_how_to_get_in(open_dir: Path) -> None:
    process = Tollkeeper(open_dir / "demo").started("serve", "--port", "0")
    assert process.stdout is not None
    lines = [process.stdout.readline().decode() for _ in range(5)]
    _ended(process, signal.SIGTERM)
    assert lines[0].startswith("tollkeeper serves http://localhost:")
    assert str(open_dir / "demo") in lines[1]
    assert "user link EMAIL --data" in lines[2]
    assert "key create --service NAME" in lines[3]


def test_a_port_that_is_taken_is_told_on_one_line(serving: Serving) -> None:
    port = serving.url.rpartition(":")[2]
    done = serving.tollkeeper.run("serve", "--port", port)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
