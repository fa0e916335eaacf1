"""Few statements look at much at a time; the others wait in their order, for a while, as long as their caller does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest

from tollkeeper.errors import NotUnderstood, Unavailable
from tollkeeper.http import turns
from tollkeeper.http.call import Call
from tollkeeper.http.turns import MOST_WAITING, MOST_WAITING_OF_ONE, Turns
from tollkeeper.store.database import Database, Statements

from .conftest import Person, Site
from .wires import Wire, request

AT_ONCE = 2
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"


class Slow(Statements):
    """A database whose statements, each a transaction, end when they are told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    async def _run(self, name: str, values: Any, how: Any) -> str:  # noqa: ARG002 - as all are run
        self.begun.append(name)
        await self.ends.setdefault(name, asyncio.Event()).wait()
        return name

    @contextlib.asynccontextmanager
    async def transaction(self, *, read_only: bool) -> AsyncGenerator[Slow]:
        assert read_only
        yield self

    def end(self, name: str) -> None:
        self.ends.setdefault(name, asyncio.Event()).set()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def ask(slow: Slow) -> Callable[[str], asyncio.Task[Any]]:
    """Ask for a statement, each time for another user who stays, where nobody tracks."""
    taking = Turns(cast("Any", slow), AT_ONCE, lambda: 0)
    return lambda name: asyncio.create_task(taking.of(caller(), uuid4()).value(name))


@pytest.fixture
def ask_as(slow: Slow) -> Callable[[UUID, str], asyncio.Task[Any]]:
    """Ask for a statement as a user, where one runs at a time and nobody tracks."""
    taking = Turns(cast("Any", slow), 1, lambda: 0)
    return lambda user_id, name: asyncio.create_task(taking.of(caller(), user_id).value(name))


def caller() -> Call:
    return Call(cast("Any", None), "GET", (b"/", b""), [], client=None, keeps_alive=True, expects=False)


