"""The three measures, each on all contenders: requests tracked, what is left after ``kill -9``, a summary read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp

from bench.course import Course
from bench.peers.contender import Contender, Running, fresh_database
from bench.peers.kept import Contended, Killed, Round, Summary, Tracked, Way
from bench.peers.mlflow import MLflow
from bench.peers.ours import Ours
from bench.peers.phoenix import Phoenix
from bench.peers.sent import send
from bench.programs import Failed
from bench.turns import say

KINDS: Final[tuple[type[Contender], ...]] = (Ours, MLflow, Phoenix)
# How long we wait for what was acknowledged to be stored.
SETTLE_SECONDS: Final = 120.0
_WARM_SECONDS: Final = 2.0
_KILL_AFTER_SECONDS: Final = 3.0
_WAYS: Final[tuple[Way, ...]] = ("single", "batch")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much to measure."""

    rounds: int
    seconds: float
    sizes: Sequence[int]
    reads: int


def contended() -> dict[str, Contended]:
    """Begin with what is known beforehand."""
    return {
        kind.name: Contended(
            name=kind.name,
            version=kind.version,
            acknowledgement=kind.acknowledgement,
            read=kind.read,
            settings=kind.settings,
            tracked=[Tracked(way, *kind.senders[way], []) for way in _WAYS],
        )
        for kind in KINDS
    }


async def prepared(here: Course, kind: type[Contender]) -> Contender:
    """Give a contender an empty database; tollkeeper has the course's own."""
    name = f"peer_{kind.__name__.lower()}"
    await fresh_database(here, name)
    return kind(here, name)


async def track(here: Course, wanted: Wanted, found: dict[str, Contended]) -> None:
    """Load all in turn, A B C A B C; the others idle meanwhile."""
    async with AsyncExitStack() as stack:
        up: list[tuple[Contender, Running]] = []
        for kind in KINDS:
            try:
                contender = await prepared(here, kind)
                up.append((contender, await stack.enter_async_context(contender.running())))
                say(f"{contender.name} {contender.version} is up")
            except (Failed, OSError) as error:
                found[kind.name].failures.append(f"it does not start: {error}")
        for number in range(wanted.rounds + 1):
            for contender, running in up:
                for tracked in found[contender.name].tracked:
                    await noted(found[contender.name], "load", _round(contender, running, tracked, number, wanted))


async def _round(contender: Contender, running: Running, tracked: Tracked, number: int, wanted: Wanted) -> None:
    """Run once. The first time is for warming up and gives no figure."""
    seconds = wanted.seconds if number else _WARM_SECONDS
    before = await contender.stored()
    sent = await send(contender.sending(running, tracked.way, seconds))
    if not sent.acknowledged:
        raise Failed(f"{tracked.way}: nothing was acknowledged, refused: {sent.refused}")
    stored, settled = await _settled(contender, before + sent.acknowledged)
    if stored < before + sent.acknowledged:
        raise Failed(f"{tracked.way}: {sent.acknowledged} acknowledged, {stored - before} stored after {settled:.0f} s")
    took = sent.seconds + settled
    seen = Round(sent.acknowledged, sent.seconds, stored - before, took, sent.refused)
    which = f"round {number}" if number else "warm-up"
    say(
        f"{which:>9}  {contender.name}, {tracked.way}: {seen.acknowledged_per_second:,.0f}/s acknowledged,"
        f" {seen.stored_per_second:,.0f}/s stored, refused {sent.refused}"
    )
    if number:
        tracked.rounds.append(seen)


async def _settled(contender: Contender, expected: int) -> tuple[int, float]:
    """Wait until so many are stored; give how many are, and the seconds that we waited: none if all were there."""
    began = time.perf_counter()
    waited = 0.0
    while (stored := await contender.stored()) < expected and waited < SETTLE_SECONDS:
        await asyncio.sleep(0.05)
        waited = time.perf_counter() - began
    return stored, waited


async def kill(here: Course, kind: type[Contender], found: Contended) -> None:
    """Kill the server under load. What it had acknowledged must be in the database."""
    contender = await prepared(here, kind)
    async with contender.running() as running:
        await send(contender.sending(running, "single", _WARM_SECONDS))
        sending = contender.sending(running, "single", 4 * _KILL_AFTER_SECONDS)
        ids = here.data / "acknowledged"
        sending.ids_to = str(ids)
        load = asyncio.create_task(send(sending))
        await asyncio.sleep(_KILL_AFTER_SECONDS)
        running.kill()
        sent = await load
    # What PostgreSQL had been told to commit, it has committed by now.
    await asyncio.sleep(1.0)
    found.killed = Killed(sent.acknowledged, await contender.stored_of(ids.read_text(encoding="ascii").split()))
    say(f"{contender.name}, killed: {found.killed.acknowledged:,} acknowledged, {found.killed.stored:,} of them stored")


async def summarise(here: Course, kind: type[Contender], wanted: Wanted, found: Contended) -> None:
    """Read a summary again and again, at each size."""
    contender = await prepared(here, kind)
    async with contender.running() as running, aiohttp.ClientSession() as session:
        for size in wanted.sizes:
            await contender.fill(running, size)
            seen = Summary(size, [])
            for number in range(wanted.reads + 1):
                took = await _read(contender, running, session, size)
                # The first one warms up.
                if number:
                    seen.milliseconds.append(round(took, 2))
            found.summaries.append(seen)
            say(f"{contender.name}, summary of {size:,} requests: {seen.p50:,.1f} ms (p50 of {wanted.reads})")


async def _read(contender: Contender, running: Running, session: aiohttp.ClientSession, size: int) -> float:
    # The last 30 days move on, as on a page that is looked at: an answer kept from the last read is no answer to this.
    since = datetime.now(UTC) - timedelta(days=30)
    began = time.perf_counter()
    totals = await contender.summary(session, running, since)
    took = (time.perf_counter() - began) * 1000
    if totals.requests != size:
        raise Failed(f"the summary counts {totals.requests} requests, and {size} are stored")
    return took


async def noted(found: Contended, what: str, work: Coroutine[Any, Any, None]) -> None:
    """Let one contender's failure keep no other from its figures."""
    try:
        await work
    except (Failed, OSError, aiohttp.ClientError, TimeoutError) as error:
        found.failures.append(f"{what}: {error}")
        say(f"{found.name}, {what}: no figure: {error}")
