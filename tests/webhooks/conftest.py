"""Receivers on this machine, a user, and an endpoint."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest

from tests.accounts.clock import set_clock
from tests.receivers import Receiver, receiving
from tests.webhooks.making import ACTOR, NOW, webhooks
from tollkeeper.accounts import users
from tollkeeper.store.database import Database
from tollkeeper.webhooks import endpoints
from tollkeeper.webhooks.endpoints import Endpoint


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def other() -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def ada(db: Database, owner: Any) -> UUID:
    await set_clock(owner, NOW)
    return (await users.add(db, "ada@example.com")).id


@pytest.fixture
async def endpoint(db: Database, ada: UUID, receiver: Receiver) -> Endpoint:
    assert ada
    return await endpoints.add(db, webhooks(), receiver.url, actor=ACTOR)
