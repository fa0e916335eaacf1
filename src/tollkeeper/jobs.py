"""What happens without a caller: abandoned requests expire, partitions are made ahead, what is old goes.

Every node does all of it. Each job is harmless beside itself: what decides is in the database, under its locks.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from tollkeeper.accounts.mails import alarms, alerts, notices
from tollkeeper.accounts.mails.alerts import Post
from tollkeeper.accounts.secrets.sealing import Sealer
from tollkeeper.accounts.sign_in import asks, logins
from tollkeeper.activity import Actor
from tollkeeper.errors import Unavailable
from tollkeeper.metering import events
from tollkeeper.metering.admin import nodes
from tollkeeper.metering.admin.nodes import Node, Pulse
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep import leaving, proving, retention
from tollkeeper.selling import door, subscriptions
from tollkeeper.store.database import Database
from tollkeeper.store.partitions import ensure_partitions
from tollkeeper.webhooks.delivering import Messenger
from tollkeeper.webhooks.endpoints import Webhooks

log = logging.getLogger(__name__)

# Two whole months, so that a node that is down for weeks comes back to partitions that are there.
AHEAD: Final = timedelta(days=62)

BEAT_SECONDS: Final = 2.0
_ALERT_SECONDS: Final = 10.0
_WEBHOOK_SECONDS: Final = 1.0
_A_MINUTE: Final = 60.0
_AN_HOUR: Final = 3600.0
_A_DAY: Final = 24 * _AN_HOUR
_JITTER: Final = 0.2
_AGAIN_SECONDS: Final = 10.0
_ROWS: Final = 5_000
_USERS: Final = 200
PRUNING: Final = Actor("retention")


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days requests and their texts are kept; ``None``: for ever."""

    rows_days: int | None = None
    texts_days: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done again and again."""

    name: str
    every_seconds: float
    do: Callable[[], Awaitable[object]]


@asynccontextmanager
async def at_work(
    database: Database,
    ledger: Ledger,
    *,
    owner_dsn: str,
    sweep_seconds: float,
    keep: Keep | None = None,
    prove_every: timedelta | None = None,
    post: Post | None = None,
    webhooks: Webhooks | None = None,
) -> AsyncGenerator[tuple[Job, ...]]:
    """Do all jobs for as long as the block lasts. Without ``webhooks`` none is sent."""
    jobs = all_jobs(
        database,
        ledger,
        owner_dsn=owner_dsn,
        sweep_seconds=sweep_seconds,
        keep=keep,
        prove_every=prove_every,
        post=post,
    )
    async with AsyncExitStack() as held:
        if webhooks is not None:
            messenger = await held.enter_async_context(Messenger(database, webhooks))
            jobs = (*jobs, Job("send webhooks", _WEBHOOK_SECONDS, messenger.look))
        await held.enter_async_context(_doing(*jobs))
        yield jobs


@asynccontextmanager
async def beating(database: Database, node: Node, pulse: Pulse, sealer: Sealer) -> AsyncGenerator[None]:
    """Let everybody know that this process serves, and how busy it is, for as long as the block lasts.

    Each time it looks for new versions of the master key: none seals before all nodes have said that they have it.
    """

    async def beat() -> None:
        sealer.refresh()
        await nodes.beat(database, node, pulse, master_keys=sealer.fingerprints.values())

    async with _doing(Job("say that this node lives", BEAT_SECONDS, beat)):
        yield
    with suppress(Unavailable):
        await nodes.leave(database, node)


@asynccontextmanager
async def _doing(*jobs: Job) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(_again_and_again(job), name=job.name) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


def all_jobs(
    database: Database,
    ledger: Ledger,
    *,
    owner_dsn: str,
    sweep_seconds: float,
    keep: Keep | None = None,
    prove_every: timedelta | None = None,
    post: Post | None = None,
) -> tuple[Job, ...]:
    """List what there is to do. Without ``post`` nothing is mailed, without ``prove_every`` nothing is proved."""
    jobs: tuple[Job, ...] = (
        Job("expire what is past its deadline", sweep_seconds, lambda: _expire(ledger)),
        Job("make partitions ahead", _A_DAY, lambda: ensure_partitions(owner_dsn, ahead=AHEAD)),
        Job("forget old sums by the hour", _AN_HOUR, lambda: _forget_old_hours(database)),
        Job("finish what deletions began", _A_MINUTE, lambda: _finish_leaving(database)),
        Job("forget old sign-ins", _A_DAY, lambda: logins.forget(database)),
        Job("forget who asked to sign in", _AN_HOUR, lambda: asks.forget(database)),
        Job("forget what was told by mail", _AN_HOUR, lambda: alerts.forget(database)),
        Job("forget old events", _AN_HOUR, lambda: _forget_old_events(database)),
        Job("forget what providers told", _A_DAY, lambda: door.forget(database)),
        Job("forget customers who are nobody here", _A_DAY, lambda: subscriptions.forget(database)),
        Job("clear texts as plans say", _AN_HOUR, lambda: _clear_by_plan(database, owner_dsn)),
    )
    if post is not None:
        jobs = (
            *jobs,
            Job("tell people what was done with their accounts", _ALERT_SECONDS, lambda: alerts.tell(database, post)),
            Job("tell people of their plans and limits", _ALERT_SECONDS, lambda: notices.tell(database, post)),
        )
    if prove_every is not None:
        prove = partial(_prove, database, owner_dsn, prove_every, post)
        jobs = (*jobs, Job("prove every number", _A_MINUTE, prove))
    if keep is None or keep == Keep():
        return jobs
    return (*jobs, Job("prune what is old", _AN_HOUR, lambda: _prune(ledger, owner_dsn, keep)))


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


async def _forget_old_events(database: Database) -> None:
    while await events.forget(database, most=_ROWS) == _ROWS:
        pass


async def _finish_leaving(database: Database) -> None:
    """Take what is left of users who were deleted: of long histories, and where a node was stopped in between."""
    for user_id in await leaving.unfinished(database):
        await leaving.finish(database, database, user_id, seconds=_A_DAY)


async def _clear_by_plan(database: Database, owner_dsn: str) -> None:
    """Clear the texts of requests under plans that keep them for less long. Most days and houses there are none."""
    due = await retention.plans_to_clear(database)
    if not due:
        return
    async with Database.open(owner_dsn, size=1, statement_timeout=_A_DAY, lock_timeout=retention.LOCK_SECONDS) as owner:
        for plan, before in due:
            if texts := await retention.prune_texts(owner, before, actor=PRUNING, plan=plan):
                log.info("texts of %d requests under the plan %s cleared", texts, plan)


async def _prune(ledger: Ledger, owner_dsn: str, keep: Keep) -> None:
    """Prune what the day has made too old. Whichever node comes first does it, the others find it done."""
    try:
        async with Database.open(
            owner_dsn, size=1, statement_timeout=_A_DAY, lock_timeout=retention.LOCK_SECONDS
        ) as owner:
            where = await retention.boundaries(owner, rows_days=keep.rows_days, texts_days=keep.texts_days)
            if where.rows_before is not None:
                rows = await retention.prune_rows(owner, ledger, where.rows_before, actor=PRUNING)
                if rows.requests:
                    log.info("%d requests pruned", rows.requests)
            if where.texts_before is not None:
                texts = await retention.prune_texts(owner, where.texts_before, actor=PRUNING)
                if texts:
                    log.info("texts of %d requests cleared", texts)
    except Unavailable as error:
        # As while a backup is made: it asked often enough, and others waited for it each time.
        log.warning("pruning: %s; the rest within an hour", error.detail)


async def _prove(database: Database, owner_dsn: str, every: timedelta, post: Post | None) -> None:
    """Prove every number, if nobody did for so long, and tell operators if they are not what the requests say."""
    if not await proving.is_due(database, every):
        return
    async with Database.open(owner_dsn, size=1, statement_timeout=_A_DAY, lock_timeout=_A_MINUTE) as owner:
        proof = await proving.prove(owner, every)
    if proof is not None and post is not None and (alarm := proof.alarm()):
        await alarms.raise_alarm(database, post, what=alarm[0], rest=alarm[1])
