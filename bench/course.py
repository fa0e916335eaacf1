"""Where the contenders run: the service as shipped, its PostgreSQL, users and a key, and the check of each run."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec

from bench.bodies import group_of, table_rows
from bench.load import Plan, Result
from bench.programs import ROOT, Failed, environment, output_of, running
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.migrate import migrate
from tollkeeper.store.placement import WHEEL_PROGRAMS

TOLLKEEPER: Final = Path(sys.executable).parent / "tollkeeper"
SQL: Final = Path(__file__).parent / "sql"
_VERIFY_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """How long and how much to measure."""

    rounds: int = 5
    seconds: float = 8.0
    rows: int = 1_000_000
    users: int = 1000
    connections: int = 64
    data: Path = ROOT / ".bench"
    is_quick: bool = False

    def quick(self) -> Wishes:
        """Try everything in a minute or two; the figures say nothing."""
        return replace(self, rounds=2, seconds=2.0, rows=min(self.rows, 20_000), users=100, is_quick=True)


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Course:
    """An embedded PostgreSQL on a data directory of its own, and what the load needs to know."""

    wishes: Wishes
    data: Path
    addresses: Addresses
    users: list[str]
    key: str
    log: Path

    @asynccontextmanager
    async def service(self, *, workers: int = 1, **settings: str) -> AsyncGenerator[Served]:
        """Serve as shipped (``tollkeeper serve``) for as long as the block lasts."""
        async with serving(self.data, self.log, workers=workers, **settings) as served:
            yield served

    async def load(self, served: Served | int, **plan: Any) -> Result:
        """Send a load, and give what was answered; a refusal or an error is a failed run."""
        port = served if isinstance(served, int) else served.port
        given: dict[str, Any] = {
            "port": port,
            "key": self.key,
            "users": self.users,
            "connections": self.wishes.connections,
            "seconds": self.wishes.seconds,
        }
        return await send(Plan(**given | plan))

    async def checked(
        self, served: Served, *, table: str = "request_analytics", verify: bool = True, **plan: Any
    ) -> Result:
        """Send a load to the service. ``Failed`` unless what it acknowledged is stored and every number agrees."""
        # Ids are in the order of time, so that the rows before need not be counted again and again.
        count = f"SELECT count(*) FROM {table} WHERE id >= $1"  # noqa: S608 - a table's name, one of ours
        since = await self.value("SELECT tk_first_uuid7(tk_now() - interval '2 hours')")
        before = await self.value(count, since)
        result = await self.load(served, **plan)
        stored = await self.value(count, since) - before
        if stored != result.done:
            raise Failed(f"{result.done} acknowledged and {stored} stored in {table}")
        if verify:
            await self.verify()
        return result

    async def verify(self) -> None:
        """Have ``tollkeeper verify`` prove every number; ``Failed`` with the first that disagree."""
        told = json.loads(await tollkeeper(self.data, "verify", "--json", patience=_VERIFY_SECONDS, check=False))
        if not told["ok"]:
            raise Failed(f"verify found {len(told['differences'])} differences, the first: {told['differences'][:3]}")

    async def all(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the database as its owner."""
        return await asked(self.addresses.owner, sql, *arguments)

    async def value(self, sql: str, *arguments: object) -> Any:
        """Ask for one value."""
        return (await self.all(sql, *arguments))[0][0]

    async def beside(self, name: str) -> Addresses:
        """Make another tollkeeper database in the same PostgreSQL, with as many users, for what writes without us."""
        await asked(self._admin, f"CREATE DATABASE {name} OWNER tollkeeper_owner")
        found = Addresses(*(renamed(each, name) for each in (self.addresses.service, self.addresses.owner)), admin=None)
        await migrate(found.owner, found.service)
        await asked(found.owner, _PARTITIONS)
        await prepare(found, len(self.users))
        return found

    @property
    def _admin(self) -> str:
        assert self.addresses.admin is not None  # noqa: S101 - the embedded server has one
        return self.addresses.admin

    @property
    def admin(self) -> str:
        """Where the superuser reaches the database."""
        return self._admin


