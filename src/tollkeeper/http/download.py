"""Lists as files: written while they are read, however long they are."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from decimal import Decimal
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.wire import Heard, encode

Item = TypeVar("Item")
Shown_contra = TypeVar("Shown_contra", contravariant=True)
Format = Literal["csv", "jsonl"]

CONTENT_TYPES: Final[dict[Format, str]] = {"csv": "text/csv", "jsonl": "application/jsonl"}

_CHUNK_BYTES: Final = 2**16
# Programs that calculate would take such a cell for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Line(Protocol[Shown_contra]):
    """The struct that shows an item in a file: its fields are the columns."""

    def of(self, item: Shown_contra, /) -> Heard:
        """Show an item."""
        ...


class Download(Answer):
    """A file that is still being written when its first bytes are read."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: AsyncGenerator[bytes], *, kind: str, name: str) -> None:
        super().__init__(b"")
        self._chunks = chunks
        self.headers = [
            (b"content-type", kind.encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        ]

    async def send(self, exchange: Exchange) -> None:
        """Send it piece by piece, as fast as it is read, until the reader goes."""
        call = exchange.call
        gone = asyncio.create_task(call.gone())
        try:
            exchange.begin(self.status, self.headers)
            async with aclosing(self._chunks) as chunks:
                async for chunk in chunks:
                    if gone.done():
                        return
                    await call.send(chunk, is_last=False)
            await call.send(b"", is_last=True)
        finally:
            gone.cancel()


async def as_download(pages: AsyncGenerator[list[Item]], *, form: Format, name: str, kind: Line[Item]) -> Download:
    """Make a file of a list. Its first items are read at once, so that what keeps us from it is still answered."""
    first = await anext(pages, list[Item]())
    content = f"{CONTENT_TYPES[form]}; charset=utf-8{'; header=present' if form == 'csv' else ''}"
    return Download(_chunks(first, pages, form, kind), kind=content, name=f"{name}.{form}")


async def _chunks(
    first: list[Item], rest: AsyncGenerator[list[Item]], form: Format, kind: Line[Item]
) -> AsyncGenerator[bytes]:
    line = csv_line if form == "csv" else json_line
    chunk = bytearray(csv_head(kind) if form == "csv" else b"")
    async with aclosing(rest):
        async for item in _each(first, rest):
            chunk += line(kind.of(item))
            if len(chunk) >= _CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
    yield bytes(chunk)


async def _each(first: list[Item], rest: AsyncIterator[list[Item]]) -> AsyncIterator[Item]:
    for item in first:
        yield item
    async for page in rest:
        for item in page:
            yield item


def json_line(shown: Heard) -> bytes:
    """Write an item as one line of JSON."""
    return encode(shown) + b"\n"


def csv_head(kind: Any) -> bytes:
    """Write the names of the columns."""
    return csv_row([field.encode_name for field in msgspec.structs.fields(kind)])


def csv_line(shown: Heard) -> bytes:
    """Write an item as one line of a table."""
    return csv_row(msgspec.structs.astuple(shown))


def csv_row(cells: Iterable[Any]) -> bytes:
    """Write one line of a table, in which no cell can act as a formula."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([_cell(each) for each in cells])
    return written.getvalue().encode()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case dict() | list():
            return encode(value).decode()
        case _:
            return str(value)
