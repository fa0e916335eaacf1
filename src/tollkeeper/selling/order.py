"""What is ordered at Stripe; known without its library, which is large."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody buys, as whom. ``customer_id`` is who they are at Stripe, if they were there before."""

    user_id: UUID
    price: str
    trial_days: int
    email: str | None
    customer_id: str | None
