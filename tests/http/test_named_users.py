"""Whom a service names: found once, and yet never somebody who is gone."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.metering.making import a_request
from tollkeeper.accounts import keys, users
from tollkeeper.activity import Actor
from tollkeeper.http import lookups
from tollkeeper.metering.upkeep import leaving

from .conftest import JSON, Heard, Site

NAME = "named@example.com"


async def start(service: Site, email: str = NAME) -> Heard:
    return await service.call("POST", "/api/chat/track", by=service.as_service(email), says={"prompt": "x"})


async def user_of(service: Site, heard: Heard) -> UUID:
    assert heard.status == 201, heard.body
    return await service.owner.fetchval("SELECT user_id FROM chat_requests WHERE id = $1", UUID(heard.json["id"]))


async def finish(service: Site, started: Heard, email: str = NAME) -> Heard:
    says = {"requestId": started.json["id"], "status": "completed", "response": "y"}
    return await service.call("PUT", "/api/chat/track", by=service.as_service(email), says=says)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds for 0.8 seconds is over at once, so that only starts and finishes still know whom they met."""
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
async def test_a_user_who_was_met_is_not_looked_up_for_each_request(service: Site) -> None:
    await start(service)
    await start(service)

    async def requests() -> None:
        for _ in range(3):
            assert (await finish(service, await start(service))).status == 200

    async def reads() -> None:
        assert (await service.call("GET", "/api/user/dashboard", by=service.as_service(NAME))).status == 200

    assert await asked(service, requests) == 0
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
async def test_a_finish_by_a_name_finds_what_is_of_whoever_has_it_now(service: Site) -> None:
    await start(service, "renewed@example.com")
    one = await start(service, "renewed@example.com")
    database, pepper = service.application.backend.database, service.application.backend.pepper
    whose = await user_of(service, one)
    assert await leaving.leave(database, database, whose, actor=Actor("test"), may_be_last=False, seconds=10)
    assert (await finish(service, one, "renewed@example.com")).is_problem(404, "not-found")
    # Somebody new by that name starts elsewhere: on this node it still means who has left.
    new = await users.of_email_or_new(database, "renewed@example.com")
    key = await keys.create(
        database, kind="user", name="own", user_id=new, pepper=pepper, actor=Actor("test"), scopes={"track"}
    )
    by_key = JSON | {"Authorization": f"Bearer {key.key}"}
    other = await service.call("POST", "/api/chat/track", by=by_key, says={"prompt": "x"})
    assert (await finish(service, other, "renewed@example.com")).status == 200


@pytest.mark.usefixtures("forgetful")
async def test_a_variable_for_who_has_left_is_somebody_new_s(service: Site) -> None:
    key = await service.service_key("variables:write")

    async def put() -> UUID:
        heard = await service.call(
            "POST",
            "/api/user/variables",
            by=service.as_service("keeping@example.com", key),
            says={"key": "PLACE", "value": "here"},
        )
        assert heard.status in {200, 201}, heard.body
        (found,) = await service.owner.fetch(
            "SELECT user_id FROM user_identities WHERE kind = 'email' AND shown_as = 'keeping@example.com'"
        )
        return found["user_id"]

    await put()
    one = await put()
    await service.application.backend.database.value("begin_leaving", user_id=one, may_be_last=False)
    assert await put() != one


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


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/chat/track", b'{"prompt": 1}'),
        ("POST", "/api/chat/track", b'{"prompt": '),
        ("POST", "/api/chat/track", b'{"prompt": "x", "requestId": "no id"}'),
        ("POST", "/api/chat/track?dryRun=true", b'{"prompt": 1}'),
        ("POST", "/api/user/variables", b'{"key": "no key", "value": "x"}'),
        ("POST", "/api/user/variables", b"{"),
        ("PUT", "/api/user/variables", b'{"variables": {"KEY": "x", "no key": "x"}}'),
    ],
)
async def test_what_is_refused_for_what_it_says_makes_nobody(
    service: Site, method: str, path: str, body: bytes
) -> None:
    by = service.as_service("never-made@example.com")
    assert (await service.call(method, path, by=by, raw=body)).status in {400, 404, 422}
    assert (await service.call("GET", "/api/user/dashboard", by=by)).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_variable_of_somebody_new_makes_them(service: Site, method: str) -> None:
    by = service.as_service(f"new-by-{method}@example.com".lower())
    says: Any = {"key": "KEY", "value": "x"} if method == "POST" else {"variables": {"KEY": "x"}}
    assert (await service.call(method, "/api/user/variables", by=by, says=says)).status in {200, 201}
    assert (await service.call("GET", "/api/user/variables/KEY", by=by)).status == 200


@pytest.mark.parametrize("asked", ["dryRun=true", "dryRun=%74rue"])
async def test_a_rehearsal_for_somebody_new_says_what_they_would_meet_and_makes_nobody(
    service: Site, asked: str
) -> None:
    by = service.as_service("rehearsed@example.com")
    path = f"/api/chat/track?{asked}"
    told = (await service.call("POST", path, by=by, says={"prompt": "x"})).json
    assert (told["admitted"], told["limits"]["planName"], told["limits"]["monthlyUsed"]) == (True, "free", 1)
    refused = (await service.call("POST", path, by=by, says={"prompt": "x", "maxTokens": 10**6})).json
    assert (refused["admitted"], refused["problem"]["type"]) == (False, "/problems/too-many-tokens")
    assert (await service.call("GET", "/api/user/dashboard", by=by)).status == 404


async def test_who_was_nobody_a_moment_ago_and_was_made_by_another_node_is_found(service: Site) -> None:
    by = service.as_service("elsewhere@example.com")
    assert (await service.call("GET", "/api/user/dashboard", by=by)).status == 404
    user = await users.of_email_or_new(service.application.backend.database, "elsewhere@example.com")
    request = await service.application.backend.ledger.start(a_request(user, client_id="there"))
    says = {"requestId": "there", "status": "completed", "response": "y"}
    finished = await service.call("PUT", "/api/chat/track", by=by, says=says)
    assert (finished.status, finished.json.get("id")) == (200, str(request.id))
