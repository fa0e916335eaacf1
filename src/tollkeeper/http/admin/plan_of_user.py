"""A user's plan in the hands of operators: what it is, what it was, what it becomes."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tollkeeper.accounts import users
from tollkeeper.errors import NotFound
from tollkeeper.http.exchange import Answer, Exchange, path_id, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery
from tollkeeper.http.plans.catalogue import OwnPlanAnswer, plan_of
from tollkeeper.http.plans.changes import CHANGES, ChangeAnswer, ChangePlan, HistoryPage, WishQuery, history_of
from tollkeeper.http.routing import get, put
from tollkeeper.http.shapes import Said
from tollkeeper.metering.plans import changes

_PATH: Final = "/api/admin/users/{user}/plan"

SHOW: Final = Operation(
    "admin",
    summary="Show a user's plan and what of it is used",
    query=Said,
    gives={200: OwnPlanAnswer},
    problems=(NotFound,),
)
CHANGE: Final = Operation("admin", summary="Change a user's plan", takes=ChangePlan, query=Said, **CHANGES)
PREVIEW: Final = Operation("admin", summary="See what a change of a user's plan would do", query=WishQuery, **CHANGES)
HISTORY: Final = Operation(
    "admin", summary="List the plans that a user had", query=PageQuery, gives={200: HistoryPage}, problems=(NotFound,)
)


async def user_of(request: Exchange) -> UUID:
    """Read whom a path is about: an id, or an e-mail address."""
    named = path_text(request, "user")
    if "@" not in named:
        return path_id(request, "user")
    user_id = await users.of_email(request.backend.database, named)
    if user_id is None:
        raise NotFound("no such user")
    return user_id


@get(_PATH, SHOW)
async def show_users_plan(request: Exchange) -> Answer:
    """The same as the user sees."""
    request.asked(Said)
    return await plan_of(request, await user_of(request))


@put(_PATH, CHANGE)
async def change_users_plan(request: Exchange) -> Answer:
    """To any plan, by the rules that hold for the user too: up at once, down when the paid period ends."""
    request.asked(Said)
    said = await request.said(ChangePlan)
    changed = await changes.change(
        request.backend.database, await user_of(request), said.as_wish(), actor=request.actor, by_themselves=False
    )
    return Answer.of(ChangeAnswer.of(changed, request.backend))


@get(_PATH + "/preview", PREVIEW)
async def preview_users_plan(request: Exchange) -> Answer:
    """The very answer that the change would give, and nothing is changed."""
    wish = request.asked(WishQuery).as_wish()
    changed = await changes.preview(
        request.backend.database, await user_of(request), wish, actor=request.actor, by_themselves=False
    )
    return Answer.of(ChangeAnswer.of(changed, request.backend))


@get(_PATH + "/history", HISTORY)
async def list_users_plans(request: Exchange) -> Answer:
    """Page by page, the newest first."""
    return await history_of(request, await user_of(request))
