"""Receivers of webhooks: real HTTP servers that keep what they get, or behave as badly as they are told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from standardwebhooks import Webhook

METADATA: Final = "http://169.254.169.254/latest/meta-data/"
_HUGE: Final = 100 * 2**20


@dataclass(frozen=True, slots=True)
class Got:
    """One message, as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Whether the public library takes it. It compares the time with this machine's, so that is left out here."""
        at = Webhook(secret)
        signed = at.sign(self.id, _instant(self.headers["webhook-timestamp"]), self.body.decode())
        return signed in self.headers["webhook-signature"].split(" ")


def _instant(timestamp: str) -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415 - of this alone

    return datetime.fromtimestamp(int(timestamp), tz=UTC)


@dataclass(slots=True)
class Receiver:
    """What it got. ``mood``: how it answers instead of well; ``port``: where it listens, on this machine alone."""

    port: int = 0
    mood: str = "well"
    got: list[Got] = field(default_factory=list[Got])
    sent: int = 0
    at_once: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def ids(self) -> Counter[str]:
        """How often each message came."""
        return Counter(each.id for each in self.got)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Keep it, and answer as the mood is."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(request.path, headers, await request.read()))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._answer(request)
        finally:
            self.at_once -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        kind, _, more = self.mood.partition(" ")
        if kind == "hang":
            await asyncio.sleep(60)
        if kind == "drip":
            return await self._stream(request, b".", times=10_000, pause=0.05)
        if kind == "flood":
            return await self._stream(request, b"x" * 65_536, times=_HUGE // 65_536, pause=0)
        if kind == "slow":
            await asyncio.sleep(float(more))
        if kind == "redirect":
            return web.Response(status=int(more), headers={"Location": METADATA})
        if kind == "wait":
            status, seconds = more.split(" ")
            return web.Response(status=int(status), headers={"Retry-After": seconds})
        if kind == "status":
            return web.Response(status=int(more), text="no")
        return web.Response(status=204)

    async def _stream(self, request: web.Request, piece: bytes, *, times: int, pause: float) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(times):
            await answer.write(piece)
            self.sent += len(piece)
            await asyncio.sleep(pause)
        return answer


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncGenerator[Receiver]:
    """Serve one on a free port, or on one that is given."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def talking(said: bytes, *, then: float = 0.0) -> AsyncGenerator[int]:
    """Listen for whoever comes, say this whatever they want, wait, and hang up. Gives the port."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in said if then else (said,):
            writer.write(bytes([byte]) if isinstance(byte, int) else byte)
            await writer.drain()
            await asyncio.sleep(then)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
