from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.peers import kept, page
from bench.peers.kept import Contended, Peers, Round, Summary, Taken, Tracked
from bench.peers.settling import Count, at_rest, pause_after, settled

SIDE_BY_SIDE = Taken("2026-01-01 10:00 UTC", {"commit": "abc"}, ["A", "B"], 2, 6, 1000, 40, 120)
ALONE = Taken("2026-01-02 10:00 UTC", {"commit": "def"}, ["A"], 3, 6, 1000, 40, 120)


def contended(name: str, taken: Taken, rounds: int = 1, **more: list[str]) -> Contended:
    one = Round(600, 6.0, 600, 12.0, {})
    tracked = [Tracked("single", 64, 1, [one] * rounds)]
    return Contended(name, "1.0", taken, "stored", "GET", ["one"], tracked, None, [Summary(10, [2.0])], **more)


def counts(numbers: Sequence[int]) -> Count:
    """Count what grows from one count to the next and then rests."""
    left = list(numbers)

    async def count() -> int:
        return left.pop(0) if len(left) > 1 else left[0]

    return count


def test_who_was_not_measured_keeps_its_figures() -> None:
    a, b, again = contended("A", SIDE_BY_SIDE), contended("B", SIDE_BY_SIDE), contended("A", ALONE)
    assert kept.joined(Peers([a, b]), Peers([again]), ["A", "B", "C"]) == Peers([again, b])
    assert kept.joined(Peers([]), Peers([b]), ["A", "B", "C"]) == Peers([b])


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    peers = Peers([contended("A", ALONE)])
    kept.write(peers, tmp_path / "peers.json")
    assert kept.read(tmp_path / "peers.json") == peers
    assert page.section(tmp_path / "none.json") == ""


def test_the_page_says_how_each_figure_was_taken_and_what_has_none(tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    failed = contended("B", SIDE_BY_SIDE, failures=["batch, round 2: 9 acknowledged, 8 stored"], remarks=["so"])
    nothing = contended("C", SIDE_BY_SIDE, rounds=0)
    kept.write(Peers([contended("A", ALONE), failed, nothing]), file)
    text = page.section(file)
    assert "- A: 2026-01-02 10:00 UTC, `def`" in text
    assert "alone, 3 rounds of 6 s, 1,000 users" in text
    assert "- B, C: 2026-01-01 10:00 UTC, `abc`" in text
    assert "A, B in turn, 2 rounds" in text
    assert "| B 1.0 | 64, 1 | 1 of 2 | 100 | 50 (50 to 50) |" in text
    assert "| C 1.0 | 64, 1 | 0 of 2 | no figure | no figure |" in text
    assert "- B, batch, round 2: 9 acknowledged, 8 stored." in text
    assert "- B: so." in text


async def test_the_time_is_that_of_the_last_change() -> None:
    stored, seen_after = await settled(counts([3, 5]), 5, patience=10)
    assert (stored, seen_after > 0.04) == (5, True)
    stored, seen_after = await settled(counts([3]), 5, patience=0.1)
    assert (stored, seen_after < 0.04) == (3, True)


@pytest.mark.parametrize(("waited", "pause"), [(0, 0.05), (10, 0.5), (100, 1)])
def test_the_longer_we_wait_the_less_often_we_look(waited: float, pause: float) -> None:
    assert pause_after(waited) == pause


async def test_what_is_added_no_more_is_at_rest() -> None:
    assert await at_rest(counts([1, 2, 2]), quiet=0.05, patience=10)
    assert not await asyncio.wait_for(at_rest(counts(range(1000)), quiet=0.2, patience=0.3), 5)
