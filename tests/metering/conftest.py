"""A ledger on a database of its own, whose clock the test may take over."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import PENDING_FOR, Clock, a_user, price_own_model
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Database


@pytest.fixture
async def ledger(db: Database) -> AsyncGenerator[Ledger]:
    """The ledger of one node."""
    async with Ledger(db, pending_for=PENDING_FOR) as ledger:
        yield ledger


@pytest.fixture
async def clock(owner: asyncpg.Connection) -> Clock:
    """The database's clock; it runs until it is held."""
    clock = Clock(owner)
    await clock.prepare()
    return clock


@pytest.fixture
async def user(db: Database) -> UUID:
    """A user on the plan pro: 50 requests a day, 1,000 a month."""
    return await a_user(db)


@pytest.fixture
async def own_model(owner: asyncpg.Connection) -> None:
    """The operator's price of the model house-1."""
    await price_own_model(owner)
