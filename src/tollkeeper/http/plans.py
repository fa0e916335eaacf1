"""Plans: what there is, and what the caller has."""

from __future__ import annotations

from typing import Any, Final, Literal

from litestar import get

from tollkeeper.errors import NotFound
from tollkeeper.http.backend import Backend
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Cents, Heard, Instant, LimitsShown, cents, instant
from tollkeeper.metering import own_plan, plans
from tollkeeper.metering.own_plan import OwnPlan
from tollkeeper.metering.plans import Plan
from tollkeeper.metering.texts import TextPolicy


def shown(plan: Plan) -> dict[str, Any]:
    """Tell a plan's fields by the names of ``PlanShown``."""
    return {
        "name": plan.name,
        "rank": plan.rank,
        "daily_requests": plan.daily_requests,
        "monthly_requests": plan.monthly_requests,
        "max_tokens_per_request": plan.max_tokens_per_request,
        "monthly_tokens": plan.monthly_tokens,
        "monthly_cost": cents(plan.monthly_cost_nanos),
        "features": list(plan.features),
        "price_per_month": plan.price_per_month,
        "billing_cycle": plan.billing_cycle,
        "text_policy": plan.text_policy,
        "retain_text_days": plan.retain_text_days,
    }


class PlanShown(Heard, frozen=True, kw_only=True):
    """What a plan allows, and what is kept of texts under it.

    A limit of null is none at all, 0 allows nothing; money in cents. `retainTextDays` of null: as long as requests.
    """

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
    text_policy: TextPolicy
    retain_text_days: int | None

    @classmethod
    def of(cls, plan: Plan) -> PlanShown:
        """Show a plan of the catalogue."""
        return cls(**shown(plan))


class OwnPlanShown(PlanShown, frozen=True, kw_only=True):
    """The user's own terms: they stay as they were agreed when the catalogue changes, but for what is kept of texts."""

    starts_at: Instant
    expires_at: Instant | None


class PlansAnswer(Heard, frozen=True, kw_only=True):
    """The catalogue, by rank."""

    success: Literal[True] = True
    plans: list[PlanShown]


class OwnPlanAnswer(Heard, frozen=True, kw_only=True):
    """What the user's plan allows, and what of it is used."""

    success: Literal[True] = True
    plan: OwnPlanShown
    limits: LimitsShown

    @classmethod
    def of(cls, own: OwnPlan, backend: Backend) -> OwnPlanAnswer:
        """Show a user's plan."""
        expires_at = own.expires_at and instant(own.expires_at)
        plan = own.plan.within(backend.text_policy, backend.keep_text_days)
        terms = OwnPlanShown(**shown(plan), starts_at=instant(own.starts_at), expires_at=expires_at)
        return cls(plan=terms, limits=LimitsShown.of(own.limits))


LIST: Final = Operation("signed-in", summary="List the plans that there are", query=Said, gives={200: PlansAnswer})
SHOW_OWN: Final = Operation(
    "dashboard:read",
    summary="Show the user's plan and what of it is used",
    query=Said,
    gives={200: OwnPlanAnswer},
    problems=(NotFound,),
)


@get("/api/plans", opt=LIST.as_opt())
async def show_plans(request: Exchange) -> Answer:
    """The operator's catalogue, by rank: what a user may have, not what one has."""
    request.asked(Said)
    backend = request.backend
    found = await plans.catalogue(backend.database)
    within = [each.within(backend.text_policy, backend.keep_text_days) for each in found]
    return Answer.of(PlansAnswer(plans=[PlanShown.of(each) for each in within]))


@get("/api/user/plan", opt=SHOW_OWN.as_opt())
async def show_own_plan(request: Exchange) -> Answer:
    """The user's own terms, which need not be those of the catalogue any more."""
    request.asked(Said)
    backend = request.backend
    own = await own_plan.read(backend.database, backend.ledger, request.caller.user_id)
    return Answer.of(OwnPlanAnswer.of(own, backend))
