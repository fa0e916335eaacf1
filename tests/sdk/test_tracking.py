"""The client for Python: it asks before, tells after, and passes on what the service says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

import pytest
from tollkeeper_client import AsyncTollkeeper, LimitReached, Refused, Tollkeeper
from tollkeeper_client.request import Request

from tests.sdk.conftest import OneNode
from tests.sdk.way import a_way_to


async def test_a_request_is_asked_for_and_told(service: OneNode, user: str) -> None:
    def app() -> None:
        with (
            Tollkeeper(service.url, service.key) as tollkeeper,
            tollkeeper.track("four", user=user, model="house-1", max_tokens=50, request_id="mine-1") as request,
        ):
            assert request.id == "mine-1"
            assert request.limits is not None
            assert request.limits["dailyUsed"] == 1
            answer = request.complete("yes", tokens_input=3, tokens_output=4, user_rating=5)
            assert answer is not None
            assert (answer["requestId"], answer["status"], answer["costNanos"]) == ("mine-1", "completed", 15_000)

    await asyncio.to_thread(app)
    (stored,) = await service.stored(user)
    assert (stored["status"], stored["response"], stored["tokens_used"]) == ("completed", "yes", 7)
    assert 0 <= stored["duration"] < 5_000


async def test_a_cost_is_told_in_cents_and_without_dust(service: OneNode, user: str) -> None:
    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:
        for told, kept in ((2.5, 2.5), (3 * 0.1, 0.3), (5, 5), (1e-9, 0), (Decimal("0.07"), 0.07)):
            async with tollkeeper.track("four", user=user) as request:
                answer = await request.complete(tokens_used=7, cost=told)
                assert answer is not None
                assert (answer["cost"], answer["costSource"]) == (kept, "reported")


async def test_the_same_within_a_loop_and_many_at_once(service: OneNode, user: str) -> None:
    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:

        async def one(number: int) -> None:
            async with tollkeeper.track(f"prompt {number}", user=user) as request:
                assert await request.complete(f"response {number}", tokens_used=number) is not None

        await asyncio.gather(*(one(number) for number in range(50)))
    stored = await service.stored(user)
    assert {(each["prompt"], each["response"], each["tokens_used"]) for each in stored} == {
        (f"prompt {number}", f"response {number}", number) for number in range(50)
    }


def test_a_clock_that_is_set_back_lets_no_request_end_before_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request("four", None, {})
    request.goes_ahead(None)

    class SetBack(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) - timedelta(minutes=1)

    monkeypatch.setattr("tollkeeper_client.request.datetime", SetBack)
    entry = request.completed("yes")
    assert datetime.fromisoformat(entry.completed_at) >= datetime.fromisoformat(entry.started_at)


async def test_a_stream_that_is_broken_off_counts_as_far_as_it_came(service: OneNode, user: str) -> None:
    async def stream() -> AsyncGenerator[str]:
        async with tollkeeper.track("four", user=user) as request:
            said: list[str] = []
            try:
                for word in ("one", "two", "three"):
                    said.append(word)
                    yield word
            finally:
                await request.complete(" ".join(said), tokens_output=len(said))

    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:
        words = stream()
        assert [await anext(words), await anext(words)] == ["one", "two"]
        await words.aclose()
    (stored,) = await service.stored(user)
    assert (stored["status"], stored["response"], stored["tokens_used"]) == ("completed", "one two", 2)


async def test_loops_may_share_a_client_at_once_and_one_after_the_other(service: OneNode, user: str) -> None:
    """As where each call has a loop of its own: in Flask, in Celery, in a script."""
    tollkeeper = AsyncTollkeeper(service.url, service.key)

    async def one() -> None:
        async with tollkeeper.track("four", user=user) as request:
            assert await request.complete("yes") is not None

    def each_in_its_own() -> None:
        for _ in range(3):
            asyncio.run(one())

    await asyncio.gather(*(asyncio.to_thread(each_in_its_own) for _ in range(3)), one())
    assert len(tollkeeper._of_loops) <= 4
    await asyncio.to_thread(asyncio.run, tollkeeper.close())
    assert [each["status"] for each in await service.stored(user)] == ["completed"] * 10


async def test_a_limit_is_told_with_all_that_a_user_is_to_see(service: OneNode) -> None:
    await service.site.add_users("two@example.com", plan="two")
    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:
        for _ in range(2):
            async with tollkeeper.track("four", user="two@example.com"):
                pass
        with pytest.raises(LimitReached, match="2 of 2") as caught:
            async with tollkeeper.track("four", user="two@example.com"):
                raise AssertionError
    assert (caught.value.limit, caught.value.kind) == ("daily", "limit-reached")
    assert caught.value.upgrade_to is None
    assert caught.value.resets_at is not None
    assert caught.value.resets_at > datetime.now(UTC)
    assert [each["status"] for each in await service.stored("two@example.com")] == ["completed"] * 2


async def test_a_block_that_raises_has_failed_and_its_words_stay_here(service: OneNode, user: str) -> None:
    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:
        with pytest.raises(ZeroDivisionError):
            async with tollkeeper.track("four", user=user):
                raise ZeroDivisionError("a secret")
        async with tollkeeper.track("five", user=user) as request:
            await request.fail("the model was away", tokens_input=3)
    assert [(each["status"], each["error_message"]) for each in await service.stored(user)] == [
        ("failed", "ZeroDivisionError"),
        ("failed", "the model was away"),
    ]


async def test_what_the_service_does_not_take_is_raised_with_its_fields(service: OneNode, user: str) -> None:
    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:
        with pytest.raises(Refused) as caught:
            async with tollkeeper.track("four", user=user, model="x" * 201):
                raise AssertionError
        assert caught.value.status == 422
        assert [each["field"] for each in caught.value.problem["errors"]] == ["model"]
        async with tollkeeper.track("four", user=user) as request:
            with pytest.raises(Refused, match="tokensInput"):
                await request.complete(tokens_input=-1)
    assert [each["status"] for each in await service.stored(user)] == ["pending"]


async def test_who_may_not_book_what_has_ended_cannot_go_on_without_an_answer() -> None:
    with pytest.raises(ValueError, match="service key"):
        Tollkeeper("http://localhost:1", "tk_user_x", when_unavailable="open")


@pytest.mark.parametrize(
    "url", ["", "localhost:8080", "ftp://localhost", "http://", "http://ada:secret@localhost", "http://localhost/?a=1"]
)
def test_a_service_is_where_one_can_call_it(url: str) -> None:
    with pytest.raises(ValueError, match="the service is at http"):
        Tollkeeper(url, "tk_service_x")


@pytest.mark.parametrize("key", ["", " ", "tk_service\nx", "tk_service_ä"])
def test_a_key_is_one_word(key: str) -> None:
    with pytest.raises(ValueError, match="a key is"):
        Tollkeeper("http://localhost:1", key)


@pytest.mark.parametrize("name", ["ada\n@example.com", "ada\ud83c@example.com"])
def test_a_user_who_cannot_be_named_is_refused_here(name: str) -> None:
    tollkeeper = Tollkeeper("http://localhost:1", "tk_service_x", when_unavailable="open", patience=0.0)
    with pytest.raises(ValueError, match="the name of a user"):
        tollkeeper.track("four", user=name)


async def test_a_service_may_stand_below_a_path_and_keys_end_with_their_line(service: OneNode, user: str) -> None:
    async with a_way_to(service.url, below="/limits") as way:
        for end in ("", "/"):
            async with (
                AsyncTollkeeper(f"{way.url}/limits{end}", f"{service.key}\n") as tollkeeper,
                tollkeeper.track("four", user=user),
            ):
                pass
    assert [each["status"] for each in await service.stored(user)] == ["completed"] * 2


async def test_a_user_may_have_any_letters(service: OneNode) -> None:
    await service.site.add_users("jörg@exämple.com", plan="enough")
    async with (
        AsyncTollkeeper(service.url, service.key) as tollkeeper,
        tollkeeper.track("vier 🎈", user="jörg@exämple.com") as request,
    ):
        await request.complete("fünf")
    assert [each["response"] for each in await service.stored("jörg@exämple.com")] == ["fünf"]


async def test_texts_that_cannot_be_kept_are_told_as_far_as_they_can(service: OneNode, user: str) -> None:
    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:
        async with tollkeeper.track("half \ud83c, none \0 🎈", user=user) as request:
            assert await request.complete("é" * 600_000) is not None
        async with tollkeeper.track("x" * 2**21, user=user) as request:
            assert await request.fail("x" + "é" * 16_384) is not None
    first, second = await service.stored(user)
    assert (first["prompt"], first["response"]) == ("half \ufffd, none \ufffd 🎈", "é" * 2**19)
    assert (second["prompt"], second["error_message"]) == ("x" * 2**20, "x" + "é" * 8_191)


async def test_other_words_that_cannot_be_kept_are_the_services_to_refuse(service: OneNode, user: str) -> None:
    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:
        with pytest.raises(Refused, match=r"metadata\.tag: contains half of a surrogate pair"):
            async with tollkeeper.track("four", user=user, metadata={"tag": "\ud83c"}):
                raise AssertionError
        async with tollkeeper.track("four", user=user) as request:
            with pytest.raises(Refused, match="model: contains half of a surrogate pair"):
                await request.complete(model="\ud83c")
        assert await tollkeeper.flush(0) == 0


async def test_what_cannot_be_told_is_refused_here_and_holds_up_nothing(service: OneNode, user: str) -> None:
    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:
        async with tollkeeper.track("four", user=user) as request:
            with pytest.raises(ValueError, match="not JSON compliant"):
                await request.complete(cost=float("nan"))
            assert await tollkeeper.flush(0) == 0
        async with tollkeeper.track("five", user=user):
            pass
    assert [each["status"] for each in await service.stored(user)] == ["pending", "completed"]


async def test_what_a_block_raises_is_heard_although_its_failure_is_not_taken(
    service: OneNode, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncTollkeeper(service.url, service.key) as tollkeeper:

        async def fail_after_it_was_completed() -> None:
            async with tollkeeper.track("four", user=user, request_id="elsewhere"):
                async with tollkeeper.track("four", user=user, request_id="elsewhere"):
                    pass
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail_after_it_was_completed()
    assert [each["status"] for each in await service.stored(user)] == ["completed"]
    assert "request elsewhere has failed, and that is not taken" in caplog.text
