"""Where one is signed in, ending it, and what asks for a sign-in of the last 15 minutes."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tollkeeper.accounts.sign_in import logins
from tollkeeper.activity import Actor

from .conftest import Person, Site

PATH = "/api/account/sessions"
FIELDS = [
    "id", "isCurrent", "device", "ipAddress", "userAgent", "signedInBy", "createdAt", "lastSeenAt", "expiresAt",
]  # fmt: skip
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"


async def enter(service: Site, person: Person, user_agent: str = FIREFOX, cookie: str = "") -> dict[str, str]:
    """Sign in by a link, as a browser does; gives the headers of its pages."""
    backend = service.application.backend
    made = await logins.make_link(backend.database, person.id, pepper=backend.pepper, actor=Actor("t"))
    by = {"User-Agent": user_agent, "Sec-Fetch-Site": "same-origin"} | ({"Cookie": cookie} if cookie else {})
    heard = await service.call("POST", f"/sign-in/{made.token}", by=by)
    assert heard.status == 303
    return by | {"Cookie": heard.headers["Set-Cookie"].partition(";")[0]}


async def listed(service: Site, by: dict[str, str], query: str = "") -> Any:
    heard = await service.call("GET", PATH + query, by=by)
    assert heard.status == 200, heard.body
    return heard.json


async def is_in(service: Site, by: dict[str, str]) -> bool:
    return (await service.call("GET", "/api/account", by=by)).status == 200


async def test_one_sees_where_one_is_signed_in(service: Site, alice: Person) -> None:
    by = await enter(service, alice)
    told = await listed(service, by)
    assert told["nextCursor"] is None
    assert all(list(each) == FIELDS for each in told["items"])
    here, other = told["items"]
    assert (here["isCurrent"], other["isCurrent"]) == (True, False)
    assert (here["device"], here["userAgent"], here["ipAddress"]) == ("Firefox on Linux", FIREFOX, "127.0.0.1")
    assert (here["signedInBy"], other["device"]) == ("link", "Unknown device")
    assert here["expiresAt"] > here["lastSeenAt"] >= here["createdAt"]
    token = by["Cookie"].partition("=")[2]
    assert token not in (await service.call("GET", PATH, by=by)).body.decode()


async def test_a_long_list_comes_in_pages(service: Site, alice: Person) -> None:
    by = await enter(service, alice)
    for _ in range(5):
        await enter(service, alice)
    whole = [each["id"] for each in (await listed(service, by))["items"]]
    assert (len(whole), whole) == (7, sorted(whole, reverse=True))
    seen: list[str] = []
    query = "?limit=3"
    while query:
        told = await listed(service, by, query)
        seen += [each["id"] for each in told["items"]]
        query = f"?limit=3&cursor={told['nextCursor']}" if told["nextCursor"] else ""
    assert seen == whole
    assert (await service.call("GET", f"{PATH}?cursor=x", by=by)).is_problem(422, "invalid")


async def test_one_session_is_ended_from_another(service: Site, alice: Person) -> None:
    lost, here = await enter(service, alice), await enter(service, alice)
    gone = next(each["id"] for each in (await listed(service, lost))["items"] if each["isCurrent"])
    heard = await service.call("DELETE", f"{PATH}/{gone}", by=here)
    assert (heard.json, "Set-Cookie" in heard.headers) == ({"success": True, "ended": 1}, False)
    await asyncio.sleep(0.9)
    assert not await is_in(service, lost)
    assert await is_in(service, here)
    assert gone not in [each["id"] for each in (await listed(service, here))["items"]]
    assert (await service.call("DELETE", f"{PATH}/{gone}", by=here)).is_problem(404, "not-found")


async def test_ending_the_session_one_comes_with_signs_out_here(service: Site, alice: Person) -> None:
    by = await enter(service, alice)
    here = next(each["id"] for each in (await listed(service, by))["items"] if each["isCurrent"])
    heard = await service.call("DELETE", f"{PATH}/{here}", by=by)
    assert heard.headers["Set-Cookie"].startswith("__Host-tollkeeper=; Path=/; Max-Age=0")
    assert not await is_in(service, by)


async def test_all_others_are_ended_or_all(service: Site, alice: Person) -> None:
    here, *others = [await enter(service, alice) for _ in range(4)]
    heard = await service.call("DELETE", f"{PATH}?but=current", by=here)
    assert (heard.json, "Set-Cookie" in heard.headers) == ({"success": True, "ended": 4}, False)
    await asyncio.sleep(0.9)
    assert [await is_in(service, by) for by in (here, *others, alice.by_cookie)] == [True] + 4 * [False]
    heard = await service.call("DELETE", PATH, by=here)
    assert heard.json["ended"] == 0
    heard = await service.call("DELETE", f"{PATH}?but=none", by=here)
    assert heard.json["ended"] == 1
    assert "Max-Age=0" in heard.headers["Set-Cookie"]
    assert not await is_in(service, here)
    assert (await service.call("DELETE", f"{PATH}?but=some", by=await enter(service, alice))).faulty == {"but"}


async def test_sessions_of_others_are_out_of_sight_and_out_of_reach(service: Site, alice: Person, bob: Person) -> None:
    hers = (await listed(service, alice.by_cookie))["items"][0]["id"]
    assert hers not in [each["id"] for each in (await listed(service, bob.by_cookie))["items"]]
    for named in (hers, str(uuid4())):
        heard = await service.call("DELETE", f"{PATH}/{named}", by=bob.by_cookie)
        assert heard.is_problem(404, "not-found")
        assert heard.json["detail"] == "no such sign-in"
    assert (await service.call("DELETE", f"{PATH}/x", by=bob.by_cookie)).is_problem(400, "not-understood")
    await service.call("DELETE", f"{PATH}?but=none", by=bob.by_cookie)
    assert await is_in(service, alice.by_cookie)


async def test_ending_is_noted_with_who_and_from_where(service: Site, alice: Person) -> None:
    by = await enter(service, alice)
    await service.call("DELETE", PATH, by=by)
    noted = await service.owner.fetch(
        "SELECT actor, ip_address, user_agent FROM activity WHERE user_id = $1 AND action = 'logins.ended'", alice.id
    )
    assert [tuple(row) for row in noted] == [(str(alice.id), "127.0.0.1", FIREFOX)]


async def test_signing_in_again_changes_the_session_and_ends_the_old_one(service: Site, alice: Person) -> None:
    old = await enter(service, alice)
    new = await enter(service, alice, cookie=old["Cookie"])
    assert new["Cookie"] != old["Cookie"]
    assert not await is_in(service, old)
    assert await is_in(service, new)


async def age(service: Site, person: Person, by: str) -> None:
    """Let a person's sign-ins have begun a while ago."""
    begun = "UPDATE sessions SET created_at = created_at - $2::text::interval WHERE user_id = $1"
    await service.owner.execute(begun, person.id, by)
    await asyncio.sleep(0.9)


