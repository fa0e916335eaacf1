"""Many starts at once, in this process or in others, each noted as its caller saw it."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.judges import Attempt
from tests.metering.making import OWN_MODEL, PENDING_FOR
from tollkeeper.errors import LimitReached
from tollkeeper.metering.tracking.lane import Bounds
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import NewRequest
from tollkeeper.store.database import Database

SMALL_SETS = Bounds(workers=2, set_items=8)


async def race(ledger: Ledger, requests: Sequence[NewRequest]) -> list[Attempt]:
    """Start all at once."""
    return await asyncio.gather(*(attempt(ledger, each) for each in requests))


async def race_apart(dsn: str, *shares: Sequence[NewRequest]) -> list[Attempt]:
    """Start each share in a process of its own, all at one instant."""
    # Starting Python and importing all takes a second or two when the machine is busy.
    with ProcessPoolExecutor(len(shares), mp_context=multiprocessing.get_context("spawn")) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, _warm) for _ in shares))
        at = time.monotonic() + 0.3
        told = await asyncio.gather(*(loop.run_in_executor(pool, _race, dsn, each, at) for each in shares))
    return [attempt for share in told for attempt in share]


async def attempt(ledger: Ledger, request: NewRequest) -> Attempt:
    """Start one request and note what was told, a refusal by a limit as well."""
    key = request.client_id or request.idempotency_key or ""
    size = request.estimated_input_tokens
    called = time.monotonic()
    tokens = size + (request.max_tokens or 0)
    nanos = 1000 * size + 3000 * (request.max_tokens or 0) if request.model == OWN_MODEL else 0
    try:
        started = await ledger.start(request)
    except LimitReached as refusal:
        limits, refused_by = refusal.fields["limits"], refusal.fields["limit"]
        return Attempt(key, called, time.monotonic(), limits, None, refused_by, tokens, nanos)
    return Attempt(key, called, time.monotonic(), started.limits, started.id, None, tokens, nanos)


def _warm() -> None:
    time.sleep(0.2)  # so that each process takes one


def _race(dsn: str, requests: Sequence[NewRequest], at: float) -> list[Attempt]:
    return asyncio.run(_race_alone(dsn, requests, at))


async def _race_alone(dsn: str, requests: Sequence[NewRequest], at: float) -> list[Attempt]:
    async with Database.open(dsn, size=2) as db, Ledger(db, pending_for=PENDING_FOR, bounds=SMALL_SETS) as ledger:
        await asyncio.sleep(at - time.monotonic())
        return await race(ledger, requests)
