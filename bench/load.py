"""A closed-loop HTTP load in a process of its own: N connections, each sends the next call when the last was answered.

Written on bare sockets, so that on a machine shared with the service the load takes as little of it as it can.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import msgspec
import uvloop

PROMPT: Final = "How do I mint a token? " * 9
RESPONSE: Final = "You call the mint function of the contract. " * 14
_ID = re.compile(rb'"id":"([0-9a-f-]{36})"')


class Plan(msgspec.Struct):
    """What to send: from whom, for whom, for how long."""

    port: int
    key: str
    users: list[str]
    connections: int
    seconds: float


class Result(msgspec.Struct):
    """What was answered: acknowledged pairs and calls, and whatever was not a success."""

    pairs: int
    seconds: float
    refused: dict[str, int]
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class _Tally:
    pairs: int = 0
    refused: dict[str, int] = field(default_factory=dict[str, int])
    latencies: list[float] = field(default_factory=list[float])


class _Connection(asyncio.Protocol):
    """One keep-alive connection with one call under way."""

    def __init__(self, plan: Plan, tally: _Tally, deadline: float) -> None:
        self._plan = plan
        self._tally = tally
        self._deadline = deadline
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._user = ""
        self._starting = True
        self._sent_at = 0.0
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are streams without being asyncio's own.
        self._transport = cast("asyncio.Transport", transport)
        self._start()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator or len(rest) < _length(head):
            return
        self._received = b""
        self._tally.latencies.append(time.perf_counter() - self._sent_at)
        self._answered(head[9:12].decode(), rest)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self._count(f"lost: {exc}")
            self.over.set_result(None)

    def _answered(self, status: str, body: bytes) -> None:
        if status not in {"200", "201"}:
            self._count(status)
            self._starting = True
        elif self._starting:
            found = _ID.search(body)
            self._finish(found.group(1).decode() if found else "")
            return
        else:
            self._tally.pairs += 1
        if time.perf_counter() >= self._deadline:
            self.over.set_result(None)
            if self._transport:
                self._transport.close()
        else:
            self._start()

    def _start(self) -> None:
        self._starting = True
        self._user = random.choice(self._plan.users)
        body = {"prompt": PROMPT, "sessionId": "session-1", "model": "gpt-4o", "category": "nft", "complexity": "low"}
        self._send("POST", body)

    def _finish(self, request_id: str) -> None:
        self._starting = False
        took = random.randint(200, 20_000)
        self._send("PUT", {"requestId": request_id, "status": "completed", "response": RESPONSE, "tokensInput": 100,
                           "tokensOutput": 600, "duration": took})  # fmt: skip

    def _send(self, method: str, body: Mapping[str, object]) -> None:
        encoded = msgspec.json.encode(body)
        head = (
            f"{method} /api/chat/track HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._plan.key}\r\n"
            f"Tollkeeper-User: {self._user}\r\nContent-Type: application/json\r\nContent-Length: {len(encoded)}\r\n\r\n"
        )
        self._sent_at = time.perf_counter()
        if self._transport:
            self._transport.write(head.encode() + encoded)

    def _count(self, what: str) -> None:
        self._tally.refused[what] = self._tally.refused.get(what, 0) + 1


def _length(head: bytes) -> int:
    found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return int(found.group(1)) if found else 0


async def run(plan: Plan) -> Result:
    """Send until the time is over, then wait for what is still under way."""
    tally = _Tally()
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    made = await asyncio.gather(
        *(
            loop.create_connection(lambda: _Connection(plan, tally, began + plan.seconds), "127.0.0.1", plan.port)
            for _ in range(plan.connections)
        )
    )
    await asyncio.gather(*(protocol.over for _, protocol in made))
    ordered = sorted(tally.latencies)
    return Result(
        pairs=tally.pairs,
        seconds=time.perf_counter() - began,
        refused=tally.refused,
        p50_ms=round(ordered[len(ordered) // 2] * 1000, 3),
        p99_ms=round(ordered[int(len(ordered) * 0.99)] * 1000, 3),
    )


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(given))))
