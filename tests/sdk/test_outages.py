"""The client for Python when the service is away, and when the app is killed besides: nothing that ended is lost."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from asyncio.subprocess import Process
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tollkeeper_client import AsyncTollkeeper, Refused, Tollkeeper, Unavailable

from tests.faults.audit import audit
from tests.faults.nodes import until
from tests.sdk.conftest import OneNode
from tests.sdk.way import a_way_to

_APP = Path(__file__).with_name("an_app.py")
_SDK = Path(__file__).parents[2] / "sdk/python/src"


def going_on(service: OneNode, journal: Path) -> AsyncTollkeeper:
    """A client that does not wait for an answer."""
    return AsyncTollkeeper(service.url, service.key, when_unavailable="open", patience=0.5, journal=journal)


async def test_without_an_answer_nothing_goes_ahead_unless_it_was_said_so(service: OneNode, user: str) -> None:
    await service.node.kill()
    async with AsyncTollkeeper(service.url, service.key, patience=0.3) as tollkeeper:
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"within 0\.3 seconds.* nobody answered"):
            async with tollkeeper.track("four", user=user):
                raise AssertionError
        assert 0.2 < time.monotonic() - began < 3
        assert await tollkeeper.flush(0) == 0
    await service.again()
    assert await service.stored(user) == []


async def test_what_went_ahead_is_booked_at_its_own_time_when_the_service_is_back(
    service: OneNode, user: str, tmp_path: Path
) -> None:
    async with going_on(service, tmp_path) as tollkeeper:
        async with tollkeeper.track("asked", user=user) as asked:
            assert asked.limits is not None
            await service.node.kill()
            assert await asked.complete("yes", tokens_used=7) is None
        async with tollkeeper.track("unasked", user=user) as unasked:
            assert unasked.limits is None
            assert await unasked.fail("the model was away") is None
        ended = datetime.now(UTC)
        assert await tollkeeper.flush(0.1) == 2
        await asyncio.sleep(1)
        await service.again()
        assert await tollkeeper.flush(20) == 0
    stored = {each["client_id"]: each for each in await service.stored(user)}
    assert {name: (each["prompt"], each["status"]) for name, each in stored.items()} == {
        asked.id: ("asked", "completed"), unasked.id: ("unasked", "failed"),
    }  # fmt: skip
    assert all(each["started_at"] < ended for each in stored.values())
    assert left_in(tmp_path) == []
    await audit(service.site)


async def test_a_start_whose_answer_was_lost_is_the_same_request(service: OneNode, user: str, tmp_path: Path) -> None:
    with Tollkeeper(service.url, service.key) as once:
        once.track("four", user=user, request_id="lost").__enter__()
    # Another client knows as little of that start as if the answer had been lost.
    await service.node.kill()
    async with going_on(service, tmp_path) as tollkeeper:
        async with tollkeeper.track("four", user=user, request_id="lost") as request:
            assert request.limits is None
        await service.again()
        assert await tollkeeper.flush(20) == 0
    assert [(each["client_id"], each["status"]) for each in await service.stored(user)] == [("lost", "completed")]
    assert left_in(tmp_path) == []


async def test_what_is_never_taken_is_put_aside_and_holds_up_nothing(
    service: OneNode, user: str, tmp_path: Path
) -> None:
    await service.node.kill()
    async with going_on(service, tmp_path) as tollkeeper:
        for tokens in (-1, 1):
            async with tollkeeper.track("four", user=user) as request:
                assert await request.complete(tokens_used=tokens) is None
        await service.again()
        assert await tollkeeper.flush(20) == 0
    assert [each["tokens_used"] for each in await service.stored(user)] == [1]
    (rejected,) = (tmp_path / "rejected.jsonl").read_text().splitlines()
    assert '"tokensUsed": -1' in rejected
    assert "/problems/" in rejected


async def test_what_nobody_ever_hears_holds_up_nothing_and_is_told_of(
    service: OneNode, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_way_to(service.url) as way:
        way.is_ill_at = b"requestId"
        tollkeeper = AsyncTollkeeper(way.url, service.key, when_unavailable="open", patience=0.1)
        for name in ("ill", "well", "sound"):
            async with tollkeeper.track("four", user=user, request_id=name):
                pass
        assert await tollkeeper.flush(0) == 3
        way.is_ill_at = b'"ill"'
        await asyncio.sleep(3)
        assert await tollkeeper.flush(0) == 1
        assert caplog.text.count("requests that wait until the service takes them") == 1
        way.is_ill_at = b"\0"
        assert await tollkeeper.flush(20) == 0
        await tollkeeper.close()
    assert {each["client_id"] for each in await service.stored(user)} == {"ill", "well", "sound"}


async def test_a_journal_that_cannot_be_used_for_a_while_loses_nothing(
    service: OneNode, user: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rejected.jsonl").mkdir()
    await service.node.kill()
    async with going_on(service, tmp_path) as tollkeeper:
        for tokens in (-1, 1):
            async with tollkeeper.track("four", user=user) as request:
                assert await request.complete(tokens_used=tokens) is None
        await service.again()
        while (left := await tollkeeper.flush(1)) > 1:
            pass
        assert left == 1
        (tmp_path / "rejected.jsonl").rmdir()
        assert await tollkeeper.flush(30) == 0
    assert "what waits could not be told" in caplog.text
    assert [each["tokens_used"] for each in await service.stored(user)] == [1]


async def test_what_a_revoked_key_could_not_tell_waits_for_the_next(
    service: OneNode, user: str, tmp_path: Path
) -> None:
    made = await service.site.run("key", "create", "--service", "soon-gone")
    async with AsyncTollkeeper(service.url, made["key"], journal=tmp_path) as tollkeeper:
        request = await tollkeeper.track("four", user=user).__aenter__()
        await service.site.run("key", "revoke", made["id"])
        await asyncio.sleep(1.5)
        with pytest.raises(Refused) as caught:
            await request.complete("yes")
        assert (caught.value.status, caught.value.is_of_key) == (401, True)
        assert await tollkeeper.flush(0.5) == 1
        await tollkeeper.close(flush_seconds=0)
    async with AsyncTollkeeper(service.url, service.key, journal=tmp_path) as tollkeeper:
        await asyncio.to_thread(_until_adopted, tmp_path)
        assert await tollkeeper.flush(20) == 0
    assert [each["status"] for each in await service.stored(user)] == ["completed"]


async def test_many_threads_that_are_first_to_wait_begin_one_delivery(service: OneNode, user: str) -> None:
    await service.node.kill()

    def one() -> None:
        ready.wait()
        with tollkeeper.track("four", user=user):
            pass

    with Tollkeeper(service.url, service.key, when_unavailable="open", patience=0.0) as tollkeeper:
        ready = threading.Barrier(16)
        threads = [threading.Thread(target=one) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        await service.again()
        assert await asyncio.to_thread(tollkeeper.flush, 20) == 0
    assert [each["status"] for each in await service.stored(user)] == ["completed"] * 16


async def test_what_ends_after_the_client_was_closed_is_told_by_the_next(
    service: OneNode, user: str, tmp_path: Path
) -> None:
    with Tollkeeper(service.url, service.key, journal=tmp_path) as tollkeeper:
        request = tollkeeper.track("four", user=user).__enter__()
    with pytest.raises(RuntimeError, match="closed"):
        request.complete("yes")
    tollkeeper.close()
    async with AsyncTollkeeper(service.url, service.key, journal=tmp_path) as tollkeeper:
        await asyncio.to_thread(_until_adopted, tmp_path)
        assert await tollkeeper.flush(20) == 0
    assert [each["status"] for each in await service.stored(user)] == ["completed"]


async def test_who_is_cancelled_while_telling_has_told(service: OneNode, user: str, tmp_path: Path) -> None:
    async with AsyncTollkeeper(service.url, service.key, journal=tmp_path) as tollkeeper:
        request = await tollkeeper.track("four", user=user).__aenter__()
        telling = asyncio.ensure_future(request.complete("yes"))
        await asyncio.sleep(0)
        telling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await telling
        assert await tollkeeper.flush(20) == 0
    assert [each["status"] for each in await service.stored(user)] == ["completed"]


async def test_service_and_app_are_killed_again_and_again_and_all_that_ended_is_booked_once(
    service: OneNode, user: str, tmp_path: Path
) -> None:
    journal, told = tmp_path / "journal", tmp_path / "told"

    async def more(count: int) -> None:
        enough = len(_lines(told)) + count

        async def is_enough() -> bool:
            return len(_lines(told)) >= enough

        await until(is_enough)

    for _ in range(3):
        app = await _app(service, journal, told, user)
        await more(100)
        await service.node.kill()
        await more(20)
        app.kill()
        await app.wait()
        app = await _app(service, journal, told, user)
        await more(20)
        await service.again()
        await more(50)
        app.kill()
        await app.wait()
    with Tollkeeper(service.url, service.key, journal=journal) as last:
        assert await asyncio.to_thread(last.flush, 60) == 0
        await asyncio.to_thread(_until_adopted, journal)
        assert await asyncio.to_thread(last.flush, 60) == 0
    assert left_in(journal) == []
    names = Counter(each["client_id"] for each in await service.stored(user) if each["status"] == "completed")
    assert set(names.values()) == {1}
    assert set(_lines(told)) - set(names) == set()
    await audit(service.site)


def left_in(journal: Path) -> list[str]:
    """What files there are."""
    return [path.name for path in journal.iterdir()]


def _lines(file: Path) -> list[str]:
    return file.read_text().split("\n")[:-1] if file.exists() else []


def _until_adopted(journal: Path) -> None:
    """Wait until only one file is left, that of who waits."""
    for _ in range(3_000):
        if len(left_in(journal)) <= 1:
            return
        time.sleep(0.01)


async def _app(service: OneNode, journal: Path, told: Path, user: str) -> Process:
    words = (service.url, service.key, str(journal), str(told), user)
    return await asyncio.create_subprocess_exec(sys.executable, _APP, *words, env={"PYTHONPATH": str(_SDK)})
