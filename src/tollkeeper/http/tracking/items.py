"""Taking the body of a batch apart: unpacked within bounds, split into items, and never the event loop kept for long.

Each item is read by the one strict decoder, as if it were a body of its own. One that is at fault is given as its
error; only what keeps from finding the items after it is raised.
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Any, Final

from tollkeeper.errors import Invalid, NotUnderstood, TollkeeperError, TooLarge
from tollkeeper.http.body import MOST_BYTES, decode, not_json, refuse_crowds, too_large, value_at

MOST_UNPACKED_BYTES: Final = 64 * 2**20

_TURN_SECONDS: Final = 0.01
_PIECE_BYTES: Final = 2**16
_STEP_BYTES: Final = 2**20
# gzip files may be strung together; nobody needs more, and empty ones would cost much for nothing.
_MOST_MEMBERS: Final = 1_000
_GZIP: Final = 16 + zlib.MAX_WBITS
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SPACE_OF_LINES: Final = re.compile(rb"[ \t\r\n]*")


class Turns:
    """Lets others have the event loop as soon as this one has had it for ten milliseconds."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + _TURN_SECONDS

    async def pass_on(self) -> None:
        """Called between steps that are short."""
        if self._loop.time() > self._ends:
            await asyncio.sleep(0)
            self._ends = self._loop.time() + _TURN_SECONDS


async def unzipped(packed: bytes, turns: Turns, *, most: int = MOST_UNPACKED_BYTES) -> bytes:
    """Unpack gzip. What would be too large is refused before it is unpacked, what is cut off or broken with 400."""
    parts: list[bytes] = []
    size, members = 0, 1
    member = zlib.decompressobj(_GZIP)
    rest, place = b"", 0
    while True:
        if not rest:
            rest = packed[place : place + _PIECE_BYTES]
            place += len(rest)
        if member.eof and rest:
            member, members = zlib.decompressobj(_GZIP), members + 1
            if members > _MOST_MEMBERS:
                raise NotUnderstood(f"the body is gzip of more than {_MOST_MEMBERS:,} members")
        try:
            part = member.decompress(rest, _STEP_BYTES)
        except zlib.error:
            raise NotUnderstood("the body is not gzip, as its Content-Encoding says, or damaged") from None
        size += len(part)
        if size > most:
            raise too_large(most)
        parts.append(part)
        is_at_end = not rest and not part
        rest = member.unused_data if member.eof else member.unconsumed_tail
        if place == len(packed) and not rest and (member.eof or is_at_end):
            break
        await turns.pass_on()
    if not member.eof:
        raise NotUnderstood("the body is gzip that was cut off")
    return b"".join(parts)


def items_of_lines(body: bytes) -> Iterator[Any | TollkeeperError]:
    """Read one item from each line; empty lines are passed over."""
    start = _after_space(body, 0)
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        try:
            yield too_large(MOST_BYTES) if end - start > MOST_BYTES else decode(body[start:end])
        except TollkeeperError as error:
            yield error
        start = _after_space(body, end)


def items_of_array(body: bytes) -> Iterator[Any | TollkeeperError]:
    """Read the items of a JSON array."""
    text = _Text(body)
    if text.letter() != "[":
        raise _no_array(body)
    text.place += 1
    if text.letter() == "]":
        text.place += 1
    else:
        yield from _items_until_the_end(text)
    if text.letter():
        raise NotUnderstood("the body is not JSON: something comes after its end")


def _items_until_the_end(text: _Text) -> Iterator[Any | TollkeeperError]:
    number = 0
    while True:
        yield text.value(number)
        letter = text.letter()
        text.place += 1
        if letter == "]":
            return
        if letter != ",":
            raise NotUnderstood(f"the body is not JSON: neither a comma nor the end follows item {number}")
        number += 1


class _Text:
    """The text of a body, of which only as much is held as the item at ``place`` needs."""

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)
        self._read = 0
        self._decoder = getincrementaldecoder("utf-8")()
        self._held = ""
        self.place = 0

    def letter(self) -> str:
        """Pass over space; give the letter that follows, nothing at the end."""
        while True:
            found = _SPACE.match(self._held, self.place)
            self.place = found.end() if found else self.place
            if self.place < len(self._held) or not self._hold_more():
                return self._held[self.place : self.place + 1]

    def value(self, number: int) -> Any | TollkeeperError:
        """Read a value and go to its end."""
        self.letter()
        while True:
            try:
                value, end = value_at(self._held, self.place)
            except json.JSONDecodeError as error:
                self._refuse_crowds(number, error)
                if self._hold_more():
                    continue
                raise NotUnderstood(f"item {number}: {not_json(error).detail}") from None
            # A number may go on in what is not held yet.
            if end == len(self._held) and self._hold_more():
                continue
            self.place = end
            return value

    def _refuse_crowds(self, number: int, error: json.JSONDecodeError) -> None:
        """Refuse an item that is not at its end and has more than is read, before it is begun again with more."""
        try:
            refuse_crowds(self._held[self.place :].encode())
        except NotUnderstood as crowd:
            raise NotUnderstood(f"item {number}: {not_json(error).detail}, or {crowd.detail}") from None

    def _hold_more(self) -> bool:
        if self._read == len(self._body):
            return False
        held = self._held[self.place :]
        if len(held) > MOST_BYTES:
            raise TooLarge(f"an item has at most {MOST_BYTES} bytes", limit=MOST_BYTES)
        # Twice as much each time, so that a long item is not begun again too often.
        piece = self._body[self._read : self._read + max(_PIECE_BYTES, len(held))]
        self._read += len(piece)
        try:
            self._held = held + self._decoder.decode(piece, self._read == len(self._body))
        except UnicodeDecodeError as error:
            raise NotUnderstood(f"the body is not UTF-8: {error.reason}") from None
        self.place = 0
        return True


def _after_space(body: bytes, start: int) -> int:
    found = _SPACE_OF_LINES.match(body, start)
    return found.end() if found else start


def _no_array(body: bytes) -> TollkeeperError:
    if len(body) <= MOST_BYTES:
        decode(body)
    return Invalid.field("body", "must be an array")
