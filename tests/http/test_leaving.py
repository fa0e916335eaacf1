"""Deleting one's account, and an operator deleting a user: nothing of them is left to be seen."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.metering.pruning import in_any_table
from tollkeeper.accounts import users
from tollkeeper.metering.upkeep.verify import verify

from .conftest import Heard, Person, Site


async def leave(service: Site, person: Person, confirm: str | None = None) -> Heard:
    says = {"confirm": person.email if confirm is None else confirm}
    return await service.call("DELETE", "/api/account", by=person.by_cookie, says=says)


async def sign_in_is_old(service: Site, person: Person) -> None:
    await service.owner.execute(
        "UPDATE sessions SET created_at = created_at - $2::interval WHERE user_id = $1",
        person.id,
        timedelta(minutes=16),
    )
    await asyncio.sleep(0.9)


async def fill(service: Site, person: Person, word: str) -> None:
    """Write a word wherever a user can write one."""
    by = person.by_key | {"User-Agent": f"agent {word}", "X-Forwarded-For": "203.0.113.99"}
    for says in (
        {"requestId": f"{word}-1", "sessionId": f"session {word}", "category": f"category {word}"},
        {"model": f"model {word}", "metadata": {word: [word]}},
        {},
    ):
        started = await service.call("POST", "/api/chat/track", by=by, says={"prompt": f"prompt {word}"} | says)
        assert started.status == 201, started.body
        if says:
            ended = {
                "requestId": started.json["id"],
                "status": "failed",
                "errorMessage": f"error {word}",
                "response": word,
            }
            assert (await service.call("PUT", "/api/chat/track", by=by, says=ended)).status == 200
    for says in (
        {"key": f"K_{word}", "value": word, "description": word},
        {"key": f"S_{word}", "value": f"secret-{word}", "type": "secret"},
    ):
        assert (await service.call("POST", "/api/user/variables", by=by, says=says)).status == 201
    cookie = person.by_cookie | {"User-Agent": f"browser {word}"}
    assert (await service.call("PUT", "/api/user/settings", by=cookie, says={"name": f"name {word}"})).status == 200


async def test_who_leaves_is_in_no_table_no_answer_and_no_log(
    service: Site, alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    word = f"canary{uuid4().hex[:12]}"
    await fill(service, alice, word)
    operator = await service.operator()
    await service.call("PUT", f"/api/admin/users/{alice.id}", by=operator.by_cookie, says={"note": f"note {word}"})
    assert len(await in_any_table(service.owner, word)) > 8
    heard = await leave(service, alice)
    assert heard.json == {"success": True, "isComplete": True}
    assert "Max-Age=0" in heard.headers["Set-Cookie"]
    for text in (word, alice.email):
        assert await in_any_table(service.owner, text) == []
    assert word not in caplog.text
    for path in ("users?q=canary", "activity", "models", "overview", "analytics"):
        told = await service.call("GET", f"/api/admin/{path}", by=operator.by_cookie)
        assert told.status == 200
        assert word not in told.body.decode()
    for tail in ("", "/dashboard", "/requests"):
        told = await service.call("GET", f"/api/admin/users/{alice.id}{tail}", by=operator.by_cookie)
        assert told.is_problem(404, "not-found")
    assert (await verify(service.application.backend.database)).differences == []


async def test_from_then_on_nobody_is_that_user_and_the_address_is_free(service: Site, alice: Person) -> None:
    by = service.as_service(alice.email)
    for each in (alice.by_key, alice.by_cookie, by):
        assert (await service.call("GET", "/api/account", by=each)).status == 200
    assert (await leave(service, alice)).status == 200
    await asyncio.sleep(0.9)
    for each in (alice.by_key, alice.by_cookie):
        assert (await service.call("GET", "/api/account", by=each)).is_problem(401, "not-signed-in")
    assert (await service.call("GET", "/api/account", by=by)).is_problem(404, "not-found")
    assert (await service.call("POST", "/api/chat/track", by=by, says={"prompt": "x"})).status == 201
    made = await users.of_email(service.application.backend.database, alice.email)
    assert made not in {None, alice.id}


async def test_callers_who_race_a_leaving_hear_no_500(service: Site, alice: Person) -> None:
    over = asyncio.Event()
    heard = dict[tuple[str, int], int]()
    calls: list[tuple[str, str, dict[str, str], Any]] = [
        ("POST", "/api/chat/track", alice.by_key, {"prompt": "x"}),
        ("POST", "/api/chat/track", service.as_service(alice.email), {"prompt": "x", "sessionId": "s"}),
        ("PUT", "/api/user/settings", alice.by_cookie, {"theme": "dark", "name": "x"}),
        ("PUT", "/api/user/settings", alice.by_cookie, {"theme": "dark"}),
        ("PUT", "/api/user/variables", alice.by_key, {"variables": {"K": "v"}}),
        ("GET", "/api/user/dashboard", alice.by_key, None),
        ("GET", "/api/account", alice.by_cookie, None),
        ("GET", "/api/account/activity", alice.by_cookie, None),
        ("POST", "/api/user/dashboard", alice.by_key, None),
    ]

    async def call(method: str, path: str, by: dict[str, str], says: Any) -> None:
        while not over.is_set():
            told = await service.call(method, path, by=by, says=says)
            assert told.status != 500, (method, path, told.body)
            heard[path, told.status] = heard.get((path, told.status), 0) + 1

    async with asyncio.TaskGroup() as tasks:
        for each in calls:
            tasks.create_task(call(*each))
            tasks.create_task(call(*each))
        await asyncio.sleep(0.5)
        assert (await leave(service, alice)).status == 200
        await asyncio.sleep(1)
        over.set()
    assert {status for _, status in heard} <= {200, 201, 401, 403, 404, 429, 503}
    assert (await verify(service.application.backend.database)).differences == []
    kept = "SELECT count(*) FROM activity WHERE user_id = $1 AND num_nonnulls(ip_address, user_agent) > 0"
    assert await service.owner.fetchval(kept, alice.id) == 0


@pytest.mark.parametrize("confirm", ["", "yes", "someone@example.com"])
async def test_it_must_be_meant(service: Site, alice: Person, confirm: str) -> None:
    heard = await leave(service, alice, confirm)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {"confirm"}
    assert (await service.call("GET", "/api/account", by=alice.by_cookie)).status == 200
    assert (await leave(service, alice, f" {alice.email.upper()} ")).status == 200


async def test_it_asks_for_a_recent_sign_in(service: Site, alice: Person) -> None:
    operator = await service.operator()
    for each in (alice, operator):
        await sign_in_is_old(service, each)
    assert (await leave(service, alice)).is_problem(403, "sign-in-again")
    heard = await service.call("DELETE", f"/api/admin/users/{alice.id}", by=operator.by_cookie)
    assert heard.is_problem(403, "sign-in-again")
    assert (await service.call("DELETE", "/api/account", by=alice.by_key, says={"confirm": alice.email})).status == 403


async def test_an_operator_deletes_a_user_and_that_is_noted(service: Site, alice: Person) -> None:
    operator = await service.operator()
    path = f"/api/admin/users/{alice.id}"
    heard = await service.call("DELETE", path, by=operator.by_cookie)
    assert heard.json == {"success": True, "isComplete": True}
    assert (await service.call("DELETE", path, by=operator.by_cookie)).is_problem(404, "not-found")
    assert (await service.call("DELETE", "/api/admin/users/x", by=operator.by_cookie)).status == 400
    found = await service.call("GET", f"/api/admin/activity?user={alice.id}&limit=1", by=operator.by_cookie)
    (noted,) = found.json["items"]
    assert (noted["action"], noted["actor"]["email"], noted["email"]) == ("user.deleted", operator.email, None)
    assert noted["ipAddress"] == "127.0.0.1"


async def test_an_operator_does_not_leave_by_mistake_and_the_last_one_not_at_all(service: Site) -> None:
    operator = await service.operator()
    heard = await service.call("DELETE", f"/api/admin/users/{operator.id}", by=operator.by_cookie)
    assert heard.is_problem(409, "contradiction")
    others = await service.owner.fetch(
        "UPDATE accounts SET role = 'user' WHERE id <> $1 AND role = 'admin' RETURNING id", operator.id
    )
    try:
        assert (await leave(service, operator)).is_problem(409, "contradiction")
    finally:
        await service.owner.execute(
            "UPDATE accounts SET role = 'admin' WHERE id = ANY ($1)", [UUID(str(row["id"])) for row in others]
        )
    await service.operator()
    assert (await leave(service, operator)).status == 200


async def test_a_stream_ends_with_its_user(service: Site, alice: Person) -> None:
    path = "/api/user/dashboard/stream"
    async with service.client.get(service.url + path, headers=alice.by_cookie) as stream:
        assert await stream.content.readuntil(b"\n\n")
        assert (await leave(service, alice)).status == 200
        async with asyncio.timeout(3):
            await stream.content.read()
