"""Requests that are answered before they have come as a whole, or that never do."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import time

import pytest

from tollkeeper import connection

from .conftest import JSON, Person, Site
from .wires import Wire, request


@pytest.mark.parametrize("line", [b"CONNECT x:443", b"GET http://evil", b"GET http://x:99999999/"])
async def test_a_target_that_is_none_is_refused_and_not_what_came_before_it(
    wire: Wire, alice: Person, line: bytes
) -> None:
    body = b'{"prompt": "x"}'
    one = request("POST", "/api/chat/track", alice.by_key | {"content-length": str(len(body))}, body)
    await wire.say(one + line + b" HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert [(await wire.hear())[0] for _ in range(2)] == [201, 400]
    assert await wire.is_closed()


async def test_a_target_that_is_none_is_refused_when_it_comes_alone(wire: Wire) -> None:
    await wire.say(b"CONNECT x:443 HTTP/1.1\r\nhost: localhost\r\n\r\n")
    status, headers, _ = await wire.hear()
    assert (status, headers["content-type"]) == (400, "application/problem+json")


async def test_what_ends_in_nonsense_has_done_nothing(service: Site, wire: Wire, alice: Person) -> None:
    await service.call("POST", "/api/user/variables", by=alice.by_key, says={"key": "KEPT", "value": "x"})
    head = request("DELETE", "/api/user/variables/KEPT", alice.by_key | {"transfer-encoding": "chunked"})
    await wire.say(head)
    await asyncio.sleep(0.3)
    await wire.say(b"zz\r\n")
    assert (await wire.hear())[0] == 400
    assert (await service.call("GET", "/api/user/variables/KEPT", by=alice.by_key)).status == 200


async def test_what_has_a_body_that_nobody_reads_is_done_when_it_has_come(
    service: Site, wire: Wire, alice: Person
) -> None:
    await service.call("POST", "/api/user/variables", by=alice.by_key, says={"key": "GONE", "value": "x"})
    body = b"x" * 200_000
    await wire.say(request("DELETE", "/api/user/variables/GONE", alice.by_key | {"content-length": str(len(body))}))
    for start in range(0, len(body), 50_000):
        await wire.say(body[start : start + 50_000])
        await asyncio.sleep(0.05)
    assert (await wire.hear())[0] == 200


@pytest.mark.parametrize("mebibytes", [9, 40])
async def test_who_sends_too_much_hears_so_when_they_have_sent_it(service: Site, alice: Person, mebibytes: int) -> None:
    def call() -> tuple[int, str | None]:
        # It sends all before it listens, as Python's own client does.
        calling = http.client.HTTPConnection("127.0.0.1", int(service.url.rpartition(":")[2]), timeout=20)
        calling.request("POST", "/api/chat/track", b"x" * (mebibytes * 2**20), JSON | alice.by_key)
        answer = calling.getresponse()
        calling.close()
        return answer.status, answer.getheader("connection")

    for _ in range(5):
        assert await asyncio.to_thread(call) == (413, "close")


async def test_who_goes_on_sending_what_nobody_reads_is_cut_off(
    wire: Wire, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.5)
    await wire.say(request("POST", "/api/chat/track", alice.by_key | JSON | {"content-length": str(2**40)}))
    assert (await wire.hear())[0] == 413
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 10:
            wire.writer.write(b"x" * 1000)
            await wire.writer.drain()
            await asyncio.sleep(0.01)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("framing", "pieces", "status"),
    [
        ({"transfer-encoding": "chunked"}, [b"zz\r\n"], 400),
        ({"content-length": "9000"}, [b'{"prompt": '], 408),
        ({"transfer-encoding": "chunked"}, [b"1\r\nx\r\n0\r\nx: ", *2 * [b"a" * 2**16]], 431),
    ],
    ids=["chunk", "slow", "trailers"],
)
async def test_who_goes_on_sending_hears_what_was_wrong(
    service: Site,
    alice: Person,
    monkeypatch: pytest.MonkeyPatch,
    *,
    framing: dict[str, str],
    pieces: list[bytes],
    status: int,
) -> None:
    if status == 408:
        monkeypatch.setattr(connection, "HEADER_SECONDS", 0.2)
        monkeypatch.setattr(connection, "BODY_SECONDS", 0.2)

    def call() -> bytes:
        with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])), timeout=10) as caller:
            caller.sendall(request("POST", "/api/chat/track", alice.by_key | framing))
            for piece in pieces:
                time.sleep(0.1)  # so that somebody reads what comes
                caller.sendall(piece)
            time.sleep(2 if status == 408 else 0.3)
            for _ in range(3):
                caller.sendall(b"x" * 1000)
                time.sleep(0.1)
            return caller.recv(2**16)

    assert (await asyncio.to_thread(call)).startswith(b"HTTP/1.1 %d" % status)


async def test_a_request_with_two_hosts_is_refused(wire: Wire) -> None:
    await wire.say(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: elsewhere\r\n\r\n")
    assert (await wire.hear())[0] == 400


def test_the_limits_of_time_are_those_that_are_told() -> None:
    limits = (connection.HEADER_SECONDS, connection.BODY_SECONDS, connection.WRITE_SECONDS)
    assert (*limits, connection.KEEP_ALIVE_SECONDS) == (10, 30, 30, 75)
