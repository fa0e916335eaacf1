"""Many requests in one call: a verdict on each, in order, and none in the way of another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from tests.conftest import Server
from tollkeeper.accounts import users
from tollkeeper.activity import Actor
from tollkeeper.http.tracking import batch

from .batches import PATH, ended, is_clean, send, someone, told
from .conftest import JSON, Person, Site


@asynccontextmanager
async def held(service: Site, person: Person) -> AsyncGenerator[None]:
    """Hold the lock of all that is somebody's."""
    await service.owner.execute("BEGIN")
    try:
        await service.owner.execute("SELECT FROM usage WHERE user_id = $1 FOR UPDATE", person.id)
        yield
    finally:
        await service.owner.execute("COMMIT")


@asynccontextmanager
async def no_database(service: Site, server: Server) -> AsyncGenerator[None]:
    """Cut the service off its database."""
    name = await service.owner.fetchval("SELECT current_database()")
    admin = await asyncpg.connect(server.addresses.admin)
    try:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'tollkeeper' AND datname = $1",
            name,
        )
        yield
    finally:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await admin.close()


async def test_each_item_has_its_verdict_in_its_place(service: Site, alice: Person) -> None:
    new = someone()
    items = [
        ended(new, requestId="a"),
        {"user": alice.email, "prompt": "Hello", "requestId": "b"},
        {"user": "nobody", "prompt": "Hello"},
        {"prompt": "Hello", "requestId": "no-user"},
        ended(alice.email, status="failed", errorMessage="it broke"),
        [1],
        ended(new, requestId="a"),
        ended(new, requestId="a", response="another"),
        {"user": alice.email, "prompt": "Hello", "requestId": "b"},
    ]
    heard = await send(service, items)
    results = heard.json["results"]
    assert [each["index"] for each in results] == list(range(9))
    assert [each["verdict"] for each in results] == [
        *("recorded", "admitted", "invalid", "invalid", "recorded", "invalid", "replayed", "key-reused", "replayed")
    ]
    assert {name: heard.json[name] for name in ("success", "accepted", "refused", "invalid", "unavailable")} == {
        "success": True,
        "accepted": 5,
        "refused": 1,
        "invalid": 3,
        "unavailable": 0,
    }
    assert (results[0]["requestId"], results[0]["status"]) == ("a", "completed")
    assert (results[1]["requestId"], results[1]["status"], results[1]["limits"]["dailyUsed"]) == ("b", "pending", 1)
    assert results[2]["problem"]["errors"][0]["field"] == "user"
    assert results[3]["requestId"] == "no-user"
    assert results[4]["requestId"] == results[4]["id"]
    assert results[7]["problem"]["type"] == "/problems/key-reused"
    assert results[6]["id"] == results[0]["id"]
    assert results[8] == results[1] | {"index": 8, "verdict": "replayed"}
    for index in (2, 3, 5, 7):
        assert {"type", "title", "status", "detail", "instance", "traceId"} <= results[index]["problem"].keys()
        assert "id" not in results[index]
    assert await is_clean(service)


async def test_only_service_keys_with_the_scope_may_and_the_header_names_nobody(service: Site, alice: Person) -> None:
    for by in (alice.by_key, alice.by_cookie | JSON):
        heard = await service.call("POST", PATH, by=by, says=[])
        assert heard.is_problem(403, "not-allowed")
        assert "service key" in heard.json["detail"]
    other = await service.service_key("dashboard:read")
    heard = await service.call("POST", PATH, by=JSON | {"Authorization": f"Bearer {other}"}, says=[])
    assert (heard.is_problem(403, "not-allowed"), heard.json["scope"]) == (True, "track")
    named = await service.call("POST", PATH, by=service.as_service(alice.email), says=[])
    assert named.is_problem(400, "not-understood")
    assert named.faulty == {"Tollkeeper-User"}


