"""How much is free on a disk, and the file that holds place on it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tollkeeper.errors import NoRoom
from tollkeeper.store.room import MIB, Room, Spare, disk_bytes

_WHOLE = 32 * MIB


def test_a_twentieth_of_the_disk_is_kept_free_within_bounds(tmp_path: Path) -> None:
    kept = Room.below(tmp_path, None).least
    assert kept == min(max(disk_bytes(tmp_path) // 20, 48 * MIB), 512 * MIB)
    assert Room.below(tmp_path, 7).least == 7 * MIB


def test_below_what_is_kept_free_all_that_is_new_is_refused(tmp_path: Path) -> None:
    Room.below(tmp_path, 0).refuse_when_scarce()
    with pytest.raises(NoRoom) as refused:
        Room.below(tmp_path, 2**24).refuse_when_scarce()
    assert refused.value.retry_after_seconds == 10


def test_of_a_directory_that_was_moved_away_nothing_is_known_and_nothing_refused(tmp_path: Path) -> None:
    room = Room.below(tmp_path, 2**24)
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    assert (room.free, room.is_scarce) == (None, False)


def test_a_spare_that_was_cut_off_is_made_whole(tmp_path: Path) -> None:
    spare = Spare(tmp_path / "spare", Room.below(tmp_path, 0))
    spare.path.write_bytes(b"cut off")
    assert spare.is_wanted
    spare.keep()
    assert (spare.path.stat().st_size, spare.is_wanted) == (_WHOLE, False)
    # On the disk, and not only promised.
    assert spare.path.stat().st_blocks * 512 >= _WHOLE


def test_a_spare_is_given_up_only_where_a_recovery_finds_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = Spare(tmp_path / "spare", Room.below(tmp_path, 0))
    spare.keep()
    assert stat.S_IMODE(spare.path.stat().st_mode) == 0o600
    assert not spare.give_up_where_full()
    found = os.statvfs(tmp_path)

    def full(_: str) -> os.statvfs_result:
        return os.statvfs_result((*found[:4], 0, *found[5:]))

    monkeypatch.setattr(os, "statvfs", full)
    assert spare.give_up_where_full()
    assert not spare.path.exists()
    spare.keep()
    assert not spare.path.exists()
