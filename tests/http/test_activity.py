"""What was done with an account, told to its owner and to operators."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec
import pytest

from tollkeeper import activity
from tollkeeper.activity import OPERATOR, Actor

from .conftest import Person, Site

ACT = ["id", "at", "actor", "action", "detail", "ipAddress", "userAgent", "device"]


@pytest.fixture
async def operator(service: Site) -> Person:
    return await service.operator()


async def note(service: Site, person: Person, actor: Actor, action: str = "thing.done", **detail: Any) -> None:
    database = service.application.backend.database
    await activity.note(database, user_id=person.id, actor=actor, action=action, detail=detail)


async def test_one_sees_what_was_done_with_ones_account_page_by_page(service: Site, alice: Person, bob: Person) -> None:
    for number in range(5):
        await note(service, alice, Actor(str(alice.id), "192.0.2.1", "Browser"), n=number)
    await note(service, bob, Actor(str(bob.id)), n="his")
    items: list[Any] = []
    path = "/api/account/activity?limit=2&action=thing.done"
    heard = await service.call("GET", path, by=alice.by_cookie)
    while True:
        items += heard.json["items"]
        if heard.json["nextCursor"] is None:
            break
        heard = await service.call("GET", f"{path}&cursor={heard.json['nextCursor']}", by=alice.by_cookie)
    assert [each["detail"]["n"] for each in items] == [4, 3, 2, 1, 0]
    assert list(items[0]) == ACT
    assert items[0]["actor"] == {"kind": "user", "id": str(alice.id), "email": alice.email, "actingAs": None}
    assert (items[0]["ipAddress"], items[0]["userAgent"]) == ("192.0.2.1", "Browser")


async def test_signing_in_and_what_one_does_is_noted_with_whence(service: Site, alice: Person) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    by = alice.by_cookie | {"User-Agent": agent}
    await service.call("POST", "/api/user/variables", by=by, says={"key": "K", "value": "v"})
    items = (await service.call("GET", "/api/account/activity", by=alice.by_cookie)).json["items"]
    assert [each["action"] for each in items] == [
        "variables.put",
        "login.begun",
        "link.made",
        "key.created",
        "user.added",
    ]
    assert (items[0]["ipAddress"], items[0]["userAgent"]) == ("127.0.0.1", agent)
    assert items[0]["device"] == "Firefox on Linux"


async def test_of_an_operator_one_hears_what_they_did_and_not_who_they_are(
    service: Site, operator: Person, alice: Person
) -> None:
    says = {"plan": "pro"}
    await service.call("PUT", f"/api/admin/users/{alice.id}", by=operator.by_cookie, says=says)
    await note(service, alice, Actor(str(alice.id), "192.0.2.9", "X", acted_by=operator.id), "acted.as")
    heard = await service.call("GET", "/api/account/activity?limit=2", by=alice.by_cookie)
    items = heard.json["items"]
    assert [each["action"] for each in items] == ["acted.as", "plan.set"]
    for each in items:
        assert each["actor"] == {"kind": "operator", "id": None, "email": None, "actingAs": None}
        assert (each["ipAddress"], each["userAgent"]) == (None, None)
    assert str(operator.id) not in heard.body.decode()
    assert operator.email not in heard.body.decode()


async def test_operators_find_acts_by_whom_by_about_whom_what_and_when(
    service: Site, operator: Person, alice: Person, bob: Person
) -> None:
    word = f"word.{uuid4().hex[:8]}"
    await note(service, alice, Actor(str(alice.id), "192.0.2.1", "A"), word)
    await note(service, bob, Actor(str(alice.id)), word)
    await note(service, bob, Actor(str(bob.id), acted_by=operator.id), word)
    await note(service, bob, OPERATOR, word)
    await note(service, bob, Actor("retention"), word)

    async def found(**asked: Any) -> list[Any]:
        query = "&".join(f"{name}={quote(str(value))}" for name, value in ({"action": word} | asked).items())
        heard = await service.call("GET", f"/api/admin/activity?{query}", by=operator.by_cookie)
        assert heard.status == 200, heard.body
        return heard.json["items"]

    everything = await found()
    assert list(everything[0]) == [*ACT, "userId", "email"]
    assert [each["actor"]["kind"] for each in everything] == ["job", "operator", "user", "user", "user"]
    assert everything[2]["actor"] == {
        "kind": "user",
        "id": str(operator.id),
        "email": operator.email,
        "actingAs": str(bob.id),
    }
    assert everything[-1]["ipAddress"] == "192.0.2.1"
    assert len(await found(user=bob.email)) == 4
    assert len(await found(user=alice.id)) == 1
    assert len(await found(actor=alice.email)) == 2
    assert len(await found(actor=alice.email, user=bob.id)) == 1
    assert len(await found(actor=operator.email)) == len(await found(actor=operator.id, user=bob.id)) == 1
    assert len(await found(actor="retention")) == len(await found(actor="operator")) == 1
    now = datetime.now(UTC)
    assert len(await found(**{"from": (now - timedelta(hours=1)).isoformat(timespec="seconds")})) == 5
    assert await found(to=(now - timedelta(hours=1)).isoformat(timespec="seconds")) == []
    assert await found(user=uuid4()) == []


@pytest.mark.parametrize("whose", ["own", "all"])
async def test_files_have_all_and_no_cell_is_a_formula(
    service: Site, operator: Person, alice: Person, whose: str
) -> None:
    for number in range(3):
        await note(service, alice, Actor(str(alice.id), "192.0.2.1", '=cmd|"/c calc"!A1'), "a.b", n=number)
    path, by = ("/api/account/activity?action=a.b", alice.by_cookie)
    if whose == "all":
        path, by = f"/api/admin/activity?action=a.b&user={alice.id}", operator.by_cookie
    heard = await service.call("GET", f"{path}&format=csv", by=by)
    assert heard.headers["Content-Disposition"] == 'attachment; filename="tollkeeper-activity.csv"'
    rows = list(csv.DictReader(io.StringIO(heard.body.decode())))
    assert [msgspec.json.decode(row["detail"])["n"] for row in rows] == [2, 1, 0]
    assert {row["userAgent"] for row in rows} == {'\'=cmd|"/c calc"!A1'}
    assert {row["actorId"] for row in rows} == {str(alice.id)}
    lines = (await service.call("GET", f"{path}&format=jsonl", by=by)).body.splitlines()
    page = (await service.call("GET", path, by=by)).json["items"]
    assert [msgspec.json.decode(line) for line in lines] == page


@pytest.mark.parametrize(
    ("query", "faulty"),
    [
        ("limit=0", "limit"),
        ("from=x", "from"),
        ("from=2026-05-13&to=2026-05-12", "to"),
        ("action=", "action"),
        ("cursor=x", "cursor"),
        ("user=a@b.c", "user"),
    ],
)
async def test_a_faulty_query_is_refused_by_its_name(service: Site, alice: Person, query: str, faulty: str) -> None:
    heard = await service.call("GET", f"/api/account/activity?{query}", by=alice.by_cookie)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {faulty}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("user=nobody", 422),
        ("actor=No One", 422),
        ("user=nobody@example.com", 404),
        ("format=csv&cursor=e30", 422),
        ("format=csv&limit=5", 422),
    ],
)
async def test_who_cannot_be_is_refused(service: Site, operator: Person, query: str, status: int) -> None:
    heard = await service.call("GET", f"/api/admin/activity?{query}", by=operator.by_cookie)
    assert heard.status == status
