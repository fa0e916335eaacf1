"""Room on the disk of the embedded PostgreSQL, watched so that it does not run out in the middle of a write.

A PostgreSQL that cannot write its log ends, and then cannot start either, since recovering writes as well. So callers
hear in time that nothing new is taken in, while what is there is still read and what was begun can be finished; and a
spare file holds the place that a recovery needs, given up when there is no other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tollkeeper.errors import NoRoom

MIB: Final = 1024 * 1024
# PostgreSQL's log grows by files of this size.
_SEGMENT_BYTES: Final = 16 * MIB
_SPARE_BYTES: Final = 2 * _SEGMENT_BYTES
# Without a setting: of the disk, within these bounds.
_SHARE: Final = 20
_FEWEST_BYTES: Final = 3 * _SEGMENT_BYTES
_MOST_BYTES: Final = 512 * MIB
_ASK_AGAIN_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Room:
    """The disk below a directory; of which ``least`` bytes are to stay free."""

    directory: str
    least: int

    @classmethod
    def below(cls, directory: Path, least_mib: int | None) -> Room:
        """Keep so many MiB free; ``None``: a twentieth of the disk, 48 MiB at least and 512 at most."""
        if least_mib is None:
            return cls(str(directory), min(max(_FEWEST_BYTES, disk_bytes(directory) // _SHARE), _MOST_BYTES))
        return cls(str(directory), least_mib * MIB)

    @property
    def free(self) -> int | None:
        """How many bytes PostgreSQL can still write, which is not root; ``None`` where the directory was moved away."""
        try:
            disk = os.statvfs(self.directory)
        except OSError:
            return None
        return disk.f_bavail * disk.f_frsize

    def has_less_than(self, wanted: int) -> bool:
        """Whether fewer bytes are free; where that is not known, no."""
        return (free := self.free) is not None and free < wanted

    @property
    def is_scarce(self) -> bool:
        """Whether there is less than what is to stay free."""
        return self.has_less_than(self.least)

    def refuse_when_scarce(self) -> None:
        """``NoRoom`` where nothing new is to be taken in."""
        if self.is_scarce:
            raise NoRoom("nothing new is taken in until there is room again", retry_after_seconds=_ASK_AGAIN_SECONDS)


@dataclass(frozen=True, slots=True)
class Spare:
    """A file that holds what a recovery needs. Who calls holds the gate of the cluster."""

    path: Path
    room: Room

    @property
    def is_wanted(self) -> bool:
        """Whether there is none that is whole, and room for it twice: it goes before whatever is new."""
        return not (self._size() >= _SPARE_BYTES or self.room.has_less_than(2 * _SPARE_BYTES))

    def keep(self) -> None:
        """Make it if it is wanted; one that a full disk or a kill cut off is made whole later."""
        if not self.is_wanted:
            return
        try:
            with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(bytes(_SPARE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.path.unlink(missing_ok=True)

    def give_up_where_full(self) -> bool:
        """Take it away where a recovery would find no place; tells whether it did."""
        if self._size() and self.room.has_less_than(_SPARE_BYTES):
            self.path.unlink()
            return True
        return False

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


def disk_bytes(directory: Path) -> int:
    """How large the disk below a directory is."""
    disk = os.statvfs(directory)
    return disk.f_blocks * disk.f_frsize