async def test_the_whole_batch_again_changes_nothing(service: Site, alice: Person) -> None:
    new = someone()
    items = [ended(new, requestId=f"p{number}", userRating=4) for number in range(20)]
    items += [ended(new, requestId="no-times", completedAt=None, duration=None)]
    items += [{"user": alice.email, "prompt": "x", "requestId": f"l{number}"} for number in range(20)]
    first = await told(service, items)
    usage = "SELECT * FROM usage ORDER BY user_id"
    before = (await service.rows(), await service.owner.fetch(usage))
    again = await told(service, items)
    assert {each["verdict"] for each in again} == {"replayed"}
    for one, other in zip(first, again, strict=True):
        assert one | {"verdict": "replayed"} == other
    assert (await service.rows(), await service.owner.fetch(usage)) == before
    assert await is_clean(service)


async def test_a_start_in_a_batch_and_alone_is_the_same_start(service: Site, alice: Person) -> None:
    says = {"prompt": "x", "requestId": "one", "model": "gpt-4o", "metadata": {"b": 1.5, "a": [1]}}
    alone = await service.start(alice, **says)
    (told_again,) = await told(service, [says | {"user": alice.email}])
    assert (told_again["verdict"], told_again["id"]) == ("replayed", alone["id"])
    assert (told_again["limits"], told_again["expiresAt"]) == (alone["limits"], alone["expiresAt"])
    (first,) = await told(service, [{"user": alice.email, "prompt": "y", "requestId": "two", "maxTokens": 5}])
    heard = await service.call(
        "POST", "/api/chat/track", by=alice.by_key, says={"prompt": "y", "requestId": "two", "maxTokens": 5}
    )
    assert (heard.status, heard.json["id"], heard.headers["Idempotent-Replayed"]) == (200, first["id"], "true")
    await service.finish(alice, "two")
    (ended_twice,) = await told(service, [ended(alice.email, prompt="y", requestId="two")])
    assert ended_twice["verdict"] == "key-reused"


async def test_the_past_counts_at_its_own_time_and_is_never_refused(service: Site) -> None:
    plan = await service.plan("two-a-day", daily_requests=2, monthly_requests=3)
    ana = await service.person(plan)
    now = datetime.now(UTC)
    items = [ended(ana.email, completedAt=(now - timedelta(seconds=9)).isoformat()) for _ in range(5)]
    items += [ended(ana.email, completedAt="2025-12-31T23:30:00-02:00", duration=None) for _ in range(4)]
    items += [{"user": ana.email, "prompt": "x"}, ended(ana.email, model="no-such-model", prompt="x" * 50_000)]
    verdicts = [each["verdict"] for each in await told(service, items)]
    assert verdicts == ["recorded"] * 9 + ["refused", "recorded"]
    seen = (await service.call("GET", "/api/user/dashboard", by=ana.by_key)).json
    assert seen["metrics"]["totalRequests"] == 10
    assert seen["metrics"]["requestsToday"] in {5, 6}
    listed = (await service.call("GET", "/api/chat/requests", by=ana.by_key)).json["items"]
    assert [each["startedAt"] for each in listed[-4:]] == ["2026-01-01T01:30:00.000000Z"] * 4
    assert {each["duration"] for each in listed[-4:]} == {None}
    assert await is_clean(service)


async def test_what_a_service_reports_counts(service: Site, alice: Person) -> None:
    items = [ended(alice.email, cost=3.25, tokensUsed=3), ended(alice.email, status="failed", error="no", cost=1)]
    completed, failed = await told(service, items)
    one = (await service.call("GET", f"/api/chat/requests/{completed['id']}", by=alice.by_key)).json["request"]
    other = (await service.call("GET", f"/api/chat/requests/{failed['id']}", by=alice.by_key)).json["request"]
    assert (one["cost"], one["costSource"], one["duration"], one["ipAddress"]) == (3.25, "reported", 1500, None)
    assert (other["status"], other["errorMessage"], other["costSource"]) == ("failed", "no", "reported")
    assert await is_clean(service)


async def test_unknown_users_are_made_once_whatever_the_case(service: Site) -> None:
    name = someone()
    items = [ended(name), ended(name.upper()), {"user": name.capitalize(), "prompt": "x"}]
    both = await asyncio.gather(told(service, items), told(service, items[::-1]))
    assert {each["verdict"] for results in both for each in results} == {"recorded", "admitted"}
    found = "SELECT count(*) FROM user_identities WHERE value = $1"
    assert await service.owner.fetchval(found, name) == 1
    assert await is_clean(service)


