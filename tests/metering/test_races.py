"""Where many race for few, exactly as many win as there is room for, on whatever node and over whatever midnight."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from tests.judges import Attempt, witness
from tests.metering.making import NOON, OWN_MODEL, PENDING_FOR, Clock, a_plan, a_request, a_user, started, usage_of
from tests.metering.racers import SMALL_SETS, race, race_apart
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.metering.tracking.requests import NewRequest
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

RACERS = 200
LEFT = 10
LIMITS = {
    "daily": {"daily_requests": LEFT + 1},
    "monthly": {"monthly_requests": LEFT + 1},
    "tokens": {"monthly_tokens": 10 * (LEFT + 1)},
    "cost": {"monthly_cost_nanos": 28_000 * (LEFT + 1)},
}
ALL_LIMITS = {name: value for terms in LIMITS.values() for name, value in terms.items()}


def racers(user: UUID, *, retry: bool) -> list[NewRequest]:
    """Two hundred starts of ten tokens; every second one is sent twice, the second time from anywhere."""
    first = [a_request(user, client_id=f"r{n}", model=OWN_MODEL, max_tokens=9) for n in range(RACERS)]
    sent = first + (first[::2] if retry else [])
    random.Random(11).shuffle(sent)
    return sent


async def judge(
    told: Sequence[Attempt], before: Limits, user: UUID, db: Database, owner: asyncpg.Connection, *, admitted: int
) -> None:
    """Exactly so many were admitted, the history holds, and the rows say the same."""
    assert witness(told, before=before) == []
    assert len({each.id for each in told if each.id}) == admitted
    row = await usage_of(owner, user)
    assert row["version"] == before.version + admitted
    assert row["total_requests"] == admitted + 1
    assert (await verify(db)).differences == []


async def a_user_with_room(
    db: Database, owner: asyncpg.Connection, ledger: Ledger, terms: dict[str, int]
) -> tuple[UUID, Limits]:
    user = await a_user(db, await a_plan(owner, "tight", **terms))
    return user, (await started(ledger, user, model=OWN_MODEL, max_tokens=9)).limits


@pytest.mark.parametrize(
    ("terms", "retry"),
    [*((terms, False) for terms in LIMITS.values()), (ALL_LIMITS, True)],
    ids=[*LIMITS, "all-and-half-of-them-again"],
)
@pytest.mark.usefixtures("own_model")
async def test_two_hundred_racers_on_two_nodes_share_ten(
    dsns: Addresses, db: Database, owner: asyncpg.Connection, terms: dict[str, int], *, retry: bool
) -> None:
    async with (
        Database.open(dsns.service, size=2) as other,
        Ledger(db, pending_for=PENDING_FOR, bounds=SMALL_SETS) as here,
        Ledger(other, pending_for=PENDING_FOR, bounds=SMALL_SETS) as there,
    ):
        user, before = await a_user_with_room(db, owner, here, terms)
        sent = racers(user, retry=retry)
        half = len(sent) // 2
        told = [*(await race_both(here, sent[:half], there, sent[half:]))]
    await judge(told, before, user, db, owner, admitted=LEFT)


async def race_both(
    here: Ledger, some: Sequence[NewRequest], there: Ledger, others: Sequence[NewRequest]
) -> list[Attempt]:
    both = await asyncio.gather(race(here, some), race(there, others))
    return [attempt for each in both for attempt in each]


@pytest.mark.usefixtures("own_model")
async def test_two_hundred_racers_in_two_processes_share_ten(
    dsns: Addresses, db: Database, owner: asyncpg.Connection, ledger: Ledger
) -> None:
    user, before = await a_user_with_room(db, owner, ledger, ALL_LIMITS)
    sent = racers(user, retry=True)
    half = len(sent) // 2
    told = await race_apart(dsns.service, sent[:half], sent[half:])
    await judge(told, before, user, db, owner, admitted=LEFT)


BOUNDARIES = [
    ("UTC", datetime(2026, 5, 14, tzinfo=UTC), "daily"),
    ("Asia/Kathmandu", datetime(2026, 5, 31, 18, 15, tzinfo=UTC), "both"),
    ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), "both"),
]


@pytest.mark.parametrize(("zone", "boundary", "ends"), BOUNDARIES, ids=[row[0] for row in BOUNDARIES])
@pytest.mark.usefixtures("own_model")
async def test_racers_over_a_midnight_get_ten_of_each_side(
    dsns: Addresses, db: Database, owner: asyncpg.Connection, clock: Clock, *, zone: str, boundary: datetime, ends: str
) -> None:
    # The clock goes on by 10 ms whenever a set is decided, about forty sets: midnight comes amid the race.
    await clock.hold(boundary - timedelta(hours=1))
    terms = {"daily_requests": LEFT} if ends == "daily" else {"daily_requests": LEFT, "monthly_requests": LEFT}
    user = await a_user(db, await a_plan(owner, "tight", **terms), zone=zone)
    async with (
        Database.open(dsns.service, size=2) as other,
        Ledger(db, pending_for=PENDING_FOR, bounds=SMALL_SETS) as here,
        Ledger(other, pending_for=PENDING_FOR, bounds=SMALL_SETS) as there,
    ):
        before = (await here.preview(a_request(user))).limits
        before = replace(before, version=before.version - 1, daily_used=0, monthly_used=0, tokens_used=0)
        await clock.run(since=boundary - timedelta(milliseconds=170), step=timedelta(milliseconds=10))
        sent = racers(user, retry=True)
        half = len(sent) // 2
        told = await race_both(here, sent[:half], there, sent[half:])
    await clock.hold(boundary + timedelta(minutes=1))
    assert witness(told, before=before) == []
    by_day = dict[datetime, set[UUID]]()
    for each in told:
        if each.id:
            by_day.setdefault(each.limits.day_ends_at, set()).add(each.id)
    assert [len(ids) for _, ids in sorted(by_day.items())] == [LEFT, LEFT]
    assert (await usage_of(owner, user))["day_requests"] == LEFT
    assert (await verify(db)).differences == []


async def test_racers_of_many_users_meet_without_deadlock(
    dsns: Addresses, db: Database, owner: asyncpg.Connection
) -> None:
    plan = await a_plan(owner, "tight", daily_requests=3)
    users = [await a_user(db, plan, email=f"{n}@example.com") for n in range(20)]
    async with (
        Database.open(dsns.service, size=2) as other,
        Ledger(db, pending_for=PENDING_FOR, bounds=SMALL_SETS) as here,
        Ledger(other, pending_for=PENDING_FOR, bounds=SMALL_SETS) as there,
    ):
        sent = [a_request(user, client_id=str(n)) for n in range(8) for user in users]
        told = await race_both(here, sent, there, random.Random(5).sample(sent, len(sent)))
    admitted = {each.id for each in told if each.id}
    assert len(admitted) == 3 * len(users)
    assert await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    assert (await verify(db)).differences == []


async def test_the_true_clock_decides_as_well(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    await clock.hold(NOON)
    await clock.release()
    user = await a_user(db, await a_plan(owner, "tight", monthly_requests=LEFT))
    told = await race(ledger, racers(user, retry=True))
    assert len({each.id for each in told if each.id}) == LEFT
