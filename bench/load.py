"""The load, in a process of its own: ``python -m bench.load FILE`` reads a ``Plan`` and writes a ``Result``.

Closed loop: each connection sends its next call when the last was answered; that finds the most calls a second. Open
loop: calls are due at instants fixed beforehand (at random, as strangers come), and latency counts from the instant a
call was due, so that a service that stalls is charged with everybody who would have come meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Literal

import msgspec
import uvloop

from bench.alarm import Alarm
from bench.bodies import Encoded, encoded, group_of
from bench.histogram import Histogram
from bench.wire import Wire, call, connected, head, id_in, tail

_TRACK = "/api/chat/track"
_PATIENCE_SECONDS = 60.0


class Plan(msgspec.Struct, kw_only=True):
    """What to send: to whom, for whom, for how long."""

    kind: Literal["pairs", "starts", "gets", "looks", "batches"]
    port: int
    key: str
    users: list[str]
    connections: int
    seconds: float
    rate: float | None = None
    """Calls a second, open loop; closed loop without."""
    path: str = _TRACK
    look: str = "/api/user/dashboard"
    """What is read after each pair."""
    bodies: list[str] = []
    """Files with the bodies of batches, sent in turn."""
    rows: int = 1
    """Rows in a batch."""
    text: int | None = None
    """Characters of prompt and response together, where the real texts are not to be sent as they are."""


class Result(msgspec.Struct, kw_only=True):
    """What was answered."""

    done: int
    """Acknowledged: pairs, starts, reads or rows."""
    seconds: float
    refused: dict[str, int]
    latencies: list[tuple[int, int]]
    """Of every timed call, as ``Histogram`` takes them."""
    late: list[tuple[int, int]]
    """Open loop: how long after its due instant each call was sent, by the load's own fault or for want of a
    connection."""


@dataclass(slots=True)
class _Tally:
    done: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    latencies: Histogram = field(default_factory=Histogram)
    late: Histogram = field(default_factory=Histogram)


class _Speech:
    """The calls that users make, put together from parts that are bytes already."""

    def __init__(self, plan: Plan) -> None:
        self._bodies: Sequence[Encoded] = encoded(plan.text)
        self._starts = [tail(body.start) for body in self._bodies]
        self._users = [
            (
                head("POST", plan.path, plan.key, user), head("PUT", plan.path, plan.key, user),
                *group_of(n, len(plan.users)),
            )
            for n, user in enumerate(plan.users)
        ]  # fmt: skip

    def start(self) -> tuple[bytes, tuple[int, int]]:
        """Let someone start something; gives the call and what it is about."""
        user = int(random.random() * len(self._users))
        post, _, first, size = self._users[user]
        body = first + int(random.random() * size)
        return post + self._starts[body], (user, body)

    def finish(self, about: tuple[int, int], request_id: bytes) -> bytes:
        """Let the same one finish it."""
        user, place = about
        body = self._bodies[place]
        return self._users[user][1] + tail(body.finish_head + request_id + body.finish_tail)


class _Loop(ABC):
    """Keeps connections busy until the time is over."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = _Tally()
        self.deadline = 0.0
        self._left = 0
        self._over = asyncio.Event()

    async def run(self) -> float:
        """Do it; gives the seconds it took."""
        wires = await connected(self.plan.port, self.plan.connections, self._answered)
        self._left = len(wires)
        began = time.perf_counter()
        self.deadline = began + self.plan.seconds
        self.begin(wires)
        await asyncio.wait_for(self._over.wait(), self.plan.seconds + _PATIENCE_SECONDS)
        took = time.perf_counter() - began
        await self.tidy()
        return took

    def begin(self, wires: list[Wire]) -> None:
        """Give every connection its first call."""
        for wire in wires:
            self.next(wire)

    @abstractmethod
    def next(self, wire: Wire) -> None:
        """Send the connection's next call."""

    @abstractmethod
    def succeeded(self, wire: Wire, answer: bytes) -> bool:
        """Take a good answer; tells whether the connection is free for its next call."""

    def is_timed(self, wire: Wire) -> bool:  # noqa: ARG002 - most loops time every call
        """Tell whether the latency of the call that was just answered counts."""
        return True

    def is_over(self, now: float) -> bool:
        """Tell whether a connection that is free has nothing more to send."""
        return now >= self.deadline

    async def tidy(self) -> None:  # noqa: B027 - most loops have nothing to follow
        """Do, untimed, what has to follow."""

    def ask(self, wire: Wire, content: bytes, about: tuple[int, int] | None = None) -> None:
        """Send a call whose latency counts from now."""
        wire.about = about
        wire.asked_at = time.perf_counter()
        wire.send(content)

    def retire(self, wire: Wire) -> None:
        """Use the connection no more."""
        wire.close()
        self._left -= 1
        if not self._left:
            self._over.set()

    def _answered(self, wire: Wire, status: int, answer: bytes) -> None:
        now = time.perf_counter()
        if status in (200, 201):
            if self.is_timed(wire):
                self.tally.latencies.record(round((now - wire.asked_at) * 1e6))
            if not self.succeeded(wire, answer):
                return
        else:
            self.tally.refused[str(status) if status else "connection lost"] += 1
        if not status or self.is_over(now):
            self.retire(wire)
        else:
            self.next(wire)


