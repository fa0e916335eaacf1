"""How long a start takes: alone, and at half of what the service can do, beside pgbench's naive transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from bench.course import Course, Served, Wishes, course
from bench.figures import Comparison, Measure, Measured
from bench.histogram import Histogram
from bench.measures.pairs import OURS, PGBENCH
from bench.pgbench import Ran, best_clients, pgbench
from bench.programs import Failed
from bench.turns import Figure, Turn, at_percentile, contend, in_turn, of_result, say
from tollkeeper.store.embedded import Addresses

UNIT: Final = "ms"
_STORED: Final = "chat_requests"
# Enough that nobody due waits for a connection as long as the service keeps up.
_OPEN_CONNECTIONS: Final = 128
_PGBENCH_CLIENTS: Final = (4, 8, 32)


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
    """Starts come at random at half of the rate that the service can do at most; and at half of what pgbench can."""
    async with course(wishes, "start-loaded") as here, here.service() as served:
        beside = await here.beside("bench_pgbench")
        capacity = await _capacity(here, served)
        _, tried = await best_clients(beside.service, "start.sql", wishes, users=len(here.users))
        theirs = max(tried.values())
        say(f"capacity {capacity:,.0f} starts/s, pgbench's {theirs:,.0f}")
        fast = await _Pace.at(here, served, beside, capacity / 2)
        slow = await _Pace.at(here, served, beside, theirs / 2)
        turns = [turn for pace in (fast, slow) for turn in pace.turns()]
        failures = await in_turn(turns, wishes.rounds)
    settings = {
        "capacity": round(capacity), "pgbenchCapacity": round(theirs), "connections": _OPEN_CONNECTIONS,
        "users": wishes.users, "seconds": wishes.seconds,
        "pgbenchByClients": {str(each): round(speed) for each, speed in tried.items()},
    } | {name: value for pace in (fast, slow) for name, value in pace.settings().items()}  # fmt: skip
    lines = [
        fast.line("start at half of the measured capacity"),
        slow.line("start at half of pgbench's capacity"),
    ]
    return Measured("Starts under load", [each.contender for each in turns], lines, settings, failures)


@dataclass(slots=True)
class _Pace:
    """A rate at which starts come, to the service and to pgbench with the clients that make its p99 least."""

    here: Course
    served: Served
    beside: Addresses
    rate: float
    clients: int = 0
    tried: dict[int, float] = field(default_factory=dict[int, float])
    late: list[float] = field(default_factory=list[float])
    done: list[float] = field(default_factory=list[float])

    @classmethod
    async def at(cls, here: Course, served: Served, beside: Addresses, rate: float) -> _Pace:
        """Try with how many clients pgbench is best at this rate."""
        pace = cls(here, served, beside, rate)
        for clients in _PGBENCH_CLIENTS:
            if (latencies := (await pace._pgbench(clients)).latencies).total:
                pace.tried[clients] = latencies.percentile(99)
        if not pace.tried:
            raise Failed(f"pgbench did nothing in time at {rate:,.0f}/s")
        pace.clients = min(pace.tried, key=pace.tried.__getitem__)
        tried = ", ".join(f"{clients}: {p99:,.1f}" for clients, p99 in pace.tried.items())
        say(f"at {rate:,.0f}/s pgbench's p99 in ms by clients is {tried}")
        return pace

    def turns(self) -> list[Turn]:
        """Enter both."""
        return [
            contend(f"{OURS} at {self._told}", UNIT, self._ours),
            contend(f"{PGBENCH} at {self._told}", UNIT, self._theirs),
        ]

    def line(self, what: str) -> Comparison:
        """Compare them."""
        return Comparison(
            f"{what} ({self._told}), open loop, p99", "pgbench, the naive transaction at the same rate, p99", "<=", 2.0,
            f"{OURS} at {self._told}", f"{PGBENCH} at {self._told}",
        )  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """Tell how it went: pgbench falls behind where it does less than comes."""
        return {
            f"at {self._told}": {
                "pgbenchClients": self.clients,
                "pgbenchDoneASecond": [round(each) for each in self.done[1:]],  # without the warm-up
                "pgbenchP99MsByClients": {str(each): round(p99, 1) for each, p99 in self.tried.items()},
                "sentLateP99Ms": [round(each, 1) for each in self.late[1:]],
            }
        }

    @property
    def _told(self) -> str:
        return f"{self.rate:,.0f}/s"

    async def _ours(self) -> Figure:
        result = await self.here.checked(
            self.served, kind="starts", connections=_OPEN_CONNECTIONS, rate=self.rate, table=_STORED
        )  # fmt: skip
        self.late.append(Histogram(result.late).percentile(99))
        return of_result(result, 99)

    async def _theirs(self) -> Figure:
        ran = await self._pgbench(self.clients)
        self.done.append(ran.per_second)
        return at_percentile(ran.latencies, 99)

    async def _pgbench(self, clients: int) -> Ran:
        return await pgbench(
            self.beside.service, "start.sql", clients=clients, seconds=self.here.wishes.seconds,
            users=len(self.here.users), rate=self.rate, log=True,
        )  # fmt: skip


async def _capacity(here: Course, served: Served) -> float:
    """Starts a second in a closed loop, after a warm-up."""
    best = 0.0
    for _ in range(3):
        result = await here.checked(served, kind="starts", table=_STORED, seconds=min(4.0, here.wishes.seconds))
        best = max(best, result.done / result.seconds)
    return best


ALONE: Final = Measure("start-alone", "p50 of a start with one client, beside pgbench's naive transaction", alone)
LOADED: Final = Measure(
    "start-loaded", "p99 of starts at half of either capacity, open loop, beside pgbench --rate", loaded
)
