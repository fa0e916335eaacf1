"""Dashboards a second from one process, beside an empty handler of the same framework."""

from __future__ import annotations

import sys
from typing import Final

from bench.course import Wishes, course, free_port, until_ready
from bench.figures import Comparison, Measure, Measured
from bench.measures.pairs import OURS
from bench.programs import running
from bench.turns import Figure, contend, in_turn, per_second

UNIT: Final = "GETs/s"
EMPTY: Final = "an empty handler"
PATH: Final = "/api/user/dashboard"


async def run(wishes: Wishes) -> Measured:
    """Users with some requests each look at their dashboards; so do as many callers of a handler that does nothing."""
    port = free_port()
    async with (
        course(wishes, "reads") as here,
        here.service() as served,
        running(sys.executable, "-m", "bench.empty", str(port), log=here.log) as empty,
    ):
        await until_ready(port, empty, PATH)
        filled = await here.checked(served, kind="pairs")

        async def ours() -> Figure:
            return per_second(await here.load(served, kind="gets", path=PATH))

        async def theirs() -> Figure:
            return per_second(await here.load(port, kind="gets", path=PATH))

        turns = [contend(OURS, UNIT, ours), contend(EMPTY, UNIT, theirs)]
        failures = await in_turn(turns, wishes.rounds)
        await here.verify()
    line = Comparison(
        "dashboard GETs/s, one process", "an empty handler of the same framework", ">=", 0.35, OURS, EMPTY
    )
    settings = {
        "connections": wishes.connections, "users": wishes.users, "seconds": wishes.seconds,
        "requestsStored": filled.done,
    }  # fmt: skip
    return Measured("Dashboards a second", [each.contender for each in turns], [line], settings, failures)


MEASURE: Final = Measure("reads", "dashboard GETs/s, beside an empty handler of the same framework", run)
