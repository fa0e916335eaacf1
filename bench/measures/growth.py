"""What grows with the number of requests stored: nothing should."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from bench.course import Course, Served, Wishes, course
from bench.figures import Comparison, Measure, Measured
from bench.measures.reads import PATH
from bench.programs import Failed
from bench.seeding import seed
from bench.turns import Figure, Turn, contend, in_turn, of_result, say

CHANGED: Final = "dashboard of a user with {rows:,} requests, after each change"
SAME: Final = "dashboard of a user with {rows:,} requests, unchanged"
WRITE: Final = "{rows:,} requests stored"
_FEW: Final = 10_000
_SMALL: Final = 100_000


async def run(wishes: Wishes) -> Measured:
    """Two ledgers, each with its own PostgreSQL and service: one with many rows, one with few."""
    many, few = wishes.rows, min(_FEW, wishes.rows // 10)
    small = min(_SMALL, wishes.rows // 10)
    async with AsyncExitStack() as stack:
        large_one = await stack.enter_async_context(course(wishes, "large"))
        small_one = await stack.enter_async_context(course(wishes, "small"))
        for here, rows in ((small_one, small), (large_one, many)):
            say(f"seeding {rows:,} rows")
            await seed(here, {here.users[0]: rows - few, here.users[1]: few} if here is small_one else
                       {here.users[0]: rows, here.users[1]: few})  # fmt: skip
        bytes_stored = await large_one.value("SELECT pg_database_size(current_database())")
        say(f"seeded; the large database has {bytes_stored / 1e9:.1f} GB")
        large_served = await stack.enter_async_context(large_one.service())
        small_served = await stack.enter_async_context(small_one.service())
        reads = [
            _read(large_one, large_served, kind, name.format(rows=rows), large_one.users[place])
            for kind, name in (("looks", CHANGED), ("gets", SAME))
            for place, rows in enumerate((many, few))
        ]
        writes = [
            _write(large_one, large_served, WRITE.format(rows=many)),
            _write(small_one, small_served, WRITE.format(rows=small)),
        ]
        failures = await in_turn(reads, wishes.rounds)
        failures += await in_turn(writes, wishes.rounds)
        failures += await _verified((large_one, small_one), [*reads, *writes])
    lines = [
        Comparison(f"dashboard GET, p50, user with {many:,} requests{how}", f"user with {few:,}", "<=", 1.2,
                   name.format(rows=many), name.format(rows=few))
        for how, name in ((", something changed before each", CHANGED), (", nothing changed", SAME))
    ] + [
        Comparison(f"start+finish cost with {many:,} rows stored", f"with {small:,}", "<=", 1.2,
                   WRITE.format(rows=many), WRITE.format(rows=small)),
    ]  # fmt: skip
    settings = {
        "rows": many, "fewRows": few, "smallRows": small, "connections": wishes.connections, "users": wishes.users,
        "seconds": wishes.seconds, "bytesStored": bytes_stored,
    }  # fmt: skip
    return Measured("As data grows", [each.contender for each in (*reads, *writes)], lines, settings, failures)


def _read(here: Course, served: Served, kind: str, name: str, user: str) -> Turn:
    """One client looks at one user's dashboard; after each change, a pair is tracked before each look."""

    async def once() -> Figure:
        path = {"path": PATH} if kind == "gets" else {}
        seconds = here.wishes.seconds / 2
        return of_result(await here.load(served, kind=kind, users=[user], connections=1, seconds=seconds, **path), 50)

    return contend(name, "ms", once)


def _write(here: Course, served: Served, name: str) -> Turn:
    async def once() -> Figure:
        # Every number is proved once, at the end: on so many rows that takes minutes.
        result = await here.checked(served, kind="pairs", verify=False)
        return Figure(result.seconds / result.done * 1e6)

    return contend(name, "µs/pair", once)


async def _verified(courses: tuple[Course, ...], turns: list[Turn]) -> list[str]:
    """Prove every number of both ledgers; else none of the figures stands."""
    for here in courses:
        say(f"verifying {here.data.name}")
        try:
            await here.verify()
        except Failed as failure:
            for turn in turns:
                turn.contender.rounds.clear()
                turn.contender.curves.clear()
            return [f"{here.data.name}: {failure}"]
    return []


MEASURE: Final = Measure("growth", "dashboards and pairs with --rows rows stored, beside few", run)
