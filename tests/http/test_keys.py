"""/api/account/keys and /api/admin/keys over HTTP; what a key may be is told by the tests of accounts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tollkeeper.accounts import users
from tollkeeper.activity import Actor
from tollkeeper.store.database import Database

from .conftest import JSON, Person, Site

PATH = "/api/account/keys"
ADMIN = "/api/admin/keys"
AT_MOST = 0.9  # seconds until what was looked up is looked up anew


def bearer(key: str) -> dict[str, str]:
    return JSON | {"Authorization": f"Bearer {key}"}


async def made(service: Site, by: Person, path: str = PATH, **says: Any) -> Any:
    heard = await service.call("POST", path, by=by.by_cookie, says={"name": "laptop"} | says)
    assert heard.status == 201, heard.body
    return heard.json


async def listed(service: Site, by: Person, path: str = PATH) -> Any:
    return (await service.call("GET", path, by=by.by_cookie)).json["items"]


async def status_of(service: Site, key: str, path: str = "/api/user/dashboard", **headers: str) -> int:
    return (await service.call("GET", path, by=bearer(key) | headers)).status


async def test_a_key_is_shown_once_works_and_is_revoked(service: Site, alice: Person) -> None:
    key = await made(service, alice, scopes=["dashboard:read"])
    assert (key["kind"], key["name"], key["scopes"], key["addresses"]) == ("user", "laptop", ["dashboard:read"], [])
    assert (key["expiresAt"], key["replaces"]) == (None, None)
    assert await status_of(service, key["key"]) == 200
    heard = await service.call("GET", PATH, by=alice.by_cookie)
    assert key["key"].encode() not in heard.body
    assert heard.headers["Cache-Control"] == "no-store"
    (shown,) = [each for each in heard.json["items"] if each["id"] == key["id"]]
    assert key["key"].startswith(shown["shownAs"][:-1])
    assert (shown["status"], shown["replacedBy"], shown["revokedAt"]) == ("active", None, None)
    gone = await service.call("DELETE", f"{PATH}/{key['id']}", by=alice.by_cookie)
    assert gone.json == {"success": True, "id": key["id"]}
    await asyncio.sleep(AT_MOST)
    assert await status_of(service, key["key"]) == 401
    assert {each["id"]: each["status"] for each in await listed(service, alice)}[key["id"]] == "revoked"
    assert (await service.call("DELETE", f"{PATH}/{key['id']}", by=alice.by_cookie)).is_problem(404, "not-found")


async def test_both_keys_work_while_one_replaces_the_other(service: Site, alice: Person) -> None:
    old = await made(service, alice, expiresAt=(datetime.now(UTC) + timedelta(days=9)).isoformat())
    heard = await service.call("POST", f"{PATH}/{old['id']}/rotate", by=alice.by_cookie, says={"overlapSeconds": 2})
    assert heard.status == 201
    new = heard.json
    assert new["replaces"]["id"] == old["id"]
    assert new["replaces"]["expiresAt"] < old["expiresAt"] < new["expiresAt"]
    assert await status_of(service, old["key"]) == await status_of(service, new["key"]) == 200
    again = await service.call("POST", f"{PATH}/{old['id']}/rotate", by=alice.by_cookie, says={})
    assert again.is_problem(409, "contradiction")
    await asyncio.sleep(2 + AT_MOST)
    assert (await status_of(service, old["key"]), await status_of(service, new["key"])) == (401, 200)


async def test_nobody_sees_ends_or_rotates_the_key_of_another(service: Site, alice: Person, bob: Person) -> None:
    key = await made(service, alice)
    assert key["id"] not in {each["id"] for each in await listed(service, bob)}
    calls: list[tuple[str, str, Any]] = [("DELETE", key["id"], None), ("POST", f"{key['id']}/rotate", {})]
    for method, path, says in calls:
        assert (await service.call(method, f"{PATH}/{path}", by=bob.by_cookie, says=says)).is_problem(404, "not-found")
    assert (await service.call("DELETE", f"{PATH}/{uuid4()}", by=bob.by_cookie)).is_problem(404, "not-found")
    assert (await service.call("DELETE", f"{PATH}/x", by=bob.by_cookie)).is_problem(400, "not-understood")
    assert await status_of(service, key["key"]) == 200


async def test_making_keys_asks_for_a_recent_sign_in_and_ending_them_does_not(service: Site) -> None:
    admin = await service.operator()
    key, of_service = await made(service, admin), await made(service, admin, ADMIN)
    cookie = await service.signed_in(admin.id)
    await service.owner.execute(
        "UPDATE sessions SET created_at = created_at - interval '16 minutes' WHERE user_id = $1", admin.id
    )
    by = admin.by_cookie | {"Cookie": f"__Host-tollkeeper={cookie}"}
    for path, id_ in ((PATH, key["id"]), (ADMIN, of_service["id"])):
        for asked, says in ((path, {"name": "x"}), (f"{path}/{id_}/rotate", {})):
            assert (await service.call("POST", asked, by=by, says=says)).is_problem(403, "sign-in-again")
        assert (await service.call("GET", path, by=by)).status == 200
        assert (await service.call("DELETE", f"{path}/{id_}", by=by)).status == 200


async def test_a_key_is_refused_from_elsewhere_and_on_every_route(service: Site, alice: Person) -> None:
    here = await made(service, alice, addresses=["::ffff:127.0.0.0/104", "::1"])
    elsewhere = await made(service, alice, addresses=["203.0.113.0/24", "2001:db8::/32"])
    assert elsewhere["addresses"] == ["203.0.113.0/24", "2001:db8::/32"]
    assert await status_of(service, here["key"]) == 200
    for forged in ({}, {"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}):
        heard = await service.call("GET", "/api/user/dashboard", by=bearer(elsewhere["key"]) | forged)
        assert heard.is_problem(403, "not-allowed")
        assert "127.0.0.1" in heard.json["detail"]
    before = await service.rows()
    for method, path, says in (
        ("POST", "/api/chat/track", {"prompt": "x"}),
        ("PUT", "/api/user/variables", {"variables": {"K": "v"}}),
        ("GET", "/api/user/dashboard/stream", None),
        ("GET", "/metrics", None),
    ):
        assert (await service.call(method, path, by=bearer(elsewhere["key"]), says=says)).status == 403
    assert await service.rows() == before


async def test_a_service_key_bound_to_a_place_makes_no_user_from_elsewhere(service: Site) -> None:
    admin = await service.operator()
    key = await made(service, admin, ADMIN, addresses=["203.0.113.7"])
    says, by = {"prompt": "x"}, service.as_service("never-made@example.com", key["key"])
    assert (await service.call("POST", "/api/chat/track", by=by, says=says)).status == 403
    assert await users.of_email(service.application.backend.database, "never-made@example.com") is None


async def test_the_last_use_is_told_soon_after_and_costs_no_request_a_write(service: Site, alice: Person) -> None:
    key = await made(service, alice)
    assert await status_of(service, key["key"]) == 200

    async def last_used() -> str | None:
        return {each["id"]: each["lastUsedAt"] for each in await listed(service, alice)}[key["id"]]

    async with asyncio.timeout(5):
        while await last_used() is None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)


async def test_an_operator_makes_lists_rotates_and_ends_keys_of_services(service: Site, alice: Person) -> None:
    admin = await service.operator()
    key = await made(service, admin, ADMIN, name="shop", scopes=["track", "metrics"])
    assert (key["kind"], key["name"], key["scopes"]) == ("service", "shop", ["metrics", "track"])
    by = service.as_service(alice.email, key["key"])
    assert (await service.call("POST", "/api/chat/track", by=by, says={"prompt": "x"})).status == 201
    assert key["id"] in {each["id"] for each in await listed(service, admin, ADMIN)}
    rotated = await service.call("POST", f"{ADMIN}/{key['id']}/rotate", by=admin.by_cookie, says={"overlapSeconds": 0})
    await asyncio.sleep(AT_MOST)
    assert (await service.call("POST", "/api/chat/track", by=by, says={"prompt": "x"})).status == 401
    by = service.as_service(alice.email, rotated.json["key"])
    assert (await service.call("POST", "/api/chat/track", by=by, says={"prompt": "x"})).status == 201
    gone = await service.call("DELETE", f"{ADMIN}/{rotated.json['id']}", by=admin.by_cookie)
    assert gone.status == 200


async def test_an_operator_finds_and_ends_the_key_of_a_user_and_cannot_rotate_it(service: Site, alice: Person) -> None:
    admin = await service.operator()
    key = await made(service, alice)
    heard = await service.call("GET", f"{ADMIN}?user={alice.email}", by=admin.by_cookie)
    assert key["id"] in {each["id"] for each in heard.json["items"]}
    unknown = await service.call("GET", f"{ADMIN}?user=nobody@example.com", by=admin.by_cookie)
    assert unknown.is_problem(404, "not-found")
    rotated = await service.call("POST", f"{ADMIN}/{key['id']}/rotate", by=admin.by_cookie, says={})
    assert rotated.is_problem(404, "not-found")
    assert (await service.call("DELETE", f"{ADMIN}/{key['id']}", by=admin.by_cookie)).status == 200
    noted = await service.owner.fetchval(
        "SELECT actor FROM activity WHERE user_id = $1 AND action = 'key.revoked'", alice.id
    )
    assert noted == str(admin.id)


async def test_pages_of_keys_lead_on(service: Site, alice: Person) -> None:
    for _ in range(4):
        await made(service, alice)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await service.call("GET", f"{PATH}?limit=2{cursor}", by=alice.by_cookie)).json
        seen += [each["id"] for each in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == [each["id"] for each in await listed(service, alice)]
    assert len(seen) == 5
    heard = await service.call("GET", f"{PATH}?cursor=nonsense", by=alice.by_cookie)
    assert heard.is_problem(422, "invalid")


@pytest.mark.parametrize(
    ("says", "faulty"),
    [
        ({}, {"name"}),
        ({"name": ""}, {"name"}),
        ({"name": " "}, {"name"}),
        ({"name": "x" * 201}, {"name"}),
        ({"name": "a\nb"}, {"name"}),
        ({"name": "x", "scopes": []}, {"scopes"}),
        ({"name": "x", "scopes": ["everything"]}, {"scopes[0]"}),
        ({"name": "x", "scopes": ["metrics"]}, {"scopes[0]"}),
        ({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}, {"expiresAt"}),
        ({"name": "x", "expiresAt": "2099-01-01T00:00:00"}, {"expiresAt"}),
        ({"name": "x", "expiresAt": 5}, {"expiresAt"}),
        ({"name": "x", "addresses": ["10.0.0.7/8"]}, {"addresses[0]"}),
        ({"name": "x", "addresses": ["here"]}, {"addresses[0]"}),
        ({"name": "x", "addresses": ["10.0.0.1"] * 51}, {"addresses"}),
        ({"name": "x", "userId": "other"}, {"userId"}),
        ({"name": "x", "kind": "service"}, {"kind"}),
    ],
)
async def test_a_faulty_key_is_422_and_makes_none(
    service: Site, alice: Person, says: dict[str, Any], faulty: set[str]
) -> None:
    heard = await service.call("POST", PATH, by=alice.by_cookie, says=says)
    assert heard.is_problem(422, "invalid"), heard.body
    assert heard.faulty == faulty
    assert len(await listed(service, alice)) == 1


@pytest.mark.parametrize("overlap", [-1, 30 * 86_400 + 1, 1.5, "60", None])
async def test_a_faulty_overlap_is_422_and_ends_nothing(service: Site, alice: Person, overlap: Any) -> None:
    key = await made(service, alice)
    path = f"{PATH}/{key['id']}/rotate"
    heard = await service.call("POST", path, by=alice.by_cookie, says={"overlapSeconds": overlap})
    assert (heard.status, heard.faulty) == (422, {"overlapSeconds"})
    assert {each["status"] for each in await listed(service, alice)} == {"active"}


async def test_the_twenty_first_key_is_409(service: Site, alice: Person) -> None:
    for _ in range(19):
        await made(service, alice)
    heard = await service.call("POST", PATH, by=alice.by_cookie, says={"name": "one more"})
    assert heard.is_problem(409, "contradiction")


async def test_what_happens_to_keys_is_noted_without_them(service: Site, alice: Person) -> None:
    key = await made(service, alice)
    rotated = (await service.call("POST", f"{PATH}/{key['id']}/rotate", by=alice.by_cookie, says={})).json
    await service.call("DELETE", f"{PATH}/{key['id']}", by=alice.by_cookie)
    rows = await service.owner.fetch(
        "SELECT action, actor, detail::text AS detail, ip_address FROM activity "
        "WHERE user_id = $1 AND action LIKE 'key.%' ORDER BY id DESC LIMIT 3",
        alice.id,
    )
    assert [row["action"] for row in rows] == ["key.revoked", "key.rotated", "key.created"]
    assert {(row["actor"], row["ip_address"]) for row in rows} == {(str(alice.id), "127.0.0.1")}
    told = "".join(row["detail"] for row in rows)
    assert key["key"][10:40] not in told
    assert rotated["key"][10:40] not in told


async def test_a_switched_off_person_makes_no_key(service: Site, alice: Person) -> None:
    database: Database = service.application.backend.database
    await users.change(database, alice.id, actor=Actor("t"), is_active=False)
    heard = await service.call("POST", PATH, by=alice.by_cookie, says={"name": "x"})
    assert heard.is_problem(403, "account-inactive")


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-23:59", "9999-06-01T00:00:00Z", "0001-01-01T00:00:00+23:59"])
async def test_a_key_ends_at_an_instant_that_has_a_name(service: Site, alice: Person, at: str) -> None:
    heard = await service.call("POST", PATH, by=alice.by_cookie, says={"name": "odd", "expiresAt": at})
    assert heard.is_problem(422, "invalid")
    assert heard.json["errors"][0]["field"] == "expiresAt"
