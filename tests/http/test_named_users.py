"""Whom a service names: found once, and yet never somebody who is gone."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tollkeeper.accounts import users
from tollkeeper.activity import Actor
from tollkeeper.http import lookups

from .conftest import Heard, Site

NAME = "named@example.com"


async def start(service: Site, email: str = NAME) -> Heard:
    return await service.call("POST", "/api/chat/track", by=service.as_service(email), says={"prompt": "x"})


async def user_of(service: Site, heard: Heard) -> UUID:
    assert heard.status == 201, heard.body
    return await service.owner.fetchval("SELECT user_id FROM chat_requests WHERE id = $1", UUID(heard.json["id"]))


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds for 0.8 seconds is over at once, so that only starts still know whom they met."""
    monkeypatch.setattr(lookups, "_REMEMBERED_SECONDS", -1.0)


async def asked(service: Site, act: Any) -> int:
    """Count how often users are looked up by their address while something is done."""
    database, times = service.application.backend.database, 0
    ask = database.all

    async def counting(name: str, **values: Any) -> Any:
        nonlocal times
        times += name == "users_of_emails"
        return await ask(name, **values)

    database.all = counting
    try:
        await act()
    finally:
        del database.all
    return times


@pytest.mark.usefixtures("forgetful")
async def test_a_user_who_was_met_is_not_looked_up_for_each_start(service: Site) -> None:
    await start(service)
    await start(service)

    async def starts() -> None:
        for _ in range(3):
            assert (await start(service)).status == 201

    async def reads() -> None:
        assert (await service.call("GET", "/api/user/dashboard", by=service.as_service(NAME))).status == 200

    assert await asked(service, starts) == 0
    assert await asked(service, reads) == 1


@pytest.mark.usefixtures("forgetful")
async def test_a_start_for_who_has_left_is_somebody_new(service: Site) -> None:
    one = await user_of(service, await start(service, "leaving@example.com"))
    assert await user_of(service, await start(service, "leaving@example.com")) == one
    database = service.application.backend.database
    assert await database.value("begin_leaving", user_id=one, may_be_last=False) == "begun"
    other = await user_of(service, await start(service, "leaving@example.com"))
    assert other != one
    assert await user_of(service, await start(service, "leaving@example.com")) == other


@pytest.mark.usefixtures("forgetful")
async def test_who_left_and_came_back_at_once_is_met_once_by_all_at_the_same_time(service: Site) -> None:
    one = await user_of(service, await start(service, "back@example.com"))
    await service.application.backend.database.value("begin_leaving", user_id=one, may_be_last=False)
    met = {
        await user_of(service, each)
        for each in await asyncio.gather(*(start(service, "back@example.com") for _ in range(8)))
    }
    assert len(met) == 1
    assert one not in met


@pytest.mark.usefixtures("forgetful")
async def test_who_is_switched_off_is_refused_at_once(service: Site) -> None:
    one = await user_of(service, await start(service, "off@example.com"))
    database = service.application.backend.database
    await users.change(database, one, is_active=False, actor=Actor("test"))
    assert (await start(service, "off@example.com")).is_problem(403, "account-inactive")
    await users.change(database, one, is_active=True, actor=Actor("test"))
    assert await user_of(service, await start(service, "off@example.com")) == one
