"""What tests of overrides and grants are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from tests.metering.making import started
from tollkeeper.activity import Actor
from tollkeeper.errors import LimitReached
from tollkeeper.metering.plans import exceptions
from tollkeeper.metering.plans.exceptions import Grant, Unit
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Database

AT = datetime(2026, 5, 13, 12, tzinfo=UTC)
OPERATOR = Actor("test")


async def admitted(ledger: Ledger, user: UUID, most: int = 50) -> int:
    """Start until a limit refuses."""
    for done in range(most):
        try:
            await started(ledger, user)
        except LimitReached as refused:
            limits = refused.fields["limits"]
            assert limits.monthly_limit is None or limits.monthly_used <= limits.monthly_limit
            return done
    return most


async def grant(
    db: Database,
    user: UUID,
    amount: int,
    unit: Unit = "requests",
    *,
    expires_at: datetime | None = None,
    priority: int = 0,
) -> Grant:
    return await exceptions.grant(
        db, user, unit, amount, reason="top-up", expires_at=expires_at, priority=priority, actor=OPERATOR
    )


async def burned(db: Database, user: UUID) -> dict[int, int]:
    """What of each grant is burned, by its amount."""
    return {each.amount: each.burned for each in await exceptions.grants(db, user)}
