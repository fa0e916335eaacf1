"""Races for what is left of a plan, run over HTTP and judged by the version that every answer carries."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from tests.faults.callers import Caller, Reply
from tests.judges import Attempt, witness
from tollkeeper.metering.tracking.limits import Limits

RACERS: Final = 200
LEFT: Final = 10
USED: Final = 5
MODEL: Final = "house-1"
# Each start reserves ten tokens: one of input (1,000 nano-USD) and nine of output (3,000 each).
MOST_OUTPUT: Final = 9
TOKENS: Final = 10
NANOS: Final = 28_000
SAID: Final[dict[str, Any]] = {"model": MODEL, "maxTokens": MOST_OUTPUT}

_ROOM: Final = USED + LEFT
_FIELDS: Final = {
    "daily": ("daily_requests", _ROOM),
    "monthly": ("monthly_requests", _ROOM),
    "tokens": ("monthly_tokens", TOKENS * _ROOM),
    "cost": ("monthly_cost_cents", Decimal(NANOS * _ROOM) / 10**7),
}
LIMITS: Final = tuple(_FIELDS)
_NANOS_A_CENT: Final = 10**7
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _plan(name: str, rank: int, **terms: object) -> str:
    lines = [f"{term} = {value}" for term, value in terms.items()]
    return "\n".join([f"[plans.{name}]", f"rank = {rank}", 'features = ["*"]', *lines, ""])


def _plan_bound_by(limit: str, rank: int) -> str:
    """All four limits at once, of which one has room for ten more and the others for one more than that."""
    terms = {term: room * (_ROOM + (name != limit)) / _ROOM for name, (term, room) in _FIELDS.items()}
    return _plan(f"all_{limit}", rank, **{term: _written(room) for term, room in terms.items()})


def _written(room: Decimal | float) -> str:
    whole = int(room)
    return str(whole) if whole == room else f"{room:.9f}"


PLANS: Final = "\n".join(
    [
        *(_plan(f"only_{name}", 100 + n, **{_FIELDS[name][0]: _FIELDS[name][1]}) for n, name in enumerate(LIMITS)),
        *(_plan_bound_by(name, 200 + n) for n, name in enumerate(LIMITS)),
        _plan("enough", 300),
        _plan("mixed", 301, daily_requests=62, monthly_requests=60, monthly_tokens=400, monthly_cost_cents="0.1"),
        _plan("day_and_month", 302, daily_requests=10, monthly_requests=15),
        _plan("less_a_month", 303, daily_requests=10, monthly_requests=8),
    ]
)


@dataclass(frozen=True, slots=True)
class Start:
    """One start to be sent to a node."""

    url: str
    user: str
    name: str
    output: int = MOST_OUTPUT

    async def sent_by(self, caller: Caller) -> Reply:
        """Send it."""
        return await caller.start(self.url, self.user, self.name, model=MODEL, maxTokens=self.output)

    def seen(self, reply: Reply) -> Attempt:
        """Tell what came of it in the judges' words."""
        told = reply.told
        is_counted = "monthlyTokensLimit" in told["limits"], "monthlyCostLimit" in told["limits"]
        return Attempt(
            self.name,
            reply.called,
            reply.returned,
            limits_of(told["limits"]),
            UUID(told["id"]) if "id" in told else None,
            told.get("limit"),
            (1 + self.output) * is_counted[0],
            (1000 + 3000 * self.output) * is_counted[1],
        )


async def raced(caller: Caller, starts: Sequence[Start]) -> list[Reply]:
    """Send all at once."""
    return await asyncio.gather(*(each.sent_by(caller) for each in starts))


def faults_of(starts: Iterable[Start], replies: Iterable[Reply], before: Reply) -> list[str]:
    """Say what is wrong with a race: with single answers, or with all of them together."""
    sent = list(zip(starts, replies, strict=True))
    odd = [fault for start, reply in sent for fault in _odd(start, reply)]
    return odd or witness([start.seen(reply) for start, reply in sent], before=limits_of(before.told["limits"]))


def counted(replies: Iterable[Reply]) -> dict[int, int]:
    """Count statuses."""
    return dict(Counter(each.status for each in replies))


def limits_of(shown: dict[str, Any]) -> Limits:
    """Read the limits of an answer."""
    return Limits(
        version=shown["version"],
        plan_name=shown["planName"],
        daily_used=shown["dailyUsed"],
        daily_limit=shown["dailyLimit"],
        monthly_used=shown["monthlyUsed"],
        monthly_limit=shown["monthlyLimit"],
        tokens_used=shown.get("monthlyTokensUsed", 0),
        tokens_limit=shown.get("monthlyTokensLimit"),
        nanos_used=_nanos(shown.get("monthlyCostUsed", 0)),
        nanos_limit=_nanos(shown["monthlyCostLimit"]) if "monthlyCostLimit" in shown else None,
        day_ends_us=_microseconds(shown["resetsAt"]["daily"]),
        month_ends_us=_microseconds(shown["resetsAt"]["monthly"]),
        is_active=True,
    )


def _odd(start: Start, reply: Reply) -> list[str]:
    if reply.status == 429:
        return [f"{start.name} {what}: {reply.body.decode()}" for what in _odd_in_refusal(start, reply)]
    expected = ("pending", start.name, reply.status == 200)
    told = reply.told
    if reply.status in {200, 201} and (told["status"], told["requestId"], _is_replay(reply)) == expected:
        return []
    return [f"{start.name}: {reply.status} {reply.body.decode()}"]


def _is_replay(reply: Reply) -> bool:
    return reply.headers.get("Idempotent-Replayed") == "true"


def _odd_in_refusal(start: Start, reply: Reply) -> list[str]:
    """A refusal tells what was used of the limit that it names, at the version that it names."""
    told = reply.told
    limits = limits_of(told["limits"])
    used, allowed = limits.of_limit(told["limit"])
    if told["limit"] == "cost":
        told |= {name: _nanos(told[name]) for name in ("used", "allowed", "remaining", "needed")}
    resets_at = told["limits"]["resetsAt"]["daily" if told["limit"] == "daily" else "monthly"]
    needed = {"tokens": 1 + start.output, "cost": 1000 + 3000 * start.output}.get(told["limit"], 1)
    right = {
        "type": "/problems/limit-reached",
        "status": 429,
        "requestId": start.name,
        "used": used,
        "allowed": allowed,
        "remaining": (allowed or 0) - used,
        "needed": needed,
        "resetsAt": resets_at,
        "traceId": reply.headers["X-Trace-Id"],
    }
    odd = [
        f"tells {name} {told.get(name)} instead of {value}" for name, value in right.items() if told.get(name) != value
    ]
    if used + needed <= (allowed or 0):
        odd.append("was refused what would have fitted")
    if int(reply.headers["Retry-After"]) < 1 or not reply.headers["RateLimit"].startswith(f'"{told["limit"]}";'):
        odd.append(f"has odd headers {json.dumps(dict(reply.headers))}")
    return odd


def _nanos(cents: Any) -> int:
    return int(Decimal(cents) * _NANOS_A_CENT)


def _microseconds(instant: str) -> int:
    return (datetime.fromisoformat(instant) - _EPOCH) // timedelta(microseconds=1)
