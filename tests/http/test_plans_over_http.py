"""Changing plans, entitlements, overrides and grants, as callers see them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.metering.making import Clock

from .conftest import Heard, Person, Site


async def admin(service: Site, operator: Person, method: str, path: str, **says: Any) -> Heard:
    return await service.call(method, f"/api/admin/users{path}", by=operator.by_cookie, says=says or None)


@pytest.fixture
async def operator(service: Site) -> Person:
    return await service.operator()


async def test_a_preview_says_what_the_change_then_does(service: Site) -> None:
    taken = await service.plan("own", self_service=True, price_per_month=700, trial_days=3)
    ana = await service.person("free")
    told = await service.call("GET", f"/api/user/plan/preview?plan={taken}", by=ana.by_cookie)
    made = await service.call("PUT", "/api/user/plan", by=ana.by_cookie, says={"plan": taken})
    assert (told.status, made.status) == (200, 200)
    moments = {"takesEffectAt"}
    assert {k: v for k, v in told.json["change"].items() if k not in moments} == {
        k: v for k, v in made.json["change"].items() if k not in moments
    }
    change = made.json["change"]
    assert (change["kind"], change["isAtOnce"], change["price"], change["currency"]) == ("upgraded", True, 700, "usd")
    assert made.json["plan"]["name"] == taken
    back = await service.call("PUT", "/api/user/plan", by=ana.by_cookie, says={"plan": "free"})
    assert (back.json["change"]["kind"], back.json["plan"]["nextPlan"]) == ("cancelled", "free")
    again = await service.call("PUT", "/api/user/plan", by=ana.by_cookie, says={"plan": taken})
    assert (again.json["change"]["kind"], again.json["plan"]["nextPlan"]) == ("resumed", None)
    had = await service.call("GET", "/api/user/plan/history?limit=1", by=ana.by_key)
    assert (had.json["items"][0]["kind"], had.json["items"][0]["isInForce"]) == ("upgraded", True)
    more = await service.call("GET", f"/api/user/plan/history?cursor={had.json['nextCursor']}", by=ana.by_key)
    assert [each["plan"] for each in more.json["items"]] == ["free"]
    assert more.json["nextCursor"] is None


@pytest.mark.parametrize(
    ("says", "status", "slug"),
    [
        ({"plan": "enterprise"}, 403, "not-self-service"),
        ({"plan": "nowhere"}, 404, "not-found"),
        ({"plan": "free"}, 409, "contradiction"),
        ({"plan": "free", "trial": True}, 422, "invalid"),
        ({"plan": "free", "billingCycle": "weekly"}, 422, "invalid"),
        ({"plan": "free", "rank": 99}, 422, "invalid"),
        ({}, 422, "invalid"),
    ],
)
async def test_what_cannot_be_taken_is_refused_alike_by_preview_and_change(
    service: Site, *, says: dict[str, Any], status: int, slug: str
) -> None:
    ana = await service.person("free")
    made = await service.call("PUT", "/api/user/plan", by=ana.by_cookie, says=says)
    assert (made.status, made.json["type"]) == (status, f"/problems/{slug}")
    query = "&".join(f"{name}={str(value).lower()}" for name, value in says.items())
    told = await service.call("GET", f"/api/user/plan/preview?{query}", by=ana.by_cookie)
    assert (told.status, told.json["type"]) == (status, f"/problems/{slug}")
    # A body has fields, and a query parameters.
    assert told.json["detail"] == made.json["detail"].replace("a field", "a parameter")


async def test_entitlements_are_those_of_the_terms_that_decide(service: Site) -> None:
    values = '{"projects": 3, "sso": false, "regions": ["eu"]}'
    name = await service.plan(
        "values", features='["chat", "model:m-1", "beta"]', entitlements=values, on_unavailable="open"
    )
    ana = await service.person(name)
    await service.owner.execute("UPDATE plans SET entitlements = '{}', features = '[]' WHERE name = $1", name)
    told = (await service.call("GET", "/api/user/entitlements", by=ana.by_key)).json
    assert {each["feature"]: (each["included"], each["value"]) for each in told["items"]} == {
        "beta": (True, None),
        "chat": (True, None),
        "model:m-1": (True, None),
        "projects": (True, 3),
        "regions": (True, ["eu"]),
        "sso": (False, False),
    }
    assert (told["plan"], told["onUnavailable"]) == (name, "open")
    for feature, included in (("beta", True), ("gamma", False), ("model:m-2", False), ("sso", False)):
        one = await service.call("GET", f"/api/user/entitlements/{feature}", by=ana.by_key)
        assert one.json["entitlement"]["included"] is included
    assert one.json["limits"]["version"] == told["limits"]["version"]


async def test_operators_override_limits_and_grant_units(service: Site, operator: Person) -> None:
    ana = await service.person(await service.plan("two", monthly_requests=2, daily_requests=1))
    made = await admin(
        service,
        operator,
        "POST",
        f"/{ana.id}/overrides",
        limits={"dailyRequests": -1, "monthlyCost": 12.5, "maxTokensPerRequest": 77},
        reason="beta",
    )
    overridden = {"dailyRequests": None, "monthlyCost": 12.5, "maxTokensPerRequest": 77}
    assert (made.status, made.json["override"]["limits"]) == (201, overridden)
    own = (await service.call("GET", "/api/user/plan", by=ana.by_key)).json
    assert (own["maxTokensPerRequest"], own["plan"]["maxTokensPerRequest"]) == (77, None)
    given = await admin(service, operator, "POST", f"/{ana.email}/grants", unit="requests", amount=3, reason="sorry")
    assert (given.status, given.json["grant"]["burned"]) == (201, 0)
    limits = (await service.start(ana, model="gpt-4o"))["limits"]
    assert (limits["dailyLimit"], limits["monthlyLimit"], limits["monthlyCostLimit"]) == (None, 5, 12.5)
    for kind, found in (("overrides", made.json["override"]), ("grants", given.json["grant"])):
        (listed,) = (await admin(service, operator, "GET", f"/{ana.id}/{kind}")).json["items"]
        assert listed["id"] == found["id"]
        ended = await admin(service, operator, "DELETE", f"/{ana.id}/{kind}/{found['id']}")
        assert ended.status == 200
        assert (await admin(service, operator, "DELETE", f"/{ana.id}/{kind}/{found['id']}")).status == 404
    own = (await service.call("GET", "/api/user/plan", by=ana.by_key)).json
    assert (own["limits"]["dailyLimit"], own["limits"]["monthlyLimit"], own["maxTokensPerRequest"]) == (1, 2, None)
    acts = (await admin(service, operator, "GET", f"/{ana.id}/plan/history")).json["items"]
    assert len(acts) == 1


@pytest.mark.parametrize(
    ("path", "says", "field"),
    [
        ("overrides", {"limits": {}, "reason": "x"}, "limits"),
        ("overrides", {"limits": {"dailyRequests": -2}, "reason": "x"}, "limits.dailyRequests"),
        ("overrides", {"limits": {"used": 0}, "reason": "x"}, "limits.used"),
        ("overrides", {"limits": {"monthlyCost": 1e300}, "reason": "x"}, "limits.monthlyCost"),
        ("overrides", {"limits": {"dailyRequests": 1}, "reason": ""}, "reason"),
        ("overrides", {"limits": {"dailyRequests": 1}, "reason": "x", "endsAt": "9999-12-31T23:59:59-05:00"}, "endsAt"),
        (
            "grants",
            {"unit": "tokens", "amount": 1, "reason": "x", "expiresAt": "9999-12-31T23:59:59-05:00"},
            "expiresAt",
        ),
        ("overrides", {"limits": {"dailyRequests": 1}, "reason": "x", "endsAt": "2020-01-01T00:00:00Z"}, "endsAt"),
        ("grants", {"unit": "requests", "amount": 0, "reason": "x"}, "amount"),
        ("grants", {"unit": "tokens", "amount": 1.5, "reason": "x"}, "amount"),
        ("grants", {"unit": "cost", "amount": 0.00000001, "reason": "x"}, "amount"),
        ("grants", {"unit": "love", "amount": 1, "reason": "x"}, "unit"),
        ("grants", {"unit": "tokens", "amount": 1, "reason": "x", "priority": 1001}, "priority"),
        ("grants", {"unit": "tokens", "amount": 1, "reason": "x", "burned": 1}, "burned"),
    ],
)
async def test_unfit_exceptions_are_refused_by_field(
    service: Site, operator: Person, *, path: str, says: dict[str, Any], field: str
) -> None:
    ana = await service.person("free")
    before = await service.rows()
    heard = await admin(service, operator, "POST", f"/{ana.id}/{path}", **says)
    assert (heard.status, [each["field"] for each in heard.json["errors"]]) == (422, [field])
    assert await service.rows() == before


async def test_operators_change_a_plan_without_asking_whether_it_is_for_taking(service: Site, operator: Person) -> None:
    ana = await service.person("free")
    told = await admin(service, operator, "GET", f"/{ana.email}/plan/preview?plan=pro")
    made = await admin(service, operator, "PUT", f"/{ana.email}/plan", plan="pro")
    assert (told.json["change"]["kind"], made.json["plan"]["name"]) == ("upgraded", "pro")
    assert (await admin(service, operator, "GET", f"/{ana.id}/plan")).json["plan"]["name"] == "pro"
    assert (await admin(service, operator, "GET", "/nobody@example.com/plan")).status == 404
    assert (await admin(service, operator, "GET", "/not-an-id/plan")).status == 400


async def test_limits_of_the_moment_refuse_with_when_it_is_worth_trying_again(service: Site) -> None:
    ana = await service.person(await service.plan("narrow", concurrent_requests=1, requests_per_minute=99))
    first = await service.start(ana)
    assert (first["limits"]["concurrentUsed"], first["limits"]["concurrentLimit"]) == (1, 1)
    assert first["limits"]["perMinuteLimit"] == 99
    refused = await service.call("POST", "/api/chat/track", by=ana.by_key, says={"prompt": "x"})
    assert (refused.status, refused.json["limit"], refused.json["used"]) == (429, "concurrent", 1)
    assert "resetsAt" not in refused.json
    assert refused.headers["retry-after"] == "1"


async def test_when_to_try_again_is_told_by_the_clock_that_decided(service: Site) -> None:
    clock = Clock(service.owner)
    await clock.prepare()
    try:
        await clock.hold(at := (await clock.read()).replace(microsecond=0) + timedelta(days=3))
        terms = {"period": "anniversary", "daily_requests": 9, "requests_per_minute": 9, "monthly_requests": 9}
        limits = {"daily_requests": "daily", "requests_per_minute": "perMinute", "monthly_requests": "monthly"}
        for field, limit in limits.items():
            ana = await service.person(await service.plan("brief", **terms | {field: 1}))
            await service.start(ana)
            refused = await service.call("POST", "/api/chat/track", by=ana.by_key, says={"prompt": "x"})
            assert (refused.status, refused.json["limit"]) == (429, limit)
            ends = datetime.fromisoformat(refused.json["resetsAt"])
            seconds = (ends - at).total_seconds()
            row = await service.owner.fetchrow("SELECT u.* FROM usage AS u WHERE user_id = $1", ana.id)
            assert row is not None
            begun = row[{"daily": "day", "perMinute": "minute", "monthly": "month"}[limit] + "_starts_at"]
            assert refused.headers["retry-after"] == f"{seconds:.0f}"
            assert refused.headers["ratelimit"] == f'"{limit}";r=0;t={seconds:.0f}'
            window = (ends - begun).total_seconds()
            assert refused.headers["ratelimit-policy"] == f'"{limit}";q=1;w={window:.0f}'
    finally:
        await clock.release()
