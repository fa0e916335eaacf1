"""Dashboards a second from one process, beside a route of the same process that asks nobody and says two words."""

from __future__ import annotations

from typing import Final

from bench.course import Wishes, course
from bench.figures import Comparison, Measure, Measured
from bench.measures.pairs import OURS
from bench.turns import Figure, contend, in_turn, per_second

UNIT: Final = "GETs/s"
EMPTY: Final = "/healthz"
PATH: Final = "/api/user/dashboard"


async def run(wishes: Wishes) -> Measured:
    """Users with some requests each look at their dashboards, and in turn at what is as good as nothing."""
    async with course(wishes, "reads") as here, here.service() as served:
        filled = await here.checked(served, kind="pairs")

        async def ours() -> Figure:
            return per_second(await here.load(served, kind="gets", path=PATH))

        async def theirs() -> Figure:
            return per_second(await here.load(served, kind="gets", path=EMPTY))

        turns = [contend(OURS, UNIT, ours), contend(EMPTY, UNIT, theirs)]
        failures = await in_turn(turns, wishes.rounds)
        await here.verify()
    line = Comparison(
        "dashboard GETs/s, one process, nothing changed meanwhile",
        "a route of the same process that does nothing",
        ">=",
        0.35,
        OURS,
        EMPTY,
    )
    settings = {
        "connections": wishes.connections, "users": wishes.users, "seconds": wishes.seconds,
        "requestsStored": filled.done,
    }  # fmt: skip
    return Measured("Dashboards a second", [each.contender for each in turns], [line], settings, failures)


MEASURE: Final = Measure("reads", "dashboard GETs/s, beside a route of the same process that does nothing", run)
