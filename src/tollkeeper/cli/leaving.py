"""``tollkeeper user delete`` and ``tollkeeper scrub``: users go, and what was deleted leaves the files as well."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Final

from cyclopts import Parameter

from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, Email, Flag, Misused, counted
from tollkeeper.cli.house import opened
from tollkeeper.cli.progress import progress
from tollkeeper.metering.upkeep import leaving
from tollkeeper.store import scrubbing

__all__ = ["delete", "scrub"]

# However long a history is.
_SECONDS: Final = 24 * 3600.0


async def delete(
    email: Email,
    /,
    *,
    yes: Annotated[bool, Flag, Parameter(help="Yes, really.")] = False,
    common: Common = DEFAULTS,
) -> Answer:
    """Delete a user with all that is theirs: address, sessions, keys, variables, requests, texts, sums.

    Sums over all users stay, as nobody's. Nothing brings a user back; `tollkeeper export --user EMAIL` comes before.
    `tollkeeper scrub` then cleans the files of the database.
    """
    if not yes:
        raise Misused(f"nothing brings {email} back: say --yes")
    async with opened(common, statement_seconds=_SECONDS) as house:
        user_id = await house.user_id(email)
        await leaving.leave(house.database, house.database, user_id, actor=OPERATOR, may_be_last=True, seconds=_SECONDS)
    return Answer({"deleted": True, "id": user_id}, f"{email} is deleted.")


async def scrub(*, common: Common = DEFAULTS) -> Answer:
    """Take what was deleted out of the files of the database.

    PostgreSQL keeps the bytes of deleted rows until something else is written in their place, and in its log. This
    finishes deletions that are under way, rewrites every table, makes the planner's statistics anew, and (with the
    embedded PostgreSQL) renews the log. It works beside a running service, whose callers wait while a table is
    rewritten: best at a quiet time. Backups keep what they have.
    """
    async with opened(common, statement_seconds=_SECONDS) as house:
        for user_id in await leaving.unfinished(house.database):
            await leaving.finish(house.database, house.database, user_id, seconds=_SECONDS)
        with ExitStack() as shows:
            done = await scrubbing.scrub(
                house.addresses.owner,
                house.addresses.admin,
                begin=lambda tables: shows.enter_context(progress("Rewriting tables", tables)),
            )
    log = (
        "Its log is not ours to clean: that is for whoever runs the PostgreSQL."
        if done.segments is None
        else f"{counted(done.segments, 'segment')} of its log renewed."
    )
    return Answer(
        {"tables": done.tables, "segments": done.segments}, f"{counted(done.tables, 'table')} rewritten. {log}"
    )
