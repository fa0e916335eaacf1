"""Is it alive, does it take work, and its numbers for Prometheus."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from tollkeeper.errors import NobodyKnown, NotAllowed, Unavailable
from tollkeeper.http.dashboards.streams import Streams
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.exposition import exposition
from tollkeeper.http.measures import Measures
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get
from tollkeeper.http.wire import Heard
from tollkeeper.metering.admin.system import last_verification

_READY_WITHIN_SECONDS: Final = 1.0
# A database that is away hides no other number.
_SAID_WITHIN_SECONDS: Final = 1.0


class Alive(Heard, frozen=True, kw_only=True):
    """The process answers."""

    status: str = "ok"


@get("/healthz", Operation("public", summary="Is the process alive?", gives={200: Alive}))
async def healthz(request: Exchange) -> Answer:  # noqa: ARG001 - every handler is given it
    """Asks nobody, so that a database that is away kills no process."""
    return Answer.of(Alive())


@get(
    "/readyz",
    Operation("public", summary="Does it take work?", gives={200: Alive}, problems=(Unavailable,)),
)
async def readyz(request: Exchange) -> Answer:
    """Whether the database answers within a second and this process is not about to stop."""
    if request.backend.readiness.is_stopping:
        raise Unavailable("this process is stopping")
    try:
        async with asyncio.timeout(_READY_WITHIN_SECONDS):
            await request.backend.database.value("server_version")
    except TimeoutError:
        raise Unavailable("the database does not answer") from None
    return Answer.of(Alive())


@get(
    "/metrics",
    Operation(
        "metrics",
        summary="Numbers of the processes on this port, for Prometheus",
        gives={200: "text/plain"},
        problems=(NobodyKnown, NotAllowed),
    ),
)
async def metrics(request: Exchange) -> Answer:
    """For this machine itself by its own name, service keys with the scope `metrics`, or the configured token."""
    verification = None
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(_SAID_WITHIN_SECONDS):
            verification = await last_verification(request.backend.database)
    content_type = b"text/plain; version=0.0.4; charset=utf-8"
    return Answer(
        exposition(request.the(Measures), request.backend, request.the(Streams), verification),
        headers=((b"content-type", content_type),),
    )
