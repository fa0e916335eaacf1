"""Plans: what there is, and what the caller has."""

from __future__ import annotations

from typing import Any, Final, Literal
from uuid import UUID

from tollkeeper.errors import NotFound
from tollkeeper.http.backend import Backend
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Cents, Heard, Instant, LimitsShown, cents, instant
from tollkeeper.metering.plans import catalogue, own_plan
from tollkeeper.metering.plans.catalogue import Plan
from tollkeeper.metering.plans.own_plan import OwnPlan
from tollkeeper.metering.plans.plan_file import Cycle
from tollkeeper.metering.tracking.texts import TextPolicy
from tollkeeper.selling import buying
from tollkeeper.selling.buying import Subscription


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
        "version": plan.version,
        "requests_per_minute": plan.requests_per_minute,
        "concurrent_requests": plan.concurrent_requests,
        "entitlements": dict(plan.entitlements),
        "period": plan.period,
        "rollover_percent": plan.rollover_percent,
        "refund": plan.refund,
        "on_unavailable": plan.on_unavailable,
        "warn_at": list(plan.warn_at),
        "price_per_year": plan.price_per_year,
        "currency": plan.currency,
        "trial_days": plan.trial_days,
        "self_service": plan.self_service,
    }


class PlanShown(Heard, frozen=True, kw_only=True):
    """What a plan allows, what it costs, and what is kept of texts under it.

    A limit of null is none at all, 0 allows nothing; money in cents, `pricePerYear` of null: not sold by the year.
    `retainTextDays` of null: as long as requests. `onUnavailable` is what clients should do while tollkeeper is away.
    `warnAt` are percentages of the limits at which users are told.
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
    billing_cycle: Cycle
    text_policy: TextPolicy
    retain_text_days: int | None
    version: int
    requests_per_minute: int | None
    concurrent_requests: int | None
    entitlements: dict[str, bool | int | float | list[str]]
    period: Literal["calendar", "anniversary"]
    rollover_percent: int
    refund: Literal["trusted", "never"]
    on_unavailable: Literal["closed", "open"]
    warn_at: list[int]
    price_per_year: int | None
    currency: str
    trial_days: int
    self_service: bool


class OfferShown(PlanShown, frozen=True, kw_only=True):
    """A plan of the catalogue. `checkoutCycles` are those it is bought in at the checkout; none: it is not."""

    checkout_cycles: list[Cycle]

    @classmethod
    def of_offer(cls, plan: Plan, backend: Backend) -> OfferShown:
        """Show a plan, within what the house keeps of texts."""
        within = plan.within(backend.text_policy, backend.keep_text_days)
        return cls(**shown(within), checkout_cycles=[] if backend.stripe is None else [*plan.prices_at_stripe])


class OwnPlanShown(PlanShown, frozen=True, kw_only=True):
    """The user's own terms: they stay as they were agreed when the catalogue changes, but for what is kept of texts.

    When they expire, `nextPlan` follows (null: free). What is paid is as `billingCycle` says.
    """

    starts_at: Instant
    expires_at: Instant | None
    is_trial: bool
    next_plan: str | None
    next_billing_cycle: Cycle | None

    @classmethod
    def of_own(cls, own: OwnPlan, backend: Backend) -> OwnPlanShown:
        """Show a user's terms, within what the house keeps of texts."""
        return cls(
            **shown(own.plan.within(backend.text_policy, backend.keep_text_days)),
            starts_at=instant(own.starts_at),
            expires_at=own.expires_at and instant(own.expires_at),
            is_trial=own.is_trial,
            next_plan=own.next_plan,
            next_billing_cycle=own.next_cycle,
        )


class PlansAnswer(Heard, frozen=True, kw_only=True):
    """The catalogue, by rank."""

    success: Literal[True] = True
    plans: list[OfferShown]


class OwnPlanAnswer(Heard, frozen=True, kw_only=True):
    """What the user's plan allows, and what of it is used.

    `maxTokensPerRequest` is in force, with exceptions to the plan like `limits`.
    `subscription` is what was bought at the checkout (null: nothing); one that is `running` is changed in the portal.
    """

    success: Literal[True] = True
    plan: OwnPlanShown
    limits: LimitsShown
    max_tokens_per_request: int | None
    subscription: Subscription | None


LIST: Final = Operation("signed-in", summary="List the plans that there are", query=Said, gives={200: PlansAnswer})
SHOW_OWN: Final = Operation(
    "dashboard:read",
    summary="Show the user's plan and what of it is used",
    query=Said,
    gives={200: OwnPlanAnswer},
    problems=(NotFound,),
)


@get("/api/plans", LIST)
async def show_plans(request: Exchange) -> Answer:
    """The operator's catalogue, by rank: what a user may have, not what one has."""
    request.asked(Said)
    backend = request.backend
    found = await catalogue.all_plans(backend.database)
    return Answer.of(PlansAnswer(plans=[OfferShown.of_offer(each, backend) for each in found]))


@get("/api/user/plan", SHOW_OWN)
async def show_own_plan(request: Exchange) -> Answer:
    """The user's own terms, which need not be those of the catalogue any more."""
    request.asked(Said)
    return await plan_of(request, request.caller.user_id)


async def plan_of(request: Exchange, user_id: UUID) -> Answer:
    """Answer what a user's plan allows."""
    backend = request.backend
    own = await own_plan.read(backend.database, backend.ledger, user_id)
    bought = None if backend.stripe is None else await buying.subscription(backend.database, user_id)
    return Answer.of(
        OwnPlanAnswer(
            plan=OwnPlanShown.of_own(own, backend),
            limits=LimitsShown.of(own.limits),
            max_tokens_per_request=own.tokens_a_request,
            subscription=bought,
        )
    )
