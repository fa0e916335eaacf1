"""Clients that are slow, endless, odd or gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import time
from typing import Any

import pytest

from tollkeeper import connection
from tollkeeper.http.dashboards.streams import Streams
from tollkeeper.server import Server
from tollkeeper.serving import listening
from tollkeeper.settings import Settings

from .conftest import JSON, Person, Site
from .wires import Wire, request

# As Java's client asks at first.
H2C = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABk"}


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of tenths of seconds, looked after as often."""
    monkeypatch.setattr(connection, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.5)
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.5)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n\x16\x03\x01",
        b"\x16\x03\x01\x02\x00",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\nhost: x\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nname: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:60]),
)
async def test_what_is_not_plain_http_is_refused_and_the_connection_closed(wire: Wire, raw: bytes) -> None:
    await wire.say(raw)
    heard = await asyncio.wait_for(wire.reader.read(), 10)
    answers = heard.split(b"HTTP/1.1 ")[1:]
    assert answers
    assert answers[-1].startswith((b"400", b"404", b"405", b"505")), heard
    assert b" 500" not in heard
    assert b" 200" not in heard.removeprefix(b"HTTP/1.1 200")


async def test_a_refusal_of_what_is_not_http_is_a_problem_document(wire: Wire) -> None:
    await wire.say(b"nonsense\r\n\r\n")
    status, headers, body = await wire.hear()
    assert (status, headers["content-type"], headers["connection"]) == (400, "application/problem+json", "close")
    assert json.loads(body)["type"] == "/problems/not-understood"


async def test_endless_headers_end_with_431(wire: Wire) -> None:
    await wire.say(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 66_000)
    status, headers, _ = await wire.hear()
    assert (status, headers["connection"]) == (431, "close")
    assert await wire.is_closed()


@pytest.mark.parametrize("headers", [{f"x-{n}": "1" for n in range(200)}, {"x": "a" * 40_000}])
async def test_many_or_large_headers_are_431(service: Site, headers: dict[str, str]) -> None:
    if len(headers) == 1:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
        wire = Wire(reader, writer)
        await wire.say(request("GET", "/healthz", headers))
        status, told, _ = await wire.hear()
        writer.close()
    else:
        heard = await service.call("GET", "/healthz", by=headers)
        status, told = heard.status, {"content-security-policy": heard.headers["Content-Security-Policy"]}
        assert heard.is_problem(431, "headers-too-large")
    assert status == 431
    assert "content-security-policy" in told


async def test_a_gigabyte_is_refused_before_it_comes(wire: Wire, alice: Person) -> None:
    await wire.say(request("POST", "/api/chat/track", alice.by_key | {"content-length": str(10**9)}))
    status, headers, _ = await wire.hear()
    assert (status, headers["connection"]) == (413, "close")
    assert await wire.is_closed()


