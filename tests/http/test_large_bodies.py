"""Bodies that are large, slow or made to be dear: whoever sends them, all others are served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.faults.nodes import until
from tollkeeper.errors import NotUnderstood, TollkeeperError
from tollkeeper.http.arriving import MOST_BYTES_OF_STRANGERS, Room
from tollkeeper.http.body import MOST_BYTES, decode
from tollkeeper.http.routes import answering
from tollkeeper.http.tracking.items import items_of_array
from tollkeeper.server import Server
from tollkeeper.serving import listening
from tollkeeper.settings import Settings

from .conftest import JSON, Person, Site
from .wires import Wire, request

Connect = Callable[[], Awaitable[Wire]]
MIB = 2**20

OF_STRANGERS = [
    ("POST", "/api/sign-in/email"),
    ("POST", "/api/sign-in/code"),
    ("POST", "/api/sign-in/passkey"),
    ("POST", "/api/sign-in/passkey/options"),
    ("POST", "/sign-in/email/x"),
    ("POST", "/sign-in/x"),
]


def filled(unit: bytes, head: bytes = b"[", tail: bytes = b"0]") -> bytes:
    """A body as large as is read."""
    return head + unit * ((MOST_BYTES - len(head) - len(tail)) // len(unit)) + tail


CROWDS = {
    "objects": filled(b'{"":{}},'),
    "objects, and NaN": filled(b'{"":{}},', tail=b"NaN]"),
    "keys": b"{" + b",".join(b'"%x": 0' % n for n in range(600_000)) + b"}",
    "lists": filled(b"[],"),
    "numbers": filled(b"-0,"),
    "fractions": filled(b"1.5,"),
    "texts": filled(b'"",'),
    "texts with escapes": filled(rb'"\"\\",'),
    "depth": filled(b"["),
}
LONG = {
    "minus zeros": filled(b"-0", head=b'{"prompt": "', tail=b'"}'),
    "brackets": filled(b"{[:,", head=b'{"prompt": "', tail=b'"}'),
    "quotes": filled(rb"\"", head=b'{"prompt": "', tail=b'"}'),
    "backslashes": filled(rb"\\", head=b'{"prompt": "', tail=b'"}'),
    "space": filled(b" ", head=b'{"prompt": "x"', tail=b"}"),
}


def least_seconds(raw: bytes) -> float:
    """Of several times the least: whatever else this machine does disturbs some of them."""
    taken: list[float] = []
    for _ in range(3):
        began = time.process_time()
        with contextlib.suppress(TollkeeperError):
            decode(raw)
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("name", CROWDS)
def test_a_crowd_is_refused_before_it_is_parsed(name: str) -> None:
    with pytest.raises(NotUnderstood, match="more than"):
        decode(CROWDS[name])
    # Seen are 5 to 30 ms; parsing them takes 0.4 to 3 s.
    assert least_seconds(CROWDS[name]) < 0.15


@pytest.mark.parametrize("name", LONG)
def test_what_only_looks_like_a_crowd_is_read_as_json_is(name: str) -> None:
    assert decode(LONG[name]) == json.loads(LONG[name])
    assert least_seconds(LONG[name]) < 0.5


@pytest.mark.parametrize("name", CROWDS)
def test_a_crowd_in_a_batch_is_refused_when_it_begins(name: str) -> None:
    began = time.process_time()
    with pytest.raises(NotUnderstood, match="more than"):
        list(items_of_array(b"[" + CROWDS[name] + b"]"))
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(("method", "path"), OF_STRANGERS)
@pytest.mark.parametrize("is_announced", [True, False])
async def test_of_who_may_be_anybody_little_is_read(
    wire: Wire, alice: Person, method: str, path: str, *, is_announced: bool
) -> None:
    del alice  # somebody is there: it is not about the first one
    if is_announced:
        await wire.say(request(method, path, JSON | {"content-length": str(MOST_BYTES)}))
    else:
        piece = b"%x\r\n%b\r\n" % (MOST_BYTES_OF_STRANGERS + 1, b" " * (MOST_BYTES_OF_STRANGERS + 1))
        await wire.say(request(method, path, JSON | {"transfer-encoding": "chunked"}) + piece)
    status, headers, told = await wire.hear()
    assert (status, headers["connection"]) == (413, "close"), told
    assert not Room.taken


@asynccontextmanager
async def with_room(service: Site, size: int) -> AsyncGenerator[Connect]:
    """Serve with so much memory for bodies on their way."""
    wires: list[Wire] = []
    async with answering(replace(service.application.backend, most_bytes_of_bodies=size)) as front:
        with listening(Settings(port=0)) as listener:

            async def connect() -> Wire:
                wires.append(Wire(*await asyncio.open_connection(*listener.getsockname()[:2])))
                return wires[-1]

            async with Server(front).accepting(listener):
                yield connect
                for wire in wires:
                    wire.writer.close()


async def hold(connect: Connect, by: dict[str, str], size: int) -> Wire:
    """Send a body of 8 MiB so far, and no further."""
    wire = await connect()
    await wire.say(request("POST", "/api/chat/track", by | JSON | {"content-length": str(MOST_BYTES)}))
    await wire.say(b" " * size)
    return wire


async def heard(connect: Connect, by: dict[str, str], size: int) -> int:
    """The status of a start with a prompt of so many bytes."""
    body = json.dumps({"prompt": "x" * size}).encode()
    wire = await connect()
    await wire.say(request("POST", "/api/chat/track", by | JSON | {"content-length": str(len(body))}, body))
    return (await wire.hear())[0]


async def is_taken(size: int) -> bool:
    return Room.taken.total() >= size


async def is_free() -> bool:
    return not Room.taken


async def test_who_sends_slowly_holds_a_part_of_the_room_and_not_all(service: Site, alice: Person, bob: Person) -> None:
    async with with_room(service, 64 * MIB) as connect, asyncio.timeout(60):
        held = [await hold(connect, alice.by_key, 4 * MIB - MIB // 8) for _ in range(2)]
        await until(lambda: is_taken(7 * MIB))
        # What is announced does not count, and their own part is full.
        assert [await heard(connect, alice.by_key, size) for size in (1000, MIB)] == [201, 503]
        refused = await hold(connect, alice.by_cookie, MIB)
        assert (await refused.hear())[0] == 503
        assert [await heard(connect, bob.by_key, 200_000) for _ in range(3)] == [201] * 3
        for wire in held:
            wire.writer.transport.abort()
        await until(is_free)
        assert await heard(connect, alice.by_key, MIB) == 201


async def test_where_all_is_taken_small_bodies_are_still_read(service: Site, alice: Person, bob: Person) -> None:
    async with with_room(service, 2 * MIB) as connect, asyncio.timeout(60):
        await hold(connect, alice.by_key, 2 * MIB - MIB // 8)
        await until(lambda: is_taken(MIB))
        assert [await heard(connect, bob.by_key, size) for size in (200_000, 10_000)] == [503, 201]
