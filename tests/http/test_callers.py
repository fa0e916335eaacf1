"""Who calls, what each may, and that nobody sees what is another's."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from tollkeeper.accounts import keys, users
from tollkeeper.accounts.sign_in import logins
from tollkeeper.activity import Actor
from tollkeeper.http.routes import ROUTES

from .conftest import JSON, Person, Site
from .matrix import (
    BRING,
    CALLS,
    FOR_ANYONE_KNOWN,
    FOR_OPERATORS,
    FOR_PERSONS,
    FOR_PROVIDERS,
    FOR_SERVICES,
    NEEDS,
    PUBLIC,
)
from .wires import Wire

UNSAFE = ("POST", "PUT", "DELETE")


def routes() -> set[tuple[str, str]]:
    return {(route.method, path) for route in ROUTES for path in route.paths}


def test_every_route_stands_in_this_matrix() -> None:
    assert routes() == CALLS.keys() == PUBLIC | NEEDS.keys() | FOR_ANYONE_KNOWN | FOR_PERSONS | FOR_OPERATORS


def test_every_route_declares_what_the_matrix_says() -> None:
    for route in ROUTES:
        operation = route.operation
        for path in route.paths:
            call = (route.method, path)
            others = ((PUBLIC, "public"), (FOR_PERSONS, "person"), (FOR_OPERATORS, "admin"))
            expected = next((permission for calls, permission in others if call in calls), "signed-in")
            assert operation.permission == NEEDS.get(call, expected)
            assert operation.takes_many == (call in FOR_SERVICES)
            assert operation.names_user == (call in FOR_PROVIDERS)


async def answer(service: Site, call: tuple[str, str], by: dict[str, str]) -> int:
    method, path = call
    path = re.sub(r"{\w+}", "not-there", path)
    return (await service.call(method, path, by=by, says=CALLS[call])).status


@pytest.mark.parametrize("call", sorted(CALLS), ids=" ".join)
async def test_nobody_hears_401_unless_the_route_is_public(service: Site, call: tuple[str, str]) -> None:
    # Not from this machine, as far as /metrics can tell.
    status = await answer(service, call, JSON | {"X-Forwarded-For": "203.0.113.1"})
    if call in BRING:
        assert status == 401
    elif call in PUBLIC:
        # Nothing is sold here.
        assert status == 409 if "stripe" in call[1] else status in {200, 404}
    else:
        assert status == 401


@pytest.mark.parametrize("kind", ["user", "service"])
async def test_a_key_may_what_its_scopes_say_and_no_more(service: Site, alice: Person, kind: keys.Kind) -> None:
    backend = service.application.backend
    for scope in sorted(keys.SCOPES[kind]):
        user_id = alice.id if kind == "user" else None
        key = await keys.create(
            backend.database,
            kind=kind,
            name="t",
            user_id=user_id,
            pepper=backend.pepper,
            actor=Actor("t"),
            scopes=[scope],
        )
        for call, needed in NEEDS.items():
            status = await answer(service, call, service.as_service(alice.email, key.key))
            is_others = kind == "user" and call in FOR_SERVICES
            assert (status == 403) == (scope != needed or is_others), (call, scope, status)
            assert status not in {401, 500}
        for call in FOR_ANYONE_KNOWN:
            assert await answer(service, call, service.as_service(alice.email, key.key)) == 200
        for call in FOR_PERSONS | FOR_OPERATORS:
            assert await answer(service, call, service.as_service(alice.email, key.key)) == 403
        await keys.revoke_any(backend.database, key.id, actor=Actor("t"))


async def test_a_person_may_everything_but_the_servers_numbers(service: Site, alice: Person) -> None:
    for call in CALLS.keys() - FOR_PERSONS - PUBLIC:
        status = await answer(service, call, alice.by_cookie | {"X-Forwarded-For": "203.0.113.1"})
        refused = call == ("GET", "/metrics") or call in FOR_SERVICES | FOR_OPERATORS | FOR_PROVIDERS
        assert (status in {401, 403}) == refused, (call, status)


async def test_an_operator_may_what_no_other_person_may(service: Site) -> None:
    operator = await service.operator()
    for call in FOR_OPERATORS | FOR_PROVIDERS:
        assert await answer(service, call, operator.by_cookie) in {200, 201, 400, 404, 422}, call
        # By a key of theirs they are a user like any other.
        assert await answer(service, call, operator.by_key) == 403


@pytest.mark.parametrize("origin", [None, "same", "other", "alike", "null"])
@pytest.mark.parametrize("site", [None, "same-origin", "same-site", "cross-site", "none"])
async def test_by_cookie_only_a_page_of_this_site_may_change_something(
    service: Site, alice: Person, site: str | None, origin: str | None
) -> None:
    own = service.url
    headers = {"Cookie": alice.by_cookie["Cookie"]}
    if site:
        headers["Sec-Fetch-Site"] = site
    if origin:
        alike = own.replace("http://", "http://evil")
        headers["Origin"] = {"same": own, "other": "https://evil.example", "alike": alike, "null": "null"}[origin]
    allowed = site == "same-origin" or (site is None and origin == "same")
    for method, path, says in (
        ("POST", "/api/chat/track", {"prompt": "x"}),
        ("PUT", "/api/user/variables", {"variables": {"K": "v"}}),
        ("DELETE", "/api/user/variables/not-there", None),
    ):
        heard = await service.call(method, path, by=headers, says=says)
        assert (heard.status == 403) != allowed
    assert (await service.call("GET", "/api/user/dashboard", by=headers)).status == 200
    by_key = headers | alice.by_key
    assert (await service.call("POST", "/api/chat/track", by=by_key, says={"prompt": "x"})).status == 201


@pytest.mark.parametrize("name", ["sec-fetch-site", "origin"])
async def test_what_says_twice_where_it_comes_from_is_refused(wire: Wire, alice: Person, name: str) -> None:
    twice = "".join(f"{name}: {value}\r\n" for value in ("same-origin", "cross-site"))
    cookie = alice.by_cookie["Cookie"]
    await wire.say(f"DELETE /api/user/variables/K HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n{twice}\r\n".encode())
    assert (await wire.hear())[0] == 400


async def test_with_a_key_the_cookie_is_not_looked_at(service: Site, alice: Person, bob: Person) -> None:
    both = alice.by_cookie | bob.by_key
    told = (await service.call("GET", "/api/account", by=both)).json
    assert (told["account"]["id"], told["caller"]) == (str(bob.id), "user_key")
    wrong = alice.by_cookie | JSON | {"Authorization": "Bearer " + keys.generate("user")}
    assert (await service.call("GET", "/api/account", by=wrong)).is_problem(401, "not-signed-in")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer tk_user_x",
        "Bearer " + "x" * 5000,
        "Bearer é",
        "tk_user_x",
        "Bearer a b",
    ],
)
async def test_what_is_no_key_is_401_and_says_how(service: Site, authorization: str) -> None:
    heard = await service.call("GET", "/api/account", by={"Authorization": authorization})
    assert heard.is_problem(401, "not-signed-in")
    assert heard.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_mistyped_key_is_refused_without_asking_the_database(service: Site, alice: Person) -> None:
    typo = alice.key[:-1] + ("a" if alice.key[-1] != "a" else "b")
    before = await service.owner.fetchval("SELECT count(*) FROM api_keys")
    heard = await service.call("GET", "/api/account", by={"Authorization": f"Bearer {typo}"})
    assert heard.json["detail"] == "this is no key of ours"
    assert before == await service.owner.fetchval("SELECT count(*) FROM api_keys")


@pytest.mark.parametrize("cookie", ["", "x", "é", "a" * 43, "a" * 5000])
async def test_what_is_no_session_is_401(service: Site, cookie: str) -> None:
    heard = await service.call("GET", "/api/account", by={"Cookie": f"__Host-tollkeeper={cookie}"})
    assert heard.is_problem(401, "not-signed-in")


async def test_a_service_names_its_user_or_hears_400(service: Site) -> None:
    for named in ({}, {"Tollkeeper-User": ""}, {"Tollkeeper-User": "no address"}, {"Tollkeeper-User": "a@b@c"}):
        by = JSON | {"Authorization": f"Bearer {service.key}"} | named
        for method, path, says in (("POST", "/api/chat/track", {"prompt": "x"}), ("GET", "/api/user/dashboard", None)):
            heard = await service.call(method, path, by=by, says=says)
            assert heard.is_problem(400, "not-understood")
            assert heard.faulty == {"Tollkeeper-User"}


@pytest.mark.parametrize(
    ("method", "path", "says", "made"),
    [
        ("POST", "/api/chat/track", {"prompt": "x"}, True),
        ("POST", "/api/user/variables", {"key": "K", "value": "v"}, True),
        ("PUT", "/api/user/variables", {"variables": {"K": "v"}}, True),
        ("PUT", "/api/chat/track", {"requestId": "r", "status": "completed"}, False),
        ("GET", "/api/user/dashboard", None, False),
        ("GET", "/api/chat/requests", None, False),
        ("DELETE", "/api/user/variables/K", None, False),
    ],
)
async def test_starts_and_variables_make_an_unknown_user_and_reads_do_not(
    service: Site, method: str, path: str, says: Any, *, made: bool
) -> None:
    email = f"New.One+{method.lower()}{abs(hash(path))}@Example.com"
    heard = await service.call(method, path, by=service.as_service(email), says=says)
    user_id = await users.of_email(service.application.backend.database, email.lower())
    assert (heard.status in {200, 201}, user_id is not None) == (made, made)
    if made:
        seen = await service.call("GET", "/api/account", by=service.as_service(email.upper()))
        assert (seen.json["account"]["id"], seen.json["account"]["plan"]) == (str(user_id), "free")
        assert seen.json["account"]["email"] == email


async def test_many_first_starts_of_one_user_make_one(service: Site) -> None:
    by = service.as_service("crowd@example.com")
    heard = await asyncio.gather(
        *(service.call("POST", "/api/chat/track", by=by, says={"prompt": "x"}) for _ in range(30))
    )
    assert sorted({each.status for each in heard}) == [201, 429]
    assert sum(each.status == 201 for each in heard) == 10
    found = "SELECT count(*) FROM user_identities WHERE value = 'crowd@example.com'"
    assert await service.owner.fetchval(found) == 1


async def test_what_is_revoked_ended_or_switched_off_is_refused_within_a_second(service: Site, alice: Person) -> None:
    backend = service.application.backend
    for by in (alice.by_key, alice.by_cookie):
        assert (await service.call("GET", "/api/account", by=by)).status == 200
    await users.change(backend.database, alice.id, actor=Actor("t"), is_active=False)
    await asyncio.sleep(0.9)
    for by in (alice.by_key, alice.by_cookie):
        assert (await service.call("GET", "/api/account", by=by)).is_problem(403, "account-inactive")
    await users.change(backend.database, alice.id, actor=Actor("t"), is_active=True)
    for each in await keys.listed(backend.database, alice.id):
        await keys.revoke(backend.database, alice.id, each.id, actor=Actor("t"))
    await logins.end_all(backend.database, alice.id, actor=Actor("t"))
    await asyncio.sleep(0.9)
    for by in (alice.by_key, alice.by_cookie):
        assert (await service.call("GET", "/api/account", by=by)).is_problem(401, "not-signed-in")


async def test_what_is_anothers_is_404_on_every_route_and_stays_as_it_was(
    service: Site, alice: Person, bob: Person
) -> None:
    told = await service.start(alice, requestId="hers", sessionId="her-session")
    await service.call("POST", "/api/user/variables", by=alice.by_key, says={"key": "HERS", "value": "v"})
    before = await service.rows()
    for by in (bob.by_key, bob.by_cookie, service.as_service(bob.email)):
        for named in ("hers", told["id"]):
            says = {"requestId": named, "status": "completed", "userRating": 1}
            assert (await service.call("PUT", "/api/chat/track", by=by, says=says)).is_problem(404, "not-found")
            rates = {"requestId": named, "userRating": 1}
            assert (await service.call("PUT", "/api/chat/track", by=by, says=rates)).is_problem(404, "not-found")
            assert (await service.call("GET", f"/api/chat/requests/{named}", by=by)).is_problem(404, "not-found")
        for method, path in (
            ("GET", "/api/chat/sessions/her-session"),
            ("GET", "/api/user/variables/HERS"),
            ("DELETE", "/api/user/variables/HERS"),
        ):
            assert (await service.call(method, path, by=by)).is_problem(404, "not-found")
        assert (await service.call("GET", "/api/chat/requests", by=by)).json["items"] == []
        assert (await service.call("GET", "/api/user/dashboard", by=by)).json["metrics"]["totalRequests"] == 0
    assert await service.rows() == before
    own = (await service.call("GET", "/api/chat/requests/hers", by=alice.by_key)).json["request"]
    unknown = await service.call("GET", "/api/chat/requests/unknown", by=bob.by_key)
    hers = await service.call("GET", "/api/chat/requests/hers", by=bob.by_key)
    assert own["status"] == "pending"
    assert hers.json["detail"] == unknown.json["detail"]
