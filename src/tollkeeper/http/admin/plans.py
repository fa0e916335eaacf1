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
from tollkeeper.metering.plans import Plan


class PlanWithUsers(PlanShown, frozen=True, kw_only=True):
    """A plan of the catalogue, the number of its users, and which prices at Stripe mean it."""

    users: int
    stripe_price_monthly: str | None
    stripe_price_yearly: str | None

    @classmethod
    def of_some(cls, plan: Plan, users: int) -> PlanWithUsers:
        """Show a plan with so many users."""
        return cls(
            **shown(plan),
            users=users,
            stripe_price_monthly=plan.stripe_price_monthly,
            stripe_price_yearly=plan.stripe_price_yearly,
        )


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
    return Answer.of(PlansWithUsers(plans=[PlanWithUsers.of_some(plan, users) for plan, users in found]))
