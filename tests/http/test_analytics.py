"""Usage over time as it is answered: shapes, faults, who may see whose; and real traces as their expectations say."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.accounts import users
from tollkeeper.activity import Actor
from tollkeeper.cli.past import past
from tollkeeper.metering.upkeep.importing import Importer
from tollkeeper.store.database import Database
from tollkeeper.traces import read

from .conftest import Person, Site

DATA = Path(__file__).parents[1] / "data"
SAMPLE = Path(__file__).parents[2] / "src/tollkeeper/traces/sample"
MEASURES = [
    "requests", "completed", "failed", "successRate", "tokensUsed", "tokensInput", "tokensOutput", "tokensCached",
    "tokensCacheWrite", "tokensReasoning", "cost", "costNanos", "unpriced", "averageDuration", "p50", "p95", "p99",
    "averageRating", "ratedRequests",
]  # fmt: skip
OF_TRACES = "from=2024-12-30&to=2025-01-13"


async def import_trace(service: Site, person: Person, name: str, file: Path) -> None:
    async with Database.open(service.addresses.owner, size=1) as owner:
        importer = Importer(service.application.backend.ledger, owner)
        rows = [past(row, person.id, now=datetime.now(UTC)) for row in read(name, file)]
        for begin in range(0, len(rows), 500):
            booked = await importer.book(rows[begin : begin + 500])
            assert not booked.refused


async def an_admin(service: Site) -> Person:
    admin = await service.person()
    await users.change(service.application.backend.database, admin.id, actor=Actor("test"), admin=True)
    return Person(admin.id, admin.email, admin.key, await service.signed_in(admin.id))


async def analytics(service: Site, person: Person, query: str = "", path: str = "/api/user/analytics") -> Any:
    heard = await service.call("GET", f"{path}?{query}", by=person.by_cookie)
    assert heard.status == 200, heard.body
    return heard.json


def sums(parts: list[Any], name: str) -> float:
    return sum(each[name] for each in parts)


async def test_an_answer_says_its_range_and_every_figure(service: Site, alice: Person) -> None:
    told = await service.start(alice, model="gpt-4o", category="nft")
    await service.finish(alice, told["id"], tokensUsed=100, cost=0.5, duration=1000, userRating=4)
    told = await service.start(alice)
    await service.finish(alice, told["id"], status="failed")
    told = await analytics(service, alice, "groupBy=category")
    assert list(told) == [
        "success", "from", "to", "timeZone", "granularity", "groupBy", "totals", "before", "buckets", "groups",
        "groupsLeftOut",
    ]  # fmt: skip
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=back)).isoformat() for back in range(29, -2, -1)]
    assert (told["from"], told["to"], told["timeZone"]) == (days[0], days[-1], "UTC")
    assert [(each["start"], each["end"]) for each in told["buckets"]] == list(pairwise(days))
    assert list(told["totals"]) == list(told["before"]) == MEASURES
    assert list(told["buckets"][0]) == [*MEASURES, "start", "end"]
    figures = {
        "requests": 2,
        "completed": 1,
        "failed": 1,
        "successRate": 0.5,
        "tokensUsed": 100,
        "cost": 0.5,
        "costNanos": 5_000_000,
        "averageDuration": 1000,
        "averageRating": 4,
        "ratedRequests": 1,
    }
    assert {name: told["totals"][name] for name in figures} == figures
    assert told["totals"] == {name: told["buckets"][-1][name] for name in MEASURES}
    assert {group["key"]: group["totals"]["requests"] for group in told["groups"]} == {"nft": 1, "uncategorized": 1}
    assert list(told["groups"][0]["buckets"][0]) == ["start", "requests", "failed", "tokensUsed", "cost", "costNanos"]
    assert [each["start"] for each in told["groups"][0]["buckets"]] == days[:-1]
    assert told["before"]["successRate"] is told["before"]["p95"] is told["before"]["averageRating"] is None


async def test_hours_are_instants(service: Site, alice: Person) -> None:
    told = await service.start(alice, model="m")
    await service.finish(alice, told["id"], duration=10)
    now = datetime.now(UTC)
    since = f"{now - timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}"
    told = await analytics(service, alice, f"granularity=hour&from={since}&groupBy=model")
    assert told["from"] == f"{now - timedelta(hours=3):%Y-%m-%dT%H:00:00Z}"
    starts = [each["start"] for each in told["buckets"]]
    assert starts[1:] == [each["end"] for each in told["buckets"]][:-1]
    assert sums(told["buckets"], "requests") == told["totals"]["requests"] == 1


async def test_a_real_trace_gives_its_expected_figures_by_model(service: Site, alice: Person) -> None:
    await import_trace(service, alice, "burstgpt", SAMPLE / "burstgpt_1_first400.csv")
    expected = json.loads((DATA / "burstgpt_1_first400.expected.json").read_text())
    told = await analytics(service, alice, f"{OF_TRACES}&groupBy=model")
    assert (told["totals"]["requests"], told["totals"]["failed"]) == (expected["rows"], expected["failures"])
    assert {group["key"] for group in told["groups"]} == expected["per_model"].keys()
    for group in told["groups"]:
        wanted = expected["per_model"][group["key"]]
        assert {name: group["totals"][name] for name in ("requests", "failed", "completed")} == {
            name: wanted[name] for name in ("requests", "failed", "completed")
        }
        kinds = {"tokensInput": "input_tokens", "tokensOutput": "output_tokens", "tokensUsed": "total_tokens"}
        assert {ours: group["totals"][ours] for ours in kinds} == {ours: wanted[name] for ours, name in kinds.items()}
        assert sums(group["buckets"], "requests") == wanted["requests"]
    for granularity in ("week", "month"):
        longer = await analytics(service, alice, f"{OF_TRACES}&granularity={granularity}")
        assert (longer["totals"], sums(longer["buckets"], "requests")) == (told["totals"], expected["rows"])


async def test_a_week_of_conversations_gives_its_expected_sums(service: Site, alice: Person) -> None:
    await import_trace(service, alice, "ragpulse", SAMPLE / "ragpulse_trace.jsonl.gz")
    expected = json.loads((DATA / "ragpulse_trace.expected.json").read_text())
    told = await analytics(service, alice, OF_TRACES)
    wanted = (expected["rows"], expected["input_tokens"]["sum"], expected["output_tokens"]["sum"])
    for part in (told["totals"], {name: sums(told["buckets"], name) for name in MEASURES[:7] if name != "successRate"}):
        assert (part["requests"], part["tokensInput"], part["tokensOutput"]) == wanted
    assert len([each for each in told["buckets"] if each["requests"]]) == 7


async def test_percentiles_by_model_are_those_of_real_calls(service: Site, alice: Person) -> None:
    await import_trace(service, alice, "tollkeeper", SAMPLE / "openllmetry.jsonl.gz")
    rows = await service.owner.fetch(
        """SELECT coalesce(model, 'unknown') AS model, array_agg(duration ORDER BY duration) AS durations
             FROM chat_requests WHERE user_id = $1 AND status = 'completed' AND duration IS NOT NULL GROUP BY 1""",
        alice.id,
    )
    told = await analytics(service, alice, "from=2020-01-01&to=2027-01-01&granularity=month&groupBy=model")
    groups = {group["key"]: group["totals"] for group in told["groups"]}
    assert len(rows) > 10
    for model, durations in rows:
        for name in ("p50", "p95", "p99"):
            exact = durations[math.ceil(len(durations) * int(name[1:]) / 100) - 1]
            assert abs(groups[model][name] - exact) <= 0.02 * exact, (model, name)


@pytest.mark.parametrize(
    ("query", "faulty"),
    [
        ("from=yesterday", {"from"}),
        ("from=2026-02-30", {"from"}),
        ("from=20260501", {"from"}),
        ("from=2026-05-01T00:00:00", {"from"}),
        ("from=", {"from"}),
        ("from=0001-01-01T00:00:00%2B14:00&granularity=hour", {"from"}),
        ("to=9999-12-31T23:59:59-14:00&granularity=hour", {"to"}),
        ("to=9999-12-31T23:59:59Z&granularity=hour", {"to"}),
        ("from=2026-05-01&to=2026-05-01", {"to"}),
        ("from=1969-12-31", {"from"}),
        ("from=2020-01-01&to=2026-01-01", {"from"}),
        ("from=2026-05-01T00:00:00Z", {"from"}),
        ("from=2024-01-01&granularity=hour", {"from"}),
        ("granularity=minute", {"granularity"}),
        ("granularity=hour&groupBy=category", {"groupBy"}),
        ("granularity=hour&category=a", {"category"}),
        ("groupBy=plan", {"groupBy"}),
        ("groupBy=user", {"groupBy"}),
        ("plan=pro", {"plan"}),
        ("user=bob", {"user"}),
        ("model=", {"model"}),
        ("model=" + "m" * 201, {"model"}),
        ("category=" + "m" * 201, {"category"}),
        ("requestType=" + "m" * 201, {"requestType"}),
        ("complexity=extreme", {"complexity"}),
        ("status=pending", {"status"}),
        ("from=a&to=b&status=c", {"from", "to", "status"}),
    ],
)
async def test_what_cannot_be_asked_is_422_and_named(
    service: Site, alice: Person, query: str, faulty: set[str]
) -> None:
    heard = await service.call("GET", f"/api/user/analytics?{query}", by=alice.by_key)
    assert heard.is_problem(422, "invalid"), heard.body
    assert heard.faulty == faulty


async def test_operators_see_all_users_one_and_a_plan(service: Site, alice: Person, bob: Person) -> None:
    admin = await an_admin(service)
    path = "/api/admin/analytics"
    before = await analytics(service, admin, "groupBy=plan", path)
    for person, count in ((alice, 2), (bob, 1)):
        for _ in range(count):
            told = await service.start(person, complexity="low")
            await service.finish(person, told["id"], tokensUsed=10, cost=1)
    told = await analytics(service, admin, "groupBy=plan", path)
    assert told["totals"]["requests"] - before["totals"]["requests"] == 3
    assert {group["key"] for group in told["groups"]} == {"enterprise"}
    free = await analytics(service, admin, "plan=free", path)
    assert free["totals"]["requests"] == 0
    for named in (alice.email.upper(), str(alice.id)):
        one = await analytics(service, admin, f"user={named}&groupBy=complexity", path)
        assert (one["totals"]["requests"], [group["key"] for group in one["groups"]]) == (2, ["low"])
        assert one["totals"] == (await analytics(service, alice))["totals"]
    for query, faulty in (
        ("complexity=low", "complexity"),
        ("groupBy=complexity", "groupBy"),
        (f"user={alice.id}&plan=pro", "plan"),
        (f"user={alice.id}&groupBy=plan", "groupBy"),
        ("user=", "user"),
    ):
        heard = await service.call("GET", f"{path}?{query}", by=admin.by_cookie)
        assert (heard.status, heard.faulty) == (422, {faulty})
    for nobody in ("nobody@example.com", "not-an-address", "00000000-0000-0000-0000-000000000000"):
        heard = await service.call("GET", f"{path}?user={nobody}", by=admin.by_cookie)
        assert heard.is_problem(404, "not-found")


async def test_operators_see_who_used_most(service: Site, alice: Person, bob: Person) -> None:
    admin = await an_admin(service)
    for person, tokens in ((alice, 10**9), (bob, 10**10)):
        told = await service.start(person)
        await service.finish(person, told["id"], tokensUsed=tokens, cost=1)
    told = await analytics(service, admin, "by=tokensUsed&limit=2", "/api/admin/analytics/users")
    assert [each["user"]["id"] for each in told["items"]] == [str(bob.id), str(alice.id)]
    assert told["items"][0]["user"] == {"id": str(bob.id), "email": bob.email, "name": None, "plan": "enterprise"}
    assert list(told["items"][0]["totals"]) == MEASURES
    assert date.fromisoformat(told["to"]) - date.fromisoformat(told["from"]) == timedelta(days=30)
    for query, faulty in (("by=name", "by"), ("limit=0", "limit"), ("limit=101", "limit"), ("from=x", "from")):
        heard = await service.call("GET", f"/api/admin/analytics/users?{query}", by=admin.by_cookie)
        assert (heard.status, heard.faulty) == (422, {faulty})


@pytest.mark.parametrize("path", ["/api/admin/analytics", "/api/admin/analytics/users"])
async def test_only_operators_see_what_is_others(service: Site, alice: Person, path: str) -> None:
    admin = await an_admin(service)
    for by in (alice.by_cookie, alice.by_key, admin.by_key, service.as_service(admin.email)):
        assert (await service.call("GET", path, by=by)).is_problem(403, "not-allowed")
