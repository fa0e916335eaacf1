"""Who cannot be decided with the others is decided aside, in order, and the lane goes on without them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.metering.lanes import ONE, Deciding, a_lane, put, settled
from tollkeeper.errors import Unavailable
from tollkeeper.metering.tracking import lane as lane_module
from tollkeeper.metering.tracking.lane import Lane, Patience
from tollkeeper.store.database import StatementFailed

BAD = StatementFailed("bad value", sqlstate="22000")
LOCKED = Unavailable("locked", sqlstate="55P03")
SLOW = Unavailable("too slow", sqlstate="57014")


@pytest.fixture
def deciding() -> Deciding:
    deciding = Deciding()
    deciding.open.set()
    return deciding


class Locking:
    """Decides as `Deciding` does; the items of some owner are locked, which who is patient waits for."""

    def __init__(self) -> None:
        self.sets: list[list[str]] = []
        self.patient: list[list[str]] = []
        self.freed = asyncio.Event()

    async def __call__(self, items: Sequence[str], patience: Patience) -> Sequence[str]:
        (self.sets if patience == "brief" else self.patient).append(list(items))
        if any(item.startswith("locked") for item in items) and not self.freed.is_set():
            if patience == "brief":
                raise LOCKED
            await self.freed.wait()
        return [item.upper() for item in items]

    def lane(self) -> Lane[str, str]:
        async def find_locked(_: object) -> set[object]:
            return {"eve"}

        return Lane[str, str](self, is_again=lambda _: False, find_locked=find_locked, bounds=ONE)


@pytest.mark.parametrize("error", [BAD, SLOW], ids=["bad", "slow"])
async def test_a_failing_member_does_not_fail_the_others(deciding: Deciding, error: Exception) -> None:
    deciding.broken["b"] = error
    async with a_lane(deciding) as lane:
        assert await settled(put(lane, "a", "b", "c")) == ["A", error, "C"]
        assert await lane.put("d", owner="ada", size=1) == "D"
    assert deciding.sets == [["a", "b", "c"], ["d"]]
    assert deciding.patient == [["a", "b", "c"], ["a"], ["b"], ["c"]]


async def test_only_the_owner_to_blame_is_decided_one_by_one(deciding: Deciding) -> None:
    deciding.broken["b"] = BAD
    async with a_lane(deciding) as lane:
        told = await settled([*put(lane, "a", "b"), *put(lane, "x", "y", owner="bob")])
    assert told == ["A", BAD, "X", "Y"]
    assert deciding.patient == [["a", "b", "x", "y"], ["a", "b"], ["a"], ["b"], ["x", "y"]]


async def test_who_is_locked_goes_aside_and_costs_the_others_one_wait(deciding: Deciding) -> None:
    deciding.broken, deciding.locked = dict.fromkeys("abcdef", LOCKED), {"ada"}
    async with a_lane(deciding) as lane:
        told = await settled([*put(lane, *"abcdef", owner="ada"), *put(lane, "x", "y", owner="bob")])
    assert told == [*[LOCKED] * 6, "X", "Y"]
    assert deciding.sets == [[*"abcdefxy"], ["x", "y"]]
    assert deciding.patient == [[*"abcdef"]]


async def test_a_lock_of_nobody_is_waited_for_once_more_by_all_together(deciding: Deciding) -> None:
    deciding.errors = [LOCKED]
    async with a_lane(deciding) as lane:
        assert await settled([*put(lane, "a"), *put(lane, "b", owner="bob")]) == ["A", "B"]
        deciding.errors = [LOCKED, LOCKED]
        assert await settled([*put(lane, "c"), *put(lane, "d", owner="bob")]) == [LOCKED, LOCKED]
    assert (deciding.sets, deciding.patient) == ([["a", "b"], ["c", "d"]],) * 2


async def test_those_aside_are_one_set_and_only_who_stays_locked_is_told_so(deciding: Deciding) -> None:
    asked: list[set[str]] = [{"ada", "bob"}, {"ada"}]

    async def find_locked(_: object) -> set[str]:
        return asked.pop(0)

    deciding.broken["a"] = LOCKED
    async with Lane[str, str](deciding, is_again=lambda _: False, find_locked=find_locked, bounds=ONE) as lane:
        tasks = [*put(lane, "a"), *put(lane, "x", owner="bob"), *put(lane, "p", owner="eve")]
        assert await settled(tasks) == [LOCKED, "X", "P"]
    assert deciding.sets == [["a", "x", "p"], ["p"]]
    # Bob was let go in the meantime.
    assert deciding.patient == [["a", "x"], ["x"]]


async def test_nobody_waits_for_a_locked_owner_who_keeps_their_order_and_comes_back() -> None:
    deciding = Locking()
    async with deciding.lane() as lane:
        for n in "123":
            locked = put(lane, f"locked{n}", owner="eve")
            free = [*put(lane, f"a{n}", owner="ada"), *put(lane, f"b{n}", owner="bob")]
            assert await settled(free) == [f"A{n}", f"B{n}"]
            assert not locked[0].done()
        assert (lane.waiting, lane.aside) == (3, 1)
        deciding.freed.set()
        assert await lane.put("locked4", owner="eve", size=1) == "LOCKED4"
        assert (lane.waiting, lane.aside) == (0, 0)
        assert await settled([*put(lane, "locked5", owner="eve"), *put(lane, "a4", owner="ada")]) == ["LOCKED5", "A4"]
    # Found out once: later sets do not meet them. What had come meanwhile was decided together.
    assert deciding.sets == [
        *(["locked1", "a1", "b1"], ["a1", "b1"]),
        *(["a2", "b2"], ["a3", "b3"]),
        *(["locked4"], ["locked5", "a4"]),
    ]
    assert deciding.patient == [["locked1"], ["locked2", "locked3"]]


async def test_whoever_leaves_while_aside_is_not_decided() -> None:
    deciding = Locking()
    async with deciding.lane() as lane:
        first = put(lane, "locked1", owner="eve")
        await asyncio.sleep(0.01)
        gone, stays = put(lane, "locked2", "locked3", owner="eve")
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        deciding.freed.set()
        assert await settled([*first, stays]) == ["LOCKED1", "LOCKED3"]
        assert (lane.waiting, lane.aside) == (0, 0)
    assert deciding.patient == [["locked1"], ["locked3"]]


async def test_a_lane_that_closes_decides_who_is_aside() -> None:
    deciding = Locking()
    async with deciding.lane() as lane:
        locked = put(lane, "locked", owner="eve")
        assert await settled(put(lane, "a", owner="ada")) == ["A"]
        asyncio.get_running_loop().call_later(0.05, deciding.freed.set)
    assert await settled(locked) == ["LOCKED"]


async def test_an_owner_who_stays_locked_stays_aside_for_a_while(
    deciding: Deciding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "_ASIDE_SECONDS", 0.2)
    deciding.broken, deciding.locked = {"x": LOCKED}, {"eve"}
    seen: list[list[list[str]]] = []
    async with a_lane(deciding) as lane:
        for pause in (0.0, 0.5, 0.0):
            assert await settled([*put(lane, "x", owner="eve"), *put(lane, "a", owner="ada")]) == [LOCKED, "A"]
            assert lane.aside == 1
            seen.append(deciding.sets)
            deciding.sets = []
            await asyncio.sleep(pause)
    assert seen == [[["x", "a"], ["a"]], [["a"]], [["x", "a"], ["a"]]]
    assert deciding.patient == [["x"]] * 3


async def test_what_fails_and_is_locked_as_well_keeps_its_order(deciding: Deciding) -> None:
    deciding.errors = [BAD, BAD, LOCKED]
    deciding.locked = {"ada"}
    async with a_lane(deciding) as lane:
        assert await settled(put(lane, "a", "b", "c")) == [LOCKED, "B", "C"]
    assert deciding.patient == [["a", "b", "c"], ["a"], ["b"], ["c"]]


async def test_again_keeps_its_order_where_each_was_decided_alone(deciding: Deciding) -> None:
    deciding.broken["c"] = BAD
    deciding.answers = {"a": ["again"], "b": ["again"]}
    async with a_lane(deciding) as lane:
        assert await settled(put(lane, "a", "b", "c")) == ["A", "B", BAD]
        assert lane.aside == 0
    assert deciding.patient == [["a", "b", "c"], ["a"], ["b"], ["c"], ["a", "b"]]


async def test_who_is_locked_is_not_known_where_asking_fails(deciding: Deciding) -> None:
    async def find_locked(_: object) -> set[object]:
        raise Unavailable("gone")

    deciding.broken = {"a": LOCKED}
    async with Lane[str, str](deciding, is_again=lambda _: False, find_locked=find_locked, bounds=ONE) as lane:
        assert await settled([*put(lane, "a"), *put(lane, "x", owner="bob")]) == [LOCKED, LOCKED]
        assert await settled(put(lane, "y", owner="joe")) == ["Y"]
