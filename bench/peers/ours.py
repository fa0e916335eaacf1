"""tollkeeper among its peers: started as shipped, one process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version
from typing import Any, ClassVar, Final

import aiohttp

from bench.bodies import real_requests
from bench.course import Course
from bench.peers.contender import Contender, Running, Totals
from bench.peers.kept import Way
from bench.peers.sender import Sending
from bench.peers.sent import send
from bench.programs import Failed

_READER: Final = "summary@example.com"
_DAYS: Final = 29
_FILL_SECONDS: Final = 300.0


class Ours(Contender):
    """Start and finish for each request, or finished requests in batches; read by the dashboard of one user."""

    name: ClassVar[str] = "tollkeeper"
    version: ClassVar[str] = version("tollkeeper")
    acknowledgement: ClassVar[str] = "committed to PostgreSQL, counted against the user's limits"
    read: ClassVar[str] = "`GET /api/user/dashboard` of a user to whom all requests belong"
    settings: ClassVar[list[str]] = [
        "`tollkeeper serve` as shipped, one process",
        "64 senders of start and finish, two calls a request; or 2 senders of `track/batch`, 512 finished ones a call",
    ]
    senders: ClassVar[dict[Way, tuple[int, int]]] = {"single": (64, 1), "batch": (2, 512)}
    counted: ClassVar[str] = "SELECT count(*) FROM request_analytics"

    def __init__(self, here: Course, database: str) -> None:
        super().__init__(here, database)
        # It runs on the course's own database.
        self.dsn = here.addresses.owner
        self._filled = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Running]:
        async with self.here.service() as served:
            yield Running(served.port, served.pid)

    def sending(self, running: Running, way: Way, seconds: float) -> Sending:
        senders, batch = self.senders[way]
        return Sending(
            kind="pairs" if way == "single" else "batch", port=running.port,
            path="/api/chat/track" if way == "single" else "/api/chat/track/batch",
            headers={"Authorization": f"Bearer {self.here.key}"}, senders=senders, batch=batch, seconds=seconds,
            users=self.here.users,
        )  # fmt: skip

    async def stored_of(self, ids: list[str]) -> int:
        return await self.value("SELECT count(*) FROM request_analytics WHERE request_id = ANY($1::uuid[])", ids)

    async def fill(self, running: Running, requests: int) -> None:
        if not self._filled:
            # On a plan without limits, as all users here: it goes on tracking.
            await self.value("SELECT tk_add_user($1, 'enterprise', 'UTC')", _READER)
        sending = self.sending(running, "batch", _FILL_SECONDS)
        sending.users, sending.days, sending.most = [_READER], _DAYS, requests - self._filled
        sent = await send(sending)
        self._filled += sent.acknowledged
        if self._filled != requests:
            raise Failed(f"{self._filled} requests were taken where {requests} were sent: {sent.refused}")
        await self.here.all("VACUUM ANALYZE")

    async def before_read(self, session: aiohttp.ClientSession, running: Running) -> int:
        """Track a request: a dashboard in which nothing changed is answered from memory."""
        real = real_requests()[0]
        started = await self._told(session, running, "POST", "/api/chat/track", real.started())
        await self._told(session, running, "PUT", "/api/chat/track", {"requestId": started["id"], **real.finished()})
        self._filled += 1
        return 1

    async def summary(self, session: aiohttp.ClientSession, running: Running, since: datetime) -> Totals:
        del since  # the dashboard is about all time and the last 30 days
        told = await self._told(session, running, "GET", "/api/user/dashboard")
        return Totals(told["metrics"]["totalRequests"], told["metrics"]["totalTokensUsed"])

    async def _told(
        self, session: aiohttp.ClientSession, running: Running, method: str, path: str, body: object = None
    ) -> Any:
        url = f"http://127.0.0.1:{running.port}{path}"
        headers = {"Authorization": f"Bearer {self.here.key}", "Tollkeeper-User": _READER}
        async with session.request(method, url, headers=headers, json=body) as answer:
            told = await answer.json()
            if answer.status not in (200, 201):
                raise Failed(f"{method} {path} answered {answer.status}: {told}")
        return told
