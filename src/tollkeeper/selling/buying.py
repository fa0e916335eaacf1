"""Buying a plan at Stripe, and managing what one has bought: where a person is sent for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from tollkeeper.accounts import users
from tollkeeper.errors import Contradiction, Invalid, NotForSale
from tollkeeper.metering.plans.changes import Shop
from tollkeeper.metering.plans.plan_file import Cycle, Plan
from tollkeeper.selling import providing
from tollkeeper.selling.order import Order
from tollkeeper.store.database import Database

if TYPE_CHECKING:
    from tollkeeper.selling.stripe_api import Stripe

SHOP: Final = Shop(checkout="/api/user/plan/checkout", portal="/api/user/plan/portal")

# What is `running` is paid for at Stripe, right now or not, and changed there alone; what has `ended` left invoices.
Subscription = Literal["running", "ended"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The plan that somebody wants to buy; ``billing_cycle`` None: as it is sold."""

    plan: str
    billing_cycle: Cycle | None = None
    trial: bool = False


async def checkout(database: Database, shop: Stripe | None, user_id: UUID, wanted: Wanted) -> str:
    """Say where a plan is paid for.

    ``NotForSale`` without Stripe or without a price there, ``Contradiction`` for who pays there already or has tried
    the plan before, ``NotFound`` for an unknown plan, ``Invalid`` for a trial that there is not.
    """
    if shop is None:
        raise closed()
    plan = providing.named(await providing.by_name(database), wanted.plan)
    cycle = wanted.billing_cycle or plan.billing_cycle
    price = plan.prices_at_stripe.get(cycle)
    if price is None:
        raise NotForSale(f"the plan {plan.name} is not sold {cycle}")
    if await subscription(database, user_id) == "running":
        raise Contradiction("there is a subscription already: change it where it is managed", portal=SHOP.portal)
    if wanted.trial:
        await _refuse_trial(database, user_id, plan)
    return await shop.checkout(
        Order(
            user_id=user_id,
            price=price,
            trial_days=plan.trial_days if wanted.trial else 0,
            email=(await users.show(database, user_id)).email,
            customer_id=await database.value("customer_of_user", user_id=user_id),
        )
    )


async def subscription(database: Database, user_id: UUID) -> Subscription | None:
    """Say what has become of what somebody bought; ``None`` if that was nothing."""
    return await database.value("subscription_of_user", user_id=user_id)


async def portal(database: Database, shop: Stripe | None, user_id: UUID) -> str:
    """Say where somebody manages what they pay for.

    ``NotForSale`` without Stripe, ``Contradiction`` for who never bought anything there.
    """
    if shop is None:
        raise closed()
    customer_id = await database.value("customer_of_user", user_id=user_id)
    if customer_id is None:
        raise Contradiction("there is nothing to manage: nothing was bought yet")
    return await shop.portal(customer_id)


def closed() -> NotForSale:
    """Say that Stripe is not set up."""
    return NotForSale("nothing is sold here: the operator has not set up Stripe")


async def _refuse_trial(database: Database, user_id: UUID, plan: Plan) -> None:
    if not plan.trial_days:
        raise Invalid.field("trial", f"is not to be had of the plan {plan.name}")
    if await database.value("had_trial", user_id=user_id, plan=plan.name):
        raise Contradiction(f"the plan {plan.name} has been tried before")
