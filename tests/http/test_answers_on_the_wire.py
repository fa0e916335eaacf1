"""What of an answer goes over the wire, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import pytest

from tollkeeper.app import Application
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routes import answering
from tollkeeper.http.routing import get
from tollkeeper.serving import Stop, listening, serving
from tollkeeper.settings import Settings

from .conftest import Site

ANYONE: Final = Operation("public")
PLAIN: Final = (b"content-type", b"text/plain")


class Pieces(Answer):
    """An answer whose length nobody knows when it begins."""

    async def send(self, exchange: Exchange) -> None:
        exchange.begin(self.status, [PLAIN])
        for piece in (b"one ", b"", b"two"):
            await exchange.call.send(piece, is_last=False)
        await exchange.call.send(b"", is_last=True)


@get("/plain", ANYONE)
async def plain(request: Exchange) -> Answer:  # noqa: ARG001 - every handler is given it
    return Answer(b"hello", headers=[PLAIN])


@get("/empty", ANYONE)
async def empty(request: Exchange) -> Answer:  # noqa: ARG001
    return Answer(b"", status=204, headers=[])


@get("/pieces", ANYONE)
async def pieces(request: Exchange) -> Answer:  # noqa: ARG001
    return Pieces(b"")


@get("/split/{end}", ANYONE)
async def split(request: Exchange) -> Answer:
    end = {"return": b"\r", "line": b"\n", "both": b"\r\n", "zero": b"\0"}[request.part("end")]
    return Answer(b"hello", headers=[PLAIN, (b"x-said", b"a" + end + b"x-made-up: b")])


@get("/length/{length}", ANYONE)
async def of_another_length(request: Exchange) -> Answer:
    answer = Answer(b"hello", headers=[])
    answer.headers = [(b"content-length", request.part("length").encode())]
    return answer


@pytest.fixture(scope="module")
async def port(service: Site) -> AsyncGenerator[int]:
    backend, settings = service.application.backend, Settings(port=0)
    routes = (plain, empty, pieces, split, of_another_length)
    async with answering(backend, routes) as front:
        with listening(settings) as listener:
            async with serving(settings, Application(front, backend, backend.readiness), listener, Stop()):
                yield listener.getsockname()[1]


async def heard(port: int, *calls: str, version: str = "1.1") -> bytes:
    """Say all that is left out and hear all that is said until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for place, call in enumerate(calls, 1):
        last = "connection: close\r\n" if place == len(calls) else ""
        writer.write(f"{call} HTTP/{version}\r\nhost: localhost\r\n{last}\r\n".encode())
    told = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return told


async def test_an_answer_is_its_head_and_its_body(port: int) -> None:
    head, _, body = (await heard(port, "GET /plain")).partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    assert (status, body) == (b"HTTP/1.1 200 OK", b"hello")
    names = [line.partition(b": ")[0] for line in headers]
    assert len(names) == len(set(names))
    assert {b"content-type: text/plain", b"content-length: 5", b"connection: close"} <= set(headers)
    assert {b"date", b"x-trace-id", b"content-security-policy"} <= set(names)


async def test_a_head_has_no_body_and_the_next_answer_follows_it(port: int) -> None:
    first, second, body = (await heard(port, "HEAD /plain", "GET /plain")).split(b"\r\n\r\n")
    assert b"content-length: 5" in first
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"hello"


async def test_an_answer_without_content_says_no_length(port: int) -> None:
    head, _, body = (await heard(port, "GET /empty")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert body == b""
    assert b"content-length" not in head
    assert b"transfer-encoding" not in head


async def test_an_answer_of_unknown_length_goes_in_pieces(port: int) -> None:
    head, _, body = (await heard(port, "GET /pieces")).partition(b"\r\n\r\n")
    assert b"\r\ntransfer-encoding: chunked" in head
    assert body == b"4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_who_asks_in_the_older_version_is_sent_no_pieces(port: int) -> None:
    head, _, body = (await heard(port, "GET /pieces", version="1.0")).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"content-length" not in head
    assert b"\r\nconnection: close" in head
    assert body == b"one two"
    assert (await heard(port, "HEAD /pieces", version="1.0")).endswith(b"\r\n\r\n")


@pytest.mark.parametrize("end", ["return", "line", "both", "zero"])
async def test_no_header_ends_within_its_value(port: int, end: str) -> None:
    assert await heard(port, f"GET /split/{end}") == b""


@pytest.mark.parametrize("length", [4, 6])
async def test_a_body_of_another_length_than_was_said_is_not_sent_as_if_it_were_whole(port: int, length: int) -> None:
    assert await heard(port, f"GET /length/{length}") == b""
