"""Bodies on their way: read piece by piece, within the memory that they may take, and nobody takes all of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

from tollkeeper.errors import Crowded, NotUnderstood
from tollkeeper.http.body import too_large
from tollkeeper.http.call import Call
from tollkeeper.http.caller import Caller

MOST_BYTES_OF_STRANGERS: Final = 2**14
"""So much is read of a body while nobody knows who sends it, and so much of each is not counted."""

_PART_OF_A_SERVICE: Final = 4
_PART_OF_ANYBODY_ELSE: Final = 16


@dataclass(frozen=True, slots=True)
class Room:
    """How many bytes of unfinished bodies this process holds at most, of all and of one, who is nobody if unknown."""

    of_all: int
    of_one: int
    who: UUID | None

    taken: ClassVar[Counter[UUID | None]] = Counter()

    def take(self, size: int) -> None:
        """Take so many more."""
        taken = Room.taken
        if taken[self.who] + size > self.of_one:
            raise Crowded("too many large bodies of one caller are on their way")
        if taken.total() + size > self.of_all:
            raise Crowded("too many large bodies are on their way")
        taken[self.who] += size

    def give_back(self, size: int) -> None:
        """Let others have them."""
        Room.taken[self.who] -= size
        if Room.taken[self.who] <= 0:
            del Room.taken[self.who]


def room_for(caller: Caller | None, most: int, of_all: int) -> Room:
    """Give the part of one user, of one service, or of all whom nobody knows: one body has room in any."""
    if caller is None:
        return Room(of_all, of_all // _PART_OF_ANYBODY_ELSE, None)
    if caller.kind == "service_key":
        return Room(of_all, max(most, of_all // _PART_OF_A_SERVICE), caller.credential)
    return Room(of_all, max(most, of_all // _PART_OF_ANYBODY_ELSE), caller.user_id)


async def piece_of(call: Call) -> bytes:
    """Wait for the next piece; empty at the end."""
    piece = await call.receive()
    if piece is None:
        raise NotUnderstood("the connection was closed before the body had ended")
    return piece


async def read_on(call: Call, piece: bytes, most: int, *, room: Room) -> bytes:
    """Read a body to its end, whose first piece has come. What has arrived counts, not what was announced."""
    pieces: list[bytes] = []
    size = counted = 0
    try:
        while piece:
            size += len(piece)
            if size > most:
                raise too_large(most)
            more = max(0, size - MOST_BYTES_OF_STRANGERS) - counted
            if more:
                room.take(more)
                counted += more
            pieces.append(piece)
            piece = await piece_of(call)
        return b"".join(pieces)
    finally:
        if counted:
            room.give_back(counted)
