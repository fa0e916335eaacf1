"""Changes of plan: what somebody wishes, by which rules it happens, and when.

Upgrades hold at once: what is used stays used, the allowance is the new plan's. Downgrades and cancelling hold from the
end of the period that is paid for, and can be taken back until then. ``decide`` says so for every case. To preview a
change it is made and rolled back, so the preview and the change are the same by construction.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, NeedsCheckout, NotFound
from tollkeeper.metering.plans import catalogue, own_plan, terms
from tollkeeper.metering.plans.own_plan import OwnPlan
from tollkeeper.metering.plans.plan_file import Cycle, Plan
from tollkeeper.store.database import Database, Transaction

Kind: TypeAlias = Literal["upgraded", "downgraded", "cancelled", "renewed", "resumed"]

FREE: Final = "free"
_MONTHS_A_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class Wish:
    """A plan that is wished for; ``billing_cycle`` None: as it is paid now, or else as the plan is sold."""

    plan: str
    billing_cycle: Cycle | None = None
    trial: bool = False


@dataclass(frozen=True, slots=True)
class Shop:
    """Where plans are bought, and where what was bought is managed."""

    checkout: str
    portal: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a wish comes to: from when, and until when what then holds is given (None: until it is changed)."""

    kind: Kind
    takes_effect_at: datetime
    _: KW_ONLY
    cycle: Cycle
    until: datetime | None = None
    is_at_once: bool = False
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of plan, and the user's plan after it. ``price`` in cents for each period of ``cycle``."""

    decision: Decision
    plan: Plan
    price: int
    own: OwnPlan


def decide(
    own: OwnPlan, plan: Plan, wish: Wish, *, now: datetime, period_ends_at: datetime, had_trial: bool
) -> Decision:
    """Say what a wish comes to for somebody with the plan ``own``, whose paid period ends at ``period_ends_at``.

    Raises ``Contradiction`` if nothing would change or a trial was had before, ``Invalid`` for a cycle in which the
    plan is not sold or a trial that it does not have.
    """
    cycle = _cycle(own, plan, wish)
    if wish.trial:
        return _trial(own, plan, cycle, now=now, had_trial=had_trial)
    if plan.name == own.plan.name and own.next_plan is not None and cycle == own.plan.billing_cycle:
        return Decision("resumed", now, until=own.given_until, cycle=cycle, is_at_once=True)
    if (own.next_plan, own.next_cycle) == (plan.name, cycle):
        raise Contradiction(f"the plan is about to be {plan.name}, paid {cycle}, already")
    if plan.name == own.plan.name and not own.is_trial:
        if cycle == own.plan.billing_cycle:
            raise Contradiction(f"the plan is {plan.name} already, and nothing else is arranged")
        if cycle == "yearly":
            return Decision("renewed", now, cycle=cycle, is_at_once=True)
        return Decision("renewed", _end(own, period_ends_at), cycle=cycle)
    if plan.rank >= own.plan.rank:
        return Decision("upgraded", now, cycle=cycle, is_at_once=True)
    kind: Kind = "cancelled" if plan.name == FREE else "downgraded"
    return Decision(kind, _end(own, period_ends_at), cycle=cycle)


def _trial(own: OwnPlan, plan: Plan, cycle: Cycle, *, now: datetime, had_trial: bool) -> Decision:
    if not plan.trial_days:
        raise Invalid.field("trial", f"is not to be had of the plan {plan.name}")
    if had_trial or plan.name == own.plan.name:
        raise Contradiction(f"the plan {plan.name} has been tried before")
    if plan.rank < own.plan.rank:
        raise Contradiction(f"the plan {plan.name} is below the present one, which would be lost")
    until = now + timedelta(days=plan.trial_days)
    return Decision("upgraded", now, until=until, cycle=cycle, is_at_once=True, is_trial=True)


def _end(own: OwnPlan, period_ends_at: datetime) -> datetime:
    """Say when what was paid for ends; what was given for a time only ends no later than that."""
    return period_ends_at if own.given_until is None else min(period_ends_at, own.given_until)


def _cycle(own: OwnPlan, plan: Plan, wish: Wish) -> Cycle:
    if wish.billing_cycle is None:
        return own.plan.billing_cycle if plan.name == own.plan.name else plan.billing_cycle
    refuse_unless_sold(plan, wish.billing_cycle)
    return wish.billing_cycle


def refuse_unless_sold(plan: Plan, cycle: Cycle) -> None:
    """Refuse a cycle of payment in which a plan is not sold."""
    if plan.price_per_year is None and cycle != plan.billing_cycle:
        raise Invalid.field("billingCycle", f"is not one in which the plan {plan.name} is sold")


async def paid_until(tx: Transaction, own: OwnPlan, now: datetime) -> datetime:
    """Say when what is paid for at an instant ends; what was given for a time only ends no later than that."""
    period_ends_at = await tx.value(
        "billing_period", anchored_at=own.anchored_at, cycle=own.plan.billing_cycle, zone=own.zone, at=now
    )
    return _end(own, period_ends_at)


