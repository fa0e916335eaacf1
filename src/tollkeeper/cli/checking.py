"""``tollkeeper migrate`` and ``tollkeeper verify``: is the database what it should be?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tollkeeper.cli.answers import DEFAULTS, Answer, Common, counted, shown, table, told_at
from tollkeeper.cli.house import opened, settings_of
from tollkeeper.location import located
from tollkeeper.metering.upkeep.verify import Difference, Verification, note
from tollkeeper.metering.upkeep.verify import verify as verified
from tollkeeper.store.migrate import migrate as migrated

__all__ = ["migrate", "verify"]

_AN_HOUR: Final = 3600.0


async def migrate(*, common: Common = DEFAULTS) -> Answer:
    """Bring the database to what this version needs, and say what that took.

    Every start does the same; here it can be done before. Any number may do it at once: one does, the others wait.
    """
    async with located(settings_of(common)) as addresses:
        applied = await migrated(addresses.owner, addresses.service)
    text = table(("APPLIED", "WHAT", "MS"), ((each.name, each.kind, each.milliseconds) for each in applied))
    document = {"applied": [shown(each) for each in applied]}
    return Answer(document, text if applied else "Nothing to do: the database is what this version needs.")


async def verify(*, common: Common = DEFAULTS) -> Answer:
    """Recompute every derived number from the requests, as all stood at one instant, also while others write.

    Each number that disagrees is named, with what is stored and what the requests say; then the exit code is 1. What is
    wrong with a user's numbers is mended by POST /api/user/dashboard.
    """
    async with opened(common, statement_seconds=_AN_HOUR) as house:
        found = await verified(house.database)
        await note(house.database, found)
    differences = [_document(each) for each in found.differences]
    document = {
        "ok": not differences,
        "differences": differences,
        "users": found.users,
        "requests": found.requests,
        "since": found.since,
        "rowsFrom": found.rows_from,
        "textsFrom": found.texts_from,
        "at": found.at,
    }
    scope = f"{counted(found.requests, 'request')} of {counted(found.users, 'user')} at {told_at(found.at)}"
    if not differences:
        return Answer(document, "\n".join([f"Every number agrees with {scope}.", *_pruned(found)]))
    header = ("USER", "WHERE", "FIELD", "STORED", "ACTUAL")
    rows = ((_whose(each), _place(each), each.field, each.stored, each.actual) for each in found.differences)
    told = "\n".join(
        [f"{counted(len(differences), 'number')} disagree{'s'[: len(differences) == 1]} with {scope}.", *_pruned(found)]
    )
    return Answer(document, table(header, rows), told, ok=False)


def _pruned(found: Verification) -> Iterator[str]:
    if found.rows_from:
        yield f"There are rows since {told_at(found.rows_from)}; the sums of what was before are sealed and count."
    if found.texts_from:
        yield f"There are texts since {told_at(found.texts_from)}."


def _document(one: Difference) -> dict[str, Any]:
    return {
        "user": one.email,
        "userId": one.user_id,
        "place": one.place,
        "key": one.key,
        "field": one.field,
        "stored": one.stored,
        "actual": one.actual,
    }


def _whose(one: Difference) -> str:
    return one.email or (str(one.user_id) if one.user_id else "(all)")


def _place(one: Difference) -> str:
    return " ".join([one.place, *(f"{name}={value}" for name, value in one.key.items())])