async def test_who_is_switched_off_starts_nothing_and_their_past_is_recorded(service: Site, alice: Person) -> None:
    await users.change(service.application.backend.database, alice.id, actor=Actor("t"), is_active=False)
    start, past = await told(service, [{"user": alice.email, "prompt": "x"}, ended(alice.email)])
    assert (start["verdict"], start["problem"]["type"]) == ("refused", "/problems/account-inactive")
    assert past["verdict"] == "recorded"


async def test_each_refusal_is_the_problem_of_the_single_call(service: Site) -> None:
    ana = await service.person("free")
    for says in ({"requestType": "video"}, {"maxTokens": 10**6}):
        alone = await service.call("POST", "/api/chat/track", by=ana.by_key, says={"prompt": "x"} | says)
        (one,) = await told(service, [{"user": ana.email, "prompt": "x"} | says])
        assert one["verdict"] == "refused"
        assert one["problem"] | {"traceId": "", "instance": ""} == alone.json | {"traceId": "", "instance": ""}


async def test_starts_stop_exactly_at_the_limit_however_they_come(service: Site) -> None:
    ana = await service.person(await service.plan("fifty", daily_requests=50))
    items = [{"user": ana.email, "prompt": "x"} for _ in range(60)]
    single = {"prompt": "x"}
    heard = await asyncio.gather(
        send(service, items),
        send(service, items),
        *(service.call("POST", "/api/chat/track", by=ana.by_key, says=single) for _ in range(40)),
    )
    admitted = sum(each["verdict"] == "admitted" for one in heard[:2] for each in one.json["results"])
    refused = [each for one in heard[:2] for each in one.json["results"] if each["verdict"] == "refused"]
    assert admitted + sum(each.status == 201 for each in heard[2:]) == 50
    assert {each["problem"]["limit"] for each in refused} == {"daily"}
    assert len(refused) == 120 - admitted
    assert await is_clean(service)


async def test_one_users_overflowing_totals_stop_nobody_else(service: Site) -> None:
    rich, poor = someone(), someone()
    items = [ended(rich, cost=10**9) for _ in range(930)]
    for place in range(0, 930, 10):
        items.insert(place, ended(poor))
    verdicts = await told(service, items)
    of_rich = [each for item, each in zip(items, verdicts, strict=True) if item["user"] == rich]
    of_poor = [each for item, each in zip(items, verdicts, strict=True) if item["user"] == poor]
    assert [each["verdict"] for each in of_rich] == ["recorded"] * 922 + ["invalid"] * 8
    assert {each["verdict"] for each in of_poor} == {"recorded"}
    assert "larger than can be counted" in of_rich[-1]["problem"]["detail"]
    assert await is_clean(service)


async def test_what_makes_totals_too_large_is_named_as_it_was_sent(service: Site) -> None:
    rich = await service.person()
    costs = [10**9] * 922 + [337_203_685]  # cents, which leave less than one of the 63 bits of nano-USD
    verdicts = await told(service, [ended(rich.email, cost=cost, completedAt=None) for cost in costs])
    assert {each["verdict"] for each in verdicts} == {"recorded"}
    by_service, most = service.as_service(rich.email), 10**9
    for says, fields in (
        ({"cost": most}, ["cost"]),
        ({"cost": most, "tokensUsed": 3, "duration": 5}, ["tokensUsed", "cost", "duration"]),
        ({"cost": most, "tokensOutput": 3}, ["tokensOutput", "cost"]),
    ):
        finish = {"requestId": (await service.start(rich))["requestId"], "status": "completed"} | says
        alone = await service.call("PUT", "/api/chat/track", by=by_service, says=finish)
        assert (alone.status, _blamed(alone.json)) == (422, fields)
        (one,) = await told(service, [{"user": rich.email, "prompt": "x", "status": "completed"} | says])
        assert _blamed(one["problem"]) == fields
    for says, field in (({"prompt": "x", "maxTokens": 10**12}, "maxTokens"), ({"prompt": "x" * 10_000}, "prompt")):
        says |= {"model": "gpt-4"}
        alone = await service.call("POST", "/api/chat/track", by=by_service, says=says)
        rehearsed = await service.call("POST", "/api/chat/track?dryRun=true", by=by_service, says=says)
        (one,) = await told(service, [{"user": rich.email} | says])
        assert [_blamed(each) for each in (alone.json, rehearsed.json["problem"], one["problem"])] == [[field]] * 3
    ended_at_once = {"user": rich.email, "prompt": "x", "model": "gpt-4", "maxTokens": 10**12, "status": "completed"}
    (one,) = await told(service, [ended_at_once])
    assert _blamed(one["problem"]) == ["status", "maxTokens"]


