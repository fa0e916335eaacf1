"""An operator who acts as a user sees what they see, and whatever they do is noted as theirs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tollkeeper.accounts import logins, users
from tollkeeper.activity import Actor

from .conftest import Heard, Person, Site


@pytest.fixture
async def operator(service: Site) -> Person:
    return await service.operator()


def by_cookie_of(heard: Heard) -> dict[str, str]:
    return {"Cookie": heard.headers["Set-Cookie"].partition(";")[0], "Sec-Fetch-Site": "same-origin"}


async def act(service: Site, operator: Person, user: Any) -> Heard:
    return await service.call("POST", f"/api/admin/users/{user}/act", by=operator.by_cookie)


async def acting(service: Site, operator: Person, user: Person) -> dict[str, str]:
    heard = await act(service, operator, user.id)
    assert heard.status == 200, heard.body
    return by_cookie_of(heard)


async def who(service: Site, by: dict[str, str]) -> Heard:
    return await service.call("GET", "/api/account", by=by)


async def test_the_operator_is_the_user_for_a_while_and_then_themselves(
    service: Site, operator: Person, alice: Person
) -> None:
    heard = await act(service, operator, alice.id)
    assert "Max-Age=1800" in heard.headers["Set-Cookie"]
    by = by_cookie_of(heard)
    told = (await who(service, by)).json
    assert (told["account"]["id"], told["account"]["role"]) == (str(alice.id), "user")
    assert told["actingAs"] == {"by": operator.email}
    assert (await service.call("GET", "/api/admin/users", by=by)).is_problem(403, "not-allowed")
    assert (await who(service, alice.by_cookie)).json["actingAs"] is None
    stopped = await service.call("POST", "/api/account/stop-acting", by=by)
    assert stopped.json == {"success": True}
    own = by_cookie_of(stopped)
    assert (await who(service, own)).json["account"]["id"] == str(operator.id)
    assert (await service.call("GET", "/api/admin/users", by=own)).status == 200
    await asyncio.sleep(0.9)
    assert (await who(service, by)).is_problem(401, "not-signed-in")
    assert (await who(service, operator.by_cookie)).is_problem(401, "not-signed-in"), "its token is another one now"
    assert (await service.call("POST", "/api/account/stop-acting", by=own)).is_problem(409, "contradiction")


async def test_what_is_done_is_noted_as_the_operators(service: Site, operator: Person, alice: Person) -> None:
    by = await acting(service, operator, alice)
    await service.call("POST", "/api/user/variables", by=by, says={"key": "K", "value": "v"})
    await service.call("POST", "/api/account/stop-acting", by=by)
    noted = await service.owner.fetch(
        "SELECT action, actor FROM activity WHERE user_id = $1 ORDER BY id DESC LIMIT 3", alice.id
    )
    both = f"{operator.id} as {alice.id}"
    assert [tuple(each) for each in noted] == [
        ("acting.ended", both),
        ("variables.put", both),
        ("acting.begun", str(operator.id)),
    ]
    own = await service.call("GET", "/api/account/activity?limit=3", by=alice.by_cookie)
    assert {each["actor"]["kind"] for each in own.json["items"]} == {"operator"}


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("POST", "/api/account/keys", {"name": "x"}),
        ("POST", "/api/account/passkeys/options", None),
        ("GET", "/api/account/export", None),
        ("DELETE", "/api/account", {"confirm": "x@example.com"}),
        ("GET", "/api/user/variables/S?reveal=true", None),
    ],
)
async def test_what_is_the_users_alone_is_refused(
    *, service: Site, operator: Person, alice: Person, method: str, path: str, says: Any
) -> None:
    secret = {"key": "S", "value": "a secret of alice", "type": "secret"}
    await service.call("POST", "/api/user/variables", by=alice.by_key, says=secret)
    by = await acting(service, operator, alice)
    heard = await service.call(method, path, by=by, says=says)
    assert heard.status == 403, heard.body
    assert b"a secret" not in heard.body


@pytest.mark.parametrize("how", ["signed out", "no operator", "switched off", "time", "user's doing"])
async def test_it_ends_with_the_operators_own(service: Site, operator: Person, alice: Person, how: str) -> None:
    database = service.application.backend.database
    by = await acting(service, operator, alice)
    assert (await who(service, by)).status == 200
    match how:
        case "signed out":
            await logins.end_all(database, operator.id, actor=Actor("test"))
        case "no operator":
            await users.change(database, operator.id, actor=Actor("test"), admin=False)
        case "switched off":
            await users.change(database, operator.id, actor=Actor("test"), is_active=False)
        case "time":
            earlier = "UPDATE sessions SET expires_at = expires_at - $2::interval WHERE user_id = $1"
            await service.owner.execute(earlier, alice.id, timedelta(minutes=30))
        case _:
            assert (await service.call("DELETE", "/api/account/sessions", by=alice.by_cookie)).status == 200
    await asyncio.sleep(0.9)
    assert (await who(service, by)).is_problem(401, "not-signed-in")


async def test_who_cannot_be_acted_as(service: Site, operator: Person, alice: Person) -> None:
    other = await service.operator()
    assert (await act(service, operator, other.id)).is_problem(409, "contradiction")
    assert (await act(service, operator, operator.id)).is_problem(409, "contradiction")
    await users.change(service.application.backend.database, alice.id, actor=Actor("test"), is_active=False)
    assert (await act(service, operator, alice.id)).is_problem(409, "contradiction")
    assert (await act(service, operator, uuid4())).is_problem(404, "not-found")


async def test_it_asks_for_a_recent_sign_in_and_the_user_does_not_see_it_among_theirs(
    service: Site, operator: Person, alice: Person
) -> None:
    await acting(service, operator, alice)
    sessions = (await service.call("GET", "/api/account/sessions", by=alice.by_cookie)).json["items"]
    assert len(sessions) == 1
    earlier = "UPDATE sessions SET created_at = created_at - $2::interval WHERE user_id = $1"
    await service.owner.execute(earlier, operator.id, timedelta(minutes=16))
    await asyncio.sleep(0.9)
    assert (await act(service, operator, alice.id)).is_problem(403, "sign-in-again")
