"""The real service in processes of its own, on a data directory of its own: started, killed, looked into."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from tollkeeper.store.cluster import Cluster, Role
from tollkeeper.store.database import Database
from tollkeeper.store.placement import place

COMMAND = Path(sys.executable).with_name("tollkeeper")
# Whatever waits for a process waits no longer than this, however busy the machine.
PATIENCE = 30.0

_TICK = 0.02
# As the kernel writes them: established, and closed by the other end only.
_HELD = {"01", "08"}

PLANS = """\
[plans.enough]
rank = 1000
features = ["*"]
"""
PRICES = """\
[prices."house-1"]
input = 1
output = 3
"""


@dataclass(frozen=True, slots=True)
class Node:
    """One ``tollkeeper serve``."""

    process: Process
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def kill(self) -> None:
        """Take it away at once, as a crash would."""
        self.process.kill()
        await self.process.wait()

    async def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop; gives its exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    def connections(self) -> int:
        """How many callers hold a connection, or have left one behind. Linux only: elsewhere nothing is counted."""
        listing = Path("/proc/net/tcp")
        rows = [line.split() for line in listing.read_text().splitlines()[1:]] if listing.exists() else []
        return sum(row[1].endswith(f":{self.port:04X}") and row[3] in _HELD for row in rows)


@dataclass(slots=True)
class Site:
    """A data directory, the nodes that were started on it, and a key for all of its users."""

    data: Path
    nodes: list[Node] = field(default_factory=list[Node])
    key: str = ""
    started: int = 0

    async def start(
        self, *, port: int = 0, environment: Mapping[str, str] | None = None, limit: str = "", **settings: object
    ) -> Node:
        """Start one more node, with a ``limit`` as options of the shell's ``ulimit``, and wait until it answers."""
        self.started += 1
        log = self.data.with_name(f"{self.data.name}-{self.started}.log")
        options = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(_limited(limit) if limit else ()),
                *(COMMAND, "serve", "--port", str(port), "--json", *options),
                env=self._environment() | dict(environment or {}),
                stdout=PIPE,
                stderr=errors,
            )
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        assert line, log.read_text()
        node = Node(process, int(msgspec.json.decode(line)["url"].rpartition(":")[2]), log)
        self.nodes.append(node)
        return node

    async def run(self, *words: object, code: int = 0, environment: Mapping[str, str] | None = None) -> Any:
        """Run a command beside the nodes; gives the document that it prints."""
        process = await self.begin(*words, environment=environment)
        said, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == code, (said + errors).decode()
        return msgspec.json.decode(said)

    async def begin(self, *words: object, environment: Mapping[str, str] | None = None) -> Process:
        """Start a command beside the nodes."""
        return await asyncio.create_subprocess_exec(
            *(COMMAND, *map(str, words), "--json"),
            env=self._environment() | dict(environment or {}),
            stdout=PIPE,
            stderr=PIPE,
        )

    async def furnish(self, plans: str = PLANS) -> None:
        """Make a service's key, the plans and a price as the operator makes them."""
        for name, text in (("plans.toml", plans), ("prices.toml", PRICES)):
            self.data.with_name(f"{self.data.name}-{name}").write_text(text)
        made, applied, _ = await asyncio.gather(
            self.run("key", "create", "--service", "faults"),
            self.run("plan", "apply", self.data.with_name(f"{self.data.name}-plans.toml"), "--yes"),
            self.run("price", "set", self.data.with_name(f"{self.data.name}-prices.toml")),
        )
        self.key = made["key"]
        assert applied["applied"]

    async def add_users(self, *emails: str, plan: str, zone: str = "UTC") -> None:
        """Add users, faster than by the command."""
        async with Database.open(self.dsn("service"), size=1) as database:
            for email in emails:
                await database.value("find_or_add_user", email=email, plan=plan, time_zone=zone)

    def dsn(self, role: Role) -> str:
        """Where a role reaches the database that the nodes run."""
        return Cluster(place(self.data)).dsn(role)

    def postmaster(self) -> int:
        """The process id of PostgreSQL."""
        return int((self.data / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    async def close(self) -> None:
        """Stop what still runs, PostgreSQL included, also when every node was killed."""
        await asyncio.gather(*(node.end() for node in self.nodes if node.process.returncode is None))
        if (self.data / "postgres" / "postmaster.pid").exists():
            await self.run("migrate")

    def said(self, *nodes: Node) -> list[dict[str, Any]]:
        """All that these nodes have logged; without any, all of them since the first."""
        lines = [line for node in nodes or self.nodes for line in node.log.read_text().splitlines()]
        odd = [line for line in lines if not line.startswith("{")]
        assert not odd, odd
        return [msgspec.json.decode(line) for line in lines]

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("TOLLKEEPER_")}
        return own | {"TOLLKEEPER_DATA": str(self.data), "TOLLKEEPER_LOG_FORMAT": "json"}


def _limited(limit: str) -> tuple[str, ...]:
    return ("sh", "-c", f'ulimit {limit} && exec "$@"', "sh")


@asynccontextmanager
async def connected(site: Site, role: Role = "admin") -> AsyncGenerator[asyncpg.Connection]:
    """Look into the database. Only the superuser sees what the sessions of others do."""
    connection = await asyncpg.connect(site.dsn(role), timeout=PATIENCE)
    try:
        yield connection
    finally:
        await connection.close(timeout=PATIENCE)


async def until(holds: Callable[[], Awaitable[object]], *, seconds: float = PATIENCE) -> None:
    """Wait until something holds that nothing tells of."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(_TICK)
