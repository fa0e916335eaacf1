"""Events as the ledger writes them, and what became of their deliveries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, Final
from uuid import UUID, uuid4

from tollkeeper.activity import Actor
from tollkeeper.store.database import Database
from tollkeeper.webhooks.delivering import Messenger
from tollkeeper.webhooks.endpoints import Webhooks
from tollkeeper.webhooks.guard import Guard

ROOT: Final = bytes(range(32))
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTOR: Final = Actor("test")
DATA: Final = {"limit": "dailyRequests", "percent": 80, "used": 8, "allowed": 10, "plan": "free"}


def webhooks() -> Webhooks:
    """What sending needs, to receivers on this machine."""
    return Webhooks(Guard(allowed=(ip_network("127.0.0.1/32"),)), ROOT, "tollkeeper/test")


async def tell(
    owner: Any, user_id: UUID, *, kind: str = "limit.threshold", count: int = 1, content: str | None = None
) -> list[str]:
    """Write events, and give the ids that receivers hear."""
    ids = [uuid4() for _ in range(count)]
    await owner.execute(
        """INSERT INTO events (user_id, id, kind, once, data, created_at)
           SELECT $1, g.id, $2, g.id::text, $3::jsonb, tk_now() FROM unnest($4::uuid[]) AS g (id)""",
        *(user_id, kind, content or json.dumps(DATA), ids),
    )
    return [f"evt_{each}" for each in ids]


async def deliver(database: Database) -> None:
    """Let a node have its turn, and wait until it is done."""
    async with Messenger(database, webhooks()) as messenger:
        await messenger.look()
        await messenger.idle()


async def states(owner: Any) -> list[tuple[str, int]]:
    """State and tries of all deliveries."""
    rows = await owner.fetch("SELECT state, tries FROM webhook_deliveries ORDER BY created_at, event_id")
    return [tuple(row) for row in rows]


async def due(owner: Any) -> Sequence[datetime]:
    """When what waits is due."""
    rows = await owner.fetch("SELECT due_at FROM webhook_deliveries WHERE due_at IS NOT NULL ORDER BY due_at")
    return [row["due_at"] for row in rows]
