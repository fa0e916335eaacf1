"""Few statements look at much at a time; the others wait in their order, for a while, as long as their caller does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tollkeeper.errors import NotUnderstood, Unavailable
from tollkeeper.http import turns
from tollkeeper.http.call import Call
from tollkeeper.http.turns import MOST_WAITING, Turns
from tollkeeper.store.database import Statements

from .conftest import Person, Site
from .wires import Wire, request

AT_ONCE = 2


class Slow(Statements):
    """A database whose statements end when they are told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    async def _run(self, name: str, values: Any, how: Any) -> str:  # noqa: ARG002 - as all are run
        self.begun.append(name)
        await self.ends.setdefault(name, asyncio.Event()).wait()
        return name

    def end(self, name: str) -> None:
        self.ends.setdefault(name, asyncio.Event()).set()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def ask(slow: Slow) -> Callable[[str], asyncio.Task[Any]]:
    """Ask for a statement, for a caller who stays."""
    taking = Turns(cast("Any", slow), AT_ONCE)
    return lambda name: asyncio.create_task(taking.of(caller()).value(name))


def caller(*, is_gone: bool = False) -> Call:
    return cast("Call", SimpleNamespace(is_gone=is_gone))


async def settled() -> None:
    """Let all go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_first_run_and_the_others_follow_in_their_order(
    slow: Slow, ask: Callable[[str], asyncio.Task[Any]]
) -> None:
    asked = [ask(f"{n}") for n in range(6)]
    await settled()
    assert slow.begun == [f"{n}" for n in range(AT_ONCE)]
    for n in range(6):
        slow.end(f"{n}")
        await settled()
        assert slow.begun == [f"{each}" for each in range(min(6, n + 1 + AT_ONCE))]
    assert await asyncio.gather(*asked) == [f"{n}" for n in range(6)]


async def test_who_waits_too_long_or_finds_too_many_waiting_is_told_so(
    slow: Slow, ask: Callable[[str], asyncio.Task[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.2)
    running = [ask(f"{n}") for n in range(AT_ONCE)]
    await settled()
    waiting = [ask("waits") for _ in range(MOST_WAITING)]
    await settled()
    with pytest.raises(Unavailable, match="too many wait"):
        await ask("refused")
    heard = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in heard)
    assert len(slow.begun) == AT_ONCE
    for n in range(AT_ONCE):
        slow.end(f"{n}")
    await asyncio.gather(*running)
    slow.end("after")
    assert await ask("after") == "after"


async def test_nothing_is_read_for_who_has_left_and_the_next_has_the_turn(slow: Slow) -> None:
    taking = Turns(cast("Any", slow), AT_ONCE)
    running = [asyncio.create_task(taking.of(caller()).value(f"{n}")) for n in range(AT_ONCE)]
    await settled()
    leaves, cancelled = caller(), caller()
    left = asyncio.create_task(taking.of(leaves).value("left"))
    gone = asyncio.create_task(taking.of(cancelled).value("gone"))
    await settled()
    stays = asyncio.create_task(taking.of(caller()).value("stays"))
    await settled()
    leaves.is_gone = True
    gone.cancel()
    slow.end("0")
    await settled()
    assert slow.begun == ["0", "1", "stays"]
    with pytest.raises(NotUnderstood):
        await left
    slow.end("1")
    slow.end("stays")
    await asyncio.gather(*running, stays)
    assert taking.waiting == 0


async def test_searches_files_and_usage_take_turns_and_hot_reads_do_not(
    service: Site, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.1)
    taking = service.application.backend.turns
    async with contextlib.AsyncExitStack() as all_turns:
        while not taking._places.locked():
            await all_turns.enter_async_context(taking.taken(caller()))
        for path in ("/api/chat/requests?q=x", "/api/user/analytics"):
            heard = await service.call("GET", path, by=alice.by_key)
            assert heard.is_problem(503, "unavailable"), path
            assert heard.headers["Retry-After"] == "2"
        hot = (
            "/api/chat/requests",
            "/api/user/dashboard",
            "/api/user/plan",
            "/api/chat/sessions",
            "/api/user/settings",
        )
        for path in hot:
            assert (await service.call("GET", path, by=alice.by_cookie)).status == 200, path
    for path in ("/api/chat/requests?q=x", "/api/user/analytics", "/api/chat/requests?format=csv"):
        assert (await service.call("GET", path, by=alice.by_key)).status == 200, path


async def test_a_download_whose_reader_leaves_before_its_turn_ends_without_a_word_in_the_log(
    service: Site, wire: Wire, alice: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(60):  # two turns
        await service.start(alice, prompt=f"{n}")
    taking, calls = service.application.backend.turns, list[Call]()
    taken = taking.taken

    def left_at_the_second(_: Turns, call: Call) -> Any:
        calls.append(call)
        if len(calls) == 2:
            call.lost()
        return taken(call)

    monkeypatch.setattr(Turns, "taken", left_at_the_second)
    await wire.say(request("GET", "/api/chat/requests?format=csv", alice.by_key))
    assert await wire.is_closed()
    assert len(calls) == 2
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []
