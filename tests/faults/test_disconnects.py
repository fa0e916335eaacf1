"""Clients that go away, and clients that never get on: nothing is half-done, nothing leaks, others do not notice."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from asyncio import StreamWriter
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.audit import audit, held_up, nothing_left_open, somebody_waits
from tests.faults.callers import Caller
from tests.faults.nodes import Node, Site, connected, until

CLIENTS = 25
HALF_OPEN = 100
# Of two nodes, each with eight for callers and two for its jobs.
MOST_SESSIONS = 2 * (8 + 2)
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tollkeeper'"
_REQUESTS = """
    SELECT u.total_requests FROM usage AS u JOIN user_identities AS i USING (user_id) WHERE i.value = $1"""


def request(site: Site, user: str, name: str) -> tuple[bytes, bytes]:
    """Write a start by hand: its headers and its body."""
    body = json.dumps({"prompt": "four", "requestId": name}).encode()
    lines = [
        "POST /api/chat/track HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {site.key}",
        f"Tollkeeper-User: {user}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode(), body


async def sent(node: Node, *parts: bytes) -> StreamWriter:
    """Connect and send something."""
    _, writer = await asyncio.open_connection("127.0.0.1", node.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    return writer


async def go(writer: StreamWriter, *, rudely: bool) -> None:
    """Close the connection: in good order, or by a reset."""
    if rudely:
        # No lingering: what is under way is thrown away.
        own: socket.socket = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        assert rudely


async def after_the_headers(site: Site, user: str, n: int) -> StreamWriter:
    head, _ = request(site, user, f"r-{n}")
    return await sent(site.nodes[0], head)


async def after_half_of_the_headers(site: Site, user: str, n: int) -> StreamWriter:
    head, _ = request(site, user, f"r-{n}")
    return await sent(site.nodes[0], head[: len(head) // 2])


async def after_half_of_the_body(site: Site, user: str, n: int) -> StreamWriter:
    head, body = request(site, user, f"r-{n}")
    return await sent(site.nodes[0], head, body[: len(body) // 2])


async def after_the_body(site: Site, user: str, n: int) -> StreamWriter:
    head, body = request(site, user, f"r-{n}")
    return await sent(site.nodes[0], head, body)


Stage = Callable[[Site, str, int], Awaitable[StreamWriter]]


@pytest.mark.parametrize(
    "stage", [after_half_of_the_headers, after_the_headers, after_half_of_the_body, after_the_body]
)
async def test_a_client_that_goes_away_leaves_all_or_nothing(pair: Site, pair_caller: Caller, stage: Stage) -> None:
    user = f"{stage.__name__}@example.com"
    await pair.add_users(user, plan="enough")
    writers = [await stage(pair, user, n) for n in range(CLIENTS)]
    await asyncio.gather(*(go(writer, rudely=n % 2 == 0) for n, writer in enumerate(writers)))
    replies = [await pair_caller.start(pair.nodes[1].url, user, f"r-{n}") for n in range(CLIENTS)]
    # Whoever asks again gets what there is already, or begins what there was not.
    assert {reply.status for reply in replies} <= ({200, 201} if stage is after_the_body else {201})
    assert await requests_of(pair, user) == CLIENTS
    await nothing_leaks(pair)


async def test_clients_that_go_away_while_they_wait_are_served_or_not_at_all(pair: Site, pair_caller: Caller) -> None:
    user = "impatient@example.com"
    await pair.add_users(user, plan="enough")
    async with held_up(pair, user) as admin:
        writers = [await after_the_body(pair, user, n) for n in range(CLIENTS)]
        await somebody_waits(admin)
        await asyncio.gather(*(go(writer, rudely=n % 2 == 0) for n, writer in enumerate(writers)))
    assert (await pair_caller.start(pair.nodes[0].url, user, "patient")).status == 201
    replies = [await pair_caller.start(pair.nodes[1].url, user, f"r-{n}") for n in range(CLIENTS)]
    assert {reply.status for reply in replies} <= {200, 201}
    assert await requests_of(pair, user) == CLIENTS + 1
    await nothing_leaks(pair)


async def test_half_open_connections_do_not_stop_a_good_client(pair: Site, pair_caller: Caller) -> None:
    node, user = pair.nodes[0], "good@example.com"
    await pair.add_users(user, plan="enough")
    stages = (after_half_of_the_headers, after_the_headers, after_half_of_the_body)
    writers = [await stages[n % len(stages)](pair, user, n) for n in range(HALF_OPEN)]
    trickling = asyncio.create_task(trickle(writers[:: len(stages)]))
    took = list[float]()
    for n in range(100):
        began = time.monotonic()
        assert (await pair_caller.start(node.url, user, f"good-{n}")).status == 201
        assert (await pair_caller.finish(node.url, user, f"good-{n}")).status == 200
        took.append(time.monotonic() - began)
    trickling.cancel()
    assert sorted(took)[90] < 0.5
    await asyncio.gather(*(go(writer, rudely=True) for writer in writers))
    await nothing_leaks(pair)


async def trickle(writers: list[StreamWriter]) -> None:
    """Send a byte of a header again and again, so that the connections look alive."""
    while True:
        for writer in writers:
            writer.write(b"x")
        await asyncio.sleep(0.1)


async def requests_of(site: Site, user: str) -> int:
    async with connected(site) as admin:
        return await admin.fetchval(_REQUESTS, user)


async def nothing_leaks(site: Site) -> None:
    """The connections are gone but for the good client's, and no session of the database was left behind."""

    async def is_alone() -> bool:
        return site.nodes[0].connections() <= 1

    await until(is_alone)
    async with connected(site) as admin:
        assert await admin.fetchval(_SESSIONS) <= MOST_SESSIONS
        await nothing_left_open(admin)


async def test_after_all_the_partings_every_number_holds(pair: Site) -> None:
    await audit(pair)
