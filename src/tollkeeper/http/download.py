"""Lists as files: written while they are read, however long they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from tollkeeper.errors import NotUnderstood
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.paging import refuse_limit
from tollkeeper.http.wire import Heard, encode
from tollkeeper.spreadsheets import csv_rows

Item = TypeVar("Item")
Shown_contra = TypeVar("Shown_contra", contravariant=True)
Format = Literal["csv", "jsonl"]

CONTENT_TYPES: Final[dict[Format, str]] = {"csv": "text/csv", "jsonl": "application/jsonl"}

_CHUNK_BYTES: Final = 2**16


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
        """Send it piece by piece, as fast as it is read, until the reader goes. Of a HEAD nothing is read."""
        call = exchange.call
        if exchange.is_head:
            exchange.begin(self.status, self.headers)
            await call.send(b"", is_last=True)
            return
        gone = asyncio.create_task(call.gone())
        try:
            exchange.begin(self.status, self.headers)
            async with aclosing(self._chunks) as chunks:
                async for chunk in chunks:
                    if gone.done():
                        return
                    await call.send(chunk, is_last=False)
                    # Who reads fast keeps nobody waiting.
                    await asyncio.sleep(0)
            await call.send(b"", is_last=True)
        except NotUnderstood:
            # Nothing is read for a reader who has gone.
            if not call.is_gone:
                raise
        finally:
            gone.cancel()


async def as_download(
    exchange: Exchange, pages: AsyncGenerator[list[Item]], *, form: Format, name: str, kind: Line[Item]
) -> Download:
    """Make a file of a list. Its first items are read at once, so that what keeps us from it is still answered."""
    refuse_limit(exchange.call.query)
    first = list[Item]() if exchange.is_head else await anext(pages, list[Item]())
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
    return csv_rows([[field.encode_name for field in msgspec.structs.fields(kind)]])


def csv_line(shown: Heard) -> bytes:
    """Write an item as one line of a table."""
    return csv_rows([msgspec.structs.astuple(shown)])
