"""The catalogue of plans, and how many are on each."""

from __future__ import annotations

from typing import Final, Literal

from litestar import get

from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.plans import PlanShown, shown
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard
from tollkeeper.metering import overview


class PlanWithUsers(PlanShown, frozen=True, kw_only=True):
    """A plan of the catalogue and the number of its users."""

    users: int


class PlansWithUsers(Heard, frozen=True, kw_only=True):
    """The catalogue, by rank."""

    success: Literal[True] = True
    plans: list[PlanWithUsers]


LIST: Final = Operation("admin", summary="List plans with their users", query=Said, gives={200: PlansWithUsers})


@get("/api/admin/plans", opt=LIST.as_opt())
async def list_plans(request: Exchange) -> Answer:
    """Who is on a plan that has expired counts as free."""
    request.asked(Said)
    found = await overview.plans_with_users(request.backend.patient)
    return Answer.of(PlansWithUsers(plans=[PlanWithUsers(**shown(plan), users=users) for plan, users in found]))
