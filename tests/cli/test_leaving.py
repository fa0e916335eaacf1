"""Deleting a user as an operator does it: then no dump and no file of the database has a word of theirs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from urllib.request import Request, urlopen

import asyncpg
import msgspec
import pytest

from tests.cli.conftest import Serving, Tollkeeper
from tests.store.test_scrubbing import files_with
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.placement import WHEEL_PROGRAMS

WORD = "canary7d1f"


@pytest.fixture(scope="module")
def started(open_dir: Path) -> Generator[tuple[Serving, str | None]]:
    """A service of this test's own, and the link of its first operator."""
    tollkeeper = Tollkeeper(open_dir / "leaving")
    process = tollkeeper.started("serve", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        told = msgspec.json.decode(process.stdout.readline())
        yield Serving(tollkeeper, told["url"]), told["firstOperatorUrl"]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


def post(url: str, key: str, email: str, says: object, method: str = "POST") -> None:
    request = Request(  # noqa: S310 - our own server
        url,
        method=method,
        data=msgspec.json.encode(says),
        headers={"Authorization": f"Bearer {key}", "Tollkeeper-User": email, "Content-Type": "application/json"},
    )
    with urlopen(request, timeout=20) as answer:  # noqa: S310
        assert answer.status in {200, 201}


async def _checkpoint(addresses: Addresses) -> None:
    """Write everything into its file."""
    admin = await asyncpg.connect(addresses.admin)
    await admin.execute("CHECKPOINT")
    await admin.close()


def _dump(addresses: Addresses) -> bytes:
    words = [WHEEL_PROGRAMS / "pg_dump", addresses.owner]
    return subprocess.run(words, capture_output=True, check=True, timeout=60).stdout


def test_the_console_says_how_to_become_the_first_operator(started: tuple[Serving, str | None]) -> None:
    serving, link = started
    assert link is not None
    assert link.startswith(f"{serving.url}/sign-in/first/")
    with urlopen(link, timeout=20) as page:  # noqa: S310 - our own server
        assert b"Become the operator" in page.read()


async def test_no_dump_and_no_file_has_a_word_of_who_was_deleted(started: tuple[Serving, str | None]) -> None:
    serving, _ = started
    tollkeeper, email = serving.tollkeeper, f"{WORD}@example.com"
    key = tollkeeper.json("key", "create", "--service", "test")["key"]
    track = f"{serving.url}/api/chat/track"
    for number in range(8):
        says = {"prompt": f"{WORD} {os.urandom(3000).hex()}", "requestId": f"{WORD}-{number}", "sessionId": WORD}
        post(track, key, email, says | {"category": WORD, "model": WORD, "metadata": {WORD: 1}, "userAgent": WORD})
        ended = {"requestId": f"{WORD}-{number}", "status": "failed", "response": WORD, "errorMessage": WORD}
        post(track, key, email, ended, "PUT")
    variables = {"variables": {f"K_{WORD}": WORD}}
    post(f"{serving.url}/api/user/variables", key, email, variables, "PUT")
    tollkeeper.json("user", "set", email, "--name", f"Name {WORD}")
    async with embedded_server(tollkeeper.data) as addresses:
        await _checkpoint(addresses)
        assert len(files_with(tollkeeper.data, WORD.encode())) > 1

    assert "--yes" in tollkeeper.json("user", "delete", email, code=2)["detail"]
    assert tollkeeper.json("user", "delete", email, "--yes")["deleted"] is True
    assert tollkeeper.json("user", "delete", email, "--yes", code=1)["status"] == 404
    async with embedded_server(tollkeeper.data) as addresses:
        dump = _dump(addresses)
    assert b"PostgreSQL database dump complete" in dump
    assert WORD.encode() not in dump

    done = tollkeeper.json("scrub")
    assert done["tables"] > 20
    assert done["segments"] > 0
    assert files_with(tollkeeper.data, WORD.encode()) == []
    post(track, key, "other@example.com", {"prompt": "x"})
    verified = tollkeeper.json("verify")
    assert (verified["ok"], verified["differences"]) == (True, [])
