"""A lane makes sets of what waits, and keeps callers apart in all but the round trip. Without a database.

What it does where some cannot be decided is in ``test_lane_aside``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from tests.metering.lanes import ONE, Deciding, a_lane, put, settled
from tollkeeper.errors import TollkeeperError, Unavailable
from tollkeeper.metering.tracking.lane import Bounds, Lane, Patience
from tollkeeper.store.database import TryAgain


@pytest.fixture
def deciding() -> Deciding:
    return Deciding()


async def test_a_lone_item_waits_for_nobody(deciding: Deciding) -> None:
    deciding.open.set()
    async with a_lane(deciding) as lane:
        began = time.monotonic()
        for _ in range(100):
            assert await lane.put("a", owner="ada", size=1) == "A"
        assert time.monotonic() - began < 0.5
    assert deciding.sets == [["a"]] * 100


async def test_what_waits_meanwhile_is_the_next_set(deciding: Deciding) -> None:
    async with a_lane(deciding) as lane:
        first = put(lane, "a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = put(lane, "b", "c", "d")
        await asyncio.sleep(0.01)
        deciding.open.set()
        assert await settled([*first, *others]) == ["A", "B", "C", "D"]
    assert deciding.sets == [["a"], ["b", "c", "d"]]
    assert (lane.sets, lane.decided, lane.waiting) == (2, 4, 0)


async def test_sets_are_bounded_in_items_and_bytes(deciding: Deciding) -> None:
    deciding.open.set()
    async with a_lane(deciding, Bounds(workers=1, set_items=3, set_bytes=10)) as lane:
        sizes = {"a": 1, "b": 1, "c": 1, "d": 1, "e": 8, "f": 5, "g": 50, "h": 1}
        await asyncio.gather(*(lane.put(item, owner="ada", size=size) for item, size in sizes.items()))
    assert deciding.sets == [["a", "b", "c"], ["d", "e"], ["f"], ["g"], ["h"]]


async def test_the_items_of_one_owner_keep_their_order(deciding: Deciding) -> None:
    deciding.open.set()
    async with a_lane(deciding, Bounds(workers=4, set_items=7)) as lane:
        sent = [(f"{owner}{n:02}", f"owner {owner}") for n in range(50) for owner in "abcdef"]
        await asyncio.gather(*(lane.put(item, owner=owner, size=1) for item, owner in sent))
    decided = [item for each in deciding.sets for item in each]
    for owner in "abcdef":
        mine = [item for item in decided if item[0] == owner]
        assert mine == sorted(mine)


async def test_beyond_its_bounds_a_lane_refuses_at_once(deciding: Deciding) -> None:
    bounds = Bounds(workers=1, waiting_items=5, waiting_items_each=3, waiting_bytes=100)
    async with a_lane(deciding, bounds) as lane:
        waiting = put(lane, "a", "b", "c")
        await asyncio.sleep(0)
        (mine,) = await settled(put(lane, "d"))
        assert isinstance(mine, Unavailable)
        assert "of this user" in mine.detail
        waiting += put(lane, "e", "f", owner="bob")
        await asyncio.sleep(0)
        (anyones,) = await settled(put(lane, "g", owner="eve"))
        assert isinstance(anyones, Unavailable)
        deciding.open.set()
        assert await settled(waiting) == ["A", "B", "C", "E", "F"]
        with pytest.raises(Unavailable):
            await lane.put("big", owner="ada", size=101)
        assert await lane.put("h", owner="ada", size=100) == "H"
    assert lane.waiting == 0


async def test_the_promised_number_of_callers_may_wait(deciding: Deciding) -> None:
    async with a_lane(deciding, Bounds()) as lane:
        waiting = [task for owner in range(6) for task in put(lane, *["x"] * 2000, owner=f"owner {owner}")]
        await asyncio.sleep(0)
        assert lane.waiting == 12_000
        deciding.open.set()
        assert set(await settled(waiting)) == {"X"}


async def test_whoever_left_before_being_taken_is_not_decided(deciding: Deciding) -> None:
    async with a_lane(deciding) as lane:
        first = put(lane, "a")
        await asyncio.sleep(0.01)
        gone, stays = put(lane, "b", "c")
        await asyncio.sleep(0)
        gone.cancel()
        first[0].cancel()  # taken already: decided, and nobody hears of it
        await asyncio.sleep(0)
        assert lane.waiting == 1
        deciding.open.set()
        assert await stays == "C"
    assert deciding.sets == [["a"], ["c"]]


async def test_a_lost_connection_is_told_to_all_and_tried_by_none_again(deciding: Deciding) -> None:
    deciding.open.set()
    deciding.errors = [Unavailable("gone")]
    async with a_lane(deciding) as lane:
        told = await settled(put(lane, "a", "b"))
        assert [str(each) for each in told] == ["gone", "gone"]
    assert deciding.sets == [["a", "b"]]


async def test_a_conflict_is_tried_again_and_not_for_ever(deciding: Deciding) -> None:
    deciding.open.set()
    deciding.errors = [TryAgain("deadlock")] * 3
    async with a_lane(deciding) as lane:
        assert await settled(put(lane, "a", "b")) == ["A", "B"]
        deciding.errors = [TryAgain("deadlock")] * 99
        told = await settled(put(lane, "c"))
        assert isinstance(told[0], TryAgain)
    assert len(deciding.sets) == 8


async def test_a_bug_fails_its_set_and_not_the_lane(deciding: Deciding) -> None:
    deciding.open.set()
    deciding.errors = [ZeroDivisionError()]
    async with a_lane(deciding) as lane:
        assert isinstance((await settled(put(lane, "a")))[0], ZeroDivisionError)
        assert await lane.put("b", owner="ada", size=1) == "B"


async def test_a_set_with_too_few_verdicts_fails_and_the_lane_goes_on(deciding: Deciding) -> None:
    calls = 0

    async def forgetful(items: Sequence[str], patience: Patience) -> Sequence[str]:
        nonlocal calls
        calls += 1
        return [] if calls == 1 else await deciding(items, patience)

    deciding.open.set()
    async with Lane[str, str](forgetful, is_again=lambda verdict: verdict == "again", bounds=ONE) as lane:
        async with asyncio.timeout(1):
            (told,) = await settled(put(lane, "a"))
            assert isinstance(told, Exception)
            assert await lane.put("b", owner="ada", size=1) == "B"


async def test_again_comes_first_in_the_next_set(deciding: Deciding) -> None:
    deciding.answers = {"b": ["again"], "c": ["again", "again"]}
    async with a_lane(deciding) as lane:
        some = put(lane, "a", "b", "c", "d")
        await asyncio.sleep(0.01)
        some += put(lane, "e")
        await asyncio.sleep(0)
        deciding.open.set()
        assert await settled(some) == ["A", "B", "C", "D", "E"]
    assert deciding.sets == [["a", "b", "c", "d"], ["b", "c", "e"], ["c"]]


async def test_leaving_decides_what_waits_and_refuses_what_comes(deciding: Deciding) -> None:
    lane = Lane[str, str](deciding, is_again=lambda verdict: verdict == "again", bounds=ONE)
    await lane.__aenter__()
    waiting = put(lane, "a", "b")
    await asyncio.sleep(0.01)
    waiting += put(lane, "c")
    await asyncio.sleep(0)
    leaving = asyncio.create_task(lane.__aexit__(None, None, None))
    await asyncio.sleep(0)
    with pytest.raises(TollkeeperError):
        await lane.put("d", owner="ada", size=1)
    deciding.open.set()
    await leaving
    assert await settled(waiting) == ["A", "B", "C"]
