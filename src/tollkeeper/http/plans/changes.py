"""Changing one's plan, seeing first what that would do, and the plans that one had."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from msgspec import Meta

from tollkeeper.errors import Contradiction, NeedsCheckout, NotFound
from tollkeeper.http.backend import Backend
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.plans.catalogue import OwnPlanShown
from tollkeeper.http.routing import get, put
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, LimitsShown, instant
from tollkeeper.metering.plans import changes, own_plan
from tollkeeper.metering.plans.changes import Changed, Kind, Wish
from tollkeeper.metering.plans.own_plan import CameBy, PastTerms
from tollkeeper.metering.plans.plan_file import Cycle

PlanName = Annotated[str, Meta(min_length=1, max_length=50)]


class WishQuery(Said, frozen=True, kw_only=True):
    """The plan that a change would lead to; the present one takes back what is arranged."""

    plan: PlanName
    billing_cycle: Cycle | None = None
    trial: bool = False

    def as_wish(self) -> Wish:
        """Say the same inside."""
        return Wish(self.plan, self.billing_cycle, self.trial)


class ChangePlan(WishQuery, frozen=True, kw_only=True):
    """The plan to change to; the present one takes back what is arranged."""


class ChangeShown(Heard, frozen=True, kw_only=True):
    """What a change comes to. `price` in cents of `currency` for each period of `billingCycle`.

    Upgrades take effect at once; `downgraded`, `cancelled` and a shorter cycle when the paid period ends.
    """

    kind: Kind
    plan: str
    billing_cycle: Cycle
    is_trial: bool
    is_at_once: bool
    takes_effect_at: Instant
    until: Instant | None
    price: int
    currency: str


class ChangeAnswer(Heard, frozen=True, kw_only=True):
    """A change of plan, and the user's plan and limits right after it."""

    success: Literal[True] = True
    change: ChangeShown
    plan: OwnPlanShown
    limits: LimitsShown

    @classmethod
    def of(cls, changed: Changed, backend: Backend) -> Self:
        """Show it."""
        decision, plan = changed.decision, changed.plan
        shown = ChangeShown(
            kind=decision.kind,
            plan=plan.name,
            billing_cycle=decision.cycle,
            is_trial=decision.is_trial,
            is_at_once=decision.is_at_once,
            takes_effect_at=instant(decision.takes_effect_at),
            until=decision.until and instant(decision.until),
            price=changed.price,
            currency=plan.currency,
        )
        own = changed.own
        return cls(change=shown, plan=OwnPlanShown.of_own(own, backend), limits=LimitsShown.of(own.limits))


class TermsShown(Heard, frozen=True, kw_only=True):
    """A plan that a user had or has: from when, until when, and how they came to it."""

    id: str
    plan: str
    version: int
    kind: CameBy
    billing_cycle: Cycle
    is_trial: bool
    is_in_force: bool
    starts_at: Instant
    ended_at: Instant | None

    @classmethod
    def of(cls, terms: PastTerms) -> TermsShown:
        """Show them."""
        return cls(
            id=str(terms.id),
            plan=terms.plan_name,
            version=terms.plan_version,
            kind=terms.kind,
            billing_cycle=terms.billing_cycle,
            is_trial=terms.is_trial,
            is_in_force=terms.is_in_force,
            starts_at=instant(terms.starts_at),
            ended_at=terms.ended_at and instant(terms.ended_at),
        )


class HistoryPage(Heard, frozen=True, kw_only=True):
    """The plans of a user, the newest first."""

    success: Literal[True] = True
    items: list[TermsShown]
    next_cursor: str | None


CHANGES: Final[dict[str, Any]] = {
    "gives": {200: ChangeAnswer},
    "problems": (NotFound, Contradiction, NeedsCheckout),
}
CHANGE: Final = Operation(
    "person",
    summary="Change one's plan",
    takes=ChangePlan,
    query=Said,
    examples={"cancel": {"plan": "free"}, "by the year": {"plan": "pro", "billingCycle": "yearly"}},
    **CHANGES,
)
PREVIEW: Final = Operation("person", summary="See what a change of plan would do", query=WishQuery, **CHANGES)
HISTORY: Final = Operation(
    "dashboard:read", summary="List the plans that one had", query=PageQuery, gives={200: HistoryPage}
)


@put("/api/user/plan", CHANGE)
async def change_plan(request: Exchange) -> Answer:
    """To a lower plan, to `free`, or to one marked `selfService`. Others come through a checkout or an operator."""
    request.asked(Said)
    said = await request.said(ChangePlan)
    changed = await changes.change(
        request.backend.database,
        request.caller.user_id,
        said.as_wish(),
        actor=request.actor,
        by_themselves=True,
        shop=request.backend.shop,
    )
    return Answer.of(ChangeAnswer.of(changed, request.backend))


@get("/api/user/plan/preview", PREVIEW)
async def preview_plan(request: Exchange) -> Answer:
    """The very answer that the change would give, and nothing is changed."""
    wish = request.asked(WishQuery).as_wish()
    changed = await changes.preview(
        request.backend.database,
        request.caller.user_id,
        wish,
        actor=request.actor,
        by_themselves=True,
        shop=request.backend.shop,
    )
    return Answer.of(ChangeAnswer.of(changed, request.backend))


@get("/api/user/plan/history", HISTORY)
async def list_plans_had(request: Exchange) -> Answer:
    """Page by page; each begins where the one before it ended."""
    return await history_of(request, request.caller.user_id)


async def history_of(request: Exchange, user_id: UUID) -> Answer:
    """Answer a page of the plans that a user had."""
    query = request.asked(PageQuery)
    after = position(query, UUID)
    found = await own_plan.history(request.backend.database, user_id, limit=query.limit + 1, after=after)
    items, more = found[: query.limit], len(found) > query.limit
    return Answer.of(
        HistoryPage(
            items=[TermsShown.of(each) for each in items], next_cursor=cursor_at(items[-1].id) if more else None
        )
    )