class _Pairs(_Loop):
    """Start, and finish when the start was answered."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._speech = _Speech(plan)
        self.last_user: dict[Wire, int] = {}

    def next(self, wire: Wire) -> None:
        self.ask(wire, *self._speech.start())

    def succeeded(self, wire: Wire, answer: bytes) -> bool:
        if wire.about is None:
            self.tally.done += 1
            return True
        self.last_user[wire] = wire.about[0]
        self.ask(wire, self._speech.finish(wire.about, id_in(answer)))
        return False


class _Looks(_Pairs):
    """After each pair its user looks at what became of it; only looking is timed."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._looking: set[Wire] = set()
        self._looks = [call("GET", plan.look, plan.key, user) for user in plan.users]

    def is_timed(self, wire: Wire) -> bool:
        return wire in self._looking

    def succeeded(self, wire: Wire, answer: bytes) -> bool:
        if wire in self._looking:
            self._looking.remove(wire)
            return True
        if super().succeeded(wire, answer):
            self._looking.add(wire)
            self.ask(wire, self._looks[self.last_user[wire]])
        return False


class _Starts(_Loop):
    """Starts only; what was started is finished when the measuring is over, so that nothing is left to expire."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._speech = _Speech(plan)
        self._finishes: list[bytes] = []

    def next(self, wire: Wire) -> None:
        self.ask(wire, *self._speech.start())

    def succeeded(self, wire: Wire, answer: bytes) -> bool:
        self.tally.done += 1
        if wire.about is not None:
            self._finishes.append(self._speech.finish(wire.about, id_in(answer)))
        return True

    async def tidy(self) -> None:
        if self._finishes:
            plan = msgspec.structs.replace(self.plan, connections=min(32, len(self._finishes)), seconds=3600)
            await _Given(plan, self._finishes, self.tally.refused).run()


class _Given(_Loop):
    """Calls that are there already, each once."""

    def __init__(self, plan: Plan, calls: list[bytes], refused: Counter[str]) -> None:
        super().__init__(plan)
        self._calls = calls
        self.tally.refused = refused

    def next(self, wire: Wire) -> None:
        if self._calls:
            self.ask(wire, self._calls.pop())
        else:
            self.retire(wire)

    def succeeded(self, wire: Wire, answer: bytes) -> bool:  # noqa: ARG002 - nothing is to be read from it
        return True


class _OpenStarts(_Starts):
    """Starts at instants that do not depend on the answers. A call without a free connection waits for one."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._due: deque[float] = deque()
        self._free: list[Wire] = []
        self._all_came = False
        self._alarm: Alarm | None = None

    def begin(self, wires: list[Wire]) -> None:
        self._free = wires
        rate = self.plan.rate or 1.0
        now = time.perf_counter()
        instants: list[float] = []
        while (now := now + random.expovariate(rate)) < self.deadline:
            instants.append(now)
        self._alarm = Alarm(instants, self._came)

    def next(self, wire: Wire) -> None:
        self._free.append(wire)
        self._serve()

    def is_over(self, now: float) -> bool:  # noqa: ARG002 - whoever came is answered, however late that is
        return False

    def _came(self, instants: list[float], *, last: bool) -> None:
        self._due.extend(instants)
        self._all_came = last
        self._serve()

    def _serve(self) -> None:
        while self._due and self._free:
            wire = self._free.pop()
            content, wire.about = self._speech.start()
            wire.asked_at = self._due.popleft()
            self.tally.late.record(round((time.perf_counter() - wire.asked_at) * 1e6))
            wire.send(content)
        if self._all_came and not self._due:
            while self._free:
                self.retire(self._free.pop())


class _Calls(_Loop):
    """The same few calls again and again: reads, or batches."""

    def __init__(self, plan: Plan, calls: Sequence[bytes], each: int) -> None:
        super().__init__(plan)
        shuffled = list(calls)
        random.shuffle(shuffled)
        self._calls = cycle(shuffled)
        self._each = each

    def next(self, wire: Wire) -> None:
        self.ask(wire, next(self._calls))

    def succeeded(self, wire: Wire, answer: bytes) -> bool:  # noqa: ARG002 - nothing is to be read from it
        self.tally.done += self._each
        return True


def _loop_of(plan: Plan) -> _Loop:
    match plan.kind:
        case "pairs":
            return _Pairs(plan)
        case "looks":
            return _Looks(plan)
        case "starts":
            return _OpenStarts(plan) if plan.rate else _Starts(plan)
        case "gets":
            return _Calls(plan, [call("GET", plan.path, plan.key, user) for user in plan.users], 1)
        case "batches":
            bodies = [Path(each).read_bytes() for each in plan.bodies]
            return _Calls(plan, [call("POST", plan.path, plan.key, "", body) for body in bodies], plan.rows)


async def run(plan: Plan) -> Result:
    """Send until the time is over, then wait for what is still under way."""
    loop = _loop_of(plan)
    took = await loop.run()
    tally = loop.tally
    return Result(
        done=tally.done,
        seconds=took,
        refused=dict(tally.refused),
        latencies=tally.latencies.counts(),
        late=tally.late.counts(),
    )


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    Path(sys.argv[1]).write_bytes(msgspec.json.encode(uvloop.run(run(given))))