async def settled() -> None:
    """Let all go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def admin(service: Site) -> AsyncGenerator[asyncpg.Connection]:
    """Who may see what others do."""
    connection = await asyncpg.connect(service.addresses.admin)
    yield connection
    await connection.close()


async def sleeping(admin: asyncpg.Connection, statements: int, *, within: float) -> None:
    """Wait until so many statements sleep in PostgreSQL."""
    async with asyncio.timeout(within):
        while await admin.fetchval(SLEEPING) != statements:  # noqa: ASYNC110 - the database sets no event
            await asyncio.sleep(0.01)


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


async def test_one_user_has_a_share_of_those_who_wait_and_others_find_a_place(
    slow: Slow, ask_as: Callable[[UUID, str], asyncio.Task[Any]]
) -> None:
    greedy, others = uuid4(), [uuid4() for _ in range(MOST_WAITING - 1)]
    asked = [ask_as(greedy, f"greedy {n}") for n in range(1 + MOST_WAITING_OF_ONE)]
    await settled()
    with pytest.raises(Unavailable, match="too many of yours wait"):
        await ask_as(greedy, "refused")
    # However many wait, who has nobody waiting may; who has, may not.
    asked += [ask_as(each, "other") for each in others]
    await settled()
    for full in (others[0], uuid4()):
        with pytest.raises(Unavailable, match="too many wait"):
            await ask_as(full, "refused")
    slow.end("other")
    for n in range(1 + MOST_WAITING_OF_ONE):
        slow.end(f"greedy {n}")
    await asyncio.gather(*asked)
    assert len(slow.begun) == len(asked)


async def test_turns_go_round_the_users_who_wait(slow: Slow, ask_as: Callable[[UUID, str], asyncio.Task[Any]]) -> None:
    users = {"a": uuid4(), "b": uuid4(), "c": uuid4()}
    order = ["a0", "a1", "a2", "a3", "b0", "b1", "c0"]
    asked = [ask_as(users[name[0]], name) for name in order]
    await settled()
    asked[2].cancel()
    for name in order:
        slow.end(name)
    await asyncio.gather(*asked, return_exceptions=True)
    assert slow.begun == ["a0", "a1", "b0", "c0", "a3", "b1"]


async def test_nothing_is_read_for_who_has_left_and_the_next_has_the_turn(slow: Slow) -> None:
    taking = Turns(cast("Any", slow), AT_ONCE, lambda: 0)
    running = [asyncio.create_task(taking.of(caller(), uuid4()).value(f"{n}")) for n in range(AT_ONCE)]
    await settled()
    leaves, cancelled = caller(), caller()
    left = asyncio.create_task(taking.of(leaves, uuid4()).value("left"))
    gone = asyncio.create_task(taking.of(cancelled, uuid4()).value("gone"))
    await settled()
    stays = asyncio.create_task(taking.of(caller(), uuid4()).value("stays"))
    await settled()
    leaves.lost()
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


async def test_where_others_track_a_place_rests_for_as_long_as_it_was_used(slow: Slow) -> None:
    tracked, clock = itertools.count(), asyncio.get_running_loop().time
    taking = Turns(cast("Any", slow), 1, lambda: next(tracked))
    first, second = (asyncio.create_task(taking.of(caller(), uuid4()).value(name)) for name in ("first", "second"))
    await settled()
    began = clock()
    await asyncio.sleep(0.05)
    ended = clock()
    slow.end("first")
    await first
    assert slow.begun == ["first"]
    slow.end("second")
    await second
    assert clock() - ended >= ended - began


async def test_searches_files_and_usage_take_turns_and_hot_reads_do_not(
    service: Site, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.1)
    taking = service.application.backend.turns
    async with contextlib.AsyncExitStack() as all_turns:
        while taking._places.is_any_free:
            await all_turns.enter_async_context(taking.taken(caller(), uuid4()))
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


async def test_lists_of_texts_have_a_share_of_the_connections_and_who_tracks_the_others(
    service: Site, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.1)
    told, texts = await service.start(alice, sessionId="s"), service.application.backend.texts
    paths = ("/api/chat/requests", "/api/chat/sessions/s", f"/api/chat/requests/{told['id']}")
    async with contextlib.AsyncExitStack() as all_places:
        while texts._places.is_any_free:
            await all_places.enter_async_context(texts.taken(caller(), bob.id))
        for path in paths:
            assert (await service.call("GET", path, by=alice.by_key)).is_problem(503, "unavailable"), path
        await service.start(alice)
        assert (await service.call("GET", "/api/user/dashboard", by=alice.by_key)).status == 200
    for path in paths:
        assert (await service.call("GET", path, by=alice.by_key)).status == 200, path


async def test_a_download_whose_reader_leaves_before_its_turn_ends_without_a_word_in_the_log(
    service: Site, wire: Wire, alice: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(60):  # two turns
        await service.start(alice, prompt=f"{n}")
    taking, calls = service.application.backend.turns, list[Call]()
    taken = taking.taken

    def left_at_the_second(_: Turns, call: Call, user_id: UUID) -> Any:
        calls.append(call)
        if len(calls) == 2:
            call.lost()
        return taken(call, user_id)

    monkeypatch.setattr(Turns, "taken", left_at_the_second)
    await wire.say(request("GET", "/api/chat/requests?format=csv", alice.by_key))
    assert await wire.is_closed()
    assert len(calls) == 2
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


async def test_a_search_whose_caller_leaves_is_cancelled_and_the_next_has_its_turn(
    *,
    service: Site,
    wire: Wire,
    alice: Person,
    admin: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await service.start(alice)
    wide, found = service.application.backend.turns._database, "/api/chat/requests?q=hello"
    assert isinstance(wide, Database)
    search = wide._known["search_requests"]
    sql = f"SELECT pg_sleep(20), s.* FROM ({search.sql.rstrip(';')}) AS s"  # noqa: S608 - our own statement
    slow = replace(search, sql=sql)
    with monkeypatch.context() as patch:
        patch.setattr(wide, "_known", {**wide._known, search.name: slow})
        await wire.say(request("GET", found, alice.by_key))
        await sleeping(admin, 1, within=5)
        wire.writer.close()
        await sleeping(admin, 0, within=2)
    heard = await service.call("GET", found, by=alice.by_key)
    assert (heard.status, len(heard.json["items"])) == (200, 1)
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []
