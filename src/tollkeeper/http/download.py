"""Lists as files: written while they are read, however long they are."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec
from litestar.types import Receive, Scope, Send

from tollkeeper.http.exchange import Answer
from tollkeeper.http.shown import RequestShown
from tollkeeper.http.wire import encode
from tollkeeper.metering.records import ChatRequest

Format = Literal["csv", "jsonl"]

CONTENT_TYPES: Final[dict[Format, str]] = {"csv": "text/csv", "jsonl": "application/jsonl"}

_CHUNK_BYTES: Final = 2**16
# Programs that calculate would take such a cell for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Download(Answer):
    """A file that is still being written when its first bytes are read."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: AsyncGenerator[bytes], *, form: Format, name: str) -> None:
        super().__init__(b"")
        self._chunks = chunks
        kind = f"{CONTENT_TYPES[form]}; charset=utf-8"
        kind += "; header=present" if form == "csv" else ""
        self.answer_headers = [
            (b"content-type", kind.encode()),
            (b"content-disposition", f'attachment; filename="{name}.{form}"'.encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it piece by piece, as fast as it is read, until the reader goes."""
        gone = asyncio.create_task(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.answer_headers})
            async with aclosing(self._chunks) as chunks:
                async for chunk in chunks:
                    if gone.done():
                        return
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()


async def as_download(pages: AsyncGenerator[list[ChatRequest]], *, form: Format) -> Download:
    """Make a file of requests. The first of them are read at once, so that what keeps us from it is still answered."""
    first = await anext(pages, list[ChatRequest]())
    return Download(_chunks(first, pages, form), form=form, name="tollkeeper-requests")


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _chunks(
    first: list[ChatRequest], rest: AsyncGenerator[list[ChatRequest]], form: Format
) -> AsyncGenerator[bytes]:
    line = _csv_line if form == "csv" else _json_line
    chunk = bytearray(_csv(NAMES) if form == "csv" else b"")
    async with aclosing(rest):
        async for request in _each(first, rest):
            chunk += line(RequestShown.of(request))
            if len(chunk) >= _CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
    yield bytes(chunk)


async def _each(first: list[ChatRequest], rest: AsyncIterator[list[ChatRequest]]) -> AsyncIterator[ChatRequest]:
    for request in first:
        yield request
    async for page in rest:
        for request in page:
            yield request


def _json_line(shown: RequestShown) -> bytes:
    return encode(shown) + b"\n"


def _csv_line(shown: RequestShown) -> bytes:
    return _csv([_cell(value) for value in msgspec.structs.astuple(shown)])


def _csv(cells: list[str]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)
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
        case _:
            return str(value)


NAMES: Final = [field.encode_name for field in msgspec.structs.fields(RequestShown)]
