"""The dashboard as it moves: server-sent events."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

from tollkeeper.errors import NotFound, TooManyStreams
from tollkeeper.http.call import Call, Header
from tollkeeper.http.dashboards.followed import Stream
from tollkeeper.http.dashboards.streams import Streams
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get
from tollkeeper.http.shapes import Said

_RETRY: Final = b"retry: 1000\n\n"
_LAST_WORDS_SECONDS: Final = 1.0
_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    # nginx would keep events back until a buffer is full.
    (b"x-accel-buffering", b"no"),
)
FOLLOW: Final = Operation(
    "dashboard:read",
    summary="Follow the user's dashboard",
    query=Said,
    headers={"Last-Event-ID": "The id of the event that was seen last: only what has changed since is sent."},
    gives={200: "text/event-stream"},
    problems=(NotFound, TooManyStreams),
)


class EventStream(Answer):
    """An answer that goes on until somebody ends it."""

    __slots__ = ()

    async def send(self, exchange: Exchange) -> None:
        """Let the stream speak until it ends or its reader goes."""
        async with exchange.the(Streams).opened(exchange) as stream:
            exchange.answered_at = time.perf_counter()
            exchange.begin(200, _HEADERS)
            if not exchange.is_head:
                await _run(stream, exchange.call)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    await exchange.call.send(b"", is_last=True)


@get("/api/user/dashboard/stream", FOLLOW)
async def follow_dashboard(request: Exchange) -> Answer:
    """Server-sent events: `dashboard` is the whole of it, as `GET /api/user/dashboard` has it under `dashboard`;
    `change` is a JSON Merge Patch (RFC 7396) on what came before. A `dashboard` may come at any time and replaces what
    was: folded so, the events give exactly what `GET` gives. A member that is null stays as it is in patches, and one
    that becomes null is told by a whole `dashboard`.

    A comment comes every 15 seconds. The stream ends when its key or sign-in ends or the node stops: come back after a
    second with `Last-Event-ID`, as browsers do.
    """  # noqa: D205 - it is the operation's description
    request.asked(Said)
    return EventStream(b"")


async def _run(stream: Stream, call: Call) -> None:
    """Let a stream speak for as long as somebody is there."""

    async def say(words: bytes) -> None:
        await call.send(words, is_last=False)

    leaving = asyncio.create_task(call.gone())
    leaving.add_done_callback(lambda _: stream.end())
    try:
        await say(_RETRY)
        await stream.run(say)
    finally:
        leaving.cancel()
