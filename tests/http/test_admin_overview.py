"""Operators: all users at a glance, live over all nodes, plans with their users, the system."""

from __future__ import annotations

import asyncio
import itertools
import os
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tollkeeper.http.admin import overview as overview_routes
from tollkeeper.metering.admin import nodes
from tollkeeper.metering.admin.nodes import LAG_SECONDS, Node, Pulse
from tollkeeper.metering.upkeep import verify

from .conftest import JSON, Person, Site


@pytest.fixture
async def operator(service: Site) -> Person:
    return await service.operator()


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview_routes, "KEPT_TIMES", 0)


async def overview(service: Site, operator: Person) -> Any:
    heard = await service.call("GET", "/api/admin/overview", by=operator.by_cookie)
    assert heard.status == 200, heard.body
    return heard.json


async def told_live(service: Site) -> None:
    """Wait until every node has told what it counted, and that is shown."""
    backend = service.application.backend
    await nodes.beat(backend.database, backend.node, backend.pulse)
    await asyncio.sleep(LAG_SECONDS + 1.1)


async def test_today_is_what_users_did_today(service: Site, operator: Person, alice: Person) -> None:
    before = await overview(service, operator)
    begun = await service.start(alice, model="gpt-4o")
    await service.finish(
        alice, begun["id"], tokensInput=1000, tokensOutput=100, tokensCached=10, duration=100, userRating=4
    )
    failed = await service.start(alice, model="nobody-knows-it")
    await service.finish(alice, failed["id"], status="failed", tokensInput=1, tokensOutput=1)
    await service.start(alice)
    after = await overview(service, operator)
    today, was = after["today"], before["today"]
    if datetime.fromisoformat(after["asOf"]).date() != datetime.fromisoformat(before["asOf"]).date():
        return  # midnight came between
    assert (today["requests"] - was["requests"], today["completed"] - was["completed"]) == (2, 1)
    assert today["failed"] - was["failed"] == 1
    assert today["successRate"] == today["completed"] / today["requests"]
    assert today["tokensUsed"] - was["tokensUsed"] == 1102
    assert today["costNanos"] > was["costNanos"]
    assert today["unpriced"] - was["unpriced"] == 1
    assert today["p50"] == pytest.approx(100, rel=0.02)
    assert (today["averageDuration"], today["averageRating"], today["ratedRequests"]) == (100, 4.0, 1)
    assert after["live"]["pending"] - before["live"]["pending"] == 1
    assert after["yesterday"]["requests"] == 0
    assert after["yesterday"]["successRate"] is after["yesterday"]["p99"] is None


async def test_users_are_counted_by_what_plan_they_are_on_and_whether_they_are_active(
    service: Site, operator: Person
) -> None:
    plan = await service.plan("counted")
    before = await overview(service, operator)
    people = [await service.person(plan) for _ in range(3)]
    await service.owner.execute(
        "UPDATE usage SET plan_expires_at = now() - interval '1 minute' WHERE user_id = $1", people[0].id
    )
    await service.owner.execute("UPDATE usage SET is_active = false WHERE user_id = $1", people[1].id)
    for days, person in ((0, people[0]), (5, people[1]), (20, people[2])):
        await service.owner.execute(
            "UPDATE usage SET total_requests = 1, updated_at = $2 WHERE user_id = $1",
            person.id,
            datetime.now(UTC) - timedelta(days=days),
        )
    after = await overview(service, operator)
    users, were = after["users"], before["users"]
    assert (users["total"] - were["total"], users["active"] - were["active"]) == (3, 2)
    assert users["byPlan"][plan] == 2, "an expired plan is free"
    assert users["byPlan"]["free"] - were["byPlan"].get("free", 0) == 1
    assert sum(users["byPlan"].values()) == users["total"]
    now, then = after["activeUsers"], before["activeUsers"]
    assert [now[each] - then[each] for each in ("today", "week", "month")] == [1, 2, 3]
    plans = (await service.call("GET", "/api/admin/plans", by=operator.by_cookie)).json["plans"]
    assert [each["rank"] for each in plans] == sorted(each["rank"] for each in plans)
    told = {each["name"]: each for each in plans}
    assert (told[plan]["users"], told["pro"]["dailyRequests"], told["pro"]["monthlyCost"]) == (2, 50, None)
    assert told["free"]["users"] == users["byPlan"]["free"]
    await service.owner.execute("UPDATE usage SET total_requests = 0 WHERE total_requests = 1")


async def test_who_has_another_plan_after_one_that_has_ended_is_counted_there_as_in_the_list(
    service: Site, operator: Person
) -> None:
    ended, next_one = await service.plan("ended"), await service.plan("next")
    person = await service.person(ended)
    before = (await overview(service, operator))["users"]["byPlan"]
    await service.owner.execute(
        "UPDATE usage SET plan_expires_at = now() - interval '1 minute', next_plan = $2 WHERE user_id = $1",
        person.id,
        next_one,
    )
    after = (await overview(service, operator))["users"]["byPlan"]
    assert after == {name: users for name, users in before.items() if name != ended} | {next_one: 1}
    listed = await service.call("GET", f"/api/admin/users?plan={next_one}", by=operator.by_cookie)
    assert [each["id"] for each in listed.json["items"]] == [str(person.id)]


