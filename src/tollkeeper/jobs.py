"""What happens without a caller: abandoned requests expire, partitions are made ahead, what is over is forgotten.

Every node does all of it. Each job is harmless beside itself: what decides is in the database, under its locks.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tollkeeper.accounts import logins
from tollkeeper.errors import Unavailable
from tollkeeper.metering.ledger import Ledger
from tollkeeper.store.database import Database
from tollkeeper.store.partitions import ensure_partitions

log = logging.getLogger(__name__)

# Two whole months, so that a node that is down for weeks comes back to partitions that are there.
AHEAD: Final = timedelta(days=62)

_AN_HOUR: Final = 3600.0
_A_DAY: Final = 24 * _AN_HOUR
_JITTER: Final = 0.2
_AGAIN_SECONDS: Final = 10.0
_ROWS: Final = 5_000
_USERS: Final = 200


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done again and again."""

    name: str
    every_seconds: float
    do: Callable[[], Awaitable[object]]


@asynccontextmanager
async def at_work(
    database: Database, ledger: Ledger, *, owner_dsn: str, sweep_seconds: float
) -> AsyncGenerator[tuple[Job, ...]]:
    """Do all jobs for as long as the block lasts."""
    jobs = all_jobs(database, ledger, owner_dsn=owner_dsn, sweep_seconds=sweep_seconds)
    tasks = [asyncio.create_task(_again_and_again(job), name=job.name) for job in jobs]
    try:
        yield jobs
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


def all_jobs(database: Database, ledger: Ledger, *, owner_dsn: str, sweep_seconds: float) -> tuple[Job, ...]:
    """List what there is to do."""
    return (
        Job("expire what is past its deadline", sweep_seconds, lambda: _expire(ledger)),
        Job("make partitions ahead", _A_DAY, lambda: ensure_partitions(owner_dsn, ahead=AHEAD)),
        Job("forget old sums by the hour", _AN_HOUR, lambda: _forget_old_hours(database)),
        Job("forget old sign-ins", _A_DAY, lambda: logins.forget(database)),
    )


async def _again_and_again(job: Job) -> None:
    while True:
        pause = job.every_seconds
        try:
            await job.do()
        except Unavailable as error:
            log.warning("%s: %s; trying again", job.name, error.detail)
            pause = min(pause, _AGAIN_SECONDS)
        except Exception:
            # A job outlives whatever one turn brings.
            log.exception("%s failed", job.name)
        # Nodes that started together shall not work at the same instants for ever.
        await asyncio.sleep(pause * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - jitter is no secret


async def _expire(ledger: Ledger) -> None:
    while await ledger.expire(most=_USERS) == _USERS:
        pass


async def _forget_old_hours(database: Database) -> None:
    while len(await database.all("forget_old_hours", most=_ROWS)) == _ROWS:
        pass
