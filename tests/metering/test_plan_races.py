"""Plans, grants and overrides that begin or end amid starts on two nodes: each start meets the limit of its version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import asyncpg
import pytest

from tests.judges import Attempt
from tests.metering.making import PENDING_FOR, Clock, a_plan, a_request, a_user
from tests.metering.racers import SMALL_SETS, attempt
from tollkeeper.activity import Actor
from tollkeeper.errors import NotFound
from tollkeeper.metering.plans import changes, exceptions, terms
from tollkeeper.metering.plans.changes import Wish
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

Act: TypeAlias = Callable[[Database, UUID], Awaitable[object]]

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
# What was paid on the 31st of January ends then, in February.
END = datetime(2026, 2, 28, 12, tzinfo=UTC)
RACERS = 200
FEW, MANY = 10, 100
ME = Actor("race")


@pytest.fixture(autouse=True)
async def _catalogue(db: Database, owner: asyncpg.Connection, clock: Clock) -> AsyncGenerator[None]:
    await clock.hold(AT)
    await owner.execute("UPDATE plans SET daily_requests = NULL, monthly_requests = $1 WHERE name = 'free'", FEW)
    await a_plan(owner, "few", monthly_requests=FEW)
    await a_plan(owner, "many", monthly_requests=MANY)
    yield
    assert (await verify(db)).differences == []


async def race_and(dsns: Addresses, db: Database, user: UUID, act: Act | None = None) -> list[Attempt]:
    """Race on two nodes; once the first racer has its answer, something happens."""
    async with (
        Database.open(dsns.service, size=2) as other,
        Ledger(db, pending_for=PENDING_FOR, bounds=SMALL_SETS) as here,
        Ledger(other, pending_for=PENDING_FOR, bounds=SMALL_SETS) as there,
    ):
        sent = [a_request(user, client_id=f"r{n}") for n in range(RACERS)]
        racing = [asyncio.create_task(attempt((here, there)[n % 2], each)) for n, each in enumerate(sent)]
        await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
        if act:
            await act(other, user)
        told = await asyncio.gather(*racing)
        # Whoever comes last takes what is left in the end.
        while told[-1].id or len(told) == RACERS:
            told.append(await attempt(here, a_request(user, client_id=f"r{len(told)}")))
        return told


def judge(told: Sequence[Attempt], *limits: int) -> int:
    """Hold each against the limit of its version, which changes once; answers how many were admitted."""
    admitted = sorted((each for each in told if each.id is not None), key=lambda each: each.limits.version)
    assert [each.limits.monthly_used for each in admitted] == list(range(1, len(admitted) + 1))
    for each in told:
        used, most = each.limits.of_limit("monthly")
        assert most is not None
        if each.id is None:
            assert (each.refused_by, used >= most) == ("monthly", True)
            assert used == sum(one.limits.version <= each.limits.version for one in admitted)
        else:
            assert used <= most
    by_version = [each.limits.monthly_limit for each in sorted(told, key=lambda each: each.limits.version)]
    turns = [most for n, most in enumerate(by_version) if n == 0 or by_version[n - 1] != most]
    assert turns == [*limits]
    return len(admitted)


async def upgrade(db: Database, user: UUID) -> None:
    await changes.change(db, user, Wish("many"), actor=ME, by_themselves=False)


async def move_to_newer_terms(db: Database, user: UUID) -> None:
    await db.all("migrate_users", user_ids=[user], plan="few", to="many")


async def except_for_a_while(db: Database, user: UUID) -> None:
    limits = {"monthly_requests": MANY}
    await exceptions.override(db, user, limits, reason="x", ends_at=END, actor=ME)


async def grant_more(db: Database, user: UUID) -> None:
    more = MANY - FEW
    await exceptions.grant(db, user, "requests", more, reason="x", expires_at=None, priority=0, actor=ME)


MORE: list[Act] = [upgrade, move_to_newer_terms, except_for_a_while, grant_more]


@pytest.mark.parametrize("act", MORE)
async def test_what_begins_amid_starts_adds_exactly_itself(dsns: Addresses, db: Database, act: Act) -> None:
    user = await a_user(db, "few")
    assert judge(await race_and(dsns, db, user, act), FEW, MANY) == MANY


async def set_on_less(db: Database, user: UUID) -> None:
    await terms.set_plan(db, user, "few", actor=ME)


async def end_override(db: Database, user: UUID) -> None:
    (held,) = await exceptions.overrides(db, user)
    await exceptions.end_override(db, user, held.id, actor=ME)


LESS: list[tuple[str, Act | None, Act]] = [
    ("many", None, set_on_less),
    ("few", except_for_a_while, end_override),
]


@pytest.mark.parametrize(("plan", "before", "act"), LESS)
async def test_what_ends_amid_starts_admits_nobody_any_more(
    dsns: Addresses, db: Database, plan: str, before: Act | None, act: Act
) -> None:
    user = await a_user(db, plan)
    if before:
        await before(db, user)
    assert FEW <= judge(await race_and(dsns, db, user, act), MANY, FEW) <= MANY


async def test_a_grant_that_is_ended_amid_starts_has_burned_exactly_what_was_admitted_by_it(
    dsns: Addresses, db: Database
) -> None:
    user = await a_user(db, "few")
    await grant_more(db, user)
    burned: list[int] = []

    async def end(db: Database, user: UUID) -> None:
        (held,) = await exceptions.grants(db, user)
        try:
            burned.append((await exceptions.end_grant(db, user, held.id, actor=ME)).burned)
        except NotFound:
            burned.append(held.amount)  # it came when all of it was used up

    told = await race_and(dsns, db, user, end)
    left = FEW + burned[0]
    # All of it may be used up before it is ended: then the limit stays what it was.
    assert judge(told, *([MANY] if left == MANY else [MANY, left])) == left


async def plan_ends(db: Database, user: UUID) -> None:
    await terms.set_plan(db, user, "many", actor=ME, expires_at=END)


async def is_about_to_be_less(db: Database, user: UUID) -> None:
    await terms.set_plan(db, user, "many", actor=ME)
    await changes.change(db, user, Wish("few"), actor=ME, by_themselves=False)


ENDING: list[Act] = [plan_ends, is_about_to_be_less, except_for_a_while]


@pytest.mark.parametrize("arrange", ENDING)
async def test_what_ends_by_the_clock_amid_starts_admits_nobody_any_more(
    dsns: Addresses, db: Database, clock: Clock, arrange: Act
) -> None:
    user = await a_user(db, "few")
    await arrange(db, user)
    # The clock goes on whenever a set is decided: the end comes after the first few.
    await clock.run(since=END - timedelta(milliseconds=65), step=timedelta(milliseconds=10))
    admitted = judge(await race_and(dsns, db, user), MANY, FEW)
    assert FEW <= admitted < MANY
    await clock.hold(END + timedelta(minutes=1))
