"""Importing what comes through a pipe: read once, kept for as long as it is read twice."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.conftest import COMMAND, SECONDS, Tollkeeper

FILE = Path(__file__).parents[1] / "data" / "azure_llm_2023_conv.csv.gz"
ROWS = 50


def first_lines() -> bytes:
    with gzip.open(FILE) as file:
        return b"".join(line for line, _ in zip(file, range(ROWS + 1), strict=False))


@pytest.mark.parametrize(("source", "lines"), [("-", first_lines()), ("/dev/stdin", gzip.compress(first_lines()))])
def test_standard_input_is_imported_as_a_file_is(
    tollkeeper: Tollkeeper, source: str, lines: bytes, tmp_path: Path
) -> None:
    words = ("import", "azure", source, "--user", f"piped-{len(lines)}@example.com", "--json")
    done = subprocess.run(
        [COMMAND, *words],
        env=tollkeeper.environment | {"TMPDIR": str(tmp_path)},
        input=lines,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = msgspec.json.decode(done.stdout)
    assert (told["file"], told["imported"], told["failed"]) == ("stdin", ROWS, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_that_nobody_writes_to_is_given_up_when_told_so(tollkeeper: Tollkeeper, tmp_path: Path) -> None:
    pipe, kept = tmp_path / "pipe.csv", tmp_path / "kept"
    os.mkfifo(pipe)
    kept.mkdir()
    process = subprocess.Popen(
        [COMMAND, "import", "azure", pipe, "--user", "nobody@example.com"],
        env=tollkeeper.environment | {"TMPDIR": str(kept)},
        stdout=subprocess.PIPE,
    )
    deadline = time.monotonic() + SECONDS
    while not list(kept.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=SECONDS) == 128 + signal.SIGTERM
    assert list(kept.iterdir()) == []


def test_input_that_is_empty_ends_at_once(tollkeeper: Tollkeeper) -> None:
    done = subprocess.run(
        [COMMAND, "import", "tollkeeper", "-", "--json"],
        env=tollkeeper.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert msgspec.json.decode(done.stdout)["rows"] == 0


def test_what_cannot_be_opened_by_name_is_read_all_the_same(tollkeeper: Tollkeeper) -> None:
    """As a socket that a program gives its children, or what `sudo -u` hands on from another account."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(first_lines())
        ours.shutdown(socket.SHUT_WR)
        done = subprocess.run(
            [COMMAND, "import", "azure", "-", "--user", "by-a-socket@example.com", "--json"],
            env=tollkeeper.environment,
            stdin=theirs.fileno(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert msgspec.json.decode(done.stdout)["imported"] == ROWS


def test_where_what_comes_through_a_pipe_finds_no_room_is_told(tollkeeper: Tollkeeper, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 1; exec {COMMAND} import azure - --user nobody@example.com"],
        env=tollkeeper.environment | {"TMPDIR": str(tmp_path)},
        input=first_lines(),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"tollkeeper: %s/tollkeeper-" % bytes(tmp_path))
    assert done.stderr.endswith(b"/stdin: File too large\n")
    assert list(tmp_path.iterdir()) == []