def price_of(plan: Plan, cycle: Cycle) -> int:
    """Say what a period of a plan costs, in cents."""
    if cycle == "monthly":
        return plan.price_per_month
    return plan.price_per_month * _MONTHS_A_YEAR if plan.price_per_year is None else plan.price_per_year


def refuse_unless_self_service(own: OwnPlan, plan: Plan, decision: Decision, *, shop: Shop | None = None) -> None:
    """Refuse what users cannot take by themselves: less they may, more only of a plan that is marked so.

    What was given until an instant is followed by free: whatever else would follow it is more.
    """
    is_more = decision.is_at_once or own.given_until is not None
    if is_more and decision.kind not in {"resumed", "cancelled"} and not plan.self_service:
        told = f"the plan {plan.name} is not one that users take by themselves"
        where = shop.checkout if shop and decision.cycle in plan.prices_at_stripe else None
        raise NeedsCheckout(f"{told}: it is bought" if where else told, plan=plan.name, checkout=where)


async def change(
    database: Database, user_id: UUID, wish: Wish, *, actor: Actor, by_themselves: bool, shop: Shop | None = None
) -> Changed:
    """Change a user's plan as ``decide`` says, or refuse and change nothing.

    ``by_themselves`` only what ``refuse_unless_self_service`` lets pass, and nothing of what is paid for elsewhere:
    that is changed there. ``NotFound`` for an unknown plan or user.
    """
    async with database.transaction() as tx:
        return await _change(tx, user_id, wish, actor=actor, by_themselves=by_themselves, shop=shop)


async def preview(
    database: Database, user_id: UUID, wish: Wish, *, actor: Actor, by_themselves: bool, shop: Shop | None = None
) -> Changed:
    """Say what ``change`` would do, by doing it and rolling back."""

    async def rehearse() -> None:
        async with database.transaction() as tx:
            raise _Rehearsed(await _change(tx, user_id, wish, actor=actor, by_themselves=by_themselves, shop=shop))

    try:
        await rehearse()
    except _Rehearsed as rehearsed:
        return rehearsed.changed
    raise AssertionError("a rehearsal ends with what it came to")


async def _change(
    tx: Transaction, user_id: UUID, wish: Wish, *, actor: Actor, by_themselves: bool, shop: Shop | None
) -> Changed:
    # Takes the lock and answers the instant that decides.
    now = await tx.value("bring_current", user_ids=[user_id])
    own = await own_plan.current(tx, user_id)
    plan = next((each for each in await catalogue.all_plans(tx) if each.name == wish.plan), None)
    if plan is None:
        raise NotFound(f"the catalogue has no plan {wish.plan!r}", field="plan")
    if by_themselves and shop is not None and await tx.value("subscription_of_user", user_id=user_id) == "running":
        raise NeedsCheckout(
            "the plan is paid for by a subscription: change it there", plan=plan.name, portal=shop.portal
        )
    period_ends_at = await paid_until(tx, own, now)
    had_trial = await tx.value("had_trial", user_id=user_id, plan=plan.name)
    decision = decide(own, plan, wish, now=now, period_ends_at=period_ends_at, had_trial=had_trial)
    if by_themselves:
        refuse_unless_self_service(own, plan, decision, shop=shop)
    terms_id = await _carry_out(tx, user_id, plan, decision, now=now)
    await tx.run("put_in_force", user_id=user_id, terms_id=terms_id, at=now)
    detail = {"plan": plan.name, "kind": decision.kind, "at": decision.takes_effect_at.isoformat()}
    await activity.note(tx, user_id=user_id, actor=actor, action="plan.changed", detail=detail)
    after = await own_plan.current(tx, user_id)
    return Changed(decision, plan, price_of(plan, decision.cycle), after)


async def _carry_out(tx: Transaction, user_id: UUID, plan: Plan, decision: Decision, *, now: datetime) -> UUID:
    is_resumed = decision.kind == "resumed"
    if is_resumed or not decision.is_at_once:
        return await tx.value(
            "arrange_next",
            user_id=user_id,
            expires_at=decision.until if is_resumed else decision.takes_effect_at,
            next_plan=None if is_resumed else plan.name,
            next_cycle=None if is_resumed else decision.cycle,
            at=now,
        )
    return await terms.new_terms(
        tx,
        user_id,
        plan.name,
        kind=decision.kind,
        starts_at=decision.takes_effect_at,
        expires_at=decision.until,
        cycle=decision.cycle,
        is_trial=decision.is_trial,
    )


class _Rehearsed(Exception):
    """Carries what a change came to out of a transaction that must not commit."""

    def __init__(self, changed: Changed) -> None:
        super().__init__()
        self.changed = changed
