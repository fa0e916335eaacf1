"""What tests of retention are made of: long histories in many zones, and all that must not change."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from tests.metering.making import OWN_MODEL, a_user
from tollkeeper.metering.tracking.requests import NewRequest, Outcome
from tollkeeper.metering.upkeep.importing import Past
from tollkeeper.store.database import Database

NOW: Final = datetime(2026, 5, 13, 12, tzinfo=UTC)
FEBRUARY, MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 4, 5))
# Kiritimati is 14 hours ahead and Pago Pago 11 behind; Berlin's clocks change within March, and Havana's over midnight.
ZONES: Final = ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin", "America/Havana")

DERIVED: Final = {
    "usage": "user_id",
    "usage_rollups": "user_id, period, period_start, model, category, request_type, complexity",
    "overall_rollups": "hour_at, plan_name, model, category, request_type, slot",
    "chat_sessions": "user_id, session_id",
}


@dataclass(slots=True)
class History:
    """Past requests of users in many zones, made by a seed."""

    seed: int
    users: tuple[UUID, ...]
    made: int = 0

    def rows(self, count: int, since: datetime, until: datetime) -> list[Past]:
        """Make some requests between two instants, the most of them close to the ends of months."""
        dice = random.Random(f"{self.seed} {self.made}")
        return [self._row(dice, since, until) for _ in range(count)]

    def _row(self, dice: random.Random, since: datetime, until: datetime) -> Past:
        self.made += 1
        at = since + (until - since) * dice.random()
        if dice.random() < 0.6:
            first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            near = first + timedelta(hours=dice.uniform(-30, 30))
            at = near if since <= near < until else at
        if dice.random() < 0.1:
            at = max(at.replace(minute=0, second=0, microsecond=0), since)
        user = dice.choice(self.users)
        request = NewRequest(
            user_id=user,
            prompt=f"prompt {self.made}",
            priced_at=at,
            started_at=at,
            import_key=f"{self.seed}-{self.made}",
            client_id=f"mine-{self.made}",
            session_id=dice.choice([None, "long", f"short {at:%m-%d}"]),
            model=dice.choice([OWN_MODEL, "unheard-of", None]),
            category=dice.choice([None, "nft"]),
            complexity=dice.choice([None, "low", "high"]),
        )
        tokens = dice.randrange(50), dice.randrange(50)
        return Past(
            self.made,
            request,
            Outcome(
                user,
                "",
                at,
                trusted=True,
                status=dice.choice(["completed", "completed", "failed"]),
                completed_at=at + timedelta(seconds=2),
                response=f"response {self.made}",
                tokens_used=sum(tokens),
                tokens_input=tokens[0],
                tokens_output=tokens[1],
                duration_ms=dice.choice([None, 0, dice.randrange(100_000)]),
                rated=dice.random() < 0.3,
                rating=dice.randrange(1, 6),
            ),
        )


async def a_history(db: Database, seed: int) -> History:
    """Add a user in each zone."""
    return History(
        seed,
        tuple([await a_user(db, "enterprise", zone=zone, email=f"{n}@example.com") for n, zone in enumerate(ZONES)]),
    )


async def derived(owner: asyncpg.Connection) -> dict[str, list[Any]]:
    """Read every derived number as it stands."""
    return {
        table: [tuple(row) for row in await owner.fetch(f"SELECT * FROM {table} ORDER BY {key}")]  # noqa: S608 - ours
        for table, key in DERIVED.items()
    }


async def in_any_table(owner: asyncpg.Connection, text: str) -> list[str]:
    """Name the tables in which a text stands, in whatever column."""
    tables = await owner.fetch(
        "SELECT c.relname AS name, format('SELECT count(*) FROM %I AS t WHERE strpos(t::text, $1) > 0 "
        "OR strpos(t::text, encode($1::text::bytea, ''hex'')) > 0', c.relname) AS sql "
        "FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
    )
    assert len(tables) > 15
    return [table["name"] for table in tables if await owner.fetchval(table["sql"], text)]
