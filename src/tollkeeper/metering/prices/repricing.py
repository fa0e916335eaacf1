"""Pricing what has finished anew: by the operator's own prices of its time, or else by the public list of its time.

What has a computed cost or none is priced again; a reported cost that counts stays, and so do sealed months. It goes in
sets, each under the locks of its users, so that tracking goes on meanwhile. A preview walks the same way and writes
nothing: on a ledger that rests both give the same numbers, or the same refusal. Interrupted, it is simply done again:
what has its new price already stays as it is. Undone, it is done again after the price was taken away.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Invalid, Unavailable
from tollkeeper.metering.pricing import document_of
from tollkeeper.metering.tracking.lane import LOCKED, OUT_OF_RANGE
from tollkeeper.store.database import Database, Record, StatementFailed
from tollkeeper.store.patience import firmly

SET: Final = 500
# Users who are asked for at once, and the most requests of each that are then read.
_USERS: Final = 50
_EACH: Final = 250
_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 0.2
_NO_ID: Final = UUID(int=0)
_BY_USER: Final = ("user_ids", "spent_nanos", "added_nanos")
_MOST_NANOS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Repriced:
    """What became of a model's requests, or would. Money in nano-USD, over all requests that may be priced anew."""

    requests: int = 0
    changed: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0
    nanos_before: int = 0
    nanos_after: int = 0

    def and_of(self, row: Record) -> Repriced:
        """Add what became of a set."""
        return Repriced(
            self.requests + row["requests"],
            self.changed + row["changed"],
            self.unpriced_before + row["unpriced_before"],
            self.unpriced_after + row["unpriced_after"],
            self.nanos_before + int(row["nanos_before"]),
            self.nanos_after + int(row["nanos_after"]),
        )


@dataclass(frozen=True, slots=True)
class Range:
    """Which requests of a model: those that started from ``since`` on and before ``until``."""

    model: str
    since: datetime
    until: datetime


async def reprice(database: Database, which: Range, *, apply: bool, actor: Actor) -> Repriced:
    """Price a model's finished requests anew, or say what would come of it."""
    if apply:
        await _note(database, actor, "repricing.begun", which, Repriced())
    users = [row["user_id"] for row in await database.all("users_of_model", model=which.model)]
    total = Repriced()
    for start in range(0, len(users), _USERS):
        due = dict.fromkeys(users[start : start + _USERS], _NO_ID)
        added = Counter[UUID]()
        while due:
            rows = await _priceable(database, which, due)
            for place in range(0, len(rows), SET):
                done = await _set(database, which.model, rows[place : place + SET], apply=apply)
                if not apply:
                    _refuse_uncountable(done, added)
                total = total.and_of(done)
            due = _followed(due, rows)
    if apply:
        await _note(database, actor, "repricing.done", which, total)
    return total


async def _priceable(database: Database, which: Range, due: dict[UUID, UUID]) -> list[Record]:
    rows = await database.all(
        "repriceable",
        user_ids=list(due),
        after=list(due.values()),
        model=which.model,
        since=which.since,
        until=which.until,
        most=_EACH,
    )
    return sorted(rows, key=lambda row: (row["user_id"], row["id"]))


def _followed(due: dict[UUID, UUID], rows: Sequence[Record]) -> dict[UUID, UUID]:
    """Tell who has more than was read, and from where on."""
    read: dict[UUID, list[UUID]] = {user_id: [] for user_id in due}
    for row in rows:
        read[row["user_id"]].append(row["id"])
    return {user_id: ids[-1] for user_id, ids in read.items() if len(ids) == _EACH}


async def _set(database: Database, model: str, rows: Sequence[Record], *, apply: bool) -> Record:
    ask = partial(
        database.one,
        "reprice",
        model=model,
        user_ids=[row["user_id"] for row in rows],
        ids=[row["id"] for row in rows],
        listed=[document_of(model, row["started_at"]) for row in rows],
        apply=apply,
    )
    try:
        row = await _patiently(ask)
    except StatementFailed as error:
        if error.sqlstate != OUT_OF_RANGE:
            raise
        raise _uncountable() from error
    assert row is not None  # noqa: S101 - an aggregate has a row
    return row


def _refuse_uncountable(previewed: Record, added: Counter[UUID]) -> None:
    """Refuse what an application would meet: a preview adds nothing, so it carries along what it would have."""
    for user_id, spent, more in zip(*(previewed[name] for name in _BY_USER), strict=True):
        added[user_id] += int(more)
        if spent + added[user_id] > _MOST_NANOS:
            raise _uncountable()


def _uncountable() -> Invalid:
    return Invalid.field("model", "would make a user's totals larger than can be counted")


async def _patiently(ask: Callable[[], Awaitable[Record | None]]) -> Record | None:
    """Ask again while somebody else holds the lock of one of the users: then nothing has happened."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return await firmly(ask)
        except Unavailable as error:
            if error.fields.get("sqlstate") != LOCKED:
                raise
        await asyncio.sleep(_PAUSE_SECONDS * attempt)
    return await firmly(ask)


async def _note(database: Database, actor: Actor, action: str, which: Range, total: Repriced) -> None:
    detail = {
        "model": which.model,
        "from": which.since.isoformat(),
        "to": which.until.isoformat(),
        "requests": total.requests,
        "changed": total.changed,
        "cost_nanos": [total.nanos_before, total.nanos_after],
    }
    await activity.note(database, user_id=None, actor=actor, action=action, detail=detail)
