"""Finding requests: whatever is asked for is found, page by page, and no answer looks at more than it may."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import Clock, a_request, a_user, an_outcome, started
from tollkeeper.metering.tracking import searching
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.records import ChatRequest
from tollkeeper.metering.tracking.searching import Match, Wanted
from tollkeeper.store.database import Database

SINCE = datetime(2025, 3, 1, tzinfo=UTC)
WORDS = ("alpha", "Beta", "GAMMA", "50%", "a_b", "back\\slash", "it's", "Größe", "ÄRGER", "日本", "\U0001f600")

FILTERS: dict[str, tuple[Wanted, Callable[[ChatRequest], bool]]] = {
    "text": (Wanted(text="BETA"), lambda r: "beta" in said(r)),
    "percent": (Wanted(text="0%"), lambda r: "0%" in said(r)),
    "percent alone": (Wanted(text="%"), lambda r: "%" in said(r)),
    "underscore": (Wanted(text="a_b"), lambda r: "a_b" in said(r)),
    "backslash": (Wanted(text="\\"), lambda r: "\\" in said(r)),
    "quote": (Wanted(text="'"), lambda r: "'" in said(r)),
    "other letters": (Wanted(text="größe"), lambda r: "größe" in said(r)),
    "capitals of others": (Wanted(text="ärger"), lambda r: "ärger" in said(r)),
    "no letters": (Wanted(text="\U0001f600"), lambda r: "\U0001f600" in said(r)),
    "nowhere": (Wanted(text="omega"), lambda _: False),
    "model": (Wanted(model="m-1"), lambda r: r.model == "m-1"),
    "no model": (Wanted(model="unknown"), lambda r: r.model is None),
    "category": (Wanted(category="nft"), lambda r: r.category == "nft"),
    "no category": (Wanted(category="uncategorized"), lambda r: r.category is None),
    "type": (Wanted(request_type="analysis"), lambda r: r.request_type == "analysis"),
    "complexity": (Wanted(complexity="high"), lambda r: r.complexity == "high"),
    "no complexity": (Wanted(complexity="unknown"), lambda r: r.complexity is None),
    "completed": (Wanted(status="completed"), lambda r: r.status == "completed"),
    "failed": (Wanted(status="failed"), lambda r: r.status == "failed"),
    "rated 5": (Wanted(rating="5"), lambda r: r.rating == 5),
    "rated": (Wanted(rating="any"), lambda r: r.rating is not None),
    "not rated": (Wanted(rating="none"), lambda r: r.rating is None),
    "session": (Wanted(session_id="s-1"), lambda r: r.session_id == "s-1"),
    "session, model": (Wanted(session_id="s-1", model="m-2"), lambda r: (r.session_id, r.model) == ("s-1", "m-2")),
    "since": (Wanted(since=SINCE + timedelta(days=20)), lambda r: r.started_at >= SINCE + timedelta(days=20)),
    "until": (Wanted(until=SINCE + timedelta(days=20)), lambda r: r.started_at < SINCE + timedelta(days=20)),
    "cost": (Wanted(least_nanos=300, most_nanos=700), lambda r: 300 <= (r.cost_nanos or 0) <= 700),
    "dear": (Wanted(least_nanos=0), lambda r: r.cost_nanos is not None),
    "duration": (Wanted(least_ms=100, most_ms=900), lambda r: 100 <= (r.duration_ms or 0) <= 900),
    "slow": (Wanted(least_ms=5000), lambda r: (r.duration_ms or 0) >= 5000),
    "all at once": (
        Wanted(text="alpha", status="completed", rating="none", model="m-1", since=SINCE, least_ms=0),
        lambda r: "alpha" in said(r) and r.status == "completed" and r.rating is None and r.model == "m-1"
        and r.duration_ms is not None,
    ),
}  # fmt: skip


def said(request: ChatRequest) -> str:
    return f"{request.prompt} {request.response}".lower()


def text_bytes(requests: list[ChatRequest]) -> int:
    return sum(len(f"{r.prompt or ''}{r.response or ''}{r.error_message or ''}".encode()) for r in requests)


async def a_past(ledger: Ledger, user: UUID, requests: int = 300) -> None:
    chance = random.Random(7)
    past: list[Any] = []
    for n in range(requests):
        at = SINCE + timedelta(hours=n * 3, microseconds=chance.randint(0, 10**6))
        request = a_request(
            user,
            " ".join(chance.sample(WORDS, 2)),
            import_key=str(n),
            started_at=at,
            model=chance.choice(["m-1", "m-2", None]),
            category=chance.choice(["nft", None]),
            request_type=chance.choice(["chat", "analysis"]),
            complexity=chance.choice(["high", None]),
            session_id=chance.choice(["s-1", "s-10", None]),
        )
        rated = chance.random() < 0.4
        outcome = an_outcome(
            user,
            "",
            chance.choice(["completed", "completed", "failed"]),
            response=chance.choice([None, chance.choice(WORDS)]),
            tokens_used=5,
            reported_nanos=chance.choice([None, chance.randint(0, 1000)]),
            duration_ms=chance.choice([None, chance.randint(0, 9000)]),
            completed_at=at,
            rated=rated,
            rating=chance.randint(1, 5) if rated else None,
        )
        past.append((request, outcome))
    await ledger.record(past)


async def pages_of(db: Database, user: UUID, wanted: Wanted, limit: int, *, oldest_first: bool = False) -> list[UUID]:
    found: list[UUID] = []
    before: UUID | None = None
    while True:
        page = await searching.search(db, user, wanted, limit=limit, beyond=before, oldest_first=oldest_first)
        assert len(page.items) <= limit
        assert page.searched_to is None or page.go_on_beyond
        found += [each.id for each in page.items]
        before = page.go_on_beyond
        if before is None:
            return found


async def everything(db: Database, user: UUID, wanted: Wanted) -> list[ChatRequest]:
    return [request async for page in searching.every(db, user, wanted) for request in page]


async def test_what_is_asked_for_is_found_and_nothing_else(ledger: Ledger, db: Database) -> None:
    user, other = await a_user(db, "enterprise"), await a_user(db, "enterprise", email="other@example.com")
    await a_past(ledger, user)
    await a_past(ledger, other)
    whole = await everything(db, user, Wanted())
    assert len(whole) == 300
    assert [each.id for each in whole] == sorted((each.id for each in whole), reverse=True)
    for name, (wanted, fits) in FILTERS.items():
        expected = [each.id for each in whole if fits(each)]
        assert name == "nowhere" or expected, f"nothing to be found for {name}"
        for limit in (7, 200):
            assert await pages_of(db, user, wanted, limit) == expected, name
            assert await pages_of(db, user, wanted, limit, oldest_first=True) == expected[::-1], name
        assert [each.id for each in await everything(db, user, wanted)] == expected, name
        upwards = [each.id async for page in searching.every(db, user, wanted, oldest_first=True) for each in page]
        assert upwards == expected[::-1], name


@pytest.mark.parametrize("most_bytes", [1, 40, 1000])
async def test_a_page_ends_where_its_texts_have_reached_some_bytes_and_the_next_begins_there(
    ledger: Ledger, db: Database, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    user = await a_user(db, "enterprise")
    await a_past(ledger, user, requests=60)
    whole = await everything(db, user, Wanted())
    monkeypatch.setattr(searching, "MOST_BYTES", most_bytes)
    monkeypatch.setattr(searching, "_HELD_BYTES", most_bytes)
    for wanted, fits in FILTERS.values():
        expected = [each for each in whole if fits(each)]
        first = (await searching.search(db, user, wanted, limit=200)).items
        assert first == expected[: len(first)]
        assert text_bytes(first[:-1]) < most_bytes
        assert len(first) == len(expected) or text_bytes(first) >= most_bytes
        assert await pages_of(db, user, wanted, 200) == [each.id for each in expected]
        pages = [page async for page in searching.every(db, user, wanted)]
        assert [each for page in pages for each in page] == expected
        assert all(text_bytes(page[:-1]) < most_bytes for page in pages)


async def test_what_is_pending_and_what_was_abandoned_are_found_as_they_are_shown(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    await clock.hold(datetime(2026, 5, 13, 12, tzinfo=UTC))
    user = await a_user(db, "enterprise")
    abandoned = await started(ledger, user, session_id="s")
    await clock.step(timedelta(minutes=20))
    pending = await started(ledger, user, session_id="s")
    for session in (None, "s"):
        found = await searching.search(db, user, Wanted(status="pending", session_id=session), limit=10)
        assert [each.id for each in found.items] == [pending.id]
        found = await searching.search(db, user, Wanted(status="failed", session_id=session), limit=10)
        assert [(each.id, each.error_code) for each in found.items] == [(abandoned.id, "expired")]


async def test_a_search_through_much_is_cut_and_goes_on(
    ledger: Ledger, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await a_user(db, "enterprise")
    await a_past(ledger, user)
    whole = await everything(db, user, Wanted())
    wanted = Wanted(text=whole[-1].prompt, since=SINCE - timedelta(days=1))
    monkeypatch.setattr(searching, "MOST_WALKED", 100)
    monkeypatch.setattr(searching, "SHORTEST_WALK", 50)
    first = await searching.search(db, user, wanted, limit=40)
    assert first.searched_to is not None
    walked = [each for each in whole if each.started_at >= first.searched_to]
    assert first.go_on_beyond == walked[-1].id
    assert 100 <= len(walked) <= 250
    expected = [each.id for each in whole if (wanted.text or "").lower() in said(each)]
    assert (await pages_of(db, user, wanted, 40))[-1] == expected[-1] == whole[-1].id
    assert await pages_of(db, user, wanted, 40) == expected


async def test_an_instant_cuts_exactly(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, "enterprise")
    await a_past(ledger, user, requests=20)
    for (at,) in await owner.fetch("SELECT started_at FROM chat_requests ORDER BY id"):
        since = await everything(db, user, Wanted(since=at))
        until = await everything(db, user, Wanted(until=at))
        assert since[-1].started_at == at
        assert (len(since) + len(until), all(each.started_at < at for each in until)) == (20, True)
    assert len(await everything(db, user, Wanted(since=datetime(1, 1, 2, tzinfo=UTC)))) == 20
    assert await everything(db, user, Wanted(until=datetime(1, 1, 2, tzinfo=UTC))) == []
    assert len(await everything(db, user, Wanted(until=datetime(9999, 12, 31, tzinfo=UTC)))) == 20


LONG = " ".join(f"word-{n}" for n in range(40))


@pytest.mark.parametrize(
    ("texts", "text", "match"),
    [
        (("An NFT contract", "nft"), "nft", Match("prompt", "An ", "NFT", " contract")),
        (("Hello", "A Größe, ÄRGER!"), "ärger", Match("response", "A Größe, ", "ÄRGER", "!")),
        (("\U0001f600\U0001f600 a", None), "A", Match("prompt", "\U0001f600\U0001f600 ", "a", "")),
        (("%_\\", None), "_", Match("prompt", "%", "_", "\\")),
        # The whole words of forty letters before it and of a hundred and twenty behind it.
        ((f"{LONG} HERE {LONG}", None), "here", Match(
            "prompt", "word-36 word-37 word-38 word-39 ", "HERE",
            " word-0 word-1 word-2 word-3 word-4 word-5 word-6 word-7 word-8 word-9 word-10 word-11 word-12 word-13"
            " word-14 word-15")),
        # Where no space is, anywhere.
        (("字" * 90 + "x" + "字" * 200, None), "X", Match("prompt", "字" * 40, "x", "字" * 120)),
        # A capital whose small letter is two, or another one at the end of a word.
        (("İİİ İstanbul", None), "istanbul", Match("prompt", "İİİ ", "İstanbul", "")),
        (("ΟΔΥΣΣΕΥΣ", None), "υσσευσ", Match("prompt", "ΟΔ", "ΥΣΣΕΥΣ", "")),
    ],
    ids=["prompt first", "response", "beyond the basic plane", "no wildcards", "words", "no words", "İ", "sigma"],
)  # fmt: skip
async def test_where_a_text_was_found_is_told_with_the_words_around_it(
    ledger: Ledger, db: Database, texts: tuple[str, str | None], text: str, match: Match
) -> None:
    user = await a_user(db, "enterprise")
    prompt, response = texts
    await ledger.record([(a_request(user, prompt), an_outcome(user, "", response=response))])
    found = await searching.search(db, user, Wanted(text=text), limit=10)
    assert list(found.matches.values()) == [match]
    assert list(found.matches) == [each.id for each in found.items]
    assert (await searching.search(db, user, Wanted(), limit=10)).matches == {}


async def test_every_request_of_a_search_has_its_match_whatever_its_page(ledger: Ledger, db: Database) -> None:
    user = await a_user(db, "enterprise")
    await a_past(ledger, user)
    before: UUID | None = None
    while True:
        page = await searching.search(db, user, Wanted(text="BETA"), limit=7, beyond=before)
        for each in page.items:
            match = page.matches[each.id]
            assert match.found.lower() == "beta"
            assert match.before + match.found + match.after in (getattr(each, match.within) or "")
        before = page.go_on_beyond
        if before is None:
            break


def test_a_place_where_another_text_stands_is_not_told() -> None:
    # Of two small letters for one capital the database counts both: so it would, where its locale has them so.
    request: Any = type("Request", (), {"prompt": "İstanbul is large", "response": None})
    assert searching._match(request, 14, "large") is None
    assert searching._match(request, 13, "large") == Match("prompt", "İstanbul is ", "large", "")
