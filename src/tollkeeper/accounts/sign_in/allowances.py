"""Allowances: so many at once, and one more after each pause, counted exactly and for all nodes in the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tollkeeper.accounts.tokens import peppered
from tollkeeper.errors import TooManyAttempts, Unavailable
from tollkeeper.store.database import Database, Statements, Transaction

_MOST_WAITING: Final = 200
_turn = asyncio.Semaphore(1)


class _Line:
    """How many of this process wait for their turn."""

    waiting = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one subject may do. Of the subject only a hash is kept."""

    subject: str
    at_once: int
    pause: timedelta


@asynccontextmanager
async def taking(database: Database) -> AsyncGenerator[Transaction]:
    """Open a transaction that takes allowances: one at a time in each process, while the others hold no connection.

    They would wait for the same rows. So strangers who come in crowds keep no connection from those who track.
    """
    if _Line.waiting >= _MOST_WAITING:
        raise Unavailable("too many sign in at once: try again")
    _Line.waiting += 1
    try:
        async with _turn, database.transaction() as tx:
            yield tx
    finally:
        _Line.waiting -= 1


async def take(database: Statements, allowances: Sequence[Allowance], *, pepper: bytes, detail: str) -> None:
    """Take one of each, or of none: ``TooManyAttempts``, worded by ``detail``, says how long to wait."""
    wait: timedelta | None = await database.value(
        "take_allowances",
        subjects=[peppered(each.subject, pepper=pepper) for each in allowances],
        at_once=[each.at_once for each in allowances],
        pauses=[each.pause for each in allowances],
    )
    if wait is not None:
        raise TooManyAttempts(detail, retry_after_seconds=max(1, round(wait.total_seconds() + 0.5)))
