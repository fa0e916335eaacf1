"""The outermost layer: every answer gets a trace id and the headers that guard browsers, every exchange is measured."""

from __future__ import annotations

import random
import time
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Scope, Send

from tollkeeper.http import problems
from tollkeeper.http.backend import Backend
from tollkeeper.http.exchange import Header
from tollkeeper.http.measures import Measures
from tollkeeper.http.problems import HeadersTooLarge

MOST_HEADERS: Final = 100
MOST_HEADER_BYTES: Final = 2**15

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
_CLOSE: Final[Header] = (b"connection", b"close")


class Front:
    """Wraps the application as plain ASGI."""

    def __init__(self, app: ASGIApp, *, backend: Backend, measures: Measures, **parts: object) -> None:
        """Take what wraps, and what every request finds in its scope by name."""
        self._app = app
        self._readiness = backend.readiness
        self._measures = measures
        self._guards = (*GUARDS, _BY_TLS_ALONE) if backend.public_url.startswith("https://") else GUARDS
        self._parts: dict[str, object] = {"backend": backend, "measures": measures, **parts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one exchange; lifespan events pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        outgoing = _Outgoing(send, self._guards, stopping=self._readiness.is_stopping)
        told: Any = scope
        told.update(self._parts)
        told["trace_id"] = outgoing.trace_id
        method = told["method"]
        if method == "HEAD":
            # Answered as GET; the server leaves the body out, for it keeps its own scope.
            scope = told = {**told, "method": "GET", "is_head": True}
        # Routes are matched as the client wrote them: an escaped slash is no slash.
        told["path"] = told["raw_path"].decode("ascii", "replace")
        if _is_too_large(told["headers"]):
            await _refuse_headers(outgoing, told["path"])
        else:
            await self._app(scope, receive, outgoing.send)
        # A stream is answered when it begins.
        answered = told.get("streams_since") or time.perf_counter()
        self._measures.note(method, told.get("path_template"), outgoing.status, answered - began)


class _Outgoing:
    """An answer on its way out."""

    __slots__ = ("_guards", "_send", "_stopping", "status", "trace_id")

    def __init__(self, send: Send, guards: tuple[Header, ...], *, stopping: bool) -> None:
        self._send = send
        self._guards = guards
        self._stopping = stopping
        self.status = 0
        self.trace_id = f"{random.getrandbits(128):032x}"

    async def send(self, message: Any) -> None:
        """Add what every answer carries."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own: list[Header] = message["headers"]
            headers = [*own, *_guards_beside(own, self._guards), (b"x-trace-id", self.trace_id.encode())]
            if self._stopping:
                headers.append(_CLOSE)
            message["headers"] = headers
        await self._send(message)


def _guards_beside(own: list[Header], guards: tuple[Header, ...]) -> tuple[Header, ...]:
    names = [name for name, _ in own]
    if guards[0][0] in names or guards[1][0] in names:
        return tuple(guard for guard in guards if guard[0] not in names)
    return guards


def _is_too_large(headers: list[Header]) -> bool:
    return len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES


async def _refuse_headers(outgoing: _Outgoing, path: str) -> None:
    error = HeadersTooLarge(f"at most {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes together are read")
    body = problems.document(error, path, outgoing.trace_id)
    headers = [problems.PROBLEM, (b"content-length", b"%d" % len(body)), _CLOSE]
    await outgoing.send({"type": "http.response.start", "status": int(error.status), "headers": headers})
    await outgoing.send({"type": "http.response.body", "body": body, "more_body": False})
