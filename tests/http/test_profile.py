"""What one is called and looks like, and what an account tells of itself."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Person, Site

PATH = "/api/account"
FIELDS = [
    "id", "email", "name", "image", "role", "plan", "planExpiresAt", "requestsUsed", "requestsLimit", "timeZone",
    "passkeys", "hasGithub", "lastLoginAt", "createdAt",
]  # fmt: skip
PIXEL = "data:image/webp;base64,UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="


async def account(service: Site, by: dict[str, str]) -> Any:
    told = (await service.call("GET", PATH, by=by)).json["account"]
    assert list(told) == FIELDS
    return told


async def test_name_and_picture_are_changed_one_by_one_and_taken_away(service: Site, alice: Person) -> None:
    at_first = await account(service, alice.by_cookie)
    assert (at_first["name"], at_first["image"], at_first["passkeys"]) == (None, None, 0)
    assert at_first["lastLoginAt"] > at_first["createdAt"]
    for says in ({"name": "Ada"}, {"image": PIXEL}, {"name": None}, {"image": None}):
        heard = await service.call("PATCH", PATH, by=alice.by_cookie, says=says)
        assert heard.status == 200, heard.body
        told = await account(service, alice.by_key)
        assert {name: told[name] for name in says} == says
        assert heard.json["account"] == told
        assert heard.json["caller"] == "person"
    heard = await service.call("PATCH", PATH, by=alice.by_cookie, says={"name": "Ada", "image": PIXEL})
    assert heard.json["account"] == at_first | {"name": "Ada", "image": PIXEL}
    noted = await service.owner.fetch(
        "SELECT actor, detail FROM activity WHERE user_id = $1 AND action = 'user.changed' ORDER BY id", alice.id
    )
    assert [row["actor"] for row in noted] == 5 * [str(alice.id)]
    assert PIXEL not in str(noted)


@pytest.mark.parametrize(
    ("says", "faulty"),
    [
        ({}, {"body"}),
        ({"name": 5}, {"name"}),
        ({"name": "two\nlines"}, {"name"}),
        ({"name": "x" * 201}, {"name"}),
        ({"image": "https://example.com/me.png"}, {"image"}),
        ({"image": "data:image/svg+xml;base64,PHN2Zy8+"}, {"image"}),
        ({"image": PIXEL + "A" * 40_000}, {"image"}),
        ({"image": PIXEL, "name": "\u0007"}, {"name"}),
        ({"name": "Ada", "image": "x"}, {"image"}),
        *(({each: "x", "name": "Ada"}, {each}) for each in ("email", "role", "plan", "isActive", "lastLoginAt", "id")),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    service: Site, alice: Person, says: Any, faulty: set[str]
) -> None:
    before = await account(service, alice.by_cookie)
    heard = await service.call("PATCH", PATH, by=alice.by_cookie, says=says)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == faulty
    assert await account(service, alice.by_cookie) == before


async def test_programs_change_nobodys_name(service: Site, alice: Person) -> None:
    for by in (alice.by_key, service.as_service(alice.email)):
        heard = await service.call("PATCH", PATH, by=by, says={"name": "x"})
        assert heard.is_problem(403, "not-allowed")
    foreign = {"Cookie": alice.by_cookie["Cookie"], "Sec-Fetch-Site": "cross-site"}
    assert (await service.call("PATCH", PATH, by=foreign, says={"name": "x"})).is_problem(403, "not-allowed")