def _blamed(problem: Any) -> list[str]:
    return [each["field"] for each in problem["errors"]]


async def test_a_locked_user_keeps_only_their_own_items_waiting(service: Site, alice: Person, bob: Person) -> None:
    items = [ended(each) for each in (alice.email, bob.email, someone(), someone())] * 3
    async with held(service, bob):
        verdicts = [each["verdict"] for each in await told(service, items)]
    assert verdicts == ["recorded", "unavailable", "recorded", "recorded"] * 3


async def test_no_more_than_two_are_under_way(service: Site, alice: Person) -> None:
    async with held(service, alice):
        heard = await asyncio.gather(*(send(service, [ended(alice.email)]) for _ in range(5)))
    full = [each for each in heard if "under way" in each.json.get("detail", "")]
    assert len(full) == 5 - batch.MOST_AT_ONCE
    assert all(each.is_problem(503, "unavailable") and each.headers["Retry-After"] == "2" for each in full)
    assert (await send(service, [ended(alice.email)])).json["accepted"] == 1


async def test_when_the_database_goes_away_what_was_committed_says_so(
    service: Site, server: Server, alice: Person, bob: Person
) -> None:
    items = [ended(alice.email, requestId=f"a{place}") for place in range(400)]
    items += [ended(bob.email, requestId=f"b{place}") for place in range(400)]
    async with held(service, bob):
        sent = asyncio.create_task(send(service, items))
        of_alice = "SELECT count(*) FROM chat_requests WHERE user_id = $1"
        while not await service.owner.fetchval(of_alice, alice.id):  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.005)
        async with no_database(service, server):
            heard = await sent
    assert heard.status == 200, heard.body
    results = heard.json["results"]
    stored = {
        name
        for (name,) in await service.owner.fetch(
            "SELECT client_id FROM chat_requests WHERE user_id = ANY ($1)", [alice.id, bob.id]
        )
    }
    assert {each["requestId"] for each in results if each["verdict"] == "recorded"} == stored
    assert heard.json["unavailable"] == 800 - len(stored) >= 400
    assert results[-1]["problem"]["type"] == "/problems/unavailable"
    again = await send(service, items)
    assert (again.status, again.json["accepted"]) == (200, 800)
    assert [each["verdict"] for each in again.json["results"]].count("replayed") == len(stored)
    assert await is_clean(service)


async def test_when_nothing_was_committed_the_whole_batch_hears_503(
    service: Site, server: Server, alice: Person
) -> None:
    async with no_database(service, server):
        heard = await send(service, [ended(alice.email), {"user": "nobody", "prompt": "x"}])
    assert heard.is_problem(503, "unavailable")
    assert heard.headers["Retry-After"]
    async with held(service, alice):
        sent = asyncio.create_task(send(service, [ended(alice.email)] * 3))
        await asyncio.sleep(0.3)
        async with no_database(service, server):
            heard = await sent
    assert heard.is_problem(503, "unavailable")
    assert (await send(service, [ended(alice.email)])).json["accepted"] == 1


async def test_others_are_served_while_a_batch_is_under_way(service: Site, alice: Person) -> None:
    crowd = [someone() for _ in range(20)]
    sent = asyncio.create_task(send(service, [ended(crowd[place % 20]) for place in range(4000)]))
    served = 0
    while not sent.done():
        await service.start(alice)
        served += 1
    assert (await sent).json["accepted"] == 4000
    assert served > 10
