"""More connections, or less memory, than this process has: 503, and on it goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tests.faults.nodes import until
from tollkeeper import accepting
from tollkeeper.capacity import TURNED_AWAY
from tollkeeper.http.backend import Held
from tollkeeper.http.call import Call
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routes import answering
from tollkeeper.http.routing import get
from tollkeeper.server import Server
from tollkeeper.serving import address_of, listening
from tollkeeper.settings import Settings

from .conftest import Person, Site
from .wires import Wire, request

MOST = 3
HEALTH = request("GET", "/healthz", {})
Connect = Callable[[], Awaitable[Wire]]


@asynccontextmanager
async def small(service: Site) -> AsyncGenerator[tuple[Connect, Held]]:
    """Serve a few connections only."""
    held, wires = Held(MOST), list[Wire]()
    with listening(Settings(port=0)) as listener:
        host, port = listener.getsockname()[:2]

        async def connect() -> Wire:
            wires.append(Wire(*await asyncio.open_connection(host, port)))
            return wires[-1]

        async with Server(service.application.front, held).accepting(listener):
            yield connect, held
            for wire in wires:
                wire.writer.close()


async def served(connect: Connect, held: Held) -> list[Wire]:
    """Fill all places."""
    wires = [await connect() for _ in range(MOST)]
    for wire in wires:
        await wire.say(HEALTH)
        assert (await wire.hear())[0] == 200
    assert held.open == MOST
    return wires


async def is_served(connect: Connect) -> bool:
    wire = await connect()
    await wire.say(HEALTH)
    status = (await wire.hear())[0]
    wire.writer.close()
    return status == 200


async def test_one_too_many_hears_503_and_where_one_leaves_another_is_served(service: Site) -> None:
    async with small(service) as (connect, held):
        wires = await served(connect, held)
        for n in range(2 * TURNED_AWAY):
            wire = await connect()
            await wire.say(request("POST", "/api/chat/track", {"content-length": "15"}, b'{"prompt": "x"}'))
            status, headers, body = await wire.hear()
            told = json.loads(body)
            assert (status, told["type"], told["instance"]) == (503, "/problems/unavailable", "/api/chat/track")
            assert (headers["retry-after"], headers["connection"]) == ("1", "close")
            assert headers["x-trace-id"] == told["traceId"]
            assert await wire.is_closed()
            assert held.turned_away == n + 1
        # Those who are there are served as ever.
        await wires[0].say(HEALTH)
        assert (await wires[0].hear())[0] == 200
        wires[0].writer.close()
        await until(lambda: is_served(connect))


async def test_who_comes_when_even_those_are_too_many_waits_and_is_answered(
    service: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "AWAY_SECONDS", 0.5)
    async with small(service) as (connect, held):
        await served(connect, held)
        silent = [await connect() for _ in range(TURNED_AWAY)]
        waiting = await connect()
        await waiting.say(HEALTH)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waiting.reader.read(1), 0.2)
        assert (held.open, held.turned_away) == (MOST, TURNED_AWAY)
        # Who says nothing is let go for it.
        assert (await waiting.hear())[0] == 503
        assert all([await wire.is_closed() for wire in silent])


async def test_of_many_who_come_at_once_exactly_as_many_are_served_as_can_be(service: Site) -> None:
    async with small(service) as (connect, held):
        wires = await asyncio.gather(*(connect() for _ in range(10 * MOST)))
        await asyncio.gather(*(wire.say(HEALTH) for wire in wires))
        statuses = [(await wire.hear())[0] for wire in wires]
        assert (statuses.count(200), statuses.count(503)) == (MOST, 9 * MOST)
        assert held.open == MOST


async def test_who_was_gone_before_they_were_accepted_take_no_place(service: Site) -> None:
    async with small(service) as (connect, held):
        for _ in range(5):
            for wire in await asyncio.gather(*(connect() for _ in range(10 * MOST))):
                wire.writer.transport.abort()
        await until(lambda: is_served(connect))
        await until(lambda: _is_empty(held))


async def _is_empty(held: Held) -> bool:
    return held.open == 0


async def test_open_connections_are_told_to_prometheus(service: Site) -> None:
    text = (await service.call("GET", "/metrics")).body.decode()
    figures = dict(line.split(" ") for line in text.splitlines() if line.startswith("tollkeeper_connections_"))
    assert float(figures["tollkeeper_connections_open"]) >= 1
    assert float(figures["tollkeeper_connections_most"]) == service.application.backend.held.most
    assert float(figures["tollkeeper_connections_turned_away_total"]) == 0


async def test_where_memory_is_short_a_route_is_503(service: Site, caplog: pytest.LogCaptureFixture) -> None:
    @get("/large", Operation("public"))
    async def large(request: Exchange) -> Answer:  # noqa: ARG001 - every handler is given it
        raise MemoryError

    async with answering(service.application.backend, (large,)) as front:
        with listening(Settings(port=0)) as listener:
            async with Server(front).accepting(listener), service.client.get(f"{address_of(listener)}/large") as answer:
                status, headers, told = answer.status, answer.headers, await answer.json()
    assert (status, headers["Retry-After"], told["type"]) == (503, "1", "/problems/unavailable")
    assert [record.levelname for record in caplog.records if told["traceId"] in record.getMessage()] == ["WARNING"]


async def test_where_memory_is_short_for_a_body_it_is_not_the_client_who_is_wrong(
    wire: Wire, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def came(call: Call, piece: bytes) -> int:  # noqa: ARG001 - as connections call it
        raise MemoryError

    monkeypatch.setattr(Call, "came", came)
    await wire.say(request("POST", "/api/chat/track", alice.by_key | {"content-length": "15"}, b'{"prompt": "x"}'))
    status, headers, body = await wire.hear()
    assert (status, headers["retry-after"], json.loads(body)["type"]) == (503, "1", "/problems/unavailable")
    with suppress(ConnectionError):
        assert await wire.is_closed()
