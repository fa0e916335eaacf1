"""How long a start takes: alone, and at half of what the service can do, beside pgbench's naive transaction."""

from __future__ import annotations

from typing import Final

from bench.course import Course, Served, Wishes, course
from bench.figures import Comparison, Measure, Measured
from bench.histogram import Histogram
from bench.measures.pairs import OURS, PGBENCH
from bench.pgbench import best_clients, pgbench
from bench.turns import Figure, at_percentile, contend, in_turn, of_result, say

UNIT: Final = "ms"
_STORED: Final = "chat_requests"
# Enough that nobody due waits for a connection as long as the service keeps up.
_OPEN_CONNECTIONS: Final = 128
_PGBENCH_CLIENTS: Final = 32


async def alone(wishes: Wishes) -> Measured:
    """One client, one start after the other."""
    async with course(wishes, "start-alone") as here, here.service() as served:
        beside = await here.beside("bench_pgbench")
        users = len(here.users)

        async def ours() -> Figure:
            return of_result(await here.checked(served, kind="starts", connections=1, table=_STORED), 50)

        async def theirs() -> Figure:
            ran = await pgbench(
                beside.service, "start.sql", clients=1, seconds=wishes.seconds, users=users, log=True
            )  # fmt: skip
            return at_percentile(ran.latencies, 50)

        turns = [contend(OURS, UNIT, ours), contend(PGBENCH, UNIT, theirs)]
        failures = await in_turn(turns, wishes.rounds)
    line = Comparison(
        "start, one client, p50", "pgbench, one naive transaction, one client, p50", "<=", 2.0, OURS, PGBENCH
    )
    settings = {"connections": 1, "users": wishes.users, "seconds": wishes.seconds}
    return Measured("A start alone", [each.contender for each in turns], [line], settings, failures)


async def loaded(wishes: Wishes) -> Measured:
    """Starts come at random at half of the rate that the service can do at most."""
    async with course(wishes, "start-loaded") as here, here.service() as served:
        beside = await here.beside("bench_pgbench")
        users = len(here.users)
        capacity = await _capacity(here, served)
        rate = capacity / 2
        clients, tried = await best_clients(beside.service, "start.sql", wishes, users=users)
        say(f"capacity {capacity:,.0f} starts/s, so {rate:,.0f} come a second; pgbench does {max(tried.values()):,.0f}")
        late: list[float] = []

        async def ours() -> Figure:
            result = await here.checked(
                served, kind="starts", connections=_OPEN_CONNECTIONS, rate=rate, table=_STORED
            )  # fmt: skip
            late.append(Histogram(result.late).percentile(99))
            return of_result(result, 99)

        async def theirs() -> Figure:
            ran = await pgbench(
                beside.service, "start.sql", clients=_PGBENCH_CLIENTS, seconds=wishes.seconds, users=users, rate=rate,
                log=True,
            )  # fmt: skip
            return at_percentile(ran.latencies, 99)

        turns = [contend(OURS, UNIT, ours), contend(PGBENCH, UNIT, theirs)]
        failures = await in_turn(turns, wishes.rounds)
    what = f"start at half of the measured capacity ({rate:,.0f}/s), open loop, p99"
    settings = {
        "capacity": round(capacity), "rate": round(rate), "connections": _OPEN_CONNECTIONS, "users": wishes.users,
        "seconds": wishes.seconds, "pgbenchClients": _PGBENCH_CLIENTS, "pgbenchBestClients": clients,
        "pgbenchByClients": {str(each): round(speed) for each, speed in tried.items()},
        "sentLateP99Ms": [round(each, 3) for each in late],
    }  # fmt: skip
    line = Comparison(what, "pgbench, the naive transaction at the same rate, p99", "<=", 2.0, OURS, PGBENCH)
    return Measured("Starts under load", [each.contender for each in turns], [line], settings, failures)


async def _capacity(here: Course, served: Served) -> float:
    """Starts a second in a closed loop, after a warm-up."""
    best = 0.0
    for _ in range(3):
        result = await here.checked(served, kind="starts", table=_STORED, seconds=min(4.0, here.wishes.seconds))
        best = max(best, result.done / result.seconds)
    return best


ALONE: Final = Measure("start-alone", "p50 of a start with one client, beside pgbench's naive transaction", alone)
LOADED: Final = Measure(
    "start-loaded", "p99 of starts at half of the capacity, open loop, beside pgbench --rate", loaded
)
