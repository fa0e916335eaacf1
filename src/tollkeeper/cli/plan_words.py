"""What a plan is, field by field, in words: for ``tollkeeper plan``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

from tollkeeper.cli.answers import counted
from tollkeeper.metering.plans.catalogue import FieldChange, Plan
from tollkeeper.metering.plans.changes import price_of
from tollkeeper.metering.plans.plan_file import LIMITS, Cycle

__all__ = ["changed", "given", "price"]


def changed(change: FieldChange) -> str:
    """Say what a field was and becomes."""
    return f"{change.field}: {_worded(change.field, change.old)} -> {_worded(change.field, change.new)}"


def given(change: FieldChange) -> str:
    """Say what a field of a new plan is."""
    return f"{change.field}: {_worded(change.field, change.new)}"


def price(plan: Plan) -> str:
    """Say what a plan costs, in each cycle in which it is sold; first as it is sold unless asked for otherwise."""
    cycles: list[Cycle] = ["yearly", "monthly"] if plan.billing_cycle == "yearly" else ["monthly", "yearly"]
    sold = cycles if plan.price_per_year is not None else cycles[:1]
    prices = {cycle: price_of(plan, cycle) for cycle in sold}
    if not any(prices.values()):
        return "nothing"
    return " or ".join(f"{cents:,} {plan.currency} cents {cycle}" for cycle, cents in prices.items())


def _worded(field: str, value: Any) -> str:
    return _WORDS.get(field, str)(value)


def _limit(value: int | None) -> str:
    return "unlimited" if value is None else f"{value:,}"


def _money(value: int | Decimal | None) -> str:
    return "unlimited" if value is None else _cents(value)


def _price(value: int | None) -> str:
    return "not sold" if value is None else _cents(value)


def _price_at_stripe(value: str | None) -> str:
    return value or "not sold"


def _cents(value: int | Decimal) -> str:
    return f"{value:,f} cents" if isinstance(value, Decimal) else f"{value:,} cents"


def _days(value: int) -> str:
    return counted(value, "day") if value else "none"


def _days_kept(value: int | None) -> str:
    return "as long as the setting says" if value is None else _days(value)


def _features(value: Sequence[str]) -> str:
    return "everything" if list(value) == ["*"] else _list(value)


def _list(value: Sequence[str]) -> str:
    return ", ".join(value) or "none"


def _percent(value: int) -> str:
    return f"{value}%"


def _percentages(value: Sequence[int]) -> str:
    return _list([_percent(each) for each in value])


def _entitlements(value: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {_entitlement(each)}" for name, each in value.items()) or "none"


def _entitlement(value: Any) -> str:
    if isinstance(value, bool):
        return _flag(value)
    return _list(cast("list[str]", value)) if isinstance(value, list) else f"{value:,}"


def _flag(value: bool) -> str:  # noqa: FBT001 - what is worded
    return "yes" if value else "no"


_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    **dict.fromkeys(LIMITS, _limit),
    "monthly_cost_cents": _money,
    "features": _features,
    "entitlements": _entitlements,
    "rollover_percent": _percent,
    "warn_at": _percentages,
    "price_per_month": _cents,
    "price_per_year": _price,
    "trial_days": _days,
    "self_service": _flag,
    "retain_text_days": _days_kept,
    "stripe_price_monthly": _price_at_stripe,
    "stripe_price_yearly": _price_at_stripe,
}
