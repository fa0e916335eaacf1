"""A random past of some users, and what its rows add up to by plain arithmetic."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from tests.metering.making import OWN_MODEL, a_request, an_outcome
from tollkeeper.metering.dashboards.measures import Measures
from tollkeeper.metering.tracking.ledger import Ledger

Fact = asyncpg.Record

_FACTS = """
SELECT f.*, f.started_at AT TIME ZONE $2 AS local,
       coalesce(nullif(f.model, ''), 'unknown') AS model_key,
       coalesce(nullif(f.category, ''), 'uncategorized') AS category_key,
       coalesce(nullif(f.complexity, ''), 'unknown') AS complexity_key
  FROM request_facts AS f
 WHERE f.status <> 'pending' AND ($1::uuid IS NULL OR f.user_id = $1)
"""
_EXACT = (
    "completed", "failed", "tokens_used", "tokens_input", "tokens_output", "tokens_cached", "tokens_cache_write",
    "tokens_reasoning", "cost_nanos", "unpriced", "timed", "duration_ms", "rated", "rating",
)  # fmt: skip


async def a_past(ledger: Ledger, user: UUID, *, since: datetime, until: datetime, requests: int) -> None:
    """Record requests at random instants: priced and unpriced, failed, rated, of unknown duration."""
    chance = random.Random(requests)
    past: list[Any] = []
    for n in range(requests):
        at = since + timedelta(seconds=chance.uniform(0, (until - since).total_seconds()))
        request = a_request(
            user,
            import_key=f"{user}-{n}",
            started_at=at,
            priced_at=at,
            model=chance.choice([OWN_MODEL, OWN_MODEL, "nobody-s-model", None]),
            category=chance.choice(["nft", "token", None]),
            request_type=chance.choice(["chat", "analysis"]),
            complexity=chance.choice(["low", "high", None]),
            session_id=chance.choice(["s", None]),
        )
        rated = chance.random() < 0.3
        outcome = an_outcome(
            user,
            "",
            chance.choice(["completed", "completed", "completed", "failed"]),
            tokens_input=chance.randint(0, 5000),
            tokens_output=chance.randint(0, 900),
            duration_ms=chance.choice([round(10 ** chance.uniform(0, 6)), None]),
            completed_at=at,
            rated=rated,
            rating=chance.randint(1, 5) if rated else None,
            priced_at=at,
        )
        past.append((request, outcome))
    for begin in range(0, requests, 200):
        await ledger.record(past[begin : begin + 200])


async def facts_of(owner: asyncpg.Connection, user: UUID | None, zone: str) -> list[Fact]:
    """Read the rows, each with its start by the clocks of a zone."""
    return await owner.fetch(_FACTS, user, zone)


def within(facts: Iterable[Fact], since: datetime, until: datetime) -> list[Fact]:
    """Keep what began in a stretch of local time."""
    return [fact for fact in facts if since <= fact["local"] < until]


def agree(told: Measures | None, facts: Sequence[Fact]) -> None:
    """Hold measures against the rows that they sum."""
    assert told is not None
    for name in _EXACT:
        assert getattr(told, name) == sum(fact[name] for fact in facts), name
    timed = sorted(fact["duration_ms"] for fact in facts if fact["timed"])
    for rank, value in ((50, told.p50), (95, told.p95), (99, told.p99)):
        if not timed:
            assert value is None
            continue
        exact = timed[math.ceil(len(timed) * rank / 100) - 1]
        assert value is not None
        assert abs(value - exact) <= 0.02 * exact, rank
    assert told.average_duration == ((2 * sum(timed) + len(timed)) // (2 * len(timed)) if timed else None)


def by_key(facts: Iterable[Fact], key_of: Callable[[Fact], str]) -> dict[str, list[Fact]]:
    """Put rows into groups."""
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(key_of(fact), []).append(fact)
    return groups
