"""Every number proved again and again beside the service, little by little.

``verify`` shows all at one instant, and until it has read everything PostgreSQL keeps each old state of the rows that
others write meanwhile. Here a few users at a time are proved at an instant of their own, the sums over all users month
by month, and between two parts it rests for much longer than the last one took.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Final
from uuid import UUID

from tollkeeper.errors import TollkeeperError, Unavailable
from tollkeeper.metering.upkeep.verify import Difference, differences_of, overall_differences
from tollkeeper.store.database import Database, Statements, is_damaged

log = logging.getLogger(__name__)

_USERS: Final = 1_000
# Users with few requests are proved together, for most of what one of them takes is planning: so few that a part takes
# about a tenth of a second, unless it is a single user.
_MOST_TOGETHER: Final = 200
_MOST_REQUESTS: Final = 2_000
# After each part nothing is done for so many times as long as it took: a tenth of one CPU is what it takes.
_RESTS: Final = 9
# Of what is wrong everywhere a beginning will do.
_MOST_KEPT: Final = 100

Rest = Callable[[float], Awaitable[object]]
_Ask = Callable[[Statements], Awaitable[list[Difference]]]


@dataclass(slots=True)
class Proof:
    """What was found since ``at``: how many numbers are wrong, the first of them, and what could not be read."""

    at: datetime
    users: int = 0
    wrong: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])
    unreadable: list[str] = field(default_factory=list[str])

    def add(self, found: list[Difference]) -> None:
        """Take what was found in a part."""
        self.wrong += len(found)
        self.differences += found[: _MOST_KEPT - len(self.differences)]

    def alarm(self) -> tuple[str, str] | None:
        """Say what is wrong, as the subject of a mail to operators and as the rest of it; ``None``: nothing is."""
        if self.unreadable:
            rest = (
                f"Its disk does not give back the requests of {len(self.unreadable)} users or months; the log names "
                "them. Look to the disk, and restore the latest backup before there is no good one any more."
            )
            return "Part of the database cannot be read", rest
        if self.wrong:
            rest = (
                f"Of {self.users} users, or over all of them, {self.wrong} numbers were wrong; the log names the "
                "first. `tollkeeper verify` names all, and a POST to a user's dashboard mends theirs."
            )
            return "Numbers are not what the requests say", rest
        return None


async def is_due(database: Statements, every: timedelta) -> bool:
    """Tell whether everything was proved longer ago than that, by whomever."""
    return await database.value("proof_is_due", every=every)


async def prove(owner: Database, every: timedelta, *, rest: Rest = asyncio.sleep) -> Proof | None:
    """Prove every number and note what was found; ``None`` if it is not due, or another node is at it.

    ``owner`` has one connection, which holds the lock. If that is lost another node may begin: it does no harm.
    """
    if not (await owner.value("hold_proof") and await is_due(owner, every)):
        return None
    proof = Proof(await owner.value("database_instant"))
    async for user_ids in _users(owner):
        await _prove_users(owner, proof, user_ids, rest)
        proof.users += len(user_ids)
    edges = [None, *(row["at"] for row in await owner.all("edges_of_months")), None]
    for since, until in pairwise(edges):
        part = f"sums from {since or 'the beginning'} to {until or 'the end'}"
        await _prove(owner, proof, part, partial(overall_differences, since=since, until=until), rest)
    await owner.run("note_verification", at=proof.at, differences=proof.wrong, unreadable=len(proof.unreadable))
    _log(proof)
    return proof


def _log(proof: Proof) -> None:
    for part in proof.unreadable:
        log.error("not proved, for it cannot be read: %s", part)
    for each in proof.differences:
        whose = f"user {each.user_id}" if each.user_id else "all users"
        place = f"{each.place} {each.key or ''}".rstrip()
        log.error(
            "wrong: %s of %s in %s is %d, the requests say %d", each.field, whose, place, each.stored, each.actual
        )
    if proof.users:
        log.info("the numbers of %d users were proved, %d are wrong", proof.users, proof.wrong)


async def _users(owner: Database) -> AsyncGenerator[list[UUID]]:
    """Give all users, those together who follow each other and have few requests."""
    part, requests, last = list[UUID](), 0, UUID(int=0)
    while rows := await owner.all("users_to_prove", after=last, most=_USERS):
        for row in rows:
            requests += row["total_requests"]
            if part and (requests > _MOST_REQUESTS or len(part) == _MOST_TOGETHER):
                yield part
                part, requests = [], row["total_requests"]
            part.append(row["user_id"])
        last = rows[-1]["user_id"]
    if part:
        yield part


async def _prove_users(owner: Database, proof: Proof, user_ids: list[UUID], rest: Rest) -> None:
    """Prove some users together, or each alone where that fails: one of them hides nothing of the others."""
    if len(user_ids) > 1:
        found = await _found(owner, partial(differences_of, user_ids=user_ids), rest)
        if not isinstance(found, TollkeeperError):
            proof.add(found)
            return
    for user_id in user_ids:
        await _prove(owner, proof, f"user {user_id}", partial(differences_of, user_ids=[user_id]), rest)


async def _prove(owner: Database, proof: Proof, part: str, ask: _Ask, rest: Rest) -> None:
    """Prove one part; what is damaged in it hides nothing of the others."""
    found = await _found(owner, ask, rest)
    if not isinstance(found, TollkeeperError):
        proof.add(found)
    elif isinstance(found, Unavailable) and is_damaged(found):
        proof.unreadable.append(f"{part}: {found.detail}")
    else:
        raise found


async def _found(owner: Database, ask: _Ask, rest: Rest) -> list[Difference] | TollkeeperError:
    """Ask about one part at an instant of its own, and rest."""
    clock = asyncio.get_running_loop().time
    began = clock()
    found: list[Difference] | TollkeeperError
    try:
        async with owner.transaction(isolation="repeatable_read", read_only=True) as tx:
            await tx.run("hold_partitions")
            found = await ask(tx)
    except TollkeeperError as error:
        found = error
    await rest(_RESTS * (clock() - began))
    return found
