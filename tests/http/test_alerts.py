"""What users are told of their plan and limits, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Person, Site

LIST = "/api/user/alerts"
ALL = "/api/admin/alerts"


async def used_up(service: Site) -> Person:
    """Make a person who has used two of two requests of the day: three alerts."""
    person = await service.person(await service.plan("two", daily_requests=2))
    for _ in range(2):
        await service.start(person)
    return person


async def told(service: Site, person: Person, query: str = "") -> Any:
    heard = await service.call("GET", LIST + query, by=person.by_key)
    assert heard.status == 200, heard.body
    return heard.json


async def test_they_come_page_by_page_and_by_kind(service: Site) -> None:
    person = await used_up(service)
    everything = await told(service, person)
    assert [each["data"]["percent"] for each in everything["items"]] == [100, 80, 50]
    assert (everything["nextCursor"], everything["unseen"]) == (None, 3)
    assert everything["items"][0].keys() == {"id", "kind", "data", "createdAt", "seenAt"}
    one_by_one, cursor = [], ""
    while cursor is not None:
        page = await told(service, person, f"?limit=1{cursor and '&cursor=' + cursor}")
        one_by_one += page["items"]
        cursor = page["nextCursor"]
    assert one_by_one == everything["items"]
    assert [each["kind"] for each in (await told(service, person, "?kind=limit.reached"))["items"]] == ["limit.reached"]


async def test_what_is_seen_is_seen_up_to_one(service: Site) -> None:
    person = await used_up(service)
    ids = [each["id"] for each in (await told(service, person))["items"]]
    seen = await service.call("POST", f"{LIST}/seen", by=person.by_cookie, says={"last": ids[1]})
    assert seen.json == {"success": True, "unseen": 1}
    items = (await told(service, person))["items"]
    assert [each["seenAt"] is None for each in items] == [True, False, False]


async def test_nobody_sees_or_marks_what_is_another_s(service: Site, alice: Person) -> None:
    person = await used_up(service)
    last = (await told(service, person))["items"][0]["id"]
    assert (await told(service, alice))["items"] == []
    await service.call("POST", f"{LIST}/seen", by=alice.by_cookie, says={"last": last})
    assert (await told(service, person))["unseen"] == 3


async def test_operators_see_those_of_all_with_whom_they_are_about(service: Site) -> None:
    person, operator = await used_up(service), await service.operator()
    found: list[Any] = []
    query = "?limit=2"
    while True:
        page = (await service.call("GET", ALL + query, by=operator.by_cookie)).json
        found += page["items"]
        if page["nextCursor"] is None:
            break
        query = f"?limit=2&cursor={page['nextCursor']}"
    mine = [each for each in found if each["userId"] == str(person.id)]
    assert [(each["email"], each["data"]["percent"]) for each in mine] == [(person.email, n) for n in (100, 80, 50)]
    assert [each["createdAt"] for each in found] == sorted((each["createdAt"] for each in found), reverse=True)


@pytest.mark.parametrize(
    ("query", "faulty"),
    [("?kind=none", {"kind"}), ("?cursor=x", {"cursor"}), ("?limit=0", {"limit"}), ("?user=x", {"user"})],
)
async def test_bad_questions_name_their_field(service: Site, alice: Person, query: str, faulty: set[str]) -> None:
    operator = await service.operator()
    for path, by in ((LIST, alice.by_key), (ALL, operator.by_cookie)):
        heard = await service.call("GET", path + query, by=by)
        assert heard.is_problem(422, "invalid"), heard.body
        assert heard.faulty == faulty


@pytest.mark.parametrize("says", [{}, {"last": "x"}, {"last": None}, {"last": 5}])
async def test_what_was_seen_must_be_an_id(service: Site, alice: Person, says: dict[str, Any]) -> None:
    heard = await service.call("POST", f"{LIST}/seen", by=alice.by_cookie, says=says)
    assert heard.is_problem(422, "invalid"), heard.body
    assert heard.faulty == {"last"}
