"""Pruning: whole months of rows and, earlier, old texts go. No total changes, and at every instant all can be proved.

What was pruned is sealed: its sums are kept beside the rows that remain (``store/routines/80_retention.sql``). Every
step is a short transaction of its own, or one that holds nobody up; whoever is interrupted begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Invalid, Unavailable
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Database, Statements
from tollkeeper.store.patience import patiently

__all__ = [
    "LOCK_SECONDS",
    "Boundaries",
    "Month",
    "Plan",
    "PlanTexts",
    "PrunedRows",
    "Retained",
    "boundaries",
    "months_to_go",
    "planned",
    "plans_limit_texts",
    "plans_to_clear",
    "prune_rows",
    "prune_texts",
    "retained",
]

# Whoever tracks waits behind us while we wait for a lock: give up soon, let them pass, come again.
LOCK_SECONDS: Final = 0.1
_PAUSES_SECONDS: Final = (*(0.1, 0.2, 0.3, 0.5) * 3, *(1.0,) * 10, *(2.0,) * 10)
_STRAYS: Final = 500
# 2 MiB of rows: their texts go within some tens of milliseconds.
_BLOCKS: Final = 256
_USERS: Final = 200


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Before which instants rows and texts go; ``None`` leaves them."""

    rows_before: datetime | None
    texts_before: datetime | None


