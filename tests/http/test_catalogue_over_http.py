"""The catalogue in the hands of operators: changed after a preview, and old subscribers moved after one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .conftest import Heard, Person, Site

TEAM: dict[str, Any] = {
    "rank": 40,
    "dailyRequests": 500,
    "monthlyRequests": None,
    "maxTokensPerRequest": 32_000,
    "monthlyTokens": -1,
    "monthlyCost": 4000.5,
    "requestsPerMinute": 60,
    "concurrentRequests": 8,
    "features": ["chat", "model:gpt-4o"],
    "entitlements": {"max_projects": 10, "sso": False, "regions": ["eu", "us"], "share": 0.5},
    "period": "anniversary",
    "rolloverPercent": 50,
    "refund": "never",
    "onUnavailable": "open",
    "warnAt": [60, 95],
    "pricePerMonth": 2900,
    "pricePerYear": 29_000,
    "currency": "eur",
    "billingCycle": "monthly",
    "trialDays": 14,
    "selfService": True,
    "textPolicy": "redacted",
    "retainTextDays": 30,
    "stripePriceMonthly": "price_team_monthly",
    "stripePriceYearly": None,
}


@pytest.fixture
async def operator(service: Site) -> Person:
    return await service.operator()


async def put(service: Site, operator: Person, name: str, says: dict[str, Any], *, preview: bool = False) -> Heard:
    query = "?preview=true" if preview else ""
    return await service.call("PUT", f"/api/admin/plans/{name}{query}", by=operator.by_cookie, says=says)


async def listed(service: Site, operator: Person, name: str) -> Any:
    plans = (await service.call("GET", "/api/admin/plans", by=operator.by_cookie)).json["plans"]
    return next((each for each in plans if each["name"] == name), None)


async def migrate(service: Site, operator: Person, name: str, **says: Any) -> Heard:
    return await service.call("POST", f"/api/admin/plans/{name}/migrate", by=operator.by_cookie, says=says)


def changes(heard: Heard) -> dict[str, Any]:
    return {each["field"]: (each["old"], each["new"], each["isOfTerms"]) for each in heard.json["changes"]}


async def test_a_plan_is_added_as_its_preview_says_and_shown_as_it_was_given(service: Site, operator: Person) -> None:
    told = await put(service, operator, "team", TEAM, preview=True)
    assert await listed(service, operator, "team") is None
    made = await put(service, operator, "team", TEAM)
    assert (told.status, made.status) == (200, 200)
    assert told.json == made.json | {"isPreview": True}
    assert (made.json["kind"], {each["field"] for each in made.json["changes"]}) == ("added", TEAM.keys())
    found = await listed(service, operator, "team")
    assert {field: found[field] for field in TEAM} == TEAM | {"monthlyTokens": None}
    assert (found["version"], found["users"], found["outdatedUsers"]) == (1, 0, 0)
    # What was given can be given back, and is the same.
    again = await put(service, operator, "team", {field: found[field] for field in TEAM})
    assert (again.json["kind"], again.json["changes"]) == ("same", [])


async def test_a_change_is_told_field_by_field_and_says_what_users_have_agreed_to(
    service: Site, operator: Person
) -> None:
    grown = TEAM | {"rank": 41, "stripePriceMonthly": None}
    await put(service, operator, "grown", grown)
    change = {**grown, "dailyRequests": None, "monthlyCost": 50, "trialDays": 0, "textPolicy": "none"}
    for preview in (True, False):
        heard = await put(service, operator, "grown", change, preview=preview)
        assert (heard.json["kind"], heard.json["isPreview"]) == ("changed", preview)
        assert changes(heard) == {
            "dailyRequests": (500, None, True),
            "monthlyCost": (4000.5, 50, True),
            "trialDays": (14, 0, False),
            "textPolicy": ("redacted", "none", False),
        }
    assert (await listed(service, operator, "grown"))["version"] == 2
    # What is left out is as in a file that leaves it out.
    bare = await put(service, operator, "grown", {"rank": 41})
    assert changes(bare)["features"] == (["chat", "model:gpt-4o"], ["*"], True)
    assert (await listed(service, operator, "grown"))["monthlyCost"] is None


async def test_a_change_of_a_plan_that_somebody_changed_meanwhile_is_refused(service: Site, operator: Person) -> None:
    await put(service, operator, "shared", {"rank": 46, "dailyRequests": 10})
    seen = (await put(service, operator, "shared", {"rank": 46, "dailyRequests": 20}, preview=True)).json["revision"]
    path = f"/api/admin/plans/shared?revision={seen}"
    says = [{"rank": 46, "dailyRequests": limit} for limit in (20, 30)]
    heard = await asyncio.gather(*(service.call("PUT", path, by=operator.by_cookie, says=each) for each in says))
    assert sorted(each.status for each in heard) == [200, 409]
    (refused,) = [each for each in heard if each.status == 409]
    assert (refused.json["type"], refused.json["revision"] != seen) == ("/problems/contradiction", True)
    made = says[[each.status for each in heard].index(200)]["dailyRequests"]
    assert (await listed(service, operator, "shared"))["dailyRequests"] == made
    # Who has seen it may change it, and who asks for no such thing too.
    path = f"/api/admin/plans/shared?revision={refused.json['revision']}"
    assert (await service.call("PUT", path, by=operator.by_cookie, says=says[0])).status == 200
    assert (await put(service, operator, "shared", says[1])).status == 200


async def test_a_change_of_the_catalogue_is_noted_with_who_made_it(service: Site, operator: Person) -> None:
    await put(service, operator, "noted", {"rank": 42}, preview=True)
    await put(service, operator, "noted", {"rank": 42})
    heard = await service.call("GET", "/api/admin/activity?action=plans.applied", by=operator.by_cookie)
    act, *more = [each for each in heard.json["items"] if "noted" in each["detail"]]
    assert (act["detail"], act["actor"]["email"], more) == ({"noted": "added"}, operator.email, [])


@pytest.mark.parametrize(
    ("says", "field"),
    [
        ({}, "rank"),
        ({"rank": -1}, "rank"),
        ({"rank": 10**30}, "rank"),
        ({"rank": 1.5}, "rank"),
        ({"rank": 0}, "rank"),  # that of the plan free
        ({"rank": 77, "dailyRequests": -2}, "dailyRequests"),
        ({"rank": 77, "maxTokensPerRequest": 10**13}, "maxTokensPerRequest"),
        ({"rank": 77, "monthlyCost": -0.5}, "monthlyCost"),
        ({"rank": 77, "monthlyCost": 1e300}, "monthlyCost"),
        ({"rank": 77, "features": ["chat", "chat"]}, "features"),
        ({"rank": 77, "features": "chat"}, "features"),
        ({"rank": 77, "entitlements": {"max_projects": "ten"}}, "entitlements"),
        ({"rank": 77, "entitlements": {"max_projects": 10**13}}, "entitlements.max_projects"),
        ({"rank": 77, "entitlements": {"no name": 1}}, "entitlements"),
        ({"rank": 77, "period": "weekly"}, "period"),
        ({"rank": 77, "rolloverPercent": 101}, "rolloverPercent"),
        ({"rank": 77, "pricePerYear": -1}, "pricePerYear"),
        ({"rank": 77, "currency": "EUR"}, "currency"),
        ({"rank": 77, "trialDays": 3651}, "trialDays"),
        ({"rank": 77, "retainTextDays": 0}, "retainTextDays"),
        ({"rank": 77, "warnAt": [50, 101]}, "warnAt"),
        ({"rank": 77, "stripePriceMonthly": "p", "stripePriceYearly": "p"}, "stripePriceYearly"),
        ({"rank": 77, "version": 9}, "version"),
        ({"rank": 77, "monthly_cost_cents": 9}, "monthly_cost_cents"),
    ],
)
@pytest.mark.parametrize("preview", [True, False])
async def test_an_unfit_plan_is_refused_by_field(
    service: Site, operator: Person, *, says: dict[str, Any], field: str, preview: bool
) -> None:
    before = await service.rows()
    heard = await put(service, operator, "unfit", says, preview=preview)
    assert (heard.status, heard.faulty) == (422, {field}), heard.body
    assert await service.rows() == before


async def test_all_that_is_unfit_in_a_plan_is_told_at_once(service: Site, operator: Person) -> None:
    says = {"rank": 1_000_001, "monthlyTokens": -2, "entitlements": {"regions": ["x" * 201]}, "currency": "euro"}
    heard = await put(service, operator, "unfit", says)
    fields = ["rank", "monthlyTokens", "entitlements.regions", "currency"]
    assert (heard.status, [each["field"] for each in heard.json["errors"]]) == (422, fields)


async def test_a_price_that_two_plans_have_already_is_told_with_the_plan_that_has_it(
    service: Site, operator: Person
) -> None:
    _, resold = [await service.plan(name, stripe_price_monthly="price_sold_twice") for name in ("sold", "resold")]
    heard = await put(service, operator, "unsold", {"rank": 79})
    mended = await put(service, operator, resold, {"rank": (await listed(service, operator, resold))["rank"]})
    assert (heard.status, heard.faulty) == (422, {f"plans.{resold}.stripe_price_monthly"}), heard.body
    assert (mended.status, (await put(service, operator, "unsold", {"rank": 79})).status) == (200, 200)


@pytest.mark.parametrize("name", ["Team", "9", "a%20b", "~..", "x" * 51, "%C3%A9", "a.rank"])
async def test_a_name_that_is_none_is_refused(service: Site, operator: Person, name: str) -> None:
    heard = await put(service, operator, name, {"rank": 78})
    assert (heard.status, heard.faulty) == (422, {"name"}), heard.body


async def test_old_subscribers_are_moved_as_the_preview_says(service: Site, operator: Person) -> None:
    await put(service, operator, "old", {"rank": 50, "dailyRequests": 5, "pricePerMonth": 100})
    people = [await service.person("old") for _ in range(3)]
    await put(service, operator, "old", {"rank": 50, "dailyRequests": 9, "pricePerMonth": 200})
    newer = await service.person("old")
    found = await listed(service, operator, "old")
    assert (found["version"], found["users"], found["outdatedUsers"]) == (2, 4, 3)

    told = (await migrate(service, operator, "old")).json
    (version,) = told["versions"]
    assert (told["applied"], told["moved"], version["version"], version["users"]) == (False, 0, 1, 3)
    assert {each["field"]: (each["old"], each["new"]) for each in version["changes"]} == {
        "dailyRequests": (5, 9),
        "pricePerMonth": (100, 200),
    }
    assert (await listed(service, operator, "old"))["outdatedUsers"] == 3

    done = (await migrate(service, operator, "old", apply=True)).json
    assert done == told | {"applied": True, "moved": 3}
    assert (await listed(service, operator, "old"))["outdatedUsers"] == 0
    for person in (*people, newer):
        own = await service.call("GET", "/api/user/plan", by=person.by_key)
        assert (own.json["plan"]["version"], own.json["limits"]["dailyLimit"]) == (2, 9)
    assert (await migrate(service, operator, "old", apply=True)).json["moved"] == 0


async def test_all_of_a_plan_are_moved_to_another(service: Site, operator: Person) -> None:
    await put(service, operator, "left", {"rank": 60})
    person = await service.person("left")
    done = (await migrate(service, operator, "left", to="pro", apply=True)).json
    assert (done["moved"], done["to"], done["isComplete"]) == (1, "pro", True)
    assert (await service.call("GET", "/api/user/plan", by=person.by_key)).json["plan"]["name"] == "pro"
    noted = await service.call("GET", f"/api/admin/activity?user={person.id}", by=operator.by_cookie)
    act = next(each for each in noted.json["items"] if each["action"] == "plan.changed")
    assert (act["detail"], act["actor"]["email"]) == ({"plan": "pro", "kind": "migrated"}, operator.email)


@pytest.mark.parametrize(("name", "says"), [("nowhere", {}), ("free", {"to": "nowhere"}), ("nowhere", {"to": "free"})])
async def test_nobody_is_moved_between_plans_that_are_none(
    service: Site, operator: Person, name: str, says: dict[str, Any]
) -> None:
    for apply in (False, True):
        assert (await migrate(service, operator, name, **says, apply=apply)).is_problem(404, "not-found")
