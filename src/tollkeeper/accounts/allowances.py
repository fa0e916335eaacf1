"""Allowances: so many at once, and one more after each pause, counted exactly and for all nodes in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tollkeeper.accounts.tokens import peppered
from tollkeeper.errors import TooManyAttempts
from tollkeeper.store.database import Statements


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one subject may do. Of the subject only a hash is kept."""

    subject: str
    at_once: int
    pause: timedelta


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
