"""Everything about me: one archive with all that is kept of a user, written while it is read."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

from tollkeeper import activity
from tollkeeper.accounts import takeout
from tollkeeper.accounts.takeout import PARTS
from tollkeeper.http.accounts.activity import ActLine, ActShown
from tollkeeper.http.download import Download, Item, Line, csv_head, csv_line
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.packing import beside
from tollkeeper.http.routing import get
from tollkeeper.http.shapes import Said
from tollkeeper.http.tracking.shown import RequestWhole
from tollkeeper.http.wire import encode, instant
from tollkeeper.metering.tracking import searching
from tollkeeper.names import camel
from tollkeeper.spreadsheets import csv_rows

_ZIP: Final = "application/zip"
_CHUNK_BYTES: Final = 2**16
_TOLD: Final = {
    "requests": "your requests with their texts, newest first, as far as they are still kept",
    "activity": "what was done with your account, newest first",
} | {part.name: part.means for part in PARTS}

File = tuple[str, AsyncGenerator[bytes]]

EXPORT: Final = Operation(
    "person", summary="Download everything about oneself", query=Said, gives={200: _ZIP}, recent=True
)


@get("/api/account/export", EXPORT)
async def export_account(request: Exchange) -> Answer:
    """A ZIP archive with each kind of thing as JSON and as CSV.

    Profile, settings, variables (secrets masked), keys (without the keys), sign-ins, plans, conversations, sums,
    activity, and all requests with their texts.
    """
    request.asked(Said)
    backend, user_id = request.backend, request.caller.user_id
    chunks = _zipped(_files(request), at=datetime.now(UTC))
    if not request.is_head:
        await backend.ledger.bring_current([user_id])
        await takeout.note(backend.database, user_id, actor=request.actor)
        # The first of it is read at once, so that what keeps us from it is still answered.
        chunks = _after(await anext(chunks), chunks)
    return Download(chunks, kind=_ZIP, name="tollkeeper-account.zip")


async def _files(request: Exchange) -> AsyncGenerator[File]:
    database, user_id = request.wide, request.caller.user_id
    yield "README.txt", _only(_readme())
    for part in PARTS:
        names, rows = await takeout.read(database, user_id, part)
        yield f"{part.name}.json", _json_rows(names, rows)
        yield f"{part.name}.csv", _csv_rows(names, rows)
    wanted = activity.Wanted(user_id=user_id)
    yield "activity.json", _json(activity.every(database, wanted), ActShown)
    yield "activity.csv", _csv(activity.every(database, wanted), ActLine)
    everything = searching.Wanted()
    yield "requests.json", _json(searching.every(database, user_id, everything), RequestWhole)
    yield "requests.csv", _csv(searching.every(database, user_id, everything), RequestWhole)


async def _zipped(files: AsyncGenerator[File], *, at: datetime) -> AsyncGenerator[bytes]:
    """Pack files one after the other, each as it is read."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        async with aclosing(files):
            async for name, chunks in files:
                entry = zipfile.ZipInfo(name, at.timetuple()[:6])
                entry.compress_type = zipfile.ZIP_DEFLATED
                # For its owner's eyes, where it is unpacked.
                entry.external_attr = 0o600 << 16
                # How large it will be nobody knows yet.
                with archive.open(entry, "w", force_zip64=True) as packed:
                    async with aclosing(_gathered(chunks)) as pieces:
                        async for piece in pieces:
                            await beside(packed.write, piece)
                            if sink.size >= _CHUNK_BYTES:
                                yield sink.take()
    yield sink.take()


async def _gathered(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Make pieces of some size of them: each is a way to a thread and back."""
    piece = bytearray()
    async with aclosing(chunks):
        async for chunk in chunks:
            piece += chunk
            if len(piece) >= _CHUNK_BYTES:
                yield bytes(piece)
                piece.clear()
    yield bytes(piece)


class _Sink:
    """A file that cannot be gone back in: what was written is taken away."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self.size = 0

    def write(self, chunk: bytes) -> int:
        self._written.append(bytes(chunk))
        self.size += len(chunk)
        return len(chunk)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """Give what was written since the last time."""
        taken = b"".join(self._written)
        self._written.clear()
        self.size = 0
        return taken


async def _after(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async with aclosing(rest):
        async for chunk in rest:
            yield chunk


async def _only(content: bytes) -> AsyncGenerator[bytes]:
    yield content


async def _json(pages: AsyncGenerator[list[Item]], kind: Line[Item]) -> AsyncGenerator[bytes]:
    before = b"[\n"
    async for item in _each(pages):
        yield before + encode(kind.of(item))
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


async def _csv(pages: AsyncGenerator[list[Item]], kind: Line[Item]) -> AsyncGenerator[bytes]:
    yield csv_head(kind)
    async for item in _each(pages):
        yield csv_line(kind.of(item))


async def _each(pages: AsyncGenerator[list[Item]]) -> AsyncIterator[Item]:
    async with aclosing(pages):
        async for page in pages:
            for item in page:
                yield item


async def _json_rows(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> AsyncGenerator[bytes]:
    wire, before = [camel(name) for name in names], b"[\n"
    for row in rows:
        yield before + encode(dict(zip(wire, map(_told, row), strict=True)))
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


async def _csv_rows(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> AsyncGenerator[bytes]:
    yield csv_rows([map(camel, names)])
    for row in rows:
        yield csv_rows([map(_told, row)])


def _told(value: Any) -> Any:
    if isinstance(value, datetime):
        # A day or hour of the sums is of the user's zone, or of UTC: it has no zone of its own.
        return instant(value) if value.tzinfo else value.isoformat()
    return value


def _readme() -> bytes:
    lines = "".join(f"  {name:<16}{means}\n" for name, means in _TOLD.items())
    return f"Everything that is kept of you, each as NAME.json and NAME.csv.\n\n{lines}".encode()
