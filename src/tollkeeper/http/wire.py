"""What all of the API says alike: camelCase outside, instants, money, and what of a plan is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tollkeeper.instants import EPOCH
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.tracking.limits import Limits

LONGEST_USER_AGENT: Final = 1000

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
Instant: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Cents: TypeAlias = int | Decimal


encode = msgspec.json.Encoder(decimal_format="number").encode


class Heard(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """What a caller hears back: every field is listed, none comes straight from a row."""


class ResetsAt(Heard, frozen=True, kw_only=True):
    """When the windows end."""

    daily: Instant
    monthly: Instant


class LimitsShown(Heard, frozen=True, kw_only=True):
    """What the plan allows and what of it is used. A limit of null is none at all, 0 allows nothing."""

    monthly_used: int
    monthly_limit: int | None
    daily_used: int
    daily_limit: int | None
    can_make_request: bool
    plan_name: str
    resets_at: ResetsAt
    version: int
    reason: str | None
    monthly_tokens_used: int | UnsetType = UNSET
    monthly_tokens_limit: int | UnsetType = UNSET
    monthly_cost_used: Cents | UnsetType = UNSET
    monthly_cost_limit: Cents | UnsetType = UNSET
    per_minute_limit: int | UnsetType = UNSET
    concurrent_used: int | UnsetType = UNSET
    concurrent_limit: int | UnsetType = UNSET

    @classmethod
    def of(cls, limits: Limits) -> LimitsShown:
        """Tokens, money and the limits of the moment are shown where the plan has them."""
        reason = limits.reason
        counts_tokens = limits.tokens_limit is not None
        counts_money = limits.nanos_limit is not None
        return cls(
            monthly_used=limits.monthly_used,
            monthly_limit=limits.monthly_limit,
            daily_used=limits.daily_used,
            daily_limit=limits.daily_limit,
            can_make_request=reason is None,
            plan_name=limits.plan_name,
            resets_at=_resets_at(limits.day_ends_us, limits.month_ends_us),
            version=limits.version,
            reason=reason,
            monthly_tokens_used=limits.tokens_used if counts_tokens else UNSET,
            monthly_tokens_limit=UNSET if limits.tokens_limit is None else limits.tokens_limit,
            monthly_cost_used=cents_of(limits.nanos_used) if counts_money else UNSET,
            monthly_cost_limit=UNSET if limits.nanos_limit is None else cents_of(limits.nanos_limit),
            per_minute_limit=UNSET if limits.minute_limit is None else limits.minute_limit,
            concurrent_used=UNSET if limits.concurrent_limit is None else limits.pending,
            concurrent_limit=UNSET if limits.concurrent_limit is None else limits.concurrent_limit,
        )


@lru_cache(maxsize=1024)
def _resets_at(day_ends_us: int, month_ends_us: int) -> ResetsAt:
    # The same few instants for everybody.
    day_ends_at, month_ends_at = (EPOCH + timedelta(microseconds=us) for us in (day_ends_us, month_ends_us))
    return ResetsAt(daily=instant(day_ends_at), monthly=instant(month_ends_at))


def instant(at: datetime) -> str:
    """Write an instant, always with six digits of the second."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return f"{at.isoformat(timespec='microseconds')[:26]}Z"


def cents(nanos: int | None) -> Cents | None:
    """Give money in cents, exactly, where it is known."""
    return None if nanos is None else cents_of(nanos)
