"""Nobody sets what is not theirs to say: every column and every privileged name, in the body of every route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

from tollkeeper.http.docs.openapi import describe
from tollkeeper.http.routes import ROUTES

from .conftest import JSON, Heard, Person, Site
from .matrix import CALLS, FOR_SERVICES, NEEDS

PRIVILEGED: Final = frozenset(
    {
        *("userId", "user", "id", "plan", "planName", "planExpiresAt", "limits", "limit", "used", "allowed", "version"),
        *("cost", "costNanos", "costSource", "reportedNanos", "status", "role", "isActive", "isAdmin", "admin"),
        *("createdAt", "updatedAt", "startedAt", "completedAt", "expiresAt", "revokedAt", "lastUsedAt", "signedInAt"),
        *("keyHash", "tokenHash", "browserHash", "sealedBy", "ciphertext", "kind", "scopes", "addresses", "actor"),
        *("monthlyUsed", "dailyUsed", "monthlyLimit", "dailyLimit", "actedBy", "replaces", "is_admin", "__proto__"),
    }
)
# Which of them a route takes all the same, for that is what it is for: everything else here would be a hole.
MEANT: Final[dict[tuple[str, str], set[str]]] = {
    # Costs that users report are kept apart and count for nothing; a finish says which of two ends it was.
    ("PUT", "/api/chat/track"): {"status", "cost"},
    # A service tells of the past of all its users.
    ("POST", "/api/chat/track/batch"): {"user", "status", "cost", "startedAt", "completedAt"},
    ("POST", "/api/account/keys"): {"expiresAt", "scopes", "addresses"},
    ("POST", "/api/admin/keys"): {"expiresAt", "scopes", "addresses"},
    ("POST", "/api/admin/invitations"): {"plan"},
    ("PATCH", "/api/admin/webhooks/{id}"): {"isActive"},
    ("PUT", "/api/admin/users/{user}"): {"plan", "planExpiresAt", "isActive"},
    # Users take what is marked for taking, and less than they have; operators change any plan.
    ("PUT", "/api/user/plan"): {"plan"},
    ("PUT", "/api/admin/users/{user}/plan"): {"plan"},
    ("POST", "/api/admin/users/{user}/plan"): {"plan"},
    # What is bought is changed when it is paid for.
    ("POST", "/api/user/plan/checkout"): {"plan"},
    ("POST", "/api/admin/users/{user}/overrides"): {"limits"},
    ("POST", "/api/admin/users/{user}/grants"): {"expiresAt"},
}
# At most 50 faults are named in one answer.
AT_ONCE: Final = 45


def bodies() -> dict[tuple[str, str], set[str]]:
    """What each route that takes JSON says that its body may have."""
    told: Any = describe(ROUTES, "1")
    found: dict[tuple[str, str], set[str]] = {}
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if schema := content.get("application/json", {}).get("schema"):
                shape = told["components"]["schemas"][schema.get("items", schema)["$ref"].rpartition("/")[2]]
                found[method.upper(), path] = {*shape["properties"]}
    return found


def camel(name: str) -> str:
    return re.sub("_([a-z0-9])", lambda found: found[1].upper(), name)


async def names(site: Site) -> set[str]:
    """All columns of all tables and views, as they are called inside and as they would be outside."""
    rows = await site.owner.fetch("SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'")
    columns = {row["column_name"] for row in rows}
    assert len(columns) > 150
    return columns | {camel(each) for each in columns} | PRIVILEGED


def in_lots(given: set[str]) -> Iterator[list[str]]:
    ordered = sorted(given)
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]


async def sent(site: Site, call: tuple[str, str], by: dict[str, str], more: dict[str, Any]) -> Heard:
    """Call a route with what it takes, and more."""
    method, path = call
    path = path.replace("{model}", "gpt-4o")
    path = re.sub(r"{\w+}", str(uuid4()), path)
    told: dict[str, Any] = CALLS[call] or {}
    says: Any = [{"user": "a@b.example", "prompt": "x"} | more] if call in FOR_SERVICES else told | more
    return await site.call(method, path, by=by, says=says)


def named(heard: Heard, call: tuple[str, str]) -> set[str]:
    """Which fields a refusal names."""
    if call not in FOR_SERVICES:
        assert heard.is_problem(422, "invalid"), (call, heard.body)
        return heard.faulty
    (verdict,) = heard.json["results"]
    assert verdict["problem"]["status"] == 422, (call, heard.body)
    return {each["field"] for each in verdict["problem"]["errors"]}


def test_privileged_fields_are_taken_only_where_that_is_the_point() -> None:
    assert {call: fields & PRIVILEGED for call, fields in bodies().items() if fields & PRIVILEGED} == MEANT


async def test_no_column_and_no_privileged_field_is_taken_by_any_route(service: Site, alice: Person) -> None:
    operator = await service.operator()
    everything, described = await names(service), bodies()
    assert len(described) > 20
    before = await service.rows()
    for call, fields in described.items():
        # The mightiest callers of each route: whom it refuses these, it refuses to everybody.
        by = service.as_service(alice.email) if NEEDS.get(call) == "track" else operator.by_cookie | JSON
        if call in FOR_SERVICES:
            del by["Tollkeeper-User"]
        for lot in in_lots(everything - fields):
            heard = await sent(service, call, by, dict.fromkeys(lot, "x"))
            assert named(heard, call) >= set(lot), call
    assert await service.rows() == before


async def test_nor_within_what_a_body_holds(service: Site, alice: Person) -> None:
    """In the items of a set of variables, and in what one wants to be mailed."""
    for lot in in_lots(await names(service) - {"key", "value", "type", "description", "limits", "plan", "security"}):
        more = dict.fromkeys(lot, "x")
        for method, path, says, at in (
            ("PUT", "/api/user/variables", {"variables": [{"key": "K", "value": "v"} | more]}, "variables[0]."),
            ("PUT", "/api/user/settings", {"emailAlerts": {"limits": True} | more}, "emailAlerts."),
        ):
            heard = await service.call(method, path, by=alice.by_cookie, says=says)
            assert heard.is_problem(422, "invalid")
            assert heard.faulty >= {at + each for each in lot}
