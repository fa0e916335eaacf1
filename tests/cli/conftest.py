"""The real command in processes of its own, on one data directory that a running server serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from tollkeeper import cli
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses, embedded_server

COMMAND = Path(sys.executable).with_name("tollkeeper")
SECONDS = 100


@dataclass(frozen=True, slots=True)
class Tollkeeper:
    """The command on one data directory."""

    data: Path

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("TOLLKEEPER_")}
        return own | {"TOLLKEEPER_DATA": str(self.data)}

    def run(self, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *map(str, words)],
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def json(self, *words: object, code: int = 0, **more: str) -> Any:
        """Run a command that answers one JSON document and nothing else."""
        done = self.run(*words, "--json", **more)
        assert done.returncode == code, done.stderr + done.stdout
        return msgspec.json.decode(done.stdout)

    def started(self, *words: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen([COMMAND, *map(str, words)], env=self.environment, stdout=subprocess.PIPE)


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)


@dataclass(frozen=True, slots=True)
class Serving:
    """A running service and the command beside it."""

    tollkeeper: Tollkeeper
    url: str


def served(tollkeeper: Tollkeeper) -> Generator[Serving]:
    """Serve a data directory for as long as somebody waits for the next."""
    process = tollkeeper.started("serve", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        yield Serving(tollkeeper, msgspec.json.decode(process.stdout.readline())["url"])
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


@pytest.fixture(scope="session")
def serving(open_dir: Path) -> Generator[Serving]:
    """Serve a fresh data directory until the last test is done."""
    yield from served(Tollkeeper(open_dir / "cli"))


@pytest.fixture(scope="session")
def tollkeeper(serving: Serving) -> Tollkeeper:
    return serving.tollkeeper


@pytest.fixture
def told(
    tollkeeper: Tollkeeper, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Told]:
    """Run the command within this process, which is faster."""
    monkeypatch.setenv("TOLLKEEPER_DATA", str(tollkeeper.data))

    def run(*words: object) -> Told:
        code = cli.run([str(word) for word in words])
        said = capsys.readouterr()
        return Told(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
async def addresses(tollkeeper: Tollkeeper) -> AsyncGenerator[Addresses]:
    """Join the server that is running there."""
    async with embedded_server(tollkeeper.data) as addresses:
        yield addresses


@pytest.fixture
async def house(addresses: Addresses) -> AsyncGenerator[Database]:
    async with Database.open(addresses.service, size=2, statement_timeout=60) as database:
        yield database


@pytest.fixture
async def as_owner(addresses: Addresses) -> AsyncGenerator[Any]:
    connection = await asyncpg.connect(addresses.owner)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def a_user(tollkeeper: Tollkeeper) -> Callable[[str], str]:
    """Add a user on the plan free."""

    def add(name: str) -> str:
        return tollkeeper.json("user", "add", f"{name}@example.com")["email"]

    return add
