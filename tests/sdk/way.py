"""The way between an app and the service, on which answers are lost and what is said is held up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientSession, web

_PASSED_ON = ("Authorization", "Content-Type", "Tollkeeper-User")


@dataclass(slots=True)
class Way:
    """Passes on what each says to the other, as far as it does; ``said``: what the service has answered."""

    to: str
    session: ClientSession
    below: str = ""
    url: str = ""
    loses_answers_to: set[str] = field(default_factory=set[str])
    holds_up_first: bool = False
    is_ill_at: bytes = b"\0"
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    said: list[int] = field(default_factory=list[int])

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        """Pass on one request, also when the app waits no longer."""
        body = await request.read()
        if self.holds_up_first:
            self.holds_up_first = False
            await self.goes_on.wait()
        if self.is_ill_at in body:
            return web.Response(status=500)
        path = request.path.removeprefix(self.below)
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        async with self.session.request(request.method, self.to + path, data=body, headers=headers) as answer:
            said = await answer.read()
        self.said.append(answer.status)
        if request.method in self.loses_answers_to:
            await asyncio.sleep(60)
        return web.Response(status=answer.status, body=said, content_type=answer.content_type)


@asynccontextmanager
async def a_way_to(place: str, below: str = "") -> AsyncGenerator[Way]:
    """Lead to the service at that place, which seems to stand below a path."""
    async with ClientSession() as session:
        way = Way(place, session, below)
        runner = web.ServerRunner(web.Server(way.take), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        way.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield way
        finally:
            await runner.cleanup()
