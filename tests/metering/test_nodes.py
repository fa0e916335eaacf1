"""Nodes say that they live, count by the seconds of the database's clock, and are forgotten when they fall silent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from tests.metering.making import NOON, Clock
from tollkeeper.metering.admin import nodes
from tollkeeper.metering.admin.nodes import Node, Pulse
from tollkeeper.store.database import Database


class Stopwatch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def a_node() -> Node:
    return Node(uuid4(), "here", 42, "1.0")


def test_a_pulse_counts_by_the_seconds_of_the_clock_that_it_was_told() -> None:
    watch = Stopwatch()
    pulse = Pulse(watch)
    pulse.started()
    assert pulse.take() == [], "it does not know what time it is"
    pulse.hear(datetime(2026, 1, 1, 0, 0, 10, 900_000, UTC))
    second = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    pulse.started(2)
    watch.seconds += 0.2
    pulse.started()
    pulse.finished(5)
    pulse.finished(0)
    assert pulse.take() == [(second + 10, 2, 0), (second + 11, 1, 5)]
    assert pulse.take() == []


async def test_what_nodes_count_is_summed_by_the_second(db: Database, clock: Clock, owner: asyncpg.Connection) -> None:
    await clock.hold(NOON)
    for started in (3, 4):
        node, pulse = a_node(), Pulse(Stopwatch())
        await nodes.beat(db, node, pulse)
        for _ in range(2):
            pulse.started(started)
            pulse.finished()
            await nodes.beat(db, node, pulse)
    await clock.hold(NOON + timedelta(seconds=4))
    last = (await nodes.live(db))[-1]
    assert (last.at, last.starts, last.finishes) == (NOON, 14, 4)
    await clock.hold(NOON + timedelta(seconds=64))
    assert sum(each.starts for each in await nodes.live(db)) == 0
    assert await owner.fetchval("SELECT count(*) FROM node_seconds") == 2


async def test_a_node_that_says_nothing_is_forgotten_and_comes_back(
    db: Database, clock: Clock, owner: asyncpg.Connection
) -> None:
    await clock.hold(NOON)
    one, other = a_node(), a_node()
    pulse = Pulse(Stopwatch())
    await nodes.beat(db, one, pulse)
    await nodes.beat(db, other, pulse)
    pulse.started()
    await nodes.beat(db, other, pulse)

    async def seen() -> set[UUID]:
        return {each.id for each in await nodes.seen(db)}

    await clock.hold(NOON + timedelta(seconds=119))
    await nodes.beat(db, one, Pulse())
    assert await seen() == {one.id, other.id}
    await clock.hold(NOON + timedelta(seconds=121))
    await nodes.beat(db, one, Pulse())
    assert await seen() == {one.id}
    assert await owner.fetchval("SELECT count(*) FROM node_seconds") == 0
    await nodes.beat(db, other, Pulse())
    assert await seen() == {one.id, other.id}
    await nodes.leave(db, one)
    assert await seen() == {other.id}


async def test_many_nodes_that_all_fell_silent_come_back_at_once(db: Database, clock: Clock) -> None:
    everybody = [a_node() for _ in range(8)]
    for turn in range(10):
        await clock.hold(NOON + timedelta(minutes=3 * turn))
        await asyncio.gather(*(nodes.beat(db, each, Pulse()) for each in everybody))
    await asyncio.gather(*(nodes.beat(db, each, Pulse()) for each in everybody))
    assert len(await nodes.seen(db)) == 8
