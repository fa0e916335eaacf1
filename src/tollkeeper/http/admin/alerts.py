"""What all users were told of their plans and limits, for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from tollkeeper.http.accounts.alerts import AlertShown, AlertsQuery, shown
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import cursor_at, position
from tollkeeper.http.routing import get
from tollkeeper.http.wire import Heard
from tollkeeper.metering import events


class AlertOfAllShown(AlertShown, frozen=True, kw_only=True):
    """One event, with whom it is about."""

    user_id: str
    email: str | None


class AlertsOfAll(Heard, frozen=True, kw_only=True):
    """Some of them; ``nextCursor`` leads on, null where nothing follows."""

    success: Literal[True] = True
    items: list[AlertOfAllShown]
    next_cursor: str | None


LIST: Final = Operation(
    "admin",
    summary="List what all users were told of their plans and limits, newest first",
    query=AlertsQuery,
    gives={200: AlertsOfAll},
)


@get("/api/admin/alerts", LIST)
async def list_all_alerts(request: Exchange) -> Answer:
    """Of the last 90 days. Webhooks tell other systems of the same."""
    query = request.asked(AlertsQuery)
    below = position(query, tuple[datetime, UUID])
    found = await events.of_all(request.backend.patient, limit=query.limit + 1, below=below, kind=query.kind)
    page = found[: query.limit]
    items = [AlertOfAllShown(**shown(each), user_id=str(each.user_id), email=each.email) for each in page]
    following = cursor_at((page[-1].created_at, page[-1].id)) if len(found) > query.limit else None
    return Answer.of(AlertsOfAll(items=items, next_cursor=following))
