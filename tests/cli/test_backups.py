"""Backing up a service that serves, and going on from the backup somewhere else."""

from __future__ import annotations

import asyncio
import shutil
import stat
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.cli.conftest import COMMAND, Serving, Tollkeeper, served

_BEFORE = 30
_ADA = "ada@example.com"


@pytest.fixture(scope="module")
def started(open_dir: Path) -> Generator[Serving]:
    """A service of these tests' own: what a restore ends is of nobody else."""
    yield from served(Tollkeeper(open_dir / "backed-up"))


class Caller:
    """Calls a service, as whoever the headers say."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def call(self, method: str, path: str, says: object = None) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession(self.url, headers=self.headers) as http,
            http.request(method, path, json=says, allow_redirects=False) as answer,
        ):
            is_json = answer.content_type.endswith("json")
            return answer.status, await answer.json(content_type=None) if is_json else answer.headers.get("Set-Cookie")

    async def told(self, method: str, path: str, says: object = None) -> Any:
        status, told = await self.call(method, path, says)
        assert status in {200, 201, 303}, told
        return told


async def test_what_was_acknowledged_before_is_there_and_all_goes_on(started: Serving, tmp_path: Path) -> None:
    tollkeeper = started.tollkeeper
    tollkeeper.json("user", "add", _ADA, "--plan", "enterprise")
    by_service = {
        "Authorization": f"Bearer {tollkeeper.json('key', 'create', '--service', 'app')['key']}",
        "Tollkeeper_User": _ADA,
    }
    scopes = ("--scope", "variables:read", "--scope", "variables:reveal")
    own = tollkeeper.json("key", "create", "--user", _ADA, *scopes)["key"]
    links = [tollkeeper.json("user", "link", _ADA)["url"].removeprefix(started.url) for _ in range(2)]
    app, browser = Caller(started.url, **by_service), Caller(started.url, Sec_Fetch_Site="same-origin")
    cookie = (await browser.told("POST", links[0])).partition(";")[0]
    await app.told("POST", "/api/user/variables", {"key": "TOKEN", "value": "s3cret", "type": "secret"})
    acknowledged, enough, is_over = 0, asyncio.Event(), False

    async def track() -> None:
        nonlocal acknowledged
        while not is_over:
            await app.told("POST", "/api/chat/track", {"prompt": "hello", "requestId": f"r-{acknowledged}"})
            acknowledged += 1
            if acknowledged == _BEFORE:
                enough.set()

    tracking = asyncio.create_task(track())
    await enough.wait()
    before, file = acknowledged, tmp_path / "backup"
    told = await asyncio.to_thread(tollkeeper.json, "backup", file)
    is_over = True
    await tracking
    size, key = file.stat().st_size, tollkeeper.data / "master.key"
    assert told == {"file": str(file), "bytes": size, "takenAt": told["takenAt"], "masterKey": str(key)}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    other = Tollkeeper(tollkeeper.data.with_name("restored"))
    restored = other.json("restore", file)
    assert (restored["takenAt"], restored["endedSessions"]) == (told["takenAt"], 1)
    assert "master.key is not there" in restored["masterKeyFault"]
    assert "is taken (the database is not empty: it has accounts)" in other.json("restore", file, code=1)["detail"]
    shutil.copy(key, other.data)
    verified = other.json("verify")
    assert (verified["ok"], before <= verified["requests"] <= acknowledged) == (True, True)
    for serving in served(other):
        app = Caller(serving.url, **by_service)
        assert (await app.told("GET", "/api/user/dashboard"))["metrics"]["totalRequests"] == verified["requests"]
        # A repeat is one there too, and what is new counts on.
        says = {"prompt": "hello", "requestId": "r-0"}
        assert (await app.call("POST", "/api/chat/track", says))[0] == 200
        began = await app.told("POST", "/api/chat/track", says | {"requestId": "new"})
        assert began["limits"]["monthlyUsed"] == verified["requests"] + 1
        revealed = Caller(serving.url, Authorization=f"Bearer {own}")
        assert (await revealed.told("GET", "/api/user/variables/TOKEN?reveal=true"))["variable"]["value"] == "s3cret"
        # Nobody is signed in any more, and no link of before signs anybody in.
        assert (await Caller(serving.url, Cookie=cookie).call("GET", "/api/user/dashboard"))[0] == 401
        assert (await Caller(serving.url, Sec_Fetch_Site="same-origin").call("POST", links[1]))[0] == 401


def test_it_goes_into_a_pipe(started: Serving, tmp_path: Path) -> None:
    tollkeeper, file = started.tollkeeper, tmp_path / "piped"
    with (
        file.open("wb") as output,
        subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=output) as cat,
    ):
        subprocess.run([COMMAND, "backup", "-"], env=tollkeeper.environment, stdout=cat.stdin, check=True)
    other = Tollkeeper(tollkeeper.data.with_name("piped"))
    assert other.json("restore", file)["masterKeyFits"] is False
    assert "without --json" in tollkeeper.json("backup", "-", code=2)["detail"]


def test_it_goes_behind_what_stands_in_a_file(started: Serving, tmp_path: Path) -> None:
    """By its number: by its name a file would be written from its beginning, and that of another account not at all."""
    file = tmp_path / "behind"
    with file.open("wb") as output:
        output.write(b"before\n")
        output.flush()
        subprocess.run([COMMAND, "backup", "-"], env=started.tollkeeper.environment, stdout=output, check=True)
    assert file.read_bytes().startswith(b"before\nPGDMP")


def test_what_cannot_be_written_leaves_nothing(started: Serving, tmp_path: Path) -> None:
    tollkeeper = started.tollkeeper
    told = tollkeeper.json("backup", tmp_path / "none" / "file", code=1)
    assert told["errors"] == [{"field": "FILE", "message": "cannot be written: No such file or directory"}]
    full = tollkeeper.json("backup", "/dev/full", code=1)
    assert "No space left on device" in full["detail"]
    assert list(tmp_path.iterdir()) == []


def test_where_no_service_is_nothing_is_made(tmp_path: Path) -> None:
    nowhere = Tollkeeper(tmp_path / "nowhere")
    assert nowhere.json("backup", tmp_path / "file", code=2)["type"] == "/problems/no-service"
    assert "No such file or directory" in nowhere.json("restore", tmp_path / "file", code=1)["detail"]
    assert list(tmp_path.iterdir()) == []
