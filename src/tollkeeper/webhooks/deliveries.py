"""Deliveries as operators see them, and trying them anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, NotFound
from tollkeeper.store.database import Database, Statements
from tollkeeper.webhooks import endpoints, signing

State = Literal["waiting", "delivered", "failed"]

_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint. ``attempts``: the last ten tries, the oldest first."""

    user_id: UUID
    event_id: UUID
    kind: str
    email: str | None
    state: State
    tries: int
    due_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    attempts: list[dict[str, Any]]

    @property
    def id(self) -> str:
        """Name it to operators."""
        return f"{self.user_id.hex}-{self.event_id.hex}"

    @property
    def message_id(self) -> str:
        """Name it as its receiver does."""
        return signing.message_id(self.event_id)


async def listed(
    database: Statements,
    endpoint_id: UUID,
    *,
    limit: int,
    state: State | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> list[Delivery]:
    """List deliveries to an endpoint, the newest first; ``NotFound`` if there is no such endpoint."""
    await endpoints.one(database, endpoint_id)
    before_at, before_id = before or (None, None)
    rows = await database.all(
        "webhook_deliveries_page",
        endpoint_id=endpoint_id,
        state=state,
        before_at=before_at,
        before_id=before_id,
        most=limit,
    )
    return [Delivery(**row) for row in rows]


def ids_of(delivery: str) -> tuple[UUID, UUID]:
    """Read the name of a delivery: its user and its event. ``NotFound`` if it cannot be one."""
    try:
        user, event = (UUID(hex=each) for each in delivery.split("-"))
    except ValueError:
        raise NotFound("no such delivery") from None
    return user, event


async def replay(database: Database, endpoint_id: UUID, delivery: str, *, actor: Actor) -> None:
    """Let one be tried now, whatever became of it, under the id that it has; ``NotFound`` if there is none."""
    user_id, event_id = ids_of(delivery)
    async with database.transaction() as tx:
        await _begin(tx, endpoint_id)
        found = await tx.value("replay_webhook", user_id=user_id, event_id=event_id, endpoint_id=endpoint_id)
        if found is None:
            raise NotFound("no such delivery")
        detail = {"endpoint": str(endpoint_id), "event": str(event_id)}
        await activity.note(tx, user_id=None, actor=actor, action="webhook.replayed", detail=detail)


async def replay_failed(database: Database, endpoint_id: UUID, since: datetime, *, actor: Actor) -> int:
    """Let all that failed be tried now, of events since an instant, also what is to be tried again later.

    Says how many that is.
    """
    replayed, kinds = 0, ["replay_waiting_webhooks", "replay_failed_webhooks"]
    while kinds:
        async with database.transaction() as tx:
            await _begin(tx, endpoint_id)
            some = await tx.value(kinds[0], endpoint_id=endpoint_id, since=since, most=_AT_ONCE)
            replayed += some
            if some < _AT_ONCE:
                del kinds[0]
            if not kinds:
                detail = {"endpoint": str(endpoint_id), "since": since.isoformat(), "deliveries": replayed}
                await activity.note(tx, user_id=None, actor=actor, action="webhook.replayed", detail=detail)
    return replayed


async def _begin(tx: Statements, endpoint_id: UUID) -> None:
    """Refuse an endpoint that is switched off: nothing would be sent. One that rests is disturbed."""
    if not (await endpoints.one(tx, endpoint_id)).is_active:
        raise Contradiction("the endpoint is switched off: switch it on first")
    await tx.run("rest_no_more", endpoint_id=endpoint_id)
