"""Deliveries of webhooks: what became of each, and trying it anew."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta

from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import Contradiction, NotFound
from tollkeeper.http.admin.webhooks import ONE
from tollkeeper.http.exchange import Answer, Exchange, path_id, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.routing import get, post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, Moment, instant
from tollkeeper.webhooks import deliveries
from tollkeeper.webhooks.deliveries import Delivery, State


class DeliveriesQuery(PageQuery, frozen=True, kw_only=True):
    """Which deliveries: of all, or those in one state."""

    state: State | None = None


class ReplaySince(Said, frozen=True, kw_only=True):
    """Of events since when what failed is to be tried again."""

    since: Moment


class AttemptShown(Heard, frozen=True, kw_only=True):
    """One try: a status, or why there is none. Both where an answer began well and did not end."""

    at: Instant
    status: int | None
    error: str | None
    duration_ms: int

    @classmethod
    def of(cls, attempt: dict[str, Any]) -> AttemptShown:
        """Show one."""
        return cls(
            at=instant(datetime.fromisoformat(attempt["at"])),
            status=attempt["status"],
            error=attempt["error"],
            duration_ms=attempt["durationMs"],
        )


class DeliveryShown(Heard, frozen=True, kw_only=True):
    """One event for one endpoint, with the last ten tries, the oldest first.

    `messageId` is the header `webhook-id`, the same in each try. `dueAt`: when it is tried next.
    """

    id: str
    message_id: str
    kind: str
    user_id: str
    email: Annotated[str, Meta(max_length=LONGEST_EMAIL)] | None
    state: State
    tries: int
    due_at: Instant | None
    created_at: Instant
    delivered_at: Instant | None
    attempts: list[AttemptShown]

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryShown:
        """Show one."""
        return cls(
            id=delivery.id,
            message_id=delivery.message_id,
            kind=delivery.kind,
            user_id=str(delivery.user_id),
            email=delivery.email,
            state=delivery.state,
            tries=delivery.tries,
            due_at=delivery.due_at and instant(delivery.due_at),
            created_at=instant(delivery.created_at),
            delivered_at=delivery.delivered_at and instant(delivery.delivered_at),
            attempts=[AttemptShown.of(each) for each in delivery.attempts],
        )


class DeliveriesPage(Heard, frozen=True, kw_only=True):
    """Some deliveries, the newest first."""

    success: Literal[True] = True
    items: list[DeliveryShown]
    next_cursor: str | None


class Replayed(Heard, frozen=True, kw_only=True):
    """How many are tried again, each under the id that it has."""

    success: Literal[True] = True
    replayed: int


LIST: Final = Operation(
    "admin",
    summary="List deliveries to a webhook endpoint",
    query=DeliveriesQuery,
    gives={200: DeliveriesPage},
    problems=(NotFound,),
)
REPLAY: Final = Operation(
    "admin", summary="Deliver once more", query=Said, gives={200: Replayed}, problems=(NotFound, Contradiction)
)
REPLAY_FAILED: Final = Operation(
    "admin",
    summary="Deliver all that failed once more",
    takes=ReplaySince,
    query=Said,
    gives={200: Replayed},
    problems=(NotFound, Contradiction),
    examples={"of a day": {"since": "2026-03-01T00:00:00Z"}},
)


@get(ONE + "/deliveries", LIST)
async def list_deliveries(request: Exchange) -> Answer:
    """They go with their events, after 90 days."""
    query = request.asked(DeliveriesQuery)
    found = await deliveries.listed(
        request.backend.database,
        path_id(request, "id"),
        limit=query.limit + 1,
        state=query.state,
        before=position(query, tuple[datetime, UUID]),
    )
    shown = found[: query.limit]
    following = cursor_at((shown[-1].created_at, shown[-1].event_id)) if len(found) > query.limit else None
    return Answer.of(DeliveriesPage(items=[DeliveryShown.of(each) for each in shown], next_cursor=following))


@post(ONE + "/deliveries/{delivery}/replay", REPLAY)
async def replay_delivery(request: Exchange) -> Answer:
    """Now, whatever became of it before: the receiver tells by the id whether it has it already."""
    request.asked(Said)
    await deliveries.replay(
        request.backend.database, path_id(request, "id"), path_text(request, "delivery"), actor=request.actor
    )
    return Answer.of(Replayed(replayed=1))


@post(ONE + "/replay", REPLAY_FAILED)
async def replay_failed_deliveries(request: Exchange) -> Answer:
    """Now, of events since an instant: once a receiver is well again."""
    request.asked(Said)
    said = await request.said(ReplaySince)
    replayed = await deliveries.replay_failed(
        request.backend.database, path_id(request, "id"), said.since, actor=request.actor
    )
    return Answer.of(Replayed(replayed=replayed))
