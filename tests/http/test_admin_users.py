"""Operators: the list of users, one user, and what an operator changes of them."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from tollkeeper.accounts import users

from .conftest import Heard, Person, Site

USER_FIELDS = [
    *("id", "email", "name", "plan", "planExpiresAt", "isActive", "role", "timeZone", "createdAt", "lastActiveAt"),
    *("requestsToday", "requestsThisMonth", "monthlyLimit", "dailyLimit", "totalRequests", "totalTokensUsed"),
    *("totalCost", "totalCostNanos", "unpricedRequests", "note"),
]
SORTS = ["email", "createdAt", "lastActiveAt", "requests", "tokensUsed", "cost"]


@pytest.fixture
async def operator(service: Site) -> Person:
    return await service.operator()


async def listed(service: Site, operator: Person, **asked: Any) -> list[Any]:
    """Turn all pages."""
    items: list[Any] = []
    cursor = None
    while True:
        given = asked | ({"cursor": cursor} if cursor else {})
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in given.items())
        heard = await service.call("GET", f"/api/admin/users?{query}", by=operator.by_cookie)
        assert heard.status == 200, heard.body
        items += heard.json["items"]
        cursor = heard.json["nextCursor"]
        if cursor is None:
            return items


async def change(service: Site, operator: Person, user: UUID | str, **says: Any) -> Heard:
    return await service.call("PUT", f"/api/admin/users/{user}", by=operator.by_cookie, says=says)


async def unpriced(service: Site, operator: Person, user: Person) -> int:
    heard = await service.call("GET", f"/api/admin/users/{user.id}", by=operator.by_cookie)
    return heard.json["user"]["unpricedRequests"]


async def some(service: Site, stem: str, count: int) -> list[users.User]:
    database = service.application.backend.database
    return [await users.add(database, f"{stem}-{n}@example.com", name=f"{stem.title()} {n}") for n in range(count)]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_show_everybody_once_in_order(service: Site, operator: Person, sort: str, order: str) -> None:
    stem = f"pages-{sort.lower()}-{order}"
    made = await some(service, stem, 7)
    for n, each in enumerate(made):
        await service.owner.execute(
            "UPDATE usage SET total_requests = $2, total_tokens_used = $2, total_cost_nanos = $2,"
            " updated_at = $3 WHERE user_id = $1",
            *(each.id, (0, 5, 3, 3, 8, 0, 1)[n], datetime(2026, 1, 1 + n // 2, tzinfo=UTC)),
        )
    keys = {"requests": "totalRequests", "tokensUsed": "totalTokensUsed", "cost": "totalCostNanos"}
    for limit in (1, 3, 7, 200):
        items = await listed(service, operator, q=stem, sort=sort, order=order, limit=limit)
        assert len(items) == len({each["id"] for each in items}) == 7
        values = [each[keys.get(sort, sort)] for each in items]
        told = ["" if each is None else each for each in values]
        assert told == sorted(told, reverse=order == "desc")
    assert list(items[0]) == USER_FIELDS


async def test_without_filters_the_newest_come_first_and_pages_stand_still(service: Site, operator: Person) -> None:
    made = await some(service, "still", 4)
    first = (await service.call("GET", "/api/admin/users?limit=2", by=operator.by_cookie)).json
    await some(service, "later", 2)
    path = f"/api/admin/users?limit=2&cursor={first['nextCursor']}"
    second = (await service.call("GET", path, by=operator.by_cookie)).json
    told = [each["id"] for each in first["items"] + second["items"]]
    assert told == [str(each.id) for each in reversed(made)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("WILD-100%", {"wild-100%@example.com"}),
        ("wild_", {"wild_card@example.com"}),
        ("%", {"wild-100%@example.com"}),
        ("Ännchen", {"wildxcard@example.com"}),
        ("ÄNNCHEN'S", {"wildxcard@example.com"}),
        ("\\", set[str]()),
        ("wild", {"wild-100%@example.com", "wild_card@example.com", "wildxcard@example.com"}),
    ],
)
async def test_no_character_of_what_is_searched_is_a_wildcard(
    service: Site, operator: Person, text: str, found: set[str]
) -> None:
    database = service.application.backend.database
    for email, name in (
        ("wild-100%@example.com", None),
        ("wild_card@example.com", ""),
        ("wildxcard@example.com", "ännchen's"),
    ):
        if await users.of_email(database, email) is None:
            await users.add(database, email, name=name)
    assert {each["email"] for each in await listed(service, operator, q=text)} == found


async def test_a_user_is_found_by_id_by_plan_and_by_being_switched_off(service: Site, operator: Person) -> None:
    plan = await service.plan("rare")
    one = await service.person(plan)
    assert [each["id"] for each in await listed(service, operator, q=str(one.id).upper())] == [str(one.id)]
    assert [each["id"] for each in await listed(service, operator, plan=plan)] == [str(one.id)]
    assert await listed(service, operator, plan=plan, isActive="false") == []
    await change(service, operator, one.id, isActive=False)
    assert [each["id"] for each in await listed(service, operator, plan=plan, isActive="false")] == [str(one.id)]
    assert await listed(service, operator, plan="no-such-plan") == []


async def test_numbers_of_a_user_are_those_of_their_dashboard(service: Site, operator: Person, alice: Person) -> None:
    begun = await service.start(alice, model="gpt-4o")
    await service.start(alice)
    await service.finish(alice, begun["id"], tokensInput=1000, tokensOutput=500)
    assert await unpriced(service, operator, alice) == 0
    ownless = await service.start(alice, model="nobody-knows-it")
    await service.finish(alice, ownless["id"], tokensInput=1000, tokensOutput=500)
    assert await unpriced(service, operator, alice) == 1
    told = (await service.call("GET", f"/api/admin/users/{alice.id}", by=operator.by_cookie)).json["user"]
    own = (await service.call("GET", "/api/user/dashboard", by=alice.by_key)).json["metrics"]
    assert (told["totalRequests"], told["requestsToday"], told["requestsThisMonth"]) == (3, 3, 3)
    assert (told["totalTokensUsed"], told["totalCostNanos"]) == (own["totalTokensUsed"], own["totalCostNanos"])
    assert told["totalCost"] == own["totalCost"] > 0
    assert told["lastActiveAt"] >= told["createdAt"]
    seen = await service.call("GET", f"/api/admin/users/{alice.id}/dashboard", by=operator.by_cookie)
    theirs = await service.call("GET", "/api/user/dashboard", by=alice.by_key)
    assert seen.json == theirs.json
    requests = await service.call("GET", f"/api/admin/users/{alice.id}/requests", by=operator.by_cookie)
    assert requests.json == (await service.call("GET", "/api/chat/requests", by=alice.by_key)).json
    one = f"/requests/{begun['id']}"
    request = await service.call("GET", f"/api/admin/users/{alice.id}{one}", by=operator.by_cookie)
    assert request.json == (await service.call("GET", f"/api/chat{one}", by=alice.by_key)).json


async def test_who_never_did_anything_was_never_active(service: Site, operator: Person, bob: Person) -> None:
    told = (await service.call("GET", f"/api/admin/users/{bob.id}", by=operator.by_cookie)).json["user"]
    assert (told["lastActiveAt"], told["note"], told["planExpiresAt"]) == (None, None, None)


async def test_a_change_is_whole_noted_with_its_actor_and_told_back(
    service: Site, operator: Person, bob: Person
) -> None:
    until = datetime.now(UTC) + timedelta(days=30)
    says = {"note": " Pays late.\nNice. ", "plan": "pro", "planExpiresAt": until.isoformat()}
    told = (await change(service, operator, bob.id, **says)).json["user"]
    assert (told["note"], told["plan"], told["dailyLimit"]) == ("Pays late.\nNice.", "pro", 50)
    assert datetime.fromisoformat(told["planExpiresAt"]) == until
    noted = await service.owner.fetch(
        "SELECT actor, action, detail::text AS detail FROM activity"
        " WHERE user_id = $1 AND action IN ('plan.set', 'user.changed') ORDER BY id",
        bob.id,
    )
    assert [(each["actor"], each["action"]) for each in noted] == [
        (str(operator.id), "plan.set"),
        (str(operator.id), "user.changed"),
    ]
    assert "late" not in noted[1]["detail"]
    terms = "SELECT count(*) FROM plan_terms WHERE user_id = $1"
    before = await service.owner.fetchval(terms, bob.id)
    again = (await change(service, operator, bob.id, plan="pro", note="Pays late.\nNice.")).json["user"]
    assert again["planExpiresAt"] == told["planExpiresAt"]
    assert await service.owner.fetchval(terms, bob.id) == before
    longer = (await change(service, operator, bob.id, planExpiresAt=None)).json["user"]
    assert (longer["plan"], longer["planExpiresAt"]) == ("pro", None)
    # They are the terms that they were.
    assert await service.owner.fetchval(terms, bob.id) == before
    assert (await change(service, operator, bob.id, note=None)).json["user"]["note"] is None
    assert (await change(service, operator, bob.id, note="  ")).json["user"]["note"] is None


async def test_another_plan_has_no_expiry_of_the_one_before(service: Site, operator: Person, bob: Person) -> None:
    until = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    await change(service, operator, bob.id, plan="pro", planExpiresAt=until)
    told = (await change(service, operator, bob.id, plan="enterprise")).json["user"]
    assert (told["plan"], told["planExpiresAt"], told["monthlyLimit"]) == ("enterprise", None, None)


async def test_who_is_switched_off_is_refused_by_the_next_start(service: Site, operator: Person, bob: Person) -> None:
    by = service.as_service(bob.email)
    assert (await service.call("POST", "/api/chat/track", by=by, says={"prompt": "x"})).status == 201
    assert (await change(service, operator, bob.id, isActive=False)).json["user"]["isActive"] is False
    refused = await service.call("POST", "/api/chat/track", by=by, says={"prompt": "x"})
    assert refused.is_problem(403, "account-inactive")
    await asyncio.sleep(0.9)
    assert (await service.call("GET", "/api/user/dashboard", by=bob.by_key)).is_problem(403, "account-inactive")
    assert (await change(service, operator, bob.id, isActive=True)).json["user"]["isActive"] is True
    assert (await service.call("POST", "/api/chat/track", by=by, says={"prompt": "x"})).status == 201


async def test_nobody_switches_themselves_off(service: Site, operator: Person) -> None:
    heard = await change(service, operator, operator.id, isActive=False)
    assert heard.is_problem(409, "contradiction")
    assert (await change(service, operator, operator.id, note="me")).status == 200


@pytest.mark.parametrize(
    ("raw", "faulty"),
    [
        (b"{}", "body"),
        (rb'{"note": "a\u0000b"}', "note"),
        (rb'{"note": "\ud800"}', "note"),
        (b'{"note": "' + b"x" * 4001 + b'"}', "note"),
        (b'{"note": 1}', "note"),
        (b'{"isActive": 1}', "isActive"),
        (b'{"isActive": null}', "isActive"),
        (b'{"plan": null}', "plan"),
        (b'{"plan": ""}', "plan"),
        (b'{"plan": "no-such-plan"}', "plan"),
        (b'{"plan": "pro", "planExpiresAt": "2020-01-01T00:00:00Z"}', "planExpiresAt"),
        (b'{"planExpiresAt": "2020-01-01T00:00:00Z"}', "planExpiresAt"),
        (b'{"planExpiresAt": "9999-12-31T23:59:59-05:00"}', "planExpiresAt"),
        (b'{"planExpiresAt": "2099-01-01T00:00:00"}', "planExpiresAt"),
        (b'{"planExpiresAt": "tomorrow"}', "planExpiresAt"),
        (b'{"role": "admin"}', "role"),
        (b'{"note": "x", "note": "y"}', "note"),
    ],
)
async def test_a_faulty_change_is_refused_by_its_field_and_changes_nothing(
    service: Site, operator: Person, bob: Person, raw: bytes, faulty: str
) -> None:
    before = await service.rows()
    heard = await service.call("PUT", f"/api/admin/users/{bob.id}", by=operator.by_cookie, raw=raw)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {faulty}
    assert await service.rows() == before


@pytest.mark.parametrize(
    ("query", "faulty"),
    [
        ("q=", "q"),
        ("q=%00", "q"),
        ("q=" + "x" * 201, "q"),
        ("sort=id", "sort"),
        ("order=up", "order"),
        ("isActive=yes", "isActive"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=x", "cursor"),
        ("page=2", "page"),
    ],
)
async def test_a_faulty_query_is_refused_by_its_name(service: Site, operator: Person, query: str, faulty: str) -> None:
    heard = await service.call("GET", f"/api/admin/users?{query}", by=operator.by_cookie)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {faulty}


@pytest.mark.parametrize(
    ("sort", "place"),
    [
        ("email", ["createdAt", "desc", 0, str(uuid4())]),
        ("email", ["email", "asc", 0, str(uuid4())]),
        ("email", ["email", "asc", "a\0b", str(uuid4())]),
        ("cost", ["cost", "desc", 2**63, str(uuid4())]),
        ("cost", ["cost", "desc", "x", str(uuid4())]),
        ("cost", ["cost", "asc", 1, str(uuid4())]),
        ("cost", ["cost", "desc", 1, "x"]),
        ("cost", ["cost", "desc", 1.5, str(uuid4())]),
        ("cost", []),
    ],
)
async def test_a_made_up_cursor_is_refused(service: Site, operator: Person, sort: str, place: Any) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
    heard = await service.call("GET", f"/api/admin/users?sort={sort}&cursor={cursor}", by=operator.by_cookie)
    assert heard.is_problem(422, "invalid"), heard.body
    assert heard.faulty == {"cursor"}


async def test_who_is_not_there_is_404_and_what_is_no_id_400(service: Site, operator: Person) -> None:
    for tail in ("", "/dashboard", "/requests", f"/requests/{uuid4()}"):
        heard = await service.call("GET", f"/api/admin/users/{uuid4()}{tail}", by=operator.by_cookie)
        assert heard.is_problem(404, "not-found"), tail
        heard = await service.call("GET", f"/api/admin/users/ada{tail}", by=operator.by_cookie)
        assert heard.is_problem(400, "not-understood"), tail
    assert (await change(service, operator, uuid4(), note="x")).is_problem(404, "not-found")
    assert (await change(service, operator, uuid4(), isActive=False)).is_problem(404, "not-found")
    assert (await change(service, operator, uuid4(), plan="pro")).is_problem(404, "not-found")


async def test_of_two_who_saw_the_same_note_one_saves_and_the_other_is_told(
    service: Site, operator: Person, bob: Person
) -> None:
    for seen in (None, "first"):
        saved = await asyncio.gather(
            *(change(service, operator, bob.id, note=f"{seen} {n}", noteSeen=seen, isActive=True) for n in range(5))
        )
        assert sorted(each.status for each in saved) == [200, 409, 409, 409, 409]
        (kept,) = [each.json["user"]["note"] for each in saved if each.status == 200]
        for each in saved:
            assert each.status == 200 or each.is_problem(409, "contradiction")
        now = (await service.call("GET", f"/api/admin/users/{bob.id}", by=operator.by_cookie)).json["user"]["note"]
        assert now == kept
        await change(service, operator, bob.id, note="first")
    assert (await change(service, operator, bob.id, note=None, noteSeen=" first\n")).json["user"]["note"] is None
    assert (await change(service, operator, bob.id, note="x", noteSeen="")).json["user"]["note"] == "x"
    alone = await change(service, operator, bob.id, isActive=True, noteSeen="x")
    assert alone.faulty == {"noteSeen"}


async def test_one_users_request_is_not_found_under_another(
    service: Site, operator: Person, alice: Person, bob: Person
) -> None:
    begun = await service.start(alice, requestId="only-hers")
    for named in (begun["id"], "only-hers"):
        theirs = await service.call("GET", f"/api/admin/users/{alice.id}/requests/{named}", by=operator.by_cookie)
        assert theirs.status == 200
        others = await service.call("GET", f"/api/admin/users/{bob.id}/requests/{named}", by=operator.by_cookie)
        assert others.is_problem(404, "not-found")
