"""What commands do where their output goes nowhere, or to what cannot show it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import aiohttp
import msgspec
import pytest

from tests.cli.conftest import COMMAND, Tollkeeper
from tests.faults.nodes import until
from tests.ports import free_port
from tollkeeper.store.connections import directly
from tollkeeper.store.embedded import Addresses

FULL = "tollkeeper: standard output: No space left on device\n"
_HALF_A_PIPE = 2**15
CLOSED = "tollkeeper: standard output is closed: nobody would hear the answer\n"


def said(tollkeeper: Tollkeeper, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell, in which the command is `tk`."""
    shell = f'tk() {{ "{COMMAND}" "$@"; }}; {line}'
    environment = tollkeeper.environment | more
    return subprocess.run(
        ["bash", "-c", shell], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("json", ["", "--json"])
@pytest.mark.parametrize("words", ["user list", "export --format csv", "user show nobody@example.com"])
def test_a_full_device_is_told_on_one_line(tollkeeper: Tollkeeper, words: str, json: str) -> None:
    words = words.replace("--format csv", "--format jsonl" if json else "--format csv")
    done = said(tollkeeper, f"tk {words} {json} > /dev/full")
    is_an_error_for_readers = "nobody" in words and not json
    assert (done.returncode, done.stderr) == (
        1,
        "tollkeeper: there is no user nobody@example.com\n" if is_an_error_for_readers else FULL,
    )


@pytest.mark.parametrize("json", ["", "--json"])
def test_nothing_is_done_whose_answer_nobody_would_hear(tollkeeper: Tollkeeper, json: str) -> None:
    done = said(tollkeeper, f"tk user add unheard@example.com {json} >&-")
    assert (done.returncode, done.stderr) == (1, CLOSED)
    assert tollkeeper.run("user", "show", "unheard@example.com").returncode == 1


@pytest.mark.parametrize(
    ("streams", "told", "code"),
    [(">&- 2>&-", signal.SIGINT, 0), ("<&-", signal.SIGTERM, 0), ("", signal.SIGHUP, 0)],
    ids=["unheard", "unspoken to", "terminal closed"],
)
async def test_a_server_serves_and_ends_in_good_order_whatever_its_terminal_does(
    open_dir: Path, streams: str, told: signal.Signals, code: int
) -> None:
    tollkeeper = Tollkeeper(open_dir / f"terminal-{told.value}")
    port = free_port()
    shell = f'exec "{COMMAND}" serve --port {port} {streams}'
    server = await asyncio.create_subprocess_exec(
        *("bash", "-c", shell),
        env=tollkeeper.environment,
        # Whoever runs these tests may have been told to outlive their terminal.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    async with aiohttp.ClientSession() as client:

        async def answers() -> bool:
            with suppress(aiohttp.ClientConnectionError):
                async with client.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    return answer.status == 200
            return False

        try:
            await until(answers)
        finally:
            server.send_signal(told)
            assert await asyncio.wait_for(server.wait(), 30) == code
    # Its PostgreSQL went with it.
    assert not list(tollkeeper.data.glob("postgres/postmaster.pid"))


async def test_workers_serve_on_where_nobody_reads_the_console_any_more(open_dir: Path) -> None:
    ours, theirs = os.pipe()
    server = await asyncio.create_subprocess_exec(
        *(COMMAND, "serve", "--port", "0", "--workers", "2", "--json"),
        env=Tollkeeper(open_dir / "unread").environment,
        stdout=theirs,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(theirs)
    with os.fdopen(ours, "rb") as console:
        url = msgspec.json.decode(await asyncio.to_thread(console.readline))["url"]
    assert server.stderr is not None
    try:
        async with aiohttp.ClientSession(headers={"Sec-Fetch-Site": "same-origin"}) as client:
            async with client.post(f"{url}/api/sign-in/email", json={"email": "unread@example.com"}) as answer:
                assert answer.status == 200
            async with asyncio.timeout(30):
                assert b"the console cannot be written: Broken pipe" in await server.stderr.readline()
            async with client.get(f"{url}/readyz") as answer:
                assert answer.status == 200
    finally:
        with suppress(ProcessLookupError):
            server.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(server.wait(), 30)
    assert code == 0


@contextmanager
def unread(tollkeeper: Tollkeeper, *words: str) -> Generator[tuple[subprocess.Popen[bytes], BinaryIO]]:
    """Start a command whose reader stands still; of what it exports there are several pages."""
    rows = tollkeeper.data.parent / "long.jsonl"
    row = {"status": "completed", "user": "long@example.com", "prompt": "x" * 10**6}
    days = [f"2026-01-0{day}T00:00:00Z" for day in range(1, 10)]
    rows.write_bytes(b"\n".join(msgspec.json.encode(row | {"startedAt": day}) for day in days))
    assert tollkeeper.json("import", "tollkeeper", rows)["failed"] == 0
    ours, theirs = os.pipe()
    process = subprocess.Popen([COMMAND, *words], env=tollkeeper.environment, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    with os.fdopen(ours, "rb") as output:
        while int.from_bytes(fcntl.ioctl(ours, termios.FIONREAD, bytes(4)), sys.byteorder) < _HALF_A_PIPE:
            assert process.poll() is None
            time.sleep(0.02)
        try:
            yield process, output
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("words", [("backup", "-"), ("export",)], ids=" ".join)
def test_a_reader_who_stands_still_keeps_nobody_from_ending(tollkeeper: Tollkeeper, words: tuple[str, ...]) -> None:
    with unread(tollkeeper, *words) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 128 + signal.SIGTERM


async def test_what_breaks_off_is_told_beside_what_was_written(tollkeeper: Tollkeeper, addresses: Addresses) -> None:
    with unread(tollkeeper, "export", "--user", "long@example.com", "--json") as (process, output):
        async with directly(addresses.admin or "", "test") as admin:
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            )
        written = await asyncio.to_thread(output.read)
        assert process.wait(timeout=30) == 1
        assert process.stderr is not None
        assert b"/problems/" not in written
        assert process.stderr.read().startswith(b"tollkeeper: the export broke off: ")


@pytest.mark.parametrize("stream", ["2>&-", "2> /dev/full"])
def test_an_answer_is_heard_where_remarks_are_not(tollkeeper: Tollkeeper, stream: str) -> None:
    file = tollkeeper.data.parent / "unheard.toml"
    file.write_text("[plans.unheard]\nrank = 4711\n")
    done = said(tollkeeper, f"tk plan apply {file} {stream}")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "unheard is new")
    assert "--yes" not in done.stdout
    lost = said(tollkeeper, f"tk user show nobody@example.com {stream}")
    assert (lost.returncode, lost.stdout) == (1, "")


def test_a_reader_of_errors_who_leaves_early_is_no_error(tollkeeper: Tollkeeper) -> None:
    done = said(tollkeeper, "tk user show nobody@example.com --json | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout.strip() in {"1", "141"}, done.stderr) == (True, "")


def test_what_a_terminal_has_no_letters_for_is_escaped(tollkeeper: Tollkeeper) -> None:
    email = "jürgen@example.com"
    assert tollkeeper.json("user", "add", email)["email"] == email
    for command in (f"tk user show {email}", "tk user list"):
        done = said(tollkeeper, command, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "j\\xfcrgen@example.com" in done.stdout
    in_json = said(tollkeeper, f"tk user show {email} --json", PYTHONIOENCODING="ascii")
    assert msgspec.json.decode(in_json.stdout)["email"] == email
