"""All connections on one user: where each request waits for the one before, unless they are decided together."""

from __future__ import annotations

from typing import Final

from bench.course import Wishes, course
from bench.figures import Comparison, Measure, Measured
from bench.measures.pairs import OURS, PGBENCH, UNIT
from bench.pgbench import best_clients, pgbench
from bench.turns import Figure, contend, in_turn, of_pgbench, per_second, say

_CLIENTS: Final = (1, 2, 4, 8, 16)


async def run(wishes: Wishes) -> Measured:
    """Take turns with pgbench, which updates one user's rows."""
    async with course(wishes, "one-user", users=1) as here, here.service() as served:
        beside = await here.beside("bench_pgbench")
        clients, tried = await best_clients(beside.service, "pair.sql", wishes, users=1, among=_CLIENTS)
        say("pgbench by clients: " + ", ".join(f"{each}: {speed:,.0f}" for each, speed in tried.items()))

        async def ours() -> Figure:
            return per_second(await here.checked(served, kind="pairs"))

        async def theirs() -> Figure:
            return of_pgbench(
                await pgbench(beside.service, "pair.sql", clients=clients, seconds=wishes.seconds, users=1)
            )

        turns = [contend(OURS, UNIT, ours), contend(PGBENCH, UNIT, theirs)]
        failures = await in_turn(turns, wishes.rounds)
    what = f"start+finish pairs/s, all {wishes.connections} connections on one user"
    settings = {
        "connections": wishes.connections, "seconds": wishes.seconds, "pgbenchClients": clients,
        "pgbenchByClients": {str(each): round(speed) for each, speed in tried.items()},
    }  # fmt: skip
    return Measured(
        "One user", [each.contender for each in turns],
        [Comparison(what, "pgbench on one user, its best client count", ">=", 6.0, OURS, PGBENCH)], settings, failures,
    )  # fmt: skip


MEASURE: Final = Measure("one-user", "the same with all connections on one user", run)
