"""Start+finish pairs a second over HTTP, beside pgbench writing the same rows and beside self-built services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from bench.course import Course, Served, Wishes, course, free_port
from bench.figures import Comparison, Measure, Measured
from bench.pgbench import best_clients, pgbench
from bench.programs import Failed
from bench.rivals import starting
from bench.turns import Figure, Turn, contend, in_turn, of_pgbench, per_second, say

OURS: Final = "tollkeeper"
TWO_WORKERS: Final = "tollkeeper --workers 2"
PGBENCH: Final = "pgbench"
FASTAPI: Final = "FastAPI + limits on Redis + asyncpg"
NODE: Final = "Node http + rate-limiter-flexible + pg"
UNIT: Final = "pairs/s"
Rival = Callable[[Course, int], AbstractAsyncContextManager[int]]
_PAIRS: Final = "start+finish pairs/s, {connections} connections, {users} users"


async def run(wishes: Wishes) -> Measured:
    """All contenders are up at once on one PostgreSQL, and take turns."""
    async with course(wishes, "pairs") as here, AsyncExitStack() as stack:
        beside = await here.beside("bench_pgbench")
        clients, tried = await best_clients(beside.service, "pair.sql", wishes, users=len(here.users))
        say("pgbench by clients: " + ", ".join(f"{each}: {speed:,.0f}" for each, speed in tried.items()))

        async def by_pgbench() -> Figure:
            return of_pgbench(
                await pgbench(
                    beside.service, "pair.sql", clients=clients, seconds=wishes.seconds, users=len(here.users)
                )
            )

        one = await stack.enter_async_context(here.service())
        two = await stack.enter_async_context(here.service(workers=2))
        turns = [
            contend(OURS, UNIT, lambda: _ours(here, one)),
            contend(TWO_WORKERS, UNIT, lambda: _ours(here, two)),
            contend(PGBENCH, UNIT, by_pgbench),
        ]
        absent: list[str] = []
        processes: dict[str, int] = {}
        for name, rival in ((FASTAPI, _fastapi), (NODE, _node)):
            try:
                processes[name] = await _best_processes(here, name, rival)
                port = await stack.enter_async_context(rival(here, processes[name]))
                turns.append(_rival(here, name, port))
            except (Failed, OSError) as error:
                absent.append(f"{name} could not be started: {error}")
                say(absent[-1])
        failures = await in_turn(turns, wishes.rounds)
    settings = {
        "connections": wishes.connections, "users": wishes.users, "seconds": wishes.seconds, "pgbenchClients": clients,
        "pgbenchByClients": {str(each): round(speed) for each, speed in tried.items()},
        "processes": {OURS: 1, TWO_WORKERS: 2} | processes,
    }  # fmt: skip
    return Measured(
        "Start+finish pairs a second", [each.contender for each in turns], _lines(wishes), settings, absent + failures
    )


def _lines(wishes: Wishes) -> list[Comparison]:
    what = _PAIRS.format(connections=wishes.connections, users=f"{wishes.users:,}")
    return [
        Comparison(what, "pgbench writing the same rows, its best client count", ">=", 2.0, OURS, PGBENCH),
        Comparison(f"{what}, two processes", "the same pgbench", ">=", 2.0, TWO_WORKERS, PGBENCH),
        Comparison(what, "self-built: FastAPI + `limits` on Redis + asyncpg", ">=", 3.0, OURS, FASTAPI),
        Comparison(what, "self-built: Node http + `rate-limiter-flexible` + `pg`", ">=", 1.5, OURS, NODE),
    ]


async def _ours(here: Course, served: Served) -> Figure:
    return per_second(await here.checked(served, kind="pairs"))


def _rival(here: Course, name: str, port: int) -> Turn:
    async def run_once() -> Figure:
        return per_second(await here.load(port, kind="pairs", key=starting.KEY))

    return contend(name, UNIT, run_once)


async def _best_processes(here: Course, name: str, rival: Rival) -> int:
    """Find out whether it is faster with one process or with two."""
    speeds: dict[int, float] = {}
    for processes in (1, 2):
        async with rival(here, processes) as port:
            for seconds in (1.0, min(4.0, here.wishes.seconds)):
                result = await here.load(port, kind="pairs", key=starting.KEY, seconds=seconds)
            speeds[processes] = result.done / result.seconds
    say(f"{name} by processes: " + ", ".join(f"{each}: {speed:,.0f}" for each, speed in speeds.items()))
    return max(speeds, key=speeds.__getitem__)


@asynccontextmanager
async def _fastapi(here: Course, processes: int) -> AsyncGenerator[int]:
    dsn = await starting.fresh_database(here.admin, "rival_fastapi")
    redis_port, port = free_port(), free_port()
    async with (
        _up(starting.redis, redis_port, here.wishes.data / "redis"),
        _up(starting.fastapi, dsn, f"redis://127.0.0.1:{redis_port}/0", port, processes),
    ):
        yield port


@asynccontextmanager
async def _node(here: Course, processes: int) -> AsyncGenerator[int]:
    dsn = await starting.fresh_database(here.admin, "rival_node")
    port = free_port()
    async with _up(starting.node, dsn, port, processes):
        yield port


@asynccontextmanager
async def _up(start: Callable[..., starting.Process], *how: object) -> AsyncGenerator[None]:
    """Have one of the rivals' processes running."""
    process = await asyncio.to_thread(_started, start, *how)
    try:
        yield
    finally:
        await asyncio.to_thread(starting.stop, process)


def _started(start: Callable[..., starting.Process], *how: object) -> starting.Process:
    try:
        return start(*how)
    except SystemExit as error:
        raise Failed(str(error)) from None


MEASURE: Final = Measure("pairs", "start+finish pairs/s, beside pgbench and two self-built services", run)
