"""Leaving: a user is deleted with all that is theirs, and the sums over all users stay what they were.

Who is deleted is nobody any more with the first transaction; the rest goes in short ones, so that a long history holds
nobody up. Whoever is interrupted is finished by a job (``store/routines/85_leaving.sql``).
"""

from __future__ import annotations

import time
from functools import partial
from typing import Final
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, NotFound
from tollkeeper.metering import pricing
from tollkeeper.store.database import Database, Statements
from tollkeeper.store.patience import patiently

__all__ = ["LAST_OPERATOR", "begin", "finish", "leave", "unfinished"]

LAST_OPERATOR: Final = "nobody else could run this service: make another operator first"

# So many go within some tens of milliseconds.
_ROWS: Final = 500
_PAUSES_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 1.0, 2.0, 2.0)


async def leave(
    database: Database, patient: Database, user_id: UUID, *, actor: Actor, may_be_last: bool, seconds: float
) -> bool:
    """Delete a user; says whether all is gone, or (after about so many ``seconds``) left to the job."""
    await begin(database, user_id, actor=actor, may_be_last=may_be_last)
    return await finish(database, patient, user_id, seconds=seconds)


async def begin(database: Database, user_id: UUID, *, actor: Actor, may_be_last: bool) -> None:
    """Take a user's address and every way in, from the next look-up on.

    ``NotFound`` if there is no such user, ``Contradiction`` for the last operator (unless it ``may_be_last``).
    """
    async with database.transaction() as tx:
        verdict = await tx.value("begin_leaving", user_id=user_id, may_be_last=may_be_last)
        if verdict == "unknown-user":
            raise NotFound("no such user")
        if verdict == "last-operator":
            raise Contradiction(LAST_OPERATOR)
        await activity.note(tx, user_id=user_id, actor=actor, action="user.deleted")


async def finish(database: Statements, patient: Statements, user_id: UUID, *, seconds: float) -> bool:
    """Take what is left of a user who is leaving; says whether that is all.

    ``patient`` is the database for what may take longer. Raises ``Unavailable`` when it is away or busy all the time.
    """
    ends_at = time.monotonic() + seconds
    while True:
        while await patiently(partial(database.value, "leave_some", user_id=user_id, most=_ROWS), _PAUSES_SECONDS):
            if time.monotonic() > ends_at:
                return False
        await _fold_names(patient, user_id)
        if await patiently(partial(patient.value, "end_leaving", user_id=user_id), _PAUSES_SECONDS):
            return True


async def unfinished(database: Statements) -> list[UUID]:
    """Say who is on the way out."""
    return [row["id"] for row in await database.all("leaving")]


async def _fold_names(database: Statements, user_id: UUID) -> None:
    """Let no name in the sums over all users tell of this one. Models of the public price list tell nothing."""
    names: dict[str, list[str]] = {"model": [], "category": [], "request_type": []}
    for row in await patiently(partial(database.all, "names_only_theirs", user_id=user_id), _PAUSES_SECONDS):
        if row["kind"] != "model" or not pricing.is_listed(row["name"]):
            names[row["kind"]].append(row["name"])
    if any(names.values()):
        fold = partial(
            database.run,
            "fold_names",
            models=names["model"],
            categories=names["category"],
            request_types=names["request_type"],
        )
        await patiently(fold, _PAUSES_SECONDS)
