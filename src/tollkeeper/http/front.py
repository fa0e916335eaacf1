"""The application as the server calls it: each exchange finds its route, its caller and its answer, and is measured."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Final

from tollkeeper.errors import NotFound, NotUnderstood
from tollkeeper.http import problems
from tollkeeper.http.app_page import nowhere
from tollkeeper.http.call import Call, Header
from tollkeeper.http.callers import Callers
from tollkeeper.http.exchange import Answer, Exchange, Guards, Parts
from tollkeeper.http.measures import Measures
from tollkeeper.http.operation import SAFE, Operation
from tollkeeper.http.problems import HeadersTooLarge, MethodNotAllowed, TargetTooLong
from tollkeeper.http.routing import Place, Route, Router

MOST_HEADERS: Final = 100
MOST_HEADER_BYTES: Final = 2**15
MOST_TARGET_BYTES: Final = 2**14

# An answer's own header of the same name goes before these.
GUARDS: Final[tuple[Header, ...]] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # Not no-referrer: with it, browsers hide the origin of a form's page from this very site.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# Where people reach the service by TLS, browsers shall know no other way, for a year.
_BY_TLS_ALONE: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
# What RFC 3986 lets stand in the name of a host.
_HOST: Final = re.compile(rb"[0-9A-Za-z!$&'()*+,;=\-._~:\[\]@%]*")


def guards_of(public_url: str) -> Guards:
    """Say which headers every answer carries where people reach the service so."""
    return Guards((*GUARDS, _BY_TLS_ALONE) if public_url.startswith("https://") else GUARDS)


class Front:
    """The application, as a server calls it."""

    def __init__(self, parts: Parts, routes: Iterable[Route]) -> None:
        self.parts = parts
        self._measures, self._callers = parts.the(Measures), parts.the(Callers)
        self._router = Router(routes)

    async def __call__(self, call: Call) -> None:
        """Answer one call."""
        began = time.perf_counter()
        exchange = Exchange(call, self.parts)
        try:
            answer = await self._answer(exchange)
            await answer.send(exchange)
        except Exception as error:
            if exchange.status:
                # The server ends the connection, so that nobody takes what was sent for the whole.
                raise
            await problems.answer(exchange, error).send(exchange)
        # A stream is answered when it begins.
        answered = exchange.answered_at or time.perf_counter()
        self._measures.note(call.method, exchange.template, exchange.status, answered - began)

    async def _answer(self, exchange: Exchange) -> Answer:
        _refuse_odd_heads(exchange)
        try:
            place = self._router.find(exchange.path)
        except NotFound:
            told = await nowhere(exchange) if _opens_a_page(exchange) else None
            if told is None:
                raise
            return told
        route = place.routes.get(exchange.method)
        if route is None and exchange.method != "OPTIONS":
            raise MethodNotAllowed(_allowed(place))
        exchange.leads_to(place.template, place.parts, route and route.operation)
        if route is None:
            return Answer(b"", status=204, headers=(_allowed(place),))
        await self._callers.permit(exchange)
        if route.operation.takes_room and (room := self.parts.backend.room):
            room.refuse_when_scarce()
        if not (exchange.call.is_whole or _reads(route.operation) or exchange.method in SAFE):
            await exchange.heard_out()
        return await route.handler(exchange)


def _opens_a_page(exchange: Exchange) -> bool:
    return exchange.method == "GET" and problems.is_a_persons(exchange)


def _reads(operation: Operation) -> bool:
    return operation.takes is not None or operation.reads_body


def _allowed(place: Place) -> Header:
    found = {"OPTIONS", *place.routes} | ({"HEAD"} if "GET" in place.routes else set[str]())
    return b"allow", ", ".join(sorted(found)).encode()


def _refuse_odd_heads(exchange: Exchange) -> None:
    if len(exchange.call.path) + len(exchange.call.query) > MOST_TARGET_BYTES:
        raise TargetTooLong(f"at most {MOST_TARGET_BYTES} bytes of path and query are read")
    if len(exchange.headers) > MOST_HEADERS or _size(exchange.headers) > MOST_HEADER_BYTES:
        raise HeadersTooLarge(f"at most {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes together are read")
    host = exchange.only_header(b"host")
    if host is None and not exchange.call.is_old:
        raise NotUnderstood("the header Host is missing", field="Host")
    if not _HOST.fullmatch(host or b""):
        raise NotUnderstood("the header Host is no name of a host", field="Host")


def _size(headers: Iterable[Header]) -> int:
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
    return size
