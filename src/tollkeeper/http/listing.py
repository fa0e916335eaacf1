"""The list of chat requests: the caller's own, or those of a user whom an operator looks at."""

from __future__ import annotations

from uuid import UUID

from litestar import get

from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.shown import RequestShown, RequestsPage
from tollkeeper.metering import records


@get(
    "/api/chat/requests",
    opt=Operation(
        "dashboard:read", summary="List requests, newest first", query=PageQuery, gives={200: RequestsPage}
    ).as_opt(),
)
async def list_requests(request: Exchange) -> Answer:
    """The caller's requests, page by page. What starts while one turns the pages comes before the first."""
    return await page_of(request, request.caller.user_id)


async def page_of(request: Exchange, user_id: UUID) -> Answer:
    """Answer what the query asks for of one user's requests."""
    query = request.asked(PageQuery)
    found = await records.newest(request.backend.database, user_id, limit=query.limit + 1, before=position(query, UUID))
    items = found[: query.limit]
    following = cursor_at(items[-1].id) if len(found) > query.limit else None
    return Answer.of(RequestsPage(items=[RequestShown.of(each) for each in items], next_cursor=following))
