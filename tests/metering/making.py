"""What tests of the ledger are made of: a clock that its owner holds, users, plans, requests, outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import NewRequest, Outcome, Started
from tollkeeper.metering.upkeep import verify
from tollkeeper.metering.upkeep.verify import Difference
from tollkeeper.store.database import Database

NOON = datetime(2026, 5, 13, 12, tzinfo=UTC)
PENDING_FOR = timedelta(minutes=15)
# Nano-USD a token: 1,000 for input, 3,000 for output.
OWN_MODEL = "house-1"
OWN_RATES = '{"source": "own", "provider": null, "model": "house-1", "input": 1000000000, "output": 3000000000}'

_last_rank = 1000


@dataclass(frozen=True, slots=True)
class Clock:
    """The database's clock, taken over by the owner of the database."""

    owner: asyncpg.Connection

    async def hold(self, at: datetime) -> None:
        """Stand still at an instant."""
        await self._read_by("SELECT c.at FROM test_clock AS c")
        await self.owner.execute("UPDATE test_clock SET at = $1", at)

    async def step(self, by: timedelta) -> None:
        """Stand still somewhat later (or earlier)."""
        await self.owner.execute("UPDATE test_clock SET at = at + $1", by)

    async def run(self, *, since: datetime, step: timedelta) -> None:
        """Go on by a step whenever it is read, by whomever."""
        await self.owner.execute("SELECT setval('test_ticks', 1)")
        await self.owner.execute("UPDATE test_clock SET at = $1, step = $2", since, step)
        await self._read_by("SELECT c.at + c.step * nextval('test_ticks') FROM test_clock AS c")

    async def release(self) -> None:
        """Tell the true time again."""
        await self._read_by("SELECT clock_timestamp()")

    async def read(self) -> datetime:
        """Tell what the service hears."""
        return await self.owner.fetchval("SELECT tk_now()")

    async def prepare(self) -> None:
        """Make what the service is to read."""
        await self.owner.execute(
            "CREATE TABLE test_clock AS SELECT clock_timestamp() AS at, interval '0' AS step;"
            "CREATE SEQUENCE test_ticks;"
            "GRANT SELECT ON test_clock TO PUBLIC; GRANT USAGE ON test_ticks TO PUBLIC"
        )

    async def _read_by(self, sql: str) -> None:
        await self.owner.execute(
            f"CREATE OR REPLACE FUNCTION tk_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $clock${sql}$clock$"
        )


async def a_plan(owner: asyncpg.Connection, name: str, **terms: Any) -> str:
    """Add a plan to the catalogue; what is left out is unlimited."""
    global _last_rank  # noqa: PLW0603 - ranks must differ
    _last_rank += 1
    columns = {"name": name, "rank": _last_rank, "features": '["*"]'} | terms
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    # The names are the tests' own.
    await owner.execute(f"INSERT INTO plans ({', '.join(columns)}) VALUES ({places})", *columns.values())  # noqa: S608
    return name


async def a_user(db: Database, plan: str = "pro", *, zone: str = "UTC", email: str = "ada@example.com") -> UUID:
    """Add a user."""
    return await db.value("find_or_add_user", email=email, plan=plan, time_zone=zone)


async def price_own_model(owner: asyncpg.Connection) -> None:
    """Let the operator's table price the model of the house."""
    await owner.execute(
        "INSERT INTO model_prices (model, effective_from, rates) VALUES ($1, '-infinity', $2::text::jsonb)",
        OWN_MODEL,
        OWN_RATES,
    )


def a_request(user: UUID, prompt: str = "four", **given: Any) -> NewRequest:
    """Make a request; "four" is one token."""
    given.setdefault("priced_at", NOON)
    return NewRequest(user_id=user, prompt=prompt, **given)


def an_outcome(user: UUID, request: UUID | str, status: Any = "completed", /, **given: Any) -> Outcome:
    """Make an outcome; tokens_used follows from input and output."""
    kinds = (given.get("tokens_input"), given.get("tokens_output"))
    if kinds != (None, None):
        given.setdefault("tokens_used", sum(kind or 0 for kind in kinds))
    given.setdefault("priced_at", NOON)
    return Outcome(user_id=user, request=request, status=status, **given)


async def started(ledger: Ledger, user: UUID, **given: Any) -> Started:
    """Start one request."""
    return await ledger.start(a_request(user, **given))


async def outcomes_of(attempts: Sequence[Any]) -> list[Any]:
    """Await all at once; an error is an outcome as well."""
    return await asyncio.gather(*attempts, return_exceptions=True)


async def usage_of(owner: asyncpg.Connection, user: UUID) -> asyncpg.Record:
    """Read a user's usage row as it stands, current or not."""
    row = await owner.fetchrow("SELECT * FROM usage WHERE user_id = $1", user)
    assert row is not None
    return row


async def until_somebody_waits(owner: asyncpg.Connection, count: int = 1) -> None:
    """Wait until so many wait for locks that others hold."""
    async with asyncio.timeout(5):
        while await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < count:  # noqa: ASYNC110 - the database sets no event
            await asyncio.sleep(0.01)


async def differences_of(db: Database, user: UUID) -> list[Difference]:
    """What disagrees with the rows of one user: of all users it would take longer with each of them."""
    async with db.transaction(isolation="repeatable_read", read_only=True) as tx:
        return await verify.differences_of(tx, [user])


def at(zone: str, *fields: int) -> datetime:
    """What clocks of a zone show: year, month, day and what there is besides."""
    year, month, day, *clock = fields
    return datetime(year, month, day, *clock, tzinfo=ZoneInfo(zone)).astimezone(UTC)
