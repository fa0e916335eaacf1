"""Start+finish pairs a second while many follow their dashboards, beside the same without anybody who does."""

from __future__ import annotations

from typing import Final

from bench.course import Course, Served, Wishes, course
from bench.figures import Comparison, Measure, Measured
from bench.followers import followers
from bench.measures.pairs import UNIT
from bench.turns import Figure, contend, in_turn, per_second

FOLLOWED: Final = "with open streams"
ALONE: Final = "without streams"
STREAMS: Final = 500


async def run(wishes: Wishes) -> Measured:
    """Everybody whose dashboard is followed tracks requests meanwhile, so that all streams have something to tell."""
    streams = min(STREAMS, wishes.users)
    async with course(wishes, "streams") as here, here.service() as served:

        async def followed() -> Figure:
            async with followers(here, served, here.users[:streams]):
                return await _pairs(here, served)

        async def alone() -> Figure:
            return await _pairs(here, served)

        turns = [contend(FOLLOWED, UNIT, followed), contend(ALONE, UNIT, alone)]
        failures = await in_turn(turns, wishes.rounds)
    line = Comparison(
        f"start+finish pairs/s with {streams} open streams", "the same without streams", ">=", 0.8, FOLLOWED, ALONE
    )
    settings = {
        "connections": wishes.connections, "users": wishes.users, "seconds": wishes.seconds, "streams": streams,
    }  # fmt: skip
    return Measured("Followed dashboards", [each.contender for each in turns], [line], settings, failures)


async def _pairs(here: Course, served: Served) -> Figure:
    return per_second(await here.checked(served, kind="pairs"))


MEASURE: Final = Measure("streams", "start+finish pairs/s with 500 open streams, beside the same without", run)