@asynccontextmanager
async def course(
    wishes: Wishes, name: str, *, users: int | None = None, is_kept: bool = False
) -> AsyncGenerator[Course]:
    """Have a new data directory with PostgreSQL, users on a plan without limits, and a service key.

    It is removed afterwards, unless it is to be kept.
    """
    data = wishes.data / "data" / name
    remove(data)
    data.parent.mkdir(parents=True, exist_ok=True)
    log = wishes.data / f"{name}.log"
    log.unlink(missing_ok=True)
    emails = [f"user-{number}@example.com" for number in range(1, (users or wishes.users) + 1)]
    try:
        async with embedded_server(data) as addresses:
            await migrate(addresses.owner, addresses.service)
            await asked(addresses.owner, _PARTITIONS)
            await asked(addresses.owner, _ADD_USERS, emails)
            key = json.loads(await tollkeeper(data, "key", "create", "--service", "bench", "--json"))["key"]
            # Then a node has not to do so for a day.
            await tollkeeper(data, "verify")
            yield Course(wishes, data, addresses, emails, key, log)
    finally:
        if not is_kept:
            remove(data)


_PARTITIONS: Final = "SELECT tk_ensure_partitions(tk_now(), tk_now() + interval '62 days')"
_ADD_USERS: Final = "SELECT tk_add_user(e, 'enterprise', 'UTC') FROM unnest($1::text[]) AS e"


async def prepare(addresses: Addresses, users: int) -> None:
    """Give pgbench and COPY what to choose from: users, and the texts of the real requests."""
    connection = await asyncpg.connect(addresses.owner)
    try:
        await connection.execute((SQL / "prepare.sql").read_text(encoding="utf-8"))
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=str)
        await connection.executemany(
            "INSERT INTO bench_bodies (n, prompt, response, session_id, model, category, tokens_input, tokens_output,"
            " took, reserved, rates) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            table_rows(),
        )
        places = [group_of(user, users) for user in range(users)]
        await connection.execute(
            "INSERT INTO bench_users (n, user_id, first_body, bodies)"
            " SELECT g.n, tk_add_user('pgbench-' || g.n || '@example.com', 'enterprise', 'UTC'), g.first + 1, g.bodies"
            " FROM unnest($1::int[], $2::int[]) WITH ORDINALITY AS g (first, bodies, n)",
            [first for first, _ in places],
            [size for _, size in places],
        )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


@asynccontextmanager
async def serving(data: Path, log: Path, *, workers: int = 1, **settings: str) -> AsyncGenerator[Served]:
    """Run ``tollkeeper serve`` on a data directory until the block ends."""
    port = free_port()
    options = ("--data", data, "--port", str(port), "--workers", str(workers))
    env = environment(**settings)
    async with running(TOLLKEEPER, "serve", *options, env=env, log=log) as process:
        await until_ready(port, process)
        yield Served(port, process.pid)


async def until_ready(
    port: int, process: asyncio.subprocess.Process, path: str = "/readyz", patience: float = 60
) -> None:
    """Wait for the first good answer."""
    deadline = time.monotonic() + patience
    while not await asyncio.to_thread(_answers, port, path):
        if process.returncode is not None:
            raise Failed(f"what should listen on port {port} ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise Failed(f"nothing answers on port {port}")
        await asyncio.sleep(0.02)


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


async def send(plan: Plan) -> Result:
    """Run the load in its own process."""
    with tempfile.TemporaryDirectory() as directory:
        answers = Path(directory) / "result.json"
        command = (sys.executable, "-m", "bench.load", answers)
        await output_of(*command, given=msgspec.json.encode(plan), patience=plan.seconds + 180)
        result = msgspec.json.decode(answers.read_bytes(), type=Result)
    if result.refused or not result.done:
        raise Failed(f"{result.done} done, and these answers were not a success: {result.refused}")
    return result


async def tollkeeper(data: Path, *words: str, patience: float = 120, check: bool = True) -> bytes:
    """Run a command of tollkeeper on a data directory."""
    return await output_of(TOLLKEEPER, *words, "--data", data, patience=patience, check=check)


async def asked(dsn: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """Ask a database on a connection of its own, however long it takes."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(sql, *arguments)
    finally:
        await connection.close()


def renamed(dsn: str, database: str) -> str:
    """Name another database of the same server."""
    return dsn.replace("@/tollkeeper?", f"@/{database}?")


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def remove(data: Path) -> None:
    """Delete a data directory, also where its PostgreSQL had to stand elsewhere."""
    elsewhere = data / "postgres-is-at"
    if elsewhere.exists():
        shutil.rmtree(Path(elsewhere.read_text(encoding="utf-8").strip()), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


def postgres_program(name: str) -> Path:
    """Find a program of the PostgreSQL that comes along."""
    return WHEEL_PROGRAMS / name