@dataclass(frozen=True, slots=True)
class Retained:
    """Since when there are rows and texts; ``None``: since the beginning.

    ``closing`` are partitions of a pruning that is under way, or was interrupted.
    """

    rows_from: datetime | None
    texts_from: datetime | None
    closing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """A partition that is to go, and how large it is with its analytics and indexes."""

    month: str
    requests: int
    pending: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PlanTexts:
    """How many requests under a plan have texts that are older than it lets them get, and how large those are."""

    plan: str
    before: datetime
    texts: int
    text_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pruning would do. ``strays`` are requests of the default partition: they are deleted one by one.

    ``of_plans`` are texts that go besides, under plans that keep them for less long.
    """

    months: tuple[Month, ...]
    strays: int
    texts: int
    text_bytes: int
    of_plans: tuple[PlanTexts, ...] = ()


@dataclass(frozen=True, slots=True)
class PrunedRows:
    """What went. ``held_by`` is a month that stays, and all after it: a request of it is still pending."""

    requests: int
    months: tuple[str, ...]
    held_by: str | None


async def boundaries(
    database: Statements,
    *,
    rows_days: int | None = None,
    texts_days: int | None = None,
    rows_before: datetime | None = None,
    texts_before: datetime | None = None,
) -> Boundaries:
    """Say what is to go by the database's clock: by age in days, or before an instant. Rows go by whole months of UTC.

    Raises ``Invalid`` for instants that would take this month's rows, the last one's, or texts of the future.
    """
    found = await database.one(
        "boundaries", rows_days=rows_days, texts_days=texts_days, rows_before=rows_before, texts_before=texts_before
    )
    if found is None:
        raise Unavailable("the database did not say what time it is")
    rows, texts, latest = found["rows_before"], found["texts_before"], found["latest_rows_before"]
    if rows is not None and rows > latest:
        raise Invalid.field("rowsBefore", f"rows of this month and the last one always stay: {latest:%Y-%m-%d} at most")
    if texts is not None and texts > found["now"]:
        raise Invalid.field("textsBefore", "lies in the future")
    return Boundaries(rows, texts)


async def planned(owner: Statements, where: Boundaries, *, by_plan: bool = False) -> Plan:
    """Count what would go, and change nothing; ``by_plan``: also the texts that plans keep for less long."""
    months: list[Month] = []
    strays = texts = text_bytes = 0
    if where.rows_before is not None:
        counted = {row["month"]: row for row in await owner.all("rows_before", before=where.rows_before)}
        for row in await owner.all("months_before", before=where.rows_before):
            held = counted.get(row["month"], {"requests": 0, "pending": 0})
            months.append(Month(row["month"], held["requests"], held["pending"], row["bytes"]))
        if None in counted:
            strays = counted[None]["requests"] - counted[None]["pending"]
    if where.texts_before is not None:
        texts, text_bytes = await _texts(owner, where.texts_before)
    due = await plans_to_clear(owner) if by_plan else []
    of_plans = [
        PlanTexts(plan, before, *await _texts(owner, before, plan=plan, since=where.texts_before))
        for plan, before in due
    ]
    return Plan(tuple(months), strays, texts, text_bytes, tuple(of_plans))


async def _texts(
    owner: Statements, before: datetime, *, plan: str | None = None, since: datetime | None = None
) -> tuple[int, int]:
    found = await owner.one("texts_before", before=before, plan=plan, since=since)
    return (found["requests"], found["bytes"]) if found else (0, 0)


async def months_to_go(owner: Statements, before: datetime) -> int:
    """Count the partitions that would go."""
    return len(await owner.all("months_before", before=before))


async def retained(database: Statements) -> Retained:
    """Say since when there are rows and texts."""
    found = await database.one("retained")
    if found is None:
        raise Unavailable("the database did not say what it keeps")
    return Retained(found["rows_from"], found["texts_from"], tuple(found["closing"]))


async def prune_rows(
    owner: Database, ledger: Ledger, before: datetime, *, actor: Actor, advance: Callable[[int], None] = lambda _: None
) -> PrunedRows:
    """Seal and drop what began before an instant, month by month; ``advance`` is told of each month.

    ``owner`` is the database as its owner, opened with ``LOCK_SECONDS``. Raises ``Unavailable`` when the tables are in
    use all the time, as by a backup: what was not done then is done next time.
    """
    while await ledger.expire(most=_USERS) == _USERS:
        pass
    gone = await _sealed(owner, actor, None)  # what somebody who was interrupted left
    months: list[str] = []
    held_by: str | None = None
    for row in await owner.all("months_before", before=before):
        verdict = await patiently(partial(owner.value, "close_month", month=row["starts_at"]), _PAUSES_SECONDS)
        if verdict == "pending":
            held_by, before = row["month"], row["starts_at"]
            break
        if verdict == "closed":
            gone += await _sealed(owner, actor, row["month"])
            months.append(row["month"])
        advance(1)
    while await patiently(partial(owner.value, "close_strays", before=before, most=_STRAYS), _PAUSES_SECONDS):
        pass
    gone += await _sealed(owner, actor, None)
    return PrunedRows(gone, tuple(months), held_by)


async def prune_texts(
    owner: Database,
    before: datetime,
    *,
    actor: Actor,
    plan: str | None = None,
    begin: Callable[[int], Callable[[int], None]] = lambda _: lambda _: None,
) -> int:
    """Clear the texts of requests that began before an instant, of all or of those under a plan; says how many had any.

    Texts are prompt, response, error message, metadata, address and user agent. Whoever sends one later, to a request
    that old, is answered as ever, and it is not kept. ``begin`` is told how many blocks there are to look through, and
    gives what is told of each lot that is done.
    """
    beginning = partial(owner.all, "begin_clearing", before=before)
    if plan is not None:
        beginning = partial(owner.all, "begin_clearing_of_plan", plan=plan, before=before)
    places = await patiently(beginning, _PAUSES_SECONDS)
    advance = begin(sum(place["blocks"] for place in places))
    gone = 0
    for place in places:
        for block in range(0, place["blocks"], _BLOCKS):
            gone += await _cleared(owner, place["partition"], block, plan)
            advance(min(_BLOCKS, place["blocks"] - block))
    if places:
        async with owner.transaction() as tx:
            if plan is None:
                await tx.run("texts_cleared", before=places[0]["before"])
            else:
                await tx.run("texts_of_plan_cleared", plan=plan, before=places[0]["before"])
            await activity.note(
                tx,
                user_id=None,
                actor=actor,
                action="texts.pruned",
                detail={"requests": gone, "before": places[0]["before"].isoformat()} | ({"plan": plan} if plan else {}),
            )
    return gone


async def plans_limit_texts(database: Statements) -> bool:
    """Say whether any plan says how long texts live."""
    return await database.value("plans_limit_texts")


async def plans_to_clear(database: Statements) -> list[tuple[str, datetime]]:
    """Say of which plans texts may have become too old, and before which instant those are."""
    return [(row["plan"], row["before"]) for row in await database.all("plans_to_clear")]


async def _sealed(owner: Database, actor: Actor, month: str | None) -> int:
    async def seal() -> int:
        async with owner.transaction() as tx:
            requests = await tx.value("seal")
            if requests or month:
                await activity.note(
                    tx,
                    user_id=None,
                    actor=actor,
                    action="requests.pruned",
                    detail={"requests": requests, "month": month},
                )
            return requests

    return await patiently(seal, _PAUSES_SECONDS)


async def _cleared(owner: Database, partition: str, block: int, plan: str | None) -> int:
    """Clear some blocks. Rows that others hold are met again."""

    async def clear() -> tuple[int, bool]:
        found = await owner.one(
            "clear_texts", partition=partition, from_block=block, to_block=block + _BLOCKS, plan=plan
        )
        return (found["cleared"], found["is_done"]) if found else (0, True)

    gone = 0
    for seconds in _PAUSES_SECONDS:
        cleared, is_done = await patiently(clear, _PAUSES_SECONDS)
        gone += cleared
        if is_done:
            return gone
        await asyncio.sleep(seconds)
    raise Unavailable(f"rows of {partition} were held all the time")
