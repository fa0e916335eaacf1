"""The catalogue of plans, and how many are on each."""

from __future__ import annotations

from typing import Final, Literal

from litestar import get

from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Cents, Heard, cents
from tollkeeper.metering import overview
from tollkeeper.metering.plans import Plan


class PlanWithUsers(Heard, frozen=True, kw_only=True):
    """A plan of the catalogue and the number of its users. A limit of null is none at all; money in cents."""

    name: str
    rank: int
    daily_requests: int | None
    monthly_requests: int | None
    max_tokens_per_request: int | None
    monthly_tokens: int | None
    monthly_cost: Cents | None
    features: list[str]
    price_per_month: int
    billing_cycle: Literal["monthly", "yearly"]
    users: int

    @classmethod
    def of(cls, plan: Plan, users: int) -> PlanWithUsers:
        """Show a plan."""
        return cls(
            name=plan.name,
            rank=plan.rank,
            daily_requests=plan.daily_requests,
            monthly_requests=plan.monthly_requests,
            max_tokens_per_request=plan.max_tokens_per_request,
            monthly_tokens=plan.monthly_tokens,
            monthly_cost=cents(plan.monthly_cost_nanos),
            features=list(plan.features),
            price_per_month=plan.price_per_month,
            billing_cycle=plan.billing_cycle,
            users=users,
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
    return Answer.of(PlansWithUsers(plans=[PlanWithUsers.of(*each) for each in found]))
