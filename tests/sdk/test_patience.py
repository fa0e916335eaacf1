"""Whoever waits for a start hears by the end of their patience. What was booked all the same is ended, once."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

import pytest
from tollkeeper_client import AsyncTollkeeper, Tollkeeper, Unavailable, flows
from tollkeeper_client.flows import Ask, Flow, Pause, ask_to_start

from tests.faults.audit import audit
from tests.faults.nodes import until
from tests.receivers import receiving, talking
from tests.sdk.conftest import OneNode
from tests.sdk.programs import Workshop
from tests.sdk.way import Way, a_way_to

App: TypeAlias = Callable[[str, str, str, Workshop], Awaitable[float]]

_PATIENCE = 0.5
# Whatever is above this waited for more; one call may last five seconds.
_TOO_LATE = 1.5
_TRICKLE = b"HTTP/1.1 200 OK\r\nX-Wait: " + 100 * b"."


@pytest.fixture
async def way(service: OneNode) -> AsyncGenerator[Way]:
    async with a_way_to(service.url) as way:
        yield way


# Three apps, each of which asks, goes ahead without an answer, and tells: how long did they wait?


async def _threads(url: str, key: str, user: str, _: Workshop) -> float:
    def app() -> float:
        with Tollkeeper(url, key, when_unavailable="open", patience=_PATIENCE) as tollkeeper:
            began = time.monotonic()
            with tollkeeper.track("four", user=user) as request:
                waited = time.monotonic() - began
                assert request.limits is None
            assert tollkeeper.flush(10) == 0
        return waited

    return await asyncio.to_thread(app)


async def _loop(url: str, key: str, user: str, _: Workshop) -> float:
    async with AsyncTollkeeper(url, key, when_unavailable="open", patience=_PATIENCE) as tollkeeper:
        began = time.monotonic()
        async with tollkeeper.track("four", user=user) as request:
            waited = time.monotonic() - began
            assert request.limits is None
        assert await tollkeeper.flush(10) == 0
    return waited


async def _node(url: str, key: str, user: str, workshop: Workshop) -> float:
    text = """
    const tollkeeper = new Tollkeeper(url, key, { whenUnavailable: "open", patienceMs: 500 });
    const began = performance.now();
    const request = await tollkeeper.start("four", { user });
    const waited = (performance.now() - began) / 1_000;
    await request.complete();
    await told([request.limits, await tollkeeper.flush(10_000), waited]);
    await tollkeeper.close();
    """
    limits, left, waited = await workshop.run(text, url, key, user)
    assert (limits, left) == (None, 0)
    return waited


_APPS = pytest.mark.parametrize("app", [_threads, _loop, _node])


@_APPS
async def test_a_start_whose_answer_is_lost_is_booked_once_and_ended(
    service: OneNode, way: Way, user: str, app: App, workshop: Workshop
) -> None:
    way.loses_answers_to.add("POST")
    assert _PATIENCE - 0.1 < await app(way.url, service.key, user, workshop) < _TOO_LATE
    assert way.said == [201, 200]
    assert [each["status"] for each in await service.stored(user)] == ["completed"]
    await audit(service.site)


@_APPS
async def test_a_start_that_arrives_after_its_end_was_told_is_booked_once_and_ended(
    service: OneNode, way: Way, user: str, app: App, workshop: Workshop
) -> None:
    way.holds_up_first = True
    assert _PATIENCE - 0.1 < await app(way.url, service.key, user, workshop) < _TOO_LATE
    assert way.said == [404, 200]
    way.goes_on.set()

    async def has_arrived() -> bool:
        return len(way.said) == 3

    await until(has_arrived)
    assert [each["status"] for each in await service.stored(user)] == ["completed"]
    await audit(service.site)


async def _waited_for_nothing(url: str) -> float:
    """How long a client for threads waits for its no."""

    def wait() -> float:
        began = time.monotonic()
        with pytest.raises(Unavailable), Tollkeeper(url, "tk_service_x", patience=_PATIENCE).track("four"):
            raise AssertionError
        return time.monotonic() - began

    return await asyncio.to_thread(wait)


@pytest.mark.parametrize("mood", ["hang", "drip"])
async def test_an_answer_that_does_not_end_is_none(mood: str) -> None:
    async with receiving() as receiver:
        receiver.mood = mood
        assert _PATIENCE - 0.1 < await _waited_for_nothing(receiver.url) < _TOO_LATE


async def test_who_waits_no_longer_hangs_up_so_that_nothing_is_decided_for_nobody() -> None:
    async with receiving() as receiver:
        receiver.mood = "hang"
        began = time.monotonic()
        await _waited_for_nothing(receiver.url)
        assert receiver.got

        async def has_hung_up() -> bool:
            return receiver.at_once == 0

        await until(has_hung_up)
        assert time.monotonic() - began < _TOO_LATE


async def test_an_answer_that_trickles_is_none() -> None:
    async with talking(_TRICKLE, then=0.05) as port:
        assert _PATIENCE - 0.1 < await _waited_for_nothing(f"http://127.0.0.1:{port}") < _TOO_LATE


async def test_a_name_that_nobody_finds_is_looked_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_long(*_: object) -> None:
        time.sleep(3)

    monkeypatch.setattr(socket, "getaddrinfo", look_long)
    assert _PATIENCE - 0.1 < await _waited_for_nothing("http://tollkeeper.example") < _TOO_LATE


class Clock:
    """A time that passes by as told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(flows.time, "monotonic", lambda: self.now)

    def spent(self, flow: Flow[object], *, on_a_call: float) -> list[Ask | Pause]:
        """Let a flow pause as long as it likes, and its calls last and fail; gives what it wanted."""
        wanted: list[Ask | Pause] = []
        try:
            while True:
                wanted.append(each := flow.send(None))
                self.now += each.seconds if isinstance(each, Pause) else min(on_a_call, each.seconds or 5.0)
        except Unavailable:
            return wanted


async def test_whoever_waited_for_nothing_hears_what_there_was_instead() -> None:
    async with receiving() as receiver:
        receiver.mood = "redirect 301"
        with pytest.raises(Unavailable, match=r"within 0\.2 seconds.* the last answer was 301"):
            async with AsyncTollkeeper(receiver.url, "tk_service_x", patience=0.2).track("four"):
                raise AssertionError


@pytest.mark.parametrize("on_a_call", [0.0, 0.001, 0.3, 10.0])
def test_calls_and_pauses_take_no_longer_than_patience(monkeypatch: pytest.MonkeyPatch, on_a_call: float) -> None:
    clock = Clock(monkeypatch)
    wanted = clock.spent(ask_to_start({}, None, 2.0), on_a_call=on_a_call)
    assert clock.now == pytest.approx(102.0, abs=0.06)
    assert clock.now <= 102.0
    assert isinstance(wanted[-1], Ask)
    assert wanted[-1].seconds is not None
    assert wanted[-1].seconds >= 0.049