async def test_live_counts_what_is_admitted_and_settled_by_whom_and_where(
    service: Site, operator: Person, alice: Person
) -> None:
    await told_live(service)
    before = (await overview(service, operator))["live"]
    for n in range(3):
        await service.start(alice, requestId=f"live-{n}")
        again = await service.call(
            "POST", "/api/chat/track", by=alice.by_key, says={"prompt": "Hello", "requestId": f"live-{n}"}
        )
        assert again.headers["Idempotent-Replayed"] == "true"
    await service.finish(alice, "live-2")
    await service.call("PUT", "/api/chat/track", by=alice.by_key, says={"requestId": "live-2", "userRating": 5})
    poor = await service.person(await service.plan("none", daily_requests=0))
    refused = await service.call("POST", "/api/chat/track", by=poor.by_key, says={"prompt": "x"})
    assert refused.status == 429
    says = [
        {"user": alice.email, "prompt": "a"},
        {"user": alice.email, "prompt": "b", "status": "completed"},
        {"user": poor.email, "prompt": "c"},
    ]
    by = JSON | {"Authorization": f"Bearer {service.key}"}
    batch = await service.call("POST", "/api/chat/track/batch", by=by, says=says)
    assert batch.status == 200, batch.body
    await told_live(service)
    after = (await overview(service, operator))["live"]
    assert after["startsPerMinute"] - before["startsPerMinute"] == 5
    assert after["finishesPerMinute"] - before["finishesPerMinute"] == 2


async def test_totals_are_kept_the_longer_the_longer_they_took(
    service: Site, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    overviews = overview_routes.Overviews(service.application.backend.database)
    monkeypatch.setattr(overview_routes, "KEPT_TIMES", 1_000_000)
    first, *others = await asyncio.gather(*(overviews.show() for _ in range(5)))
    await service.finish(alice, (await service.start(alice))["id"])
    later = await overviews.show()
    assert {each.today.requests for each in (*others, later)} == {first.today.requests}
    assert later.as_of > first.as_of, "what moves every second is read each time"
    assert (await overview_routes.Overviews(service.application.backend.database).show()).today != first.today


async def test_the_series_is_the_last_minute_second_by_second_of_all_nodes(service: Site, operator: Person) -> None:
    database = service.application.backend.database
    other = Node(uuid4(), "other", 7, "1.2.3")
    pulse = Pulse()
    await nodes.beat(database, other, pulse)
    pulse.started(40)
    pulse.finished(30)
    await nodes.beat(database, other, pulse)
    pulse.started(2)
    await nodes.beat(database, other, pulse)
    assert pulse.take() == []
    await asyncio.sleep(LAG_SECONDS + 1.1)
    told = await overview(service, operator)
    series = told["live"]["series"]
    assert len(series) == 60
    at = [datetime.fromisoformat(each["at"]) for each in series]
    assert {later - earlier for earlier, later in itertools.pairwise(at)} == {timedelta(seconds=1)}
    assert timedelta(seconds=LAG_SECONDS) < datetime.fromisoformat(told["asOf"]) - at[-1] < timedelta(seconds=6)
    assert sum(each["starts"] for each in series) == told["live"]["startsPerMinute"] >= 42
    assert max(each["starts"] for each in series) >= 40
    assert sum(each["finishes"] for each in series) == told["live"]["finishesPerMinute"] >= 30
    await nodes.leave(database, other)
    assert other.id not in {each.id for each in await nodes.seen(database)}


async def test_the_system_tells_how_it_stands(service: Site, operator: Person) -> None:
    backend = service.application.backend
    await verify.note(backend.database, await verify.verify(backend.database))
    told = (await service.call("GET", "/api/admin/system", by=operator.by_cookie)).json
    assert (told["success"], told["version"]) == (True, backend.version)
    assert told["database"]["sizeBytes"] > 1_000_000
    assert told["database"]["version"].startswith("18")
    assert told["database"]["embedded"] is True
    assert told["database"]["connections"] > 0
    tables = {each["name"]: each for each in told["tables"]}
    assert {"chat_requests", "usage", "accounts", "model_prices"} <= tables.keys()
    assert all(each["sizeBytes"] >= 0 and each["rows"] >= 0 for each in told["tables"])
    partitions = told["partitions"]
    assert (partitions[-1]["name"], partitions[-1]["from"]) == ("chat_requests_default", None)
    assert [each["from"] for each in partitions[:-1]] == sorted(each["from"] for each in partitions[:-1])
    assert tables["chat_requests"]["sizeBytes"] <= sum(each["sizeBytes"] for each in partitions)
    assert set(told["lanes"]) == {"starts", "finishes"}
    assert told["lanes"]["starts"].keys() == {"waiting", "sets", "decided"}
    assert told["lastVerify"]["differences"] == len((await verify.verify(backend.database)).differences)
    assert told["lastVerify"]["ok"] == (told["lastVerify"]["differences"] == 0)
    own = next(each for each in told["nodes"] if each["id"] == str(backend.node.id))
    assert (own["pid"], own["version"], own["startedAt"]) == (os.getpid(), backend.version, told["startedAt"])
    assert told["retention"] == {"rowsDays": None, "textDays": None, "rowsFrom": None, "textsFrom": None}


async def test_rows_are_counted_before_the_server_has_looked_at_a_table(service: Site, operator: Person) -> None:
    await service.owner.execute(
        "CREATE TABLE seen_by_nobody WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 70)"
    )
    try:
        async with asyncio.timeout(20):
            while True:
                told = (await service.call("GET", "/api/admin/system", by=operator.by_cookie)).json
                if {each["name"]: each["rows"] for each in told["tables"]}["seen_by_nobody"] == 70:
                    break
                await service.owner.execute("SELECT pg_stat_force_next_flush()")
    finally:
        await service.owner.execute("DROP TABLE seen_by_nobody")
