"""Start+finish pairs per second over HTTP, beside pgbench writing the same rows, in turn on the same PostgreSQL.

After every round of ours the ledger is checked: acknowledged pairs are stored, and ``verify`` finds nothing. A round
that fails the check has no figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
import msgspec

from bench.load import Plan, Result
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.placement import WHEEL_PROGRAMS

ROOT = Path(__file__).parent.parent
DATA = ROOT / ".bench"
PGBENCH_SCRIPT = Path(__file__).parent / "pgbench" / "pair.sql"
PGBENCH_CLIENTS = (4, 8, 16, 32)
TOLLKEEPER = Path(sys.executable).parent / "tollkeeper"


@dataclass(frozen=True, slots=True)
class Figures:
    """Pairs per second of all rounds of one contender."""

    name: str
    rounds: list[float]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.rounds)

    def __str__(self) -> str:
        return (
            f"{self.name}: median {self.median:,.0f} pairs/s (min {min(self.rounds):,.0f}, max {max(self.rounds):,.0f})"
        )


@dataclass(frozen=True, slots=True)
class Course:
    """Where and how the contenders run."""

    addresses: Addresses
    port: int
    key: str
    users: list[str]
    connections: int
    seconds: float


def main() -> None:
    """Run the rounds and write down what was seen."""
    wanted = _arguments()
    shutil.rmtree(DATA, ignore_errors=True)
    asyncio.run(_compare(wanted))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each contender, in turn (default 5)")
    parser.add_argument("--seconds", type=float, default=8, help="of each round (default 8)")
    parser.add_argument("--connections", type=int, default=64, help="of the HTTP load (default 64)")
    parser.add_argument("--users", type=int, default=1000, help="to choose from (default 1000)")
    parser.add_argument("--workers", type=int, default=1, help="processes of the service (default 1)")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and docs/performance.json")
    return parser.parse_args()


async def _compare(wanted: argparse.Namespace) -> None:
    port = _free_port()
    service = await asyncio.to_thread(_serve, port, wanted.workers)
    try:
        async with embedded_server(DATA) as addresses:
            users = await _prepare(addresses, wanted.users)
            key = json.loads(_tollkeeper("key", "create", "--service", "bench", "--json"))["key"]
            course = Course(addresses, port, key, users, wanted.connections, wanted.seconds)
            clients = await asyncio.to_thread(_best_clients, course)
            await _forget_pgbench(course)
            ours, theirs = await _rounds(course, wanted.rounds, clients)
    finally:
        service.terminate()
        service.wait(30)
    ratio = ours.median / theirs.median
    print(f"\n{ours}\n{theirs}\nratio of the medians: {ratio:.2f}")
    if wanted.write:
        _write(wanted, ours, theirs, ratio)


async def _rounds(course: Course, rounds: int, clients: int) -> tuple[Figures, Figures]:
    ours = Figures(f"tollkeeper over HTTP, {course.connections} connections", [])
    theirs = Figures(f"pgbench, {clients} clients, one transaction per call", [])
    await asyncio.to_thread(_load, course, 2.0)
    for number in range(1, rounds + 1):
        ours.rounds.append(await _checked(course))
        theirs.rounds.append(await asyncio.to_thread(_pgbench, course, clients, course.seconds))
        await _forget_pgbench(course)
        print(f"round {number}: {ours.rounds[-1]:,.0f} over HTTP, {theirs.rounds[-1]:,.0f} by pgbench", flush=True)
    return ours, theirs


async def _checked(course: Course) -> float:
    before = await _finished(course)
    result = await asyncio.to_thread(_load, course, course.seconds)
    stored = await _finished(course) - before
    if result.refused or stored != result.pairs:
        raise SystemExit(f"no figure: {result.pairs} pairs acknowledged, {stored} stored, refused {result.refused}")
    verified = json.loads(_tollkeeper("verify", "--json"))
    if not verified["ok"]:
        raise SystemExit(f"no figure: verify found {verified['differences'][:5]}")
    return result.pairs / result.seconds


def _load(course: Course, seconds: float) -> Result:
    plan = Plan(course.port, course.key, course.users, course.connections, seconds)
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=msgspec.json.encode(plan),
        capture_output=True,
        check=True,
        cwd=ROOT,
        timeout=seconds + 30,
    )
    return msgspec.json.decode(done.stdout, type=Result)


def _pgbench(course: Course, clients: int, seconds: float) -> float:
    """Run the script with so many clients; its transactions per second are pairs per second."""
    command = [
        str(WHEEL_PROGRAMS / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=2",
        f"--time={round(seconds)}", f"--define=users={len(course.users)}", f"--file={PGBENCH_SCRIPT}",
        course.addresses.service,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if not found:
        raise SystemExit(f"pgbench did not say how fast it was: {done.stdout} {done.stderr}")
    return float(found.group(1))


def _best_clients(course: Course) -> int:
    """Find the client count at which pgbench is fastest here."""
    speeds = {clients: _pgbench(course, clients, 4) for clients in PGBENCH_CLIENTS}
    best = max(speeds, key=speeds.__getitem__)
    print("pgbench by clients: " + ", ".join(f"{each}: {speed:,.0f}" for each, speed in speeds.items()), flush=True)
    return best


async def _prepare(addresses: Addresses, users: int) -> list[str]:
    emails = [f"user-{number}@example.com" for number in range(1, users + 1)]
    await _as_owner(
        addresses,
        "SELECT tk_add_user(e, 'enterprise', 'UTC') FROM unnest($1::text[]) AS e",
        emails,
    )
    await _as_owner(
        addresses,
        "CREATE TABLE bench_users AS SELECT row_number() OVER () AS n, a.user_id"
        " FROM (SELECT tk_add_user('pgbench-' || g || '@example.com', 'enterprise', 'UTC') AS user_id"
        " FROM generate_series(1, $1::int) AS g) AS a",
        users,
    )
    await _as_owner(addresses, "CREATE UNIQUE INDEX ON bench_users (n)")
    await _as_owner(addresses, "GRANT SELECT ON bench_users TO tollkeeper_service")
    await _as_owner(addresses, "ANALYZE")
    return emails


async def _finished(course: Course) -> int:
    ((stored,),) = await _as_owner(course.addresses, "SELECT count(*) FROM request_analytics")
    return stored


async def _forget_pgbench(course: Course) -> None:
    """Take away what pgbench wrote: it keeps no percentiles, which verify would name."""
    for statement in _FORGET:
        await _as_owner(course.addresses, statement)


_FORGET = (
    "DELETE FROM request_analytics WHERE user_id IN (SELECT user_id FROM bench_users)",
    "DELETE FROM chat_requests WHERE user_id IN (SELECT user_id FROM bench_users)",
    "DELETE FROM chat_sessions WHERE user_id IN (SELECT user_id FROM bench_users)",
    "DELETE FROM usage_rollups WHERE user_id IN (SELECT user_id FROM bench_users)",
    """UPDATE usage
          SET day_requests = 0, month_requests = 0, month_tokens = 0, month_cost_nanos = 0, reserved_tokens = 0,
              total_requests = 0, total_completed = 0, total_tokens_used = 0, total_cost_nanos = 0, total_timed = 0,
              total_duration_ms = 0
        WHERE user_id IN (SELECT user_id FROM bench_users)""",
    "DELETE FROM overall_rollups WHERE plan_name = 'pgbench'",
    "VACUUM ANALYZE chat_requests, request_analytics, usage, usage_rollups, overall_rollups, chat_sessions",
)


async def _as_owner(addresses: Addresses, sql: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(addresses.owner)
    try:
        return await connection.fetch(sql, *arguments)
    finally:
        await connection.close()


def _serve(port: int, workers: int) -> subprocess.Popen[bytes]:
    service = subprocess.Popen(
        [TOLLKEEPER, "serve", "--data", str(DATA), "--port", str(port), "--workers", str(workers)],
        stdout=subprocess.DEVNULL,
    )
    _wait_until(lambda: _is_ready(port), 60)
    return service


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def _wait_until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("the service did not become ready")
        time.sleep(0.1)


def _tollkeeper(*words: str) -> str:
    return subprocess.run([TOLLKEEPER, *words, "--data", str(DATA)], capture_output=True, text=True, check=False).stdout


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _write(wanted: argparse.Namespace, ours: Figures, theirs: Figures, ratio: float) -> None:
    machine = {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()}
    seen = {"machine": machine, "settings": vars(wanted), "ratio": ratio, "figures": [asdict(ours), asdict(theirs)]}
    (ROOT / "docs" / "performance.json").write_text(json.dumps(seen, indent=2) + "\n")
    (ROOT / "docs" / "performance.md").write_text(_page(wanted, [ours, theirs], ratio))


def _page(wanted: argparse.Namespace, figures: Sequence[Figures], ratio: float) -> str:
    rows = "\n".join(
        f"| {each.name} | {each.median:,.0f} | {min(each.rounds):,.0f} | {max(each.rounds):,.0f} |" for each in figures
    )
    return _PAGE.format(
        rows=rows, ratio=ratio, rounds=wanted.rounds, seconds=wanted.seconds, users=wanted.users,
        cpus=os.cpu_count(), platform=platform.platform(), python=platform.python_version(),
    )  # fmt: skip


_PAGE = """# Performance

Made by `make bench ARGS=--write`; repeat it with the same command.

| start+finish pairs per second | median | min | max |
|---|---|---|---|
{rows}

Ratio of the medians: **{ratio:.2f}**.

Both contenders write into the same PostgreSQL (the embedded one, as shipped, `fsync` on) in turn, {rounds} rounds of
{seconds:g} s each, {users} users. Load, service and database share {cpus} CPUs ({platform}, Python {python}).

- **tollkeeper**: `POST` and `PUT /api/chat/track` with a service key, closed loop, from a process of its own. After
  every round it is checked that the acknowledged pairs are stored and that `tollkeeper verify` finds no difference; a
  round that fails has no figure.
- **pgbench**: the same rows into the same tables, one transaction for the start and one for the finish
  (`bench/pgbench/pair.sql`), prepared statements, at the client count that was fastest in a short trial. It checks one
  limit only, keeps no percentiles and speaks no HTTP. What it wrote is deleted after each round.

Prompts have 207 characters and responses 616; tokens and prices are made up.
"""


if __name__ == "__main__":
    main()
