"""The three measures, each on all contenders: requests tracked, what is left after ``kill -9``, a summary read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench.course import Course
from bench.peers.contender import Contender, Running, fresh_database
from bench.peers.kept import Contended, Killed, Round, Summary, Taken, Tracked, Way
from bench.peers.mlflow import MLflow
from bench.peers.ours import Ours
from bench.peers.phoenix import Phoenix
from bench.peers.sender import Sent
from bench.peers.sent import send
from bench.peers.settling import at_rest, settled
from bench.programs import Failed
from bench.turns import say

KINDS: Final[Mapping[str, type[Contender]]] = {"tollkeeper": Ours, "mlflow": MLflow, "phoenix": Phoenix}
# How long we wait for what was acknowledged to be stored.
SETTLE_SECONDS: Final = 120.0
# After a round that failed, what it left is stored when nothing has been added for so long. MLflow needs up to 45 s for
# the four batches that it stores at the same time.
_QUIET_SECONDS: Final = 60.0
_DRAIN_SECONDS: Final = 180.0
_WARM_SECONDS: Final = 2.0
_KILL_AFTER_SECONDS: Final = 3.0
# More than ever passes until the server is killed.
_KILLED_LOAD_SECONDS: Final = 60.0
_WAYS: Final[tuple[Way, ...]] = ("single", "batch")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much to measure."""

    rounds: int
    seconds: float
    sizes: Sequence[int]
    reads: int


def contended(kinds: Sequence[type[Contender]], taken: Taken) -> dict[str, Contended]:
    """Begin with what is known beforehand."""
    return {
        kind.name: Contended(
            name=kind.name,
            version=kind.version,
            taken=taken,
            acknowledgement=kind.acknowledgement,
            read=kind.read,
            settings=kind.settings,
            tracked=[Tracked(way, *kind.senders[way], []) for way in _WAYS],
        )
        for kind in kinds
    }


async def prepared(here: Course, kind: type[Contender]) -> Contender:
    """Give a contender an empty database; tollkeeper has the course's own."""
    name = f"peer_{kind.__name__.lower()}"
    await fresh_database(here, name)
    return kind(here, name)


async def track(here: Course, kinds: Sequence[type[Contender]], wanted: Wanted, found: dict[str, Contended]) -> None:
    """Load all in turn, A B C A B C; the others idle meanwhile."""
    async with AsyncExitStack() as stack:
        up: list[tuple[Contender, Running]] = []
        for kind in kinds:
            try:
                contender = await prepared(here, kind)
                up.append((contender, await stack.enter_async_context(contender.running())))
                say(f"{contender.name} {contender.version} is up")
            except (Failed, OSError) as error:
                found[kind.name].failures.append(f"it does not start: {error}")
        for number in range(wanted.rounds + 1):
            for contender, running in up:
                theirs = found[contender.name]
                for tracked in theirs.tracked:
                    what = f"{tracked.way}, {_which(number)}"
                    if not await noted(theirs, what, _round(contender, running, tracked, number, wanted)):
                        await noted(theirs, f"after {what}", _drained(contender))


def _which(number: int) -> str:
    return f"round {number}" if number else "warm-up"


async def _round(contender: Contender, running: Running, tracked: Tracked, number: int, wanted: Wanted) -> None:
    """Run once. The first time is for warming up and gives no figure."""
    seconds = wanted.seconds if number else _WARM_SECONDS
    async with contender.counting() as count:
        before = await count()
        sent = await send(contender.sending(running, tracked.way, seconds))
        if not sent.acknowledged:
            raise Failed(f"nothing was acknowledged, refused: {sent.refused}")
        stored, waited = await settled(count, before + sent.acknowledged, SETTLE_SECONDS)
    if stored < before + sent.acknowledged:
        raise Failed(f"{sent.acknowledged} acknowledged, {stored - before} stored after {SETTLE_SECONDS:.0f} s")
    seen = Round(sent.acknowledged, sent.seconds, stored - before, sent.seconds + waited, sent.refused)
    say(
        f"{_which(number):>9}  {contender.name}, {tracked.way}: {seen.acknowledged_per_second:,.0f}/s acknowledged,"
        f" {seen.stored_per_second:,.0f}/s stored, refused {sent.refused}"
    )
    if number:
        tracked.rounds.append(seen)


