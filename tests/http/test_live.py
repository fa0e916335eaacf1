"""The dashboard as it moves: what followers hear, and what it costs others."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from tests.metering.making import Clock
from tollkeeper.accounts import keys, users
from tollkeeper.activity import Actor
from tollkeeper.http.dashboards import followed, streams
from tollkeeper.metering.plans import terms
from tollkeeper.store.connections import LOCK_SECONDS

from .conftest import Person, Site
from .streaming import PATH, Follower, following
from .test_health import numbers


async def dashboard_of(service: Site, person: Person) -> Any:
    heard = await service.call("GET", "/api/user/dashboard", by=person.by_key)
    return heard.json["dashboard"]


@pytest.fixture
async def client() -> AsyncGenerator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def stream(service: Site, client: aiohttp.ClientSession, alice: Person) -> AsyncGenerator[Follower]:
    async with following(client, service.url, alice.by_cookie) as follower:
        await follower.next()
        yield follower


async def test_the_first_event_is_the_dashboard_that_get_gives(service: Site, alice: Person, stream: Follower) -> None:
    assert [event.kind for event in stream.events] == ["dashboard"]
    assert stream.dashboard == await dashboard_of(service, alice)
    told = stream.answer.headers
    assert told["Content-Type"] == "text/event-stream"
    assert (told["Cache-Control"], told["X-Accel-Buffering"]) == ("no-store", "no")


async def test_it_tells_how_long_to_wait_before_coming_back(service: Site, alice: Person) -> None:
    heard = await service.call("GET", PATH, by=alice.by_key)
    assert heard.body == b"retry: 1000\n\n"


async def test_200_random_changes_folded_are_what_get_gives(
    service: Site, alice: Person, stream: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_ROUND_SECONDS", 0.0)
    monkeypatch.setattr(streams, "_PAUSE_TO_ROUND", 0)
    database = service.application.backend.database
    limited = await service.plan("limited", monthly_requests=500, monthly_tokens=10**9)
    pending: list[str] = []
    done: list[str] = []

    async def start() -> None:
        names = {"category": random.choice("abc"), "model": random.choice(("gpt-4o", "house"))}
        pending.append((await service.start(alice, prompt=random.choice(("one", "a\r\nb\n\n")), **names))["id"])

    async def finish() -> None:
        if pending:
            status = random.choice(("completed", "failed"))
            await service.finish(alice, pending[-1], status=status, tokensInput=random.randrange(900), duration=7.5)
            done.append(pending.pop())

    async def rate() -> None:
        if done:
            says = {"requestId": random.choice(done), "userRating": random.choice((None, None, 1, 5))}
            await service.call("PUT", "/api/chat/track", by=alice.by_key, says=says)

    async def rename() -> None:
        await users.change(database, alice.id, name=random.choice(("", "Ada", 'A"\u2028é')), actor=Actor("test"))

    async def move() -> None:
        await terms.set_plan(database, alice.id, random.choice(("enterprise", limited)), actor=Actor("test"))

    folding = asyncio.create_task(stream.end(60))
    for _ in range(200):
        await random.choices((start, finish, rate, rename, move), (8, 8, 4, 1, 1))[0]()
    folding.cancel()
    await asyncio.gather(folding, return_exceptions=True)
    await stream.until(await dashboard_of(service, alice))
    kinds = [event.kind for event in stream.events]
    assert kinds.count("change") > 40
    assert kinds[0] == "dashboard"
    numbered = [int(event.id.partition("-")[0]) for event in stream.events]
    assert numbered == list(range(1, len(numbered) + 1))


async def test_what_becomes_null_is_told_by_a_whole_dashboard(service: Site, alice: Person, stream: Follower) -> None:
    done = (await service.start(alice))["id"]
    await service.finish(alice, done, userRating=5)
    await stream.until(await dashboard_of(service, alice))
    assert stream.dashboard["performance"]["averageRating"] == 5
    await service.call("PUT", "/api/chat/track", by=alice.by_key, says={"requestId": done, "userRating": None})
    assert (await stream.next()).kind == "dashboard"
    assert stream.dashboard == await dashboard_of(service, alice)
    assert stream.dashboard["performance"]["averageRating"] is None


async def test_who_comes_back_hears_nothing_what_changed_or_the_whole(
    service: Site, client: aiohttp.ClientSession, alice: Person, stream: Follower
) -> None:
    first = stream.events[-1].id
    async with following(client, service.url, alice.by_key, first) as same:
        with pytest.raises(TimeoutError):
            await same.next(0.5)
        await service.start(alice)
        assert (await same.next()).kind == "change"
        assert same.events[-1].id.startswith("2-")
    await stream.until(await dashboard_of(service, alice))
    # The other stream keeps the last change on this node.
    async with following(client, service.url, alice.by_key, first) as behind:
        assert (await behind.next()).kind == "change"
    await service.start(alice)
    await stream.until(await dashboard_of(service, alice))
    for last in (first, "1-0123456789abcdef", "nonsense", "9" * 400, "-", "\xff"):
        async with following(client, service.url, alice.by_key, last) as lost:
            assert (await lost.next()).kind == "dashboard"
            assert lost.dashboard == stream.dashboard


async def test_midnight_and_deadlines_are_told_without_any_request(
    service: Site, client: aiohttp.ClientSession, alice: Person
) -> None:
    clock = Clock(service.owner)
    await clock.prepare()
    try:
        await clock.hold(await clock.read())
        await service.start(alice)
        async with following(client, service.url, alice.by_key) as stream:
            await stream.next()
            for step in (timedelta(minutes=16), timedelta(days=1)):
                before = stream.dashboard
                await clock.step(step)
                await stream.next()
                assert stream.dashboard != before
                assert stream.dashboard == await dashboard_of(service, alice)
            assert stream.dashboard["limits"]["dailyUsed"] == 0
    finally:
        await clock.release()


async def test_heartbeats_come_when_nothing_else_does(
    service: Site, client: aiohttp.ClientSession, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "HEARTBEAT_SECONDS", 0.1)
    async with following(client, service.url, alice.by_key) as stream:
        await stream.next()
        assert [(await asyncio.wait_for(stream.hear(), 20)).kind for _ in range(3)] == ["", "", ""]


async def ends_within(stream: Follower, seconds: float) -> bool:
    began = time.monotonic()
    await stream.end()
    return time.monotonic() - began < seconds


@pytest.mark.parametrize("how", ["revoke", "switch off", "sign out", "revoke the service"])
async def test_a_stream_ends_soon_after_what_opened_it(
    service: Site, client: aiohttp.ClientSession, alice: Person, bob: Person, how: str
) -> None:
    database = service.application.backend.database
    of_service = service.as_service(alice.email, await service.service_key("dashboard:read"))
    by = {"sign out": alice.by_cookie, "revoke the service": of_service}
    async with (
        following(client, service.url, by.get(how, alice.by_key)) as stream,
        following(client, service.url, bob.by_key) as other,
    ):
        await stream.next()
        await other.next()
        match how:
            case "sign out":
                heard = await service.call("POST", "/api/account/sign-out", by=alice.by_cookie)
                assert heard.status == 200
            case "switch off":
                await users.change(database, alice.id, is_active=False, actor=Actor("test"))
            case _:
                caller = next(
                    each.exchange.caller for each in open_streams(service) if each.followed.user_id == alice.id
                )
                await keys.revoke_any(database, caller.credential, actor=Actor("test"))
        assert await ends_within(stream, 3)
        await service.start(bob)
        assert (await other.next()).kind == "change"


def open_streams(service: Site) -> list[Any]:
    return service.application.front.parts.the(streams.Streams)._all()


async def test_a_user_has_20_streams_at_once_and_a_node_its_bound(
    service: Site, client: aiohttp.ClientSession, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(following(client, service.url, alice.by_key))
        refused = await service.call("GET", PATH, by=alice.by_key)
        assert refused.is_problem(429, "too-many-streams")
        assert (await service.call("GET", PATH, by=bob.by_key)).status == 200
        monkeypatch.setattr(streams, "MOST", 20)
        full = await service.call("GET", PATH, by=bob.by_key)
        assert full.is_problem(503, "unavailable")
        assert full.headers["Retry-After"] == "5"
    await until_closed(service)
    assert (await service.call("GET", PATH, by=alice.by_key)).status == 200


async def until_closed(service: Site) -> None:
    async with asyncio.timeout(5):
        while open_streams(service):  # noqa: ASYNC110 - the server learns of it from the network
            await asyncio.sleep(0.02)


async def test_head_asks_without_opening_a_stream(service: Site, alice: Person) -> None:
    heard = await service.call("HEAD", PATH, by=alice.by_key)
    assert (heard.status, heard.headers["Content-Type"], heard.body) == (200, "text/event-stream", b"")
    assert (await service.call("HEAD", PATH)).status == 401


async def test_streams_are_counted_and_are_no_slow_requests(
    service: Site, client: aiohttp.ClientSession, alice: Person
) -> None:
    await until_closed(service)
    before = await numbers(service)
    async with following(client, service.url, alice.by_key) as stream:
        await stream.next()
        during = before
        async with asyncio.timeout(30):
            while during["tollkeeper_stream_rounds_total",] - before["tollkeeper_stream_rounds_total",] < 3:
                await asyncio.sleep(0.1)
                during = await numbers(service)
        assert during["tollkeeper_streams_open",] == 1
        assert 0 < during["tollkeeper_stream_round_seconds",] < 1
    await until_closed(service)
    await asyncio.sleep(0.05)
    after = await numbers(service)
    assert after["tollkeeper_streams_open",] == 0
    for name, expected in (("count", 1.0), ("sum", 0.0)):
        key = (f"tollkeeper_exchange_seconds_{name}", "GET", PATH)
        assert after[key] - before.get(key, 0) == pytest.approx(expected, abs=0.9 if name == "sum" else 0)


async def test_a_user_who_is_not_there_is_404(service: Site) -> None:
    heard = await service.call("GET", PATH, by=service.as_service("nobody@example.com"))
    assert heard.is_problem(404, "not-found")
    unknown = await service.call("GET", PATH + "?speed=2", by=service.as_service("nobody@example.com"))
    assert unknown.status in {404, 422}


async def test_who_follows_hears_soon_after_the_database_was_held_up(
    service: Site, alice: Person, stream: Follower
) -> None:
    await service.owner.execute("BEGIN; LOCK TABLE usage IN ACCESS EXCLUSIVE MODE")
    # Longer than a session waits for a lock: the round fails.
    await asyncio.sleep(2 * LOCK_SECONDS)
    await service.owner.execute("COMMIT")
    began = time.monotonic()
    await service.start(alice)
    await stream.next()
    assert time.monotonic() - began < 4 * LOCK_SECONDS
