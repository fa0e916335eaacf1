"""Proof that every derived number equals its rows, and mending of those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tollkeeper.errors import NotFound, RebuiltJustNow, Unavailable
from tollkeeper.store.database import Database, Statements

PAUSE: Final = timedelta(seconds=10)
_ATTEMPTS: Final = 5
# A number of the rows themselves is not derived; it is named, and a person must look.
_NOT_MENDED: Final = "request_analytics"


@dataclass(frozen=True, slots=True)
class Difference:
    """One derived number that disagrees with the rows. ``user_id`` is ``None`` for a number over all users."""

    user_id: UUID | None
    email: str | None
    place: str
    key: dict[str, Any]
    field: str
    stored: int
    actual: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What one snapshot of the whole ledger showed.

    Rows before ``rows_from`` (``None``: the beginning) were pruned: their sums are sealed and count, and those of days
    and hours before it stand as the record.
    """

    users: int
    requests: int
    since: datetime | None
    rows_from: datetime | None
    texts_from: datetime | None
    at: datetime
    differences: list[Difference]


async def verify(database: Database) -> Verification:
    """Recompute every derived number from the rows, in one snapshot, also while others write."""
    async with database.transaction(isolation="repeatable_read", read_only=True) as tx:
        await tx.run("hold_partitions")
        covered = await tx.one("verified")
        if covered is None:
            raise Unavailable("the database did not say what it holds")
        return Verification(**dict(covered.items()), differences=await differences_of(tx))


async def note(database: Statements, found: Verification) -> None:
    """Keep what a verification found, for those who look at the system later."""
    await database.run("note_verification", at=found.at, differences=len(found.differences), unreadable=0)


async def rebuild(database: Database, user_id: UUID) -> list[Difference]:
    """Mend a user's derived numbers and say which were wrong (normally none).

    Raises ``RebuiltJustNow`` when it was done within the last 10 seconds. Tracking goes on meanwhile: the differences
    are found in a snapshot, and only adding them takes the user's lock.
    """
    for _ in range(_ATTEMPTS):
        async with database.transaction(isolation="repeatable_read", read_only=True) as tx:
            await tx.run("hold_partitions")
            seen = await tx.one("calculated", user_id=user_id, pause=PAUSE)
            if seen is None:
                raise NotFound("no such user")
            if seen["is_too_soon"]:
                raise RebuiltJustNow("the numbers were rebuilt within the last 10 seconds")
            found = [each for each in await differences_of(tx, [user_id]) if each.place != _NOT_MENDED]
        mended = await database.value(
            "mend",
            user_id=user_id,
            calculated_at=seen["last_calculated_at"],
            day_starts_at=seen["day_starts_at"],
            month_starts_at=seen["month_starts_at"],
            places=[each.place for each in found],
            keys=[each.key for each in found],
            fields=[each.field for each in found],
            missing=[each.actual - each.stored for each in found],
        )
        if mended:
            return found
    raise Unavailable("the user's windows kept ending while their numbers were rebuilt")


async def differences_of(tx: Statements, user_ids: Sequence[UUID] | None = None) -> list[Difference]:
    """Say which derived numbers disagree, within a snapshot: some users', or those of all users and over all."""
    await tx.run("plan_for_these_values")
    return [
        Difference(
            row["user_id"], row["email"], row["place"], row["key"], row["field"], int(row["stored"]), int(row["actual"])
        )
        for row in await tx.all("differences", user_ids=user_ids)
    ]


async def overall_differences(tx: Statements, *, since: datetime | None, until: datetime | None) -> list[Difference]:
    """Say which sums over all users disagree, within a snapshot, of the hours from one instant to another."""
    await tx.run("plan_for_these_values")
    return [
        Difference(None, None, "overall_rollups", row["key"], row["field"], int(row["stored"]), int(row["actual"]))
        for row in await tx.all("overall_differences", since=since, until=until)
    ]
