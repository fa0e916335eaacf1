"""What the runs of a state machine share, since hypothesis drives it without a loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from tests.metering.making import PENDING_FOR, Clock
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses


@dataclass(frozen=True, slots=True)
class House:
    """One database, one clock, one loop; ``numbers`` tell users apart."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    owner: asyncpg.Connection
    db: Database
    ledger: Ledger
    clock: Clock
    numbers: itertools.count[int]


@contextmanager
def a_house(dsns: Addresses) -> Generator[House]:
    """Open all of it on a loop of its own, and close it."""
    with asyncio.Runner() as runner:
        run = runner.run

        async def opened() -> tuple[asyncpg.Connection, Any, Any]:
            owner = await asyncpg.connect(dsns.owner)
            opening = Database.open(dsns.service, size=2)
            return owner, opening, await opening.__aenter__()

        owner, opening, db = run(opened())
        ledger = Ledger(db, pending_for=PENDING_FOR)
        clock = Clock(owner)
        run(ledger.__aenter__())
        run(clock.prepare())
        yield House(run, owner, db, ledger, clock, itertools.count(1))
        run(ledger.__aexit__())
        run(opening.__aexit__(None, None, None))
        run(owner.close())


async def read_by_sql(owner: asyncpg.Connection, user: UUID) -> tuple[list[Any], list[Any], list[Any], list[list[Any]]]:
    """What the specification's tables and the directory say of a user, and of the plan in force."""
    (seen,) = await owner.fetch(
        "SELECT plan, plan_expires_at, requests_used, requests_limit FROM users WHERE id = $1", user
    )
    (counted,) = await owner.fetch(
        "SELECT requests_this_month, requests_today FROM user_dashboard_data WHERE user_id = $1", user
    )
    (listed,) = await owner.fetch(
        "SELECT plan, plan_expires_at, requests_this_month, monthly_limit, requests_today, daily_limit"
        "  FROM directory WHERE id = $1",
        user,
    )
    plans = "SELECT plan_name, expires_at, is_trial FROM user_plans WHERE user_id = $1 AND is_active"
    return list(seen), list(counted), list(listed), [list(each) for each in await owner.fetch(plans, user)]
