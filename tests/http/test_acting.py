"""An operator who acts as a user sees what they see, and whatever they do is noted as theirs."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import logins
from tollkeeper.activity import Actor

from .conftest import Heard, Person, Site
from .matrix import CALLS, FOR_OPERATORS, FOR_PROVIDERS, FOR_SERVICES, PUBLIC

ALONE = "for the user alone, and not for an operator who acts as them"
NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
# How they sign in, what would give their account, their secrets or everything about them away, what costs them money,
# and that it was they who saw something.
THEIRS_ALONE = {
    ("POST", "/api/account/passkeys/options"),
    ("POST", "/api/account/passkeys"),
    ("PATCH", "/api/account/passkeys/{passkey}"),
    ("DELETE", "/api/account/passkeys/{passkey}"),
    ("DELETE", "/api/account/github"),
    ("DELETE", "/api/account/sessions"),
    ("DELETE", "/api/account/sessions/{session}"),
    ("POST", "/api/account/keys"),
    ("DELETE", "/api/account/keys/{id}"),
    ("POST", "/api/account/keys/{id}/rotate"),
    ("GET", "/api/account/export"),
    ("DELETE", "/api/account"),
    ("POST", "/api/user/plan/checkout"),
    ("POST", "/api/user/plan/portal"),
    ("POST", "/api/user/alerts/seen"),
}
# They end the acting, follow it without an end, or are for no person at all.
LAST = {
    ("POST", "/api/account/sign-out"),
    ("POST", "/api/account/stop-acting"),
    ("GET", "/api/user/dashboard/stream"),
    ("GET", "/metrics"),
}


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


async def test_what_is_the_users_alone_is_refused_and_all_else_is_allowed(
    service: Site, operator: Person, alice: Person
) -> None:
    """docs/accounts-for-operators.md tells which is which; a new route is on one side or the other."""
    by = await acting(service, operator, alice)
    asked = CALLS.keys() - PUBLIC - FOR_OPERATORS - FOR_PROVIDERS - FOR_SERVICES - LAST
    refused = set[tuple[str, str]]()
    for call in sorted(asked):
        heard = await service.call(call[0], re.sub(r"{\w+}", NOWHERE, call[1]), by=by, says=CALLS[call])
        if heard.status == 403:
            assert ALONE in heard.json["detail"], (call, heard.body)
            refused.add(call)
        else:
            assert heard.status in {200, 201, 400, 404, 409, 422}, (call, heard.body)
    assert refused == THEIRS_ALONE
    # Nothing of theirs has gone, and they see who changed their name.
    assert (await who(service, alice.by_cookie)).json["account"]["name"] == "x"
    (noted,) = (await service.call("GET", "/api/account/activity?action=user.changed", by=alice.by_cookie)).json[
        "items"
    ]
    assert noted["actor"]["kind"] == "operator"


@pytest.mark.parametrize("path", ["/api/user/variables/S?reveal=true", "/api/user/variables?format=env&reveal=true"])
async def test_secrets_are_not_revealed_but_may_be_replaced_and_removed(
    service: Site, operator: Person, alice: Person, path: str
) -> None:
    secret = {"key": "S", "value": "a secret of alice", "type": "secret"}
    await service.call("POST", "/api/user/variables", by=alice.by_key, says=secret)
    by = await acting(service, operator, alice)
    heard = await service.call("GET", path, by=by)
    assert heard.is_problem(403, "not-allowed")
    assert ALONE in heard.json["detail"]
    for told in ("/api/user/variables", "/api/user/variables?format=env", "/api/user/variables/S"):
        assert b"a secret of" not in (await service.call("GET", told, by=by)).body
    for says in ({"key": "S", "value": "x" * 20, "type": "string"}, secret):
        await service.call("POST", "/api/user/variables", by=by, says=says)
        assert b"a secret of" not in (await service.call("GET", "/api/user/variables/S", by=by)).body
    assert (await service.call("DELETE", "/api/user/variables/S", by=by)).status == 200


async def test_one_who_acts_signs_out_of_that_alone(service: Site, operator: Person, alice: Person) -> None:
    by = await acting(service, operator, alice)
    assert (await service.call("POST", "/api/account/sign-out", by=by)).status == 200
    await asyncio.sleep(0.9)
    assert (await who(service, by)).is_problem(401, "not-signed-in")
    assert (await who(service, alice.by_cookie)).status == 200


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


async def test_nobody_acts_as_who_becomes_an_operator(service: Site, operator: Person, alice: Person) -> None:
    database = service.application.backend.database
    by = await acting(service, operator, alice)
    assert (await who(service, by)).status == 200
    await users.change(database, alice.id, actor=Actor("test"), admin=True)
    await asyncio.sleep(0.9)
    for path in ("/api/admin/users", "/api/account", "/api/user/dashboard"):
        assert (await service.call("GET", path, by=by)).is_problem(401, "not-signed-in"), path
    assert (await who(service, alice.by_cookie)).status == 200


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
