"""The one way in for what a provider says that a user has: it holds at once, whatever the ranks and whoever paid how.

A provider decides when things happen. So nothing waits for the end of a period here unless the provider says so, no
trial is refused because there was one before, and an end that the provider gave cannot be taken back by the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import NotFound
from tollkeeper.metering.plans import catalogue, changes, own_plan, terms
from tollkeeper.metering.plans.changes import FREE
from tollkeeper.metering.plans.own_plan import OwnPlan
from tollkeeper.metering.plans.plan_file import Cycle, Plan
from tollkeeper.store.database import Statements, Transaction

_BY_RANK: Final = {True: "upgraded", False: "downgraded"}


@dataclass(frozen=True, slots=True)
class Held:
    """A plan that a user has by a provider. ``cycle`` None: as it is sold.

    ``until`` None: for good; else ``then`` follows (None: free).
    """

    plan: str
    cycle: Cycle | None = None
    _: KW_ONLY
    is_trial: bool = False
    until: datetime | None = None
    then: Held | None = None


async def by_name(database: Statements) -> dict[str, Plan]:
    """Give all plans by their names."""
    return {plan.name: plan for plan in await catalogue.all_plans(database)}


def named(known: Mapping[str, Plan], name: str) -> Plan:
    """Find a plan; ``NotFound`` if the catalogue has no such."""
    if name not in known:
        raise NotFound(f"the catalogue has no plan {name!r}", field="plan")
    return known[name]


async def hold(
    tx: Transaction,
    user_id: UUID,
    held: Held,
    known: Mapping[str, Plan],
    *,
    now: datetime,
    actor: Actor,
    reference: str | None,
) -> bool:
    """Let a user have what a provider says, and say whether that changed anything.

    For a transaction that has their lock and brought them current. An end that is over by now has come.
    """
    while held.until is not None and held.until <= now:
        held = held.then or Held(FREE)
    plan, own = named(known, held.plan), await own_plan.current(tx, user_id)
    cycle = held.cycle or plan.billing_cycle
    is_same = _is_same(own, plan, cycle, is_trial=held.is_trial)
    follows = (None, None) if held.then is None else (held.then.plan, held.then.cycle)
    if is_same and (own.expires_at, own.given_until, own.next_plan, own.next_cycle) == (
        held.until,
        held.until,
        *follows,
    ):
        return False
    if is_same:
        terms_id = await tx.value("give_until", user_id=user_id, until=held.until, at=now)
    else:
        terms_id = await terms.new_terms(
            tx,
            user_id,
            plan.name,
            kind=_kind(own, plan),
            starts_at=now,
            expires_at=held.until,
            cycle=cycle,
            is_trial=held.is_trial,
        )
    await tx.run("put_in_force", user_id=user_id, terms_id=terms_id, at=now)
    if held.then is not None:
        # Of the terms that are in force.
        following = {"next_plan": follows[0], "next_cycle": follows[1]}
        await tx.value("arrange_next", user_id=user_id, expires_at=held.until, at=now, **following)
        await tx.run("put_in_force", user_id=user_id, terms_id=terms_id, at=now)
    await terms.note_set(tx, user_id, plan.name, held.until, actor=actor, **_of(reference))
    return True


async def arrange(
    tx: Transaction, user_id: UUID, plan: Plan, cycle: Cycle, *, now: datetime, actor: Actor, reference: str | None
) -> bool:
    """Let a plan follow the present one when its paid period ends; say whether that changed anything.

    The present plan takes back what was arranged.
    """
    own = await own_plan.current(tx, user_id)
    follows, ends_at = (plan.name, cycle), await changes.paid_until(tx, own, now)
    if _is_same(own, plan, cycle, is_trial=False):
        follows, ends_at = (None, None), own.given_until
    if (own.next_plan, own.next_cycle, own.expires_at) == (*follows, ends_at):
        return False
    terms_id = await tx.value(
        "arrange_next", user_id=user_id, expires_at=ends_at, next_plan=follows[0], next_cycle=follows[1], at=now
    )
    await tx.run("put_in_force", user_id=user_id, terms_id=terms_id, at=now)
    kind = "renewed" if follows[0] is None else _kind(own, plan)
    detail = {"plan": plan.name, "kind": kind, "at": (ends_at or now).isoformat()}
    await activity.note(tx, user_id=user_id, actor=actor, action="plan.changed", detail=detail | _of(reference))
    return True


def _is_same(own: OwnPlan, plan: Plan, cycle: Cycle, *, is_trial: bool) -> bool:
    # Nobody pays for free, whatever the cycle.
    has_cycle = plan.name == FREE or own.plan.billing_cycle == cycle
    return own.plan.name == plan.name and has_cycle and own.is_trial == is_trial


def _kind(own: OwnPlan, plan: Plan) -> str:
    if plan.name == own.plan.name:
        return "renewed"
    return "cancelled" if plan.name == FREE else _BY_RANK[plan.rank >= own.plan.rank]


def _of(reference: str | None) -> dict[str, Any]:
    return {} if reference is None else {"reference": reference}
