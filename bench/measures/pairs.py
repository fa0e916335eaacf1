"""Start+finish pairs a second over HTTP, beside pgbench writing the same rows and beside self-built services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.course import Course, Served, Wishes, asked, course, free_port
from bench.figures import Comparison, Measure, Measured
from bench.pgbench import best_clients, pgbench
from bench.programs import Failed
from bench.rivals import starting
from bench.turns import Figure, contend, in_turn, of_pgbench, per_second, say

OURS: Final = "tollkeeper"
TWO_WORKERS: Final = "tollkeeper --workers 2"
PGBENCH: Final = "pgbench"
FASTAPI: Final = "FastAPI + limits on Redis + asyncpg"
NODE: Final = "Node http + rate-limiter-flexible + pg"
UNIT: Final = "pairs/s"
_TRIALS: Final = 3
# With more of them and all others up the server's connections run out; 32 were as fast as 16, 64 slower.
_PGBENCH_CLIENTS: Final = (4, 8, 16)
_PAIRS: Final = "start+finish pairs/s, {connections} connections, {users} users"


@dataclass(frozen=True, slots=True)
class _Running:
    """A rival that runs, and its database."""

    port: int
    dsn: str


Rival = Callable[[Course, int], AbstractAsyncContextManager[_Running]]


async def run(wishes: Wishes) -> Measured:
    """All contenders are up at once on one PostgreSQL, and take turns."""
    async with course(wishes, "pairs") as here, AsyncExitStack() as stack:
        beside = await here.beside("bench_pgbench")
        clients, tried = await best_clients(
            beside.service, "pair.sql", wishes, users=len(here.users), among=_PGBENCH_CLIENTS
        )
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
        speeds: dict[str, dict[int, float]] = {}
        for name, rival in ((FASTAPI, _fastapi), (NODE, _node)):
            try:
                speeds[name] = await _by_processes(here, name, rival)
                running = await stack.enter_async_context(rival(here, _fastest(speeds[name])))
                turns.append(contend(name, UNIT, partial(_checked, here, running)))
            except (Failed, OSError) as error:
                absent.append(f"{name} has no figures: {error}")
                say(absent[-1])
        failures = await in_turn(turns, wishes.rounds)
    settings = {
        "connections": wishes.connections, "users": wishes.users, "seconds": wishes.seconds, "pgbenchClients": clients,
        "pgbenchByClients": {str(each): round(speed) for each, speed in tried.items()},
        "processes": {name: _fastest(found) for name, found in speeds.items()},
        "byProcesses": {
            name: {str(each): round(speed) for each, speed in found.items()} for name, found in speeds.items()
        },
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


async def _checked(here: Course, rival: _Running, seconds: float | None = None) -> Figure:
    """Send the load to a rival. ``Failed`` unless what it acknowledged is stored."""
    before = await _completed(rival)
    result = await here.load(
        rival.port, kind="pairs", key=starting.KEY, seconds=seconds or here.wishes.seconds
    )  # fmt: skip
    stored = await _completed(rival) - before
    if stored != result.done:
        raise Failed(f"{result.done} acknowledged and {stored} stored")
    return per_second(result)


async def _completed(rival: _Running) -> int:
    return (await asked(rival.dsn, "SELECT count(*) FROM chat_requests WHERE status = 'completed'"))[0][0]


async def _by_processes(here: Course, name: str, rival: Rival) -> dict[int, float]:
    """Find out whether it is faster with one process or with two: both are up, warm, and take turns."""
    seconds = min(3.0, here.wishes.seconds)
    async with rival(here, 1) as one, rival(here, 2) as two:
        turns = [contend(str(processes), UNIT, partial(_checked, here, running, seconds))
                 for processes, running in ((1, one), (2, two))]  # fmt: skip
        failures = await in_turn(turns, _TRIALS)
    speeds = {int(each.contender.name): each.contender.median for each in turns if each.contender.figures}
    if not speeds:
        raise Failed("; ".join(failures))
    say(f"{name} by processes: " + ", ".join(f"{each}: {speed:,.0f}" for each, speed in speeds.items()))
    return speeds


def _fastest(speeds: Mapping[int, float]) -> int:
    return max(speeds, key=speeds.__getitem__)


@asynccontextmanager
async def _fastapi(here: Course, processes: int) -> AsyncGenerator[_Running]:
    dsn = await starting.fresh_database(here.admin, f"rival_fastapi_{processes}")
    redis_port, port = free_port(), free_port()
    async with (
        _up(starting.redis, redis_port, here.wishes.data / f"redis-{processes}"),
        _up(starting.fastapi, dsn, f"redis://127.0.0.1:{redis_port}/0", port, processes),
    ):
        yield _Running(port, dsn)


@asynccontextmanager
async def _node(here: Course, processes: int) -> AsyncGenerator[_Running]:
    dsn = await starting.fresh_database(here.admin, f"rival_node_{processes}")
    port = free_port()
    async with _up(starting.node, dsn, port, processes):
        yield _Running(port, dsn)


@asynccontextmanager
async def _up(start: Callable[..., starting.Process], *how: object) -> AsyncGenerator[None]:
    """Have one of the rivals' processes running. Whoever is stopped while it starts still stops it."""
    beginning = asyncio.ensure_future(asyncio.to_thread(_started, start, *how))
    try:
        await asyncio.shield(beginning)
        yield
    finally:
        with suppress(Failed):
            await asyncio.to_thread(starting.stop, await beginning)


def _started(start: Callable[..., starting.Process], *how: object) -> starting.Process:
    try:
        return start(*how)
    except SystemExit as error:
        raise Failed(str(error)) from None


MEASURE: Final = Measure("pairs", "start+finish pairs/s, beside pgbench and two self-built services", run)
