"""The judge has teeth: it finds what was planted, and admission as people often write it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import structs

from tests.judges import Attempt, witness
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.store.embedded import Addresses

ALLOWED = 20
NONE_USED = Limits(0, "pro", 0, ALLOWED, 0, None, 0, None, 0, None, 86_400_000_000, 2_678_400_000_000, is_active=True)


def a_history(attempts: int = 30) -> list[Attempt]:
    """One caller after another, and one retry."""
    told = [_decided(n) for n in range(attempts)]
    return [*told, replace(told[3], called=100.0, returned=100.5)]


def _decided(n: int) -> Attempt:
    used = min(n + 1, ALLOWED)
    limits = structs.replace(NONE_USED, version=used, daily_used=used, monthly_used=used, tokens_used=2 * used)
    if n < ALLOWED:
        return Attempt(f"k{n}", float(n), n + 0.5, limits, uuid4(), tokens=2)
    return Attempt(f"k{n}", float(n), n + 0.5, limits, None, "daily", tokens=2)


def test_a_true_history_is_believed() -> None:
    assert witness(a_history(), before=NONE_USED) == []


def test_callers_who_met_may_have_come_in_any_order() -> None:
    history = [replace(each, called=0.0, returned=1000.0) for each in a_history()]
    random.Random(7).shuffle(history)
    assert witness(history, before=NONE_USED) == []


def _drop(history: list[Attempt]) -> None:
    del history[7]


def _repeat(history: list[Attempt]) -> None:
    history.append(replace(history[7], id=uuid4(), key="other"))


def _repeat_a_key(history: list[Attempt]) -> None:
    history[-1] = replace(history[-1], id=uuid4())


def _swap(history: list[Attempt]) -> None:
    one, other = history[4], history[12]
    history[4], history[12] = replace(one, limits=other.limits), replace(other, limits=one.limits)


def _deny_falsely(history: list[Attempt]) -> None:
    history.append(replace(history[10], id=None, refused_by="daily", key="denied"))


def _deny_by_no_limit(history: list[Attempt]) -> None:
    history[25] = replace(history[25], refused_by="monthly")


def _tell_stale_numbers(history: list[Attempt]) -> None:
    history[25] = replace(history[25], limits=structs.replace(history[25].limits, daily_used=12))


def _count_twice(history: list[Attempt]) -> None:
    history[9] = replace(history[9], limits=structs.replace(history[9].limits, monthly_used=11))


def _overshoot(history: list[Attempt]) -> None:
    limits = structs.replace(NONE_USED, version=21, daily_used=21, monthly_used=21, tokens_used=42)
    history.append(Attempt("late", 200.0, 201.0, limits, uuid4(), tokens=2))


def _refuse_too_early(history: list[Attempt]) -> None:
    history.append(replace(history[25], called=2.0, returned=2.2, key="early"))


PLANTED = [
    _drop,
    _repeat,
    _repeat_a_key,
    _swap,
    _deny_falsely,
    _deny_by_no_limit,
    _tell_stale_numbers,
    _count_twice,
    _overshoot,
    _refuse_too_early,
]


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_fault_is_found(plant: Callable[[list[Attempt]], None]) -> None:
    history = a_history()
    plant(history)
    assert witness(history, before=NONE_USED) != []


@pytest.fixture
async def connections(dsns: Addresses) -> AsyncGenerator[list[asyncpg.Connection]]:
    """Eight callers of a homemade counter."""
    made = [await asyncpg.connect(dsns.owner) for _ in range(8)]
    await made[0].execute("CREATE TABLE homemade (used int, version int); INSERT INTO homemade VALUES (0, 0)")
    yield made
    for each in made:
        each.terminate()


Admission = Callable[[asyncpg.Connection], Awaitable[tuple[int, int, bool]]]


async def check_then_insert(connection: asyncpg.Connection) -> tuple[int, int, bool]:
    """Look, then write: the classic."""
    seen = await connection.fetchrow("SELECT used, version FROM homemade")
    assert seen is not None
    if seen["used"] >= ALLOWED:
        return seen["used"], seen["version"], False
    sql = "UPDATE homemade SET used = used + 1, version = version + 1 RETURNING used, version"
    written = await connection.fetchrow(sql)
    assert written is not None
    return written["used"], written["version"], True


def cached_in_each_process() -> Admission:
    """Count in memory, two processes of four connections, and write behind."""
    counts = {0: 0, 1: 0}
    places = dict[int, int]()

    async def admit(connection: asyncpg.Connection) -> tuple[int, int, bool]:
        process = places.setdefault(id(connection), len(places)) % 2
        if counts[process] >= ALLOWED:
            return counts[process], counts[process], False
        counts[process] += 1
        used = counts[process]
        await connection.execute("UPDATE homemade SET used = greatest(used, $1), version = version + 1", used)
        return used, used, True

    return admit


def exact() -> Admission:
    """Let the writing statement decide: the judge must not cry wolf."""

    async def admit(connection: asyncpg.Connection) -> tuple[int, int, bool]:
        sql = "UPDATE homemade SET used = used + 1, version = version + 1 WHERE used < $1 RETURNING used, version"
        row = await connection.fetchrow(sql, ALLOWED)
        return (row["used"], row["version"], True) if row else (ALLOWED, ALLOWED, False)

    return admit


async def _raced(connections: list[asyncpg.Connection], admit: Admission) -> list[Attempt]:
    async def one(connection: asyncpg.Connection, key: str) -> Attempt:
        called = time.monotonic()
        used, version, admitted = await admit(connection)
        limits = structs.replace(NONE_USED, version=version, daily_used=used, monthly_used=used)
        made: UUID | None = uuid4() if admitted else None
        return Attempt(key, called, time.monotonic(), limits, made, None if admitted else "daily")

    async def caller(number: int) -> list[Attempt]:
        return [await one(connections[number], f"{number}-{n}") for n in range(8)]

    told = await asyncio.gather(*(caller(number) for number in range(len(connections))))
    return [attempt for each in told for attempt in each]


@pytest.mark.parametrize("broken", [check_then_insert, cached_in_each_process()], ids=["check-then-insert", "cached"])
async def test_broken_admission_is_found(connections: list[asyncpg.Connection], broken: Admission) -> None:
    assert witness(await _raced(connections, broken), before=NONE_USED) != []


async def test_exact_admission_is_believed(connections: list[asyncpg.Connection]) -> None:
    assert witness(await _raced(connections, exact()), before=NONE_USED) == []
