"""Lists, single requests, conversations and the dashboard."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote

import pytest

from .conftest import Person, Site

REQUEST_FIELDS = [
    "id",
    "requestId",
    "sessionId",
    "prompt",
    "response",
    "model",
    "requestType",
    "category",
    "complexity",
    "status",
    "errorMessage",
    "errorCode",
    "late",
    "tokensUsed",
    "tokensInput",
    "tokensOutput",
    "cost",
    "costNanos",
    "costSource",
    "reportedCost",
    "duration",
    "userRating",
    "startedAt",
    "completedAt",
    "createdAt",
]
SEED_DASHBOARD: dict[str, list[str]] = {
    "user": ["id", "email", "plan", "requestsUsed", "requestsLimit"],
    "metrics": [
        "totalRequests",
        "totalTokensUsed",
        "totalCost",
        "averageResponseTime",
        "requestsThisMonth",
        "requestsToday",
    ],
    "limits": ["monthlyUsed", "monthlyLimit", "dailyUsed", "dailyLimit", "canMakeRequest", "planName"],
    "performance": ["averageResponseTime", "successRate", "averageRating", "totalRequests"],
    "recentRequests": [],
    "requestsByCategory": [],
}


async def all_pages(service: Site, path: str, person: Person, limit: int) -> list[Any]:
    items: list[Any] = []
    cursor = None
    while True:
        query = f"{'&' if '?' in path else '?'}limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        told = (await service.call("GET", path + query, by=person.by_key)).json
        assert told["success"] is True
        assert len(told["items"]) <= limit
        items += told["items"]
        cursor = told["nextCursor"]
        if cursor is None:
            return items


async def test_pages_of_requests_show_each_once_newest_first(service: Site, alice: Person) -> None:
    ids = [(await service.start(alice, prompt=str(n)))["id"] for n in range(7)]
    for limit in (1, 2, 3, 7, 200):
        items = await all_pages(service, "/api/chat/requests", alice, limit)
        assert [each["id"] for each in items] == ids[::-1]
    assert list(items[0]) == REQUEST_FIELDS


async def test_a_conversation_lists_its_requests_in_order(service: Site, alice: Person) -> None:
    ids = [(await service.start(alice, sessionId="s 1"))["id"] for _ in range(5)]
    await service.start(alice, sessionId="s 2")
    for limit in (2, 5):
        items = await all_pages(service, "/api/chat/sessions/s%201", alice, limit)
        assert [each["id"] for each in items] == ids
    unknown = await service.call("GET", "/api/chat/sessions/s%203", by=alice.by_key)
    assert unknown.is_problem(404, "not-found")


@pytest.mark.parametrize("name", [".", "..", "~.", "~..", "~~..", "...", "~", "a/b", "50%", "%2e"])
async def test_a_conversation_is_found_whatever_it_is_called(service: Site, alice: Person, name: str) -> None:
    for session in (name, "other"):
        await service.start(alice, sessionId=session)
    # As a browser has to write it: it would resolve dots, escaped or not.
    part = quote("~" + name if re.fullmatch(r"~*\.\.?", name) else name, safe="")
    told = (await service.call("GET", f"/api/chat/sessions/{part}", by=alice.by_key)).json
    assert [each["sessionId"] for each in told["items"]] == [name]


async def test_a_conversation_tells_what_costs_nothing_from_what_nobody_knows(service: Site) -> None:
    ana = await service.person("pro")
    for session, finish in (("free", {"cost": 0}), ("unknown", {}), ("both", {"cost": 0}), ("both", {})):
        told = await service.start(ana, model="of-our-own", sessionId=session)
        await service.finish(ana, told["id"], tokensUsed=5, **finish)
    items = (await service.call("GET", "/api/chat/sessions", by=ana.by_key)).json["items"]
    assert {each["sessionId"]: (each["costNanos"], each["unpricedRequests"]) for each in items} == {
        "free": (0, 0),
        "unknown": (0, 1),
        "both": (0, 1),
    }


async def test_conversations_are_summed_and_paged(service: Site, alice: Person) -> None:
    for session in ("a", "b", "c"):
        told = await service.start(alice, sessionId=session)
        await service.start(alice, sessionId=session)
        await service.finish(alice, told["id"], tokensUsed=5, cost=2)
    for limit in (1, 2, 3):
        items = await all_pages(service, "/api/chat/sessions", alice, limit)
        assert [each["sessionId"] for each in items] == ["c", "b", "a"]
        assert await all_pages(service, "/api/chat/sessions?order=asc", alice, limit) == items[::-1]
    first = (await service.call("GET", "/api/chat/sessions?order=asc&limit=1", by=alice.by_key)).json
    for order in ("desc", "asc"):
        path = f"/api/chat/sessions?order={order}&limit=1&cursor={first['nextCursor']}"
        assert (await service.call("GET", path, by=alice.by_key)).status == (200 if order == "asc" else 422)
    expected = {"requests": 2, "completed": 1, "failed": 0, "tokensUsed": 5, "cost": 2, "costNanos": 20_000_000}
    assert {name: items[0][name] for name in expected} == expected


async def test_a_cursor_of_one_list_is_none_of_another(service: Site, alice: Person) -> None:
    for n in range(2):
        await service.start(alice, sessionId=f"s{n}")
    cursor = (await service.call("GET", "/api/chat/requests?limit=1", by=alice.by_key)).json["nextCursor"]
    heard = await service.call("GET", f"/api/chat/sessions?cursor={cursor}", by=alice.by_key)
    assert heard.is_problem(422, "invalid")
    assert heard.faulty == {"cursor"}


async def test_the_dashboard_has_the_seeds_fields_and_itself_under_dashboard(service: Site, alice: Person) -> None:
    told = (await service.call("GET", "/api/user/dashboard", by=alice.by_key)).json
    assert list(told)[-1] == "dashboard"
    assert told.pop("dashboard") == told
    for part, names in SEED_DASHBOARD.items():
        assert set(names) <= told[part].keys() if names else part in told
    assert told["performance"]["averageResponseTime"] is told["performance"]["successRate"] is None
    assert told["requestsByCategory"] == {}
    assert told["recentRequests"] == []
    assert len(told["series"]) == 30


async def test_the_dashboard_counts_what_happened(service: Site) -> None:
    ana = await service.person("pro")
    for category, rating in (("nft", 5), ("nft", 4), ("token", None)):
        told = await service.start(ana, category=category, model="gpt-4o", prompt="p" * 300)
        await service.finish(ana, told["id"], tokensUsed=100, cost=0.5, duration=1000, userRating=rating)
    told = await service.start(ana)
    await service.finish(ana, told["id"], status="failed", duration=50)
    await service.start(ana, category="pending")
    told = (await service.call("GET", "/api/user/dashboard", by=ana.by_key)).json
    assert told["user"] | {} == told["user"]
    assert (told["user"]["email"], told["user"]["plan"]) == (ana.email, "pro")
    assert (told["user"]["requestsUsed"], told["user"]["requestsLimit"]) == (5, 1000)
    metrics = {
        "totalRequests": 5,
        "completedRequests": 3,
        "failedRequests": 1,
        "pendingRequests": 1,
        "totalTokensUsed": 300,
        "totalCost": 1.5,
        "totalCostNanos": 15_000_000,
        "unpricedRequests": 0,
        "averageResponseTime": 1000,
        "requestsThisMonth": 5,
        "requestsToday": 5,
    }
    assert told["metrics"] == metrics
    assert told["performance"]["successRate"] == 0.75
    assert (told["performance"]["averageRating"], told["performance"]["ratedRequests"]) == (4.5, 2)
    assert told["performance"]["p50"] == pytest.approx(1000, rel=0.02)
    assert told["requestsByCategory"] == {"nft": 2, "token": 1, "uncategorized": 1, "pending": 1}
    assert sum(told["requestsByModel"].values()) == sum(told["requestsByType"].values()) == 5
    assert told["series"][-1] | {"date": None} == {
        "date": None,
        "requests": 5,
        "failed": 1,
        "tokensUsed": 300,
        "cost": 1.5,
        "costNanos": 15_000_000,
    }
    assert [len(each["prompt"]) for each in told["recentRequests"]] == [5, 5, 200, 200, 200]
    assert list(told["recentRequests"][0]) == REQUEST_FIELDS


async def test_of_a_newest_request_the_dashboard_brings_the_beginning_and_the_request_itself_all(
    service: Site, alice: Person
) -> None:
    told = await service.start(alice, prompt="\N{HOT BEVERAGE}" * 300)
    await service.finish(alice, told["id"], response="\N{BLACK DIAMOND SUIT}\U0001f600" * 5000)
    heard = await service.call("GET", "/api/user/dashboard", by=alice.by_key)
    (recent,) = heard.json["recentRequests"]
    assert (recent["prompt"], recent["response"]) == (
        "\N{HOT BEVERAGE}" * 200,
        "\N{BLACK DIAMOND SUIT}\U0001f600" * 100,
    )
    whole = (await service.call("GET", f"/api/chat/requests/{told['id']}", by=alice.by_key)).json["request"]
    assert (whole["prompt"], whole["response"]) == ("\N{HOT BEVERAGE}" * 300, "\N{BLACK DIAMOND SUIT}\U0001f600" * 5000)


async def test_the_dashboard_shows_the_ten_newest(service: Site, alice: Person) -> None:
    ids = [(await service.start(alice))["id"] for _ in range(12)]
    told = (await service.call("GET", "/api/user/dashboard", by=alice.by_key)).json
    assert [each["id"] for each in told["recentRequests"]] == ids[:1:-1]


async def test_rebuilding_names_what_was_wrong_and_waits_ten_seconds(service: Site, alice: Person) -> None:
    told = await service.start(alice)
    await service.finish(alice, told["id"], tokensUsed=10)
    await service.owner.execute("UPDATE usage SET total_tokens_used = 11 WHERE user_id = $1", alice.id)
    heard = await service.call("POST", "/api/user/dashboard", by=alice.by_key)
    assert heard.status == 200
    told = heard.json
    changed = told.pop("changed")
    assert [(each["field"], each["was"], each["now"]) for each in changed] == [("total_tokens_used", 11, 10)]
    assert told.pop("dashboard") == told
    assert told["metrics"]["totalTokensUsed"] == 10
    soon = await service.call("POST", "/api/user/dashboard", by=alice.by_key)
    assert soon.is_problem(429, "rebuilt-just-now")
    assert 1 <= int(soon.headers["Retry-After"]) <= 10


async def test_a_dashboard_read_during_writes_agrees_with_itself(service: Site, alice: Person) -> None:
    async def track() -> None:
        for _ in range(10):
            told = await service.start(alice, category="c")
            await service.finish(alice, told["id"])

    async def read() -> None:
        for _ in range(10):
            told = (await service.call("GET", "/api/user/dashboard", by=alice.by_key)).json
            metrics = told["metrics"]
            parts = metrics["completedRequests"] + metrics["failedRequests"] + metrics["pendingRequests"]
            assert metrics["totalRequests"] == parts == sum(told["requestsByCategory"].values())

    await asyncio.gather(track(), track(), read(), read())


async def test_the_prices_of_a_request_are_named_as_all_else_is(service: Site, alice: Person) -> None:
    said = {"requestId": "priced", "prompt": "four", "model": "gpt-4o"}
    assert (await service.call("POST", "/api/chat/track", by=alice.by_key, says=said)).status == 201
    told = (await service.call("GET", "/api/chat/requests/priced", by=alice.by_key)).json
    assert told["request"]["unitPrices"].keys() >= {"input", "output", "cacheRead"}
    assert not any("_" in name for name in told["request"]["unitPrices"])
