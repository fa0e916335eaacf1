"""The load on a peer, in a process of its own: ``python -m bench.peers.sender`` reads a ``Sending``, writes a ``Sent``.

Closed loop: each sender sends its next call when the last was answered. When the server dies, what was acknowledged
until then is told all the same.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import uvloop

from bench.bodies import encoded, real_requests
from bench.peers.otlp import export, templates
from bench.wire import Wire, connected, id_in

_DAY_MS: Final = 86_400_000
_PATIENCE_SECONDS: Final = 60.0
# A server that says it is full is asked again after this long.
_BACK_OFF_SECONDS: Final = 0.1


class Sending(msgspec.Struct, kw_only=True):
    """What to send."""

    kind: Literal["otlp", "pairs", "batch"]
    port: int
    path: str
    headers: dict[str, str] = {}
    senders: int
    batch: int = 1
    """Requests in one call."""
    seconds: float
    most: int | None = None
    """Stop after so many requests."""
    users: list[str]
    days: int = 0
    """Spread the requests' times over the last so many days; 0: they happen now."""
    ids_to: str = ""
    """A file for the ids of what was acknowledged, one a line: trace ids, or tollkeeper's ids. It is there,
    still empty, from the first acknowledgement on."""


class Sent(msgspec.Struct, kw_only=True):
    """What was answered."""

    acknowledged: int
    seconds: float
    refused: dict[str, int]


class _Refused(Exception):
    """An answer that is no success; status 0 is a connection that was lost."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Line:
    """A connection whose answers are awaited."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        wire.answered = self._answered

    async def ask(self, call: bytes) -> bytes:
        """Send, and wait for a good answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._wire.send(call)
        return await self._answer

    def _answered(self, _: Wire, status: int, answer: bytes) -> None:
        if self._answer.done():
            return
        if status in (200, 201):
            self._answer.set_result(answer)
        else:
            self._answer.set_exception(_Refused(status))


# Says so many requests over a line; gives their ids when they were acknowledged.
_Exchange = Callable[[_Line, int], Awaitable[list[str]]]


def _otlp(sending: Sending) -> _Exchange:
    known = templates()

    async def exchange(line: _Line, count: int) -> list[str]:
        ids = [secrets.token_bytes(16) for _ in range(count)]
        spans = [random.choice(known).span(each, _instant_ms(sending), random.choice(sending.users)) for each in ids]
        await line.ask(_call("POST", sending, export(spans), **{"Content-Type": "application/x-protobuf"}))
        return [each.hex() for each in ids]

    return exchange


def _pairs(sending: Sending) -> _Exchange:
    known = encoded()

    async def exchange(line: _Line, count: int) -> list[str]:  # noqa: ARG001 - one pair at a time
        body, user = random.choice(known), random.choice(sending.users)
        headers = {"Content-Type": "application/json", "Tollkeeper-User": user}
        request_id = id_in(await line.ask(_call("POST", sending, body.start, **headers)))
        await line.ask(_call("PUT", sending, body.finish_head + request_id + body.finish_tail, **headers))
        return [request_id.decode()]

    return exchange


def _batch(sending: Sending) -> _Exchange:
    async def exchange(line: _Line, count: int) -> list[str]:
        body = msgspec.json.encode([_item(sending) for _ in range(count)])
        answer = await line.ask(_call("POST", sending, body, **{"Content-Type": "application/json"}))
        told = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])
        if told["accepted"] != count:
            raise RuntimeError(f"a batch was not taken whole: {answer[:2000]!r}")
        return [each["id"] for each in told["results"]]

    return exchange


def _item(sending: Sending) -> dict[str, Any]:
    real = random.choice(real_requests())
    ended = datetime.fromtimestamp(_instant_ms(sending) / 1000, UTC)
    return {**real.started(), **real.finished(), "user": random.choice(sending.users), "completedAt": ended}


def _call(method: str, sending: Sending, body: bytes, **headers: str) -> bytes:
    given = {"Host": "localhost", "Content-Length": str(len(body))} | sending.headers | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{method} {sending.path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _instant_ms(sending: Sending) -> int:
    now = time.time_ns() // 1_000_000
    # An hour ago at the latest, for a request spread over days must have ended.
    return now - random.randrange(3_600_000, sending.days * _DAY_MS) if sending.days else now


_KINDS: Final = {"otlp": _otlp, "pairs": _pairs, "batch": _batch}


class _Crew:
    """All senders and what they were told."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self._exchange = _KINDS[sending.kind](sending)
        self._left = sending.most if sending.most is not None else sys.maxsize
        self.ids: list[str] = []
        self.refused: Counter[str] = Counter()
        self.last_at = 0.0

    async def work(self, wire: Wire, deadline: float) -> None:
        """Be one sender, until the time or the requests are over, or the server is gone."""
        line = _Line(wire)
        while self._left > 0 and time.perf_counter() < deadline:
            count = min(self._sending.batch, self._left)
            self._left -= count
            try:
                self._acknowledged(await self._exchange(line, count))
            except _Refused as refused:
                self._left += count
                self.refused[str(refused.status) if refused.status else "connection lost"] += 1
                if not refused.status:
                    return
                await asyncio.sleep(_BACK_OFF_SECONDS)
        wire.close()

    def _acknowledged(self, ids: list[str]) -> None:
        self.last_at = time.perf_counter()
        if self._sending.ids_to and not self.ids:
            Path(self._sending.ids_to).touch()
        self.ids += ids


def _nobody_asked(wire: Wire, status: int, answer: bytes) -> None:
    """Stand in until a sender takes the connection over."""


async def run(sending: Sending) -> Sent:
    """Send until the time or the requests are over."""
    crew = _Crew(sending)
    wires = await connected(sending.port, sending.senders, _nobody_asked)
    began = time.perf_counter()
    deadline = began + sending.seconds
    try:
        async with asyncio.timeout(sending.seconds + _PATIENCE_SECONDS):
            await asyncio.gather(*(crew.work(wire, deadline) for wire in wires))
    except TimeoutError:
        # What is written here stands on the page of figures.
        sys.exit(f"a call had no answer {_PATIENCE_SECONDS:.0f} s after the end of the load")
    if sending.ids_to:
        await asyncio.to_thread(Path(sending.ids_to).write_text, "\n".join(crew.ids), "ascii")
    return Sent(acknowledged=len(crew.ids), seconds=max(crew.last_at, began) - began, refused=dict(crew.refused))


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Sending)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(given))))