async def test_an_endless_chunked_body_ends_at_8_mib(wire: Wire, alice: Person) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await wire.say(request("POST", "/api/chat/track", alice.by_key | {"transfer-encoding": "chunked"}))
    for _ in range(300):
        await wire.say(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        if wire.writer.is_closing():
            break
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        status, _, _ = await wire.hear()
        assert status == 413
    assert await wire.is_closed()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("beginning", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nhost: loc"])
async def test_headers_that_do_not_come_are_not_waited_for(wire: Wire, beginning: bytes) -> None:
    await wire.say(beginning)
    assert b"200" not in await asyncio.wait_for(wire.reader.read(), 5)


@pytest.mark.usefixtures("hurry")
async def test_a_body_that_does_not_come_ends_with_408_and_leaves_nothing(
    service: Site, wire: Wire, alice: Person
) -> None:
    before = await service.rows()
    await wire.say(request("POST", "/api/chat/track", alice.by_key | {"content-length": "100"}, b'{"prompt": '))
    status, headers, _ = await wire.hear()
    assert (status, headers["connection"]) == (408, "close")
    assert await wire.is_closed()
    assert await service.rows() == before


@pytest.mark.usefixtures("hurry")
async def test_the_time_for_a_body_begins_with_its_turn(
    wire: Wire, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEADER_SECONDS", 3600)
    await wire.say(request("POST", "/api/chat/track", alice.by_key | {"content-length": "100"}, b'{"prompt": '))
    status, _, _ = await asyncio.wait_for(wire.hear(), 30)
    assert status == 408


@pytest.mark.usefixtures("hurry")
async def test_a_patient_client_is_left_alone(wire: Wire) -> None:
    for _ in range(3):
        await wire.say(request("GET", "/healthz", {}))
        status, _, _ = await wire.hear()
        assert status == 200
        await asyncio.sleep(1.2)


@pytest.mark.usefixtures("hurry")
async def test_whoever_never_reads_is_let_go(wire: Wire) -> None:
    reading: Any = wire.writer.transport
    reading.pause_reading()
    wire.writer.write(request("GET", "/docs", {}) * 500)
    await asyncio.sleep(3)
    reading.resume_reading()
    heard = await asyncio.wait_for(wire.reader.read(), 5)
    assert 0 < heard.count(b"HTTP/1.1 200") < 500


async def test_others_are_served_while_many_are_slow(service: Site) -> None:
    port = int(service.url.rpartition(":")[2])
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    for _, writer in slow:
        writer.write(b"POST /api/chat/track HTTP/1.1\r\nhost: x\r\ncontent-len")
    began = time.perf_counter()
    for _ in range(20):
        assert (await service.call("GET", "/readyz")).status == 200
    assert time.perf_counter() - began < 5
    for _, writer in slow:
        writer.close()


@pytest.mark.parametrize("after", ["headers", "half", "whole"])
async def test_who_goes_away_leaves_all_or_nothing(service: Site, alice: Person, after: str) -> None:
    port = int(service.url.rpartition(":")[2])
    body = b'{"prompt": "x"}'
    before = await service.owner.fetchval("SELECT count(*) FROM chat_requests WHERE user_id = $1", alice.id)
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = {"headers": b"", "half": body[:5], "whole": body}[after]
        writer.write(request("POST", "/api/chat/track", alice.by_key | {"content-length": str(len(body))}, sent))
        await writer.drain()
        writer.transport.abort()
    await asyncio.sleep(0.3)
    made = await service.owner.fetchval("SELECT count(*) FROM chat_requests WHERE user_id = $1", alice.id) - before
    used = await service.owner.fetchval("SELECT total_requests FROM usage WHERE user_id = $1", alice.id)
    assert made == used
    assert made == 0 if after != "whole" else made <= 20
    assert service.application.backend.ledger.starts.waiting == 0


async def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    await wire.say(request("GET", "/healthz", {}) + request("GET", "/api/nothing", {}) + request("GET", "/healthz", {}))
    assert [(await wire.hear())[0] for _ in range(3)] == [200, 404, 200]


async def test_a_request_behind_another_is_answered_with_its_own_body(wire: Wire, alice: Person) -> None:
    body = b'{"prompt": "' + b"x" * 100_000 + b'"}'
    one = request("POST", "/api/chat/track", alice.by_key | {"content-length": str(len(body))}, body)
    await wire.say(one + request("GET", "/healthz", {}) + one)
    assert [(await wire.hear())[0] for _ in range(3)] == [201, 200, 201]


async def test_what_comes_after_a_refusal_of_a_body_that_was_not_read_is_the_next_request(wire: Wire) -> None:
    body = b"x" * 200_000
    await wire.say(request("POST", "/api/chat/track", JSON | {"content-length": str(len(body))}, body))
    assert (await wire.hear())[0] == 401
    await wire.say(request("GET", "/healthz", {}))
    assert (await wire.hear())[0] == 200


async def test_a_body_is_sent_when_it_is_asked_for(wire: Wire, alice: Person) -> None:
    body = b'{"prompt": "x"}'
    await wire.say(
        request("POST", "/api/chat/track", alice.by_key | {"expect": "100-continue", "content-length": str(len(body))})
    )
    assert (await wire.hear())[0] == 100
    await wire.say(body)
    assert (await wire.hear())[0] == 201


async def test_who_may_not_is_refused_before_a_body_is_asked_for(wire: Wire) -> None:
    await wire.say(request("POST", "/api/chat/track", JSON | {"expect": "100-continue", "content-length": "10"}))
    assert (await wire.hear())[0] == 401


async def test_an_offer_of_another_protocol_is_not_taken(wire: Wire) -> None:
    await wire.say(request("GET", "/healthz", H2C) + request("GET", "/healthz", {}))
    assert [(await wire.hear())[0] for _ in range(2)] == [200, 200]
    await wire.say(request("GET", "/healthz", {}))
    assert (await wire.hear())[0] == 200


@pytest.mark.parametrize(("target", "status"), [("http://localhost/healthz?x", 200), ("*", 404), ("/healthz#x", 200)])
async def test_a_target_may_be_written_whole(wire: Wire, target: str, status: int) -> None:
    await wire.say(request("GET", target, {}))
    assert (await wire.hear())[0] == status


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_connection_ends_after_what_is_said_to_be_the_last(wire: Wire, version: str) -> None:
    close = {"1.0": b"", "1.1": b"connection: close\r\n"}[version]
    await wire.say(b"GET /healthz HTTP/" + version.encode() + b"\r\nhost: localhost\r\n" + close + b"\r\n")
    status, headers, _ = await wire.hear()
    assert (status, headers["connection"]) == (200, "close")
    assert await wire.is_closed()


async def test_who_says_nothing_more_is_let_go(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "KEEP_ALIVE_SECONDS", 0.5)
    await wire.say(request("GET", "/healthz", {}))
    assert (await wire.hear())[0] == 200
    assert await wire.is_closed()


async def test_who_goes_away_takes_along_what_waits_behind(service: Site, wire: Wire, alice: Person) -> None:
    body = b'{"prompt": "x"}'
    one = request("POST", "/api/chat/track", alice.by_key | {"content-length": str(len(body))}, body)
    stream = request("GET", "/api/user/dashboard/stream", alice.by_key)
    before = await service.rows()
    await wire.say(stream + one * 3)
    await asyncio.sleep(0.3)
    wire.writer.transport.abort()
    await asyncio.sleep(0.3)
    assert await service.rows() == before
    assert not service.application.front.parts.the(Streams)._all()


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_body_behind_an_offer_of_another_protocol_is_a_body(
    wire: Wire, alice: Person, framing: str, is_whole: bool
) -> None:
    body = b'{"prompt": "GET /healthz HTTP/1.1"}'
    headers, sent = {
        "length": ({"content-length": str(len(body))}, body),
        "chunks": ({"transfer-encoding": "chunked"}, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)),
    }[framing]
    head = request("POST", "/api/chat/track", alice.by_key | H2C | headers)
    for piece in [head + sent] if is_whole else [head, sent[:9], sent[9:]]:
        await wire.say(piece)
        await asyncio.sleep(0.05)
    assert (await wire.hear())[0] == 201
    await wire.say(request("GET", "/healthz", H2C | {"content-length": "0"}) + request("GET", "/healthz", {}))
    assert [(await wire.hear())[0] for _ in range(2)] == [200, 200]


async def test_no_request_hides_in_a_body_behind_an_offer_of_another_protocol(wire: Wire) -> None:
    hidden = request("GET", "/healthz", {})
    headers = JSON | H2C | {"content-length": str(len(hidden))}
    await wire.say(request("POST", "/api/chat/track", headers, hidden))
    assert (await wire.hear())[0] == 401
    assert not await wire.is_closed(0.3)


async def test_trailers_are_no_headers(wire: Wire, alice: Person) -> None:
    head = request("POST", "/api/chat/track", JSON | {"transfer-encoding": "chunked"})
    trailers = f"authorization: {alice.by_key['Authorization']}\r\n".encode()
    await wire.say(head + b'f\r\n{"prompt": "x"}\r\n0\r\n' + trailers + b"\r\n")
    assert (await wire.hear())[0] == 401


@pytest.mark.parametrize("trailer", [b"x: " + b"a" * 997 + b"\r\n", b"a" * 1000])
async def test_endless_trailers_end(wire: Wire, trailer: bytes) -> None:
    await wire.say(request("POST", "/api/chat/track", JSON | {"transfer-encoding": "chunked"}) + b"1\r\nx\r\n0\r\nx: ")
    assert (await wire.hear())[0] == 401
    for _ in range(200):
        await wire.say(trailer)
        if wire.writer.is_closing():
            break
        await asyncio.sleep(0.001)
    assert await wire.is_closed()


@pytest.mark.usefixtures("hurry")
async def test_nobody_has_to_send_the_next_request_while_one_is_answered(wire: Wire, alice: Person) -> None:
    await wire.say(request("GET", "/api/user/dashboard/stream", alice.by_key) + b"GET /healthz HT")
    await asyncio.sleep(2.5)
    await wire.say(b"TP/1.1\r\nhost: localhost\r\n\r\n")
    heard = await asyncio.wait_for(wire.reader.read(2**16), 5)
    assert heard.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" not in heard
    assert not await wire.is_closed(0.3)


async def test_a_long_body_does_not_count_as_headers_of_the_request_after_it(wire: Wire, alice: Person) -> None:
    body = b'{"prompt": "' + b"x" * 70_000 + b'"}'
    one = request("POST", "/api/chat/track", alice.by_key | {"content-length": str(len(body))}, body)
    await wire.say(one + b"GET /healthz HT")
    assert (await wire.hear())[0] == 201
    await wire.say(b"TP/1.1\r\nhost: localhost\r\n\r\n")
    assert (await wire.hear())[0] == 200


@pytest.mark.parametrize(
    "odd", [b"\x16\x03\x01", b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz"]
)
async def test_what_is_not_http_is_refused_after_what_came_before_it(wire: Wire, alice: Person, odd: bytes) -> None:
    body = b'{"prompt": "x"}'
    one = request("POST", "/api/chat/track", alice.by_key | {"content-length": str(len(body))}, body)
    await wire.say(one + request("GET", "/healthz", {}) + odd)
    assert [(await wire.hear())[0] for _ in range(3)] == [201, 200, 400]
    assert await wire.is_closed()


async def test_who_was_answered_early_and_goes_on_with_nonsense_is_left_without_another_word(wire: Wire) -> None:
    await wire.say(request("POST", "/api/chat/track", JSON | {"transfer-encoding": "chunked"}))
    assert (await wire.hear())[0] == 401
    await wire.say(b"zz\r\n")
    assert await asyncio.wait_for(wire.reader.read(), 5) == b""


@pytest.mark.usefixtures("hurry")
async def test_a_stop_does_not_wait_for_who_is_too_slow(service: Site, alice: Person) -> None:
    with listening(Settings(port=0)) as listener:
        async with Server(service.application.front).accepting(listener, finish_seconds=30):
            reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            writer.write(request("POST", "/api/chat/track", alice.by_key | {"content-length": "100"}, b'{"prompt": '))
            await asyncio.sleep(0.2)
            began = time.perf_counter()
        assert time.perf_counter() - began < 10
    assert (await reader.read()).startswith(b"HTTP/1.1 408")
    writer.close()


@pytest.mark.usefixtures("hurry")
async def test_who_cannot_be_looked_after_is_let_go_and_all_others_still_are(
    service: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_after = connection.Connection.end_if_too_slow
    broken: list[connection.Connection] = []

    def end_if_too_slow(each: connection.Connection, now: float) -> None:
        if each.phase == "headers" and not broken:
            broken.append(each)
        if each in broken:
            raise RuntimeError("a fault of ours")
        look_after(each, now)

    monkeypatch.setattr(connection.Connection, "end_if_too_slow", end_if_too_slow)
    port = int(service.url.rpartition(":")[2])
    wires = [Wire(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(3)]
    for wire in wires:
        await wire.say(b"GET /heal")
    heard = [await asyncio.wait_for(wire.reader.read(), 5) for wire in wires]
    assert sorted(told[:12] for told in heard) == [b"", b"HTTP/1.1 408", b"HTTP/1.1 408"]