RECENT: list[tuple[str, str, Any]] = [
    ("POST", "/api/account/passkeys/options", None),
    ("POST", "/api/account/passkeys", {"ceremony": "x" * 43, "credential": {}, "name": "x"}),
    ("DELETE", f"/api/account/passkeys/{UUID(int=7)}", None),
]


@pytest.mark.parametrize(("method", "path", "says"), RECENT)
async def test_what_matters_most_asks_for_a_recent_sign_in(
    service: Site, alice: Person, method: str, path: str, says: Any
) -> None:
    await age(service, alice, "14 minutes")
    assert (await service.call(method, path, by=alice.by_cookie, says=says)).status in {200, 404, 422}
    await age(service, alice, "1 minute")
    heard = await service.call(method, path, by=alice.by_cookie, says=says)
    assert heard.is_problem(403, "sign-in-again")
    assert await is_in(service, alice.by_cookie)
    # Who signs in anew, as the same browser, may go on.
    again = await enter(service, alice, cookie=alice.by_cookie["Cookie"])
    assert (await service.call(method, path, by=again, says=says)).status in {200, 404, 422}


async def test_what_protects_an_account_needs_no_recent_sign_in(service: Site, alice: Person) -> None:
    await age(service, alice, "1 day")
    for method, path in (("GET", PATH), ("GET", "/api/account/passkeys"), ("DELETE", PATH)):
        assert (await service.call(method, path, by=alice.by_cookie)).status == 200
