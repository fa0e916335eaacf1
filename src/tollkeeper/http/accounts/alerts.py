"""What one is told of one's plan and limits; operators see that of all in ``admin/alerts.py``."""

from __future__ import annotations

from typing import Any, Final, Literal
from uuid import UUID

from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.routing import get, post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant
from tollkeeper.metering import events
from tollkeeper.metering.events import Event, Kind


class AlertsQuery(PageQuery, frozen=True, kw_only=True):
    """Which of them."""

    kind: Kind | None = None


class AlertShown(Heard, frozen=True, kw_only=True):
    """One event. What `data` holds depends on its kind; `seenAt` null: not seen in the page yet."""

    id: str
    kind: Kind
    data: dict[str, Any]
    created_at: Instant
    seen_at: Instant | None


def shown(event: Event) -> dict[str, Any]:
    """Tell an event by the names of ``AlertShown``."""
    return {
        "id": str(event.id),
        "kind": event.kind,
        "data": event.data,
        "created_at": instant(event.created_at),
        "seen_at": event.seen_at and instant(event.seen_at),
    }


class AlertsPage(Heard, frozen=True, kw_only=True):
    """Some of them, and how many of all are unseen; ``nextCursor`` leads on, null where nothing follows."""

    success: Literal[True] = True
    items: list[AlertShown]
    next_cursor: str | None
    unseen: int


class SeeAlerts(Said, frozen=True, kw_only=True):
    """Up to which one all were seen."""

    last: UUID


class AlertsSeen(Heard, frozen=True, kw_only=True):
    """How many are unseen now."""

    success: Literal[True] = True
    unseen: int


LIST: Final = Operation(
    "dashboard:read",
    summary="List what the user was told of their plan and limits, newest first",
    query=AlertsQuery,
    gives={200: AlertsPage},
)
SEE: Final = Operation(
    "person",
    summary="Note that alerts were seen",
    takes=SeeAlerts,
    query=Said,
    gives={200: AlertsSeen},
    personal=True,
    examples={"All up to one": {"last": "0197a1de-6f7a-7d53-9c3a-0f6f0a1b2c3d"}},
)


@get("/api/user/alerts", LIST)
async def list_alerts(request: Exchange) -> Answer:
    """Limits near or reached, plans changed or ended, models without a price, unusual spend; each once a period.

    Kept for 90 days.
    """
    query, database, user_id = request.asked(AlertsQuery), request.backend.database, request.caller.user_id
    found = await events.of_user(database, user_id, limit=query.limit + 1, below=position(query, UUID), kind=query.kind)
    page = found[: query.limit]
    return Answer.of(
        AlertsPage(
            items=[AlertShown(**shown(each)) for each in page],
            next_cursor=cursor_at(page[-1].id) if len(found) > query.limit else None,
            unseen=await events.unseen(database, user_id),
        )
    )


@post("/api/user/alerts/seen", SEE)
async def see_alerts(request: Exchange) -> Answer:
    """Those that came later stay unseen."""
    request.asked(Said)
    said = await request.said(SeeAlerts)
    database, user_id = request.backend.database, request.caller.user_id
    await events.see(database, user_id, said.last)
    return Answer.of(AlertsSeen(unseen=await events.unseen(database, user_id)))
