"""Requests in the order of a figure: exactly what would come of sorting all, page by page, within what was walked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import a_user, started
from tests.metering.test_searching import FILTERS, a_past, everything, text_bytes
from tollkeeper.metering.tracking import ranking, searching
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.ranking import Figure, Ranked, RankedPlace
from tollkeeper.metering.tracking.records import ChatRequest
from tollkeeper.metering.tracking.searching import Wanted
from tollkeeper.store.database import Database

FIGURES: tuple[Figure, ...] = ("cost", "tokens_used", "duration")


def in_order(requests: list[ChatRequest], figure: Figure, *, lowest_first: bool = False) -> list[UUID]:
    def key(request: ChatRequest) -> tuple[bool, int, int]:
        known = {
            "cost": request.cost_nanos, "tokens_used": request.tokens_used, "duration": request.duration_ms
        }[figure]  # fmt: skip
        return known is None, (known or 0) * (1 if lowest_first else -1), -request.id.int

    return [each.id for each in sorted(requests, key=key)]


async def pages(
    db: Database, user: UUID, wanted: Wanted, figure: Figure, *, limit: int, lowest_first: bool = False
) -> list[Ranked]:
    found: list[Ranked] = []
    after: RankedPlace | None = None
    while True:
        page = await ranking.rank(db, user, wanted, figure, limit=limit, after=after, lowest_first=lowest_first)
        assert len(page.items) <= limit
        found.append(page)
        after = page.go_on
        if after is None:
            return found


def ids(pages: list[Ranked]) -> list[UUID]:
    return [each.id for page in pages for each in page.items]


@pytest.mark.parametrize("figure", FIGURES)
async def test_pages_of_a_ranking_are_all_that_fits_in_its_order(ledger: Ledger, db: Database, figure: Figure) -> None:
    user, other = await a_user(db, "enterprise"), await a_user(db, "enterprise", email="other@example.com")
    await a_past(ledger, user, requests=120)
    await a_past(ledger, other, requests=20)
    whole = await everything(db, user, Wanted())
    for name, (wanted, fits) in FILTERS.items():
        expected = [each for each in whole if fits(each)]
        for limit in (7, 200):
            found = await pages(db, user, wanted, figure, limit=limit)
            assert ids(found) == in_order(expected, figure), name
            assert {page.searched_to for page in found} == {None}
            matched = [id_ for page in found for id_ in page.matches]
            assert matched == (ids(found) if wanted.text else []), name
        upwards = await pages(db, user, wanted, figure, limit=7, lowest_first=True)
        assert ids(upwards) == in_order(expected, figure, lowest_first=True), name


async def test_of_a_long_history_the_newest_are_ranked_and_every_page_ranks_the_same(
    ledger: Ledger, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await a_user(db, "enterprise")
    await a_past(ledger, user, requests=300)
    whole = await everything(db, user, Wanted())
    monkeypatch.setattr(searching, "MOST_WALKED", 100)
    monkeypatch.setattr(searching, "SHORTEST_WALK", 10)
    first = await ranking.rank(db, user, Wanted(), "cost", limit=7)
    assert first.searched_to is not None
    ranked = [each for each in whole if each.started_at >= first.searched_to]
    assert 100 <= len(ranked) < 300
    # What comes meanwhile is in no later page, however much there was time for.
    await started(ledger, user)
    found = [first]
    while (after := found[-1].go_on) is not None:
        monkeypatch.setattr(searching, "MOST_SECONDS", 0)
        found.append(await ranking.rank(db, user, Wanted(), "cost", limit=7, after=after))
    assert ids(found) == in_order(ranked, "cost")
    assert {page.searched_to for page in found} == {first.searched_to}


async def test_where_nothing_fits_of_what_was_walked_it_is_told_how_far(
    ledger: Ledger, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await a_user(db, "enterprise")
    await a_past(ledger, user, requests=50)
    monkeypatch.setattr(searching, "MOST_WALKED", 10)
    monkeypatch.setattr(searching, "SHORTEST_WALK", 10)
    found = await ranking.rank(db, user, Wanted(text="omega"), "cost", limit=5)
    assert (found.items, found.go_on) == ([], None)
    assert found.searched_to is not None


async def test_a_page_of_a_ranking_ends_by_bytes_too(
    ledger: Ledger, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await a_user(db, "enterprise")
    await a_past(ledger, user, requests=40)
    monkeypatch.setattr(ranking, "MOST_BYTES", 30)
    found = await pages(db, user, Wanted(), "duration", limit=200)
    assert all(text_bytes(page.items[:-1]) < 30 for page in found)
    assert len(found) > 1
    assert ids(found) == in_order(await everything(db, user, Wanted()), "duration")


async def test_a_place_that_somebody_made_up_walks_no_further_than_any(
    ledger: Ledger, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await a_user(db, "enterprise")
    await a_past(ledger, user, requests=200)
    monkeypatch.setattr(ranking, "_MOST_AGAIN", 20)
    monkeypatch.setattr(searching, "SHORTEST_WALK", 10)
    last = UUID(int=2**128 - 1)
    made_up = RankedPlace(2**60, last, last, UUID(int=1), None)
    found = await ranking.rank(db, user, Wanted(), "cost", limit=5, after=made_up)
    assert len(found.items) == 5


async def test_a_text_that_is_cleared_between_the_walk_and_the_reading_has_no_match(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await a_user(db, "enterprise")
    await a_past(ledger, user, requests=10)
    walk = ranking._walk

    async def walk_and_clear(*given: Any) -> None:
        await walk(*given)
        await owner.execute("UPDATE chat_requests SET prompt = NULL, response = NULL")

    monkeypatch.setattr(ranking, "_walk", walk_and_clear)
    found = await ranking.rank(db, user, Wanted(text="a"), "cost", limit=5)
    assert len(found.items) == 5
    assert found.matches == {}