async def _drained(contender: Contender) -> None:
    """Let what a failed round left be stored before it is the next one's turn."""
    async with contender.counting() as count:
        if not await at_rest(count, _QUIET_SECONDS, _DRAIN_SECONDS):
            raise Failed(f"what it left was still being stored after {_DRAIN_SECONDS:.0f} s, in the next one's turn")


async def kill(here: Course, kind: type[Contender], found: Contended) -> None:
    """Kill the server under load. What it had acknowledged must be in the database."""
    contender = await prepared(here, kind)
    async with contender.running() as running:
        await send(contender.sending(running, "single", _WARM_SECONDS))
        sending = contender.sending(running, "single", _KILLED_LOAD_SECONDS)
        ids = here.data / f"acknowledged-{contender.database}"
        sending.ids_to = str(ids)
        load = asyncio.create_task(send(sending))
        await _begun(ids, load)
        await asyncio.sleep(_KILL_AFTER_SECONDS)
        running.kill()
        sent = await load
    if not sent.acknowledged:
        raise Failed(f"nothing was acknowledged, refused: {sent.refused}")
    # What PostgreSQL had been told to commit, it has committed by now.
    await asyncio.sleep(1.0)
    found.killed = Killed(sent.acknowledged, await contender.stored_of(ids.read_text(encoding="ascii").split()))
    say(f"{contender.name}, killed: {found.killed.acknowledged:,} acknowledged, {found.killed.stored:,} of them stored")


async def _begun(ids: Path, load: asyncio.Task[Sent]) -> None:
    """Wait for the first acknowledgement: starting the load's process is no load."""
    while not load.done():
        if await asyncio.to_thread(ids.exists):
            return
        await asyncio.sleep(0.02)


async def summarise(here: Course, kind: type[Contender], wanted: Wanted, found: Contended) -> None:
    """Read a summary again and again, at each size."""
    contender = await prepared(here, kind)
    async with contender.running() as running, aiohttp.ClientSession() as session:
        for size in wanted.sizes:
            await contender.fill(running, size)
            seen, stored = Summary(size, []), size
            for number in range(wanted.reads + 1):
                stored += await contender.before_read(session, running)
                took = await _read(contender, running, session, stored)
                # The first one warms up.
                if number:
                    seen.milliseconds.append(round(took, 2))
            found.summaries.append(seen)
            say(f"{contender.name}, summary of {size:,} requests: {seen.p50:,.1f} ms (p50 of {wanted.reads})")


async def _read(contender: Contender, running: Running, session: aiohttp.ClientSession, stored: int) -> float:
    # The last 30 days move on, as on a page that is looked at: an answer kept from the last read is no answer to this.
    since = datetime.now(UTC) - timedelta(days=30)
    began = time.perf_counter()
    totals = await contender.summary(session, running, since)
    took = (time.perf_counter() - began) * 1000
    if totals.requests != stored:
        raise Failed(f"the summary counts {totals.requests} requests, and {stored} are stored")
    return took


async def noted(found: Contended, what: str, work: Coroutine[Any, Any, None]) -> bool:
    """Let one contender's failure keep no other from its figures; tell whether there was none."""
    try:
        await work
    except (Failed, OSError, aiohttp.ClientError, TimeoutError) as error:
        # The page has room for a line: of what a program complained, the last.
        found.failures.append(f"{what}: {(str(error) or type(error).__name__).splitlines()[-1]}")
        say(f"{found.name}, {what}: no figure: {error}")
        return False
    return True
