"""Plans, the user's own plan, and the user's settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tollkeeper.activity import Actor
from tollkeeper.http.plans.catalogue import OwnPlanShown
from tollkeeper.metering.plans import own_plan, terms

from .conftest import Person, Site

PLAN = [
    "name", "rank", "dailyRequests", "monthlyRequests", "maxTokensPerRequest", "monthlyTokens", "monthlyCost",
    "features", "pricePerMonth", "billingCycle", "textPolicy", "retainTextDays", "version", "requestsPerMinute",
    "concurrentRequests", "entitlements", "period", "rolloverPercent", "refund", "onUnavailable", "warnAt",
    "pricePerYear", "currency", "trialDays", "selfService",
]  # fmt: skip
AT_FIRST = {
    "name": None,
    "timeZone": "UTC",
    "nextTimeZone": None,
    "theme": "auto",
    "daysShown": 30,
    "emailAlerts": {"limits": True, "plan": True, "security": True},
    "warnAt": None,
    "planWarnAt": [50, 80, 100],
}


async def settings(service: Site, person: Person) -> Any:
    return (await service.call("GET", "/api/user/settings", by=person.by_key)).json["settings"]


async def changed(service: Site, person: Person, **says: Any) -> Any:
    heard = await service.call("PUT", "/api/user/settings", by=person.by_cookie, says=says)
    assert heard.status == 200, heard.body
    return heard.json["settings"]


async def test_the_catalogue_is_for_whoever_is_known(service: Site, alice: Person) -> None:
    for by in (alice.by_key, alice.by_cookie, service.as_service(alice.email)):
        told = (await service.call("GET", "/api/plans", by=by)).json
        names = [plan["name"] for plan in told["plans"]]
        assert names[:2] == ["free", "pro"]
        assert all(list(plan) == [*PLAN, "checkoutCycles"] for plan in told["plans"])
    pro = told["plans"][1]
    assert pro | {"features": []} == {
        "name": "pro",
        "rank": 10,
        "dailyRequests": 50,
        "monthlyRequests": 1000,
        "maxTokensPerRequest": 32000,
        "monthlyTokens": None,
        "monthlyCost": None,
        "features": [],
        "pricePerMonth": 2000,
        "billingCycle": "monthly",
        "textPolicy": "all",
        "retainTextDays": None,
        "version": 1,
        "requestsPerMinute": None,
        "concurrentRequests": None,
        "entitlements": {},
        "period": "calendar",
        "rolloverPercent": 0,
        "refund": "trusted",
        "onUnavailable": "closed",
        "warnAt": [50, 80, 100],
        "pricePerYear": None,
        "currency": "usd",
        "trialDays": 0,
        "selfService": False,
        "checkoutCycles": [],
    }
    assert pro["features"] == ["chat", "code_generation", "analysis"]


async def test_a_users_plan_is_their_own_terms_and_what_of_them_is_used(service: Site) -> None:
    name = await service.plan("tight", daily_requests=3, monthly_tokens=1000, monthly_cost_nanos=25_000_000)
    ana = await service.person(name)
    await service.owner.execute("UPDATE plans SET daily_requests = 99 WHERE name = $1", name)
    told = await service.start(ana, model="gpt-4o")
    await service.finish(ana, told["id"], tokensUsed=10)
    told = (await service.call("GET", "/api/user/plan", by=ana.by_key)).json
    assert list(told["plan"]) == [*PLAN, "startsAt", "expiresAt", "isTrial", "nextPlan", "nextBillingCycle"]
    assert (told["plan"]["name"], told["plan"]["dailyRequests"], told["plan"]["monthlyCost"]) == (name, 3, 2.5)
    assert told["plan"]["expiresAt"] is None
    dashboard = (await service.call("GET", "/api/user/dashboard", by=ana.by_key)).json
    assert told["limits"] == dashboard["limits"]
    assert (told["limits"]["dailyUsed"], told["limits"]["dailyLimit"]) == (1, 3)


async def test_what_is_kept_of_texts_is_told_as_it_is_now(service: Site) -> None:
    name = await service.plan("private", text_policy="redacted", retain_text_days=7)
    ana, operator = await service.person(name), await service.operator()

    async def told() -> list[tuple[str, int | None]]:
        own = (await service.call("GET", "/api/user/plan", by=ana.by_key)).json["plan"]
        both = [own]
        for path, by in (("/api/plans", ana.by_key), ("/api/admin/plans", operator.by_cookie)):
            both += [each for each in (await service.call("GET", path, by=by)).json["plans"] if each["name"] == name]
        return [(each["textPolicy"], each["retainTextDays"]) for each in both]

    assert await told() == [("redacted", 7)] * 3
    await service.owner.execute("UPDATE plans SET text_policy = 'none', retain_text_days = NULL WHERE name = $1", name)
    assert await told() == [("none", None)] * 3
    await service.owner.execute("UPDATE plans SET text_policy = 'all', retain_text_days = 90 WHERE name = $1", name)
    # What holds for a user is what the house keeps too; operators see what they said of the plan.
    backend = replace(service.application.backend, text_policy="redacted", keep_text_days=30)
    own = await own_plan.read(backend.database, backend.ledger, ana.id)
    shown = OwnPlanShown.of_own(own, backend)
    assert (shown.text_policy, shown.retain_text_days) == ("redacted", 30)


async def test_a_plan_that_has_expired_is_free(service: Site, alice: Person) -> None:
    database = service.application.backend.database
    soon = await service.owner.fetchval("SELECT now() + interval '0.3 seconds'")
    await terms.set_plan(database, alice.id, "pro", actor=Actor("test"), expires_at=soon)
    told = (await service.call("GET", "/api/user/plan", by=alice.by_key)).json["plan"]
    assert (told["name"], told["expiresAt"]) == ("pro", f"{soon:%Y-%m-%dT%H:%M:%S.%fZ}")
    await service.owner.execute("SELECT pg_sleep(0.4)")
    told = (await service.call("GET", "/api/user/plan", by=alice.by_key)).json["plan"]
    assert (told["name"], told["rank"], told["expiresAt"]) == ("free", 0, None)


async def test_settings_are_changed_one_by_one(service: Site, alice: Person, bob: Person) -> None:
    assert await settings(service, alice) == AT_FIRST | {"email": alice.email}
    assert (await changed(service, alice, theme="dark"))["theme"] == "dark"
    assert (await changed(service, alice, daysShown=90))["theme"] == "dark"
    for alerts in ({"limits": False}, {"security": False}, {"limits": True}):
        told = await changed(service, alice, emailAlerts=alerts)
    assert told["emailAlerts"] == {"limits": True, "plan": True, "security": False}
    assert (await changed(service, alice, emailAlerts={"plan": False}))["emailAlerts"]["plan"] is False
    assert (await changed(service, alice, warnAt=[90, 25, 90]))["warnAt"] == [25, 90]
    told = await changed(service, alice, name="Ada L.", timeZone="europe/berlin")
    expected = {
        "name": "Ada L.",
        "email": alice.email,
        "timeZone": "UTC",
        "nextTimeZone": "Europe/Berlin",
        "theme": "dark",
        "daysShown": 90,
        "emailAlerts": {"limits": True, "plan": False, "security": False},
        "warnAt": [25, 90],
        "planWarnAt": [50, 80, 100],
    }
    assert told == expected == await settings(service, alice)
    assert (await changed(service, alice, timeZone="UTC"))["nextTimeZone"] is None
    assert (await changed(service, alice, warnAt=[]))["warnAt"] == []
    assert (await changed(service, alice, warnAt=None))["warnAt"] is None
    for nobody in (None, ""):
        await changed(service, alice, name="Ada")
        assert (await changed(service, alice, name=nobody))["name"] is None
    assert await settings(service, bob) == AT_FIRST | {"email": bob.email}
    noted = await service.owner.fetch("SELECT actor, action FROM activity WHERE user_id = $1", alice.id)
    assert (str(alice.id), "user.changed") in [tuple(each) for each in noted]


async def test_a_zone_takes_effect_with_the_next_day(service: Site, alice: Person) -> None:
    await changed(service, alice, timeZone="Asia/Tokyo")
    ended = "UPDATE usage SET day_ends_at = now(), due_at = now() WHERE user_id = $1"
    await service.owner.execute(ended, alice.id)
    told = await settings(service, alice)
    assert (told["timeZone"], told["nextTimeZone"]) == ("Asia/Tokyo", None)


@pytest.mark.parametrize(
    ("says", "faulty"),
    [
        ({}, {"body"}),
        ({"emailAlerts": {}}, {"body"}),
        ({"emailAlerts": {"limits": None}}, {"emailAlerts.limits"}),
        ({"emailAlerts": {"limits": 1, "all": True}}, {"emailAlerts.limits", "emailAlerts.all"}),
        ({"emailAlerts": None}, {"emailAlerts"}),
        ({"theme": "dark", "warnAt": [0]}, {"warnAt"}),
        ({"warnAt": [50, 101]}, {"warnAt"}),
        ({"warnAt": [50.5]}, {"warnAt"}),
        ({"warnAt": [*range(1, 12)]}, {"warnAt"}),
        ({"warnAt": "50"}, {"warnAt"}),
        ({"theme": "blue"}, {"theme"}),
        ({"theme": None}, {"theme"}),
        ({"daysShown": 31}, {"daysShown"}),
        ({"daysShown": "30"}, {"daysShown"}),
        ({"daysShown": True}, {"daysShown"}),
        ({"timeZone": "Mars/Olympus"}, {"timeZone"}),
        ({"timeZone": ""}, {"timeZone"}),
        ({"timeZone": None}, {"timeZone"}),
        ({"timeZone": "posix/UTC"}, {"timeZone"}),
        ({"name": "x" * 201}, {"name"}),
        ({"name": "two\nlines"}, {"name"}),
        ({"name": 5}, {"name"}),
        ({"email": "other@example.com", "role": "admin"}, {"email", "role"}),
        ({"theme": "dark", "timeZone": "Nowhere"}, {"timeZone"}),
        ({"theme": "dark", "daysShown": 7, "name": "a\u0000b"}, {"name"}),
    ],
)
async def test_what_cannot_be_set_is_422_and_changes_nothing(
    service: Site, alice: Person, says: dict[str, Any], faulty: set[str]
) -> None:
    heard = await service.call("PUT", "/api/user/settings", by=alice.by_cookie, says=says)
    assert heard.is_problem(422, "invalid"), heard.body
    assert heard.faulty == faulty
    assert await settings(service, alice) == AT_FIRST | {"email": alice.email}


async def test_only_a_person_changes_their_settings(service: Site, alice: Person) -> None:
    for by in (alice.by_key, service.as_service(alice.email)):
        heard = await service.call("PUT", "/api/user/settings", by=by, says={"theme": "dark"})
        assert heard.is_problem(403, "not-allowed")
