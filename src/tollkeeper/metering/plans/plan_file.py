"""The operator's plans: a TOML file that says all of each plan it names.

.. code-block:: toml

    [plans.tiny]
    rank = 5                       # the order in which plans grow; each has its own
    daily_requests = 10            # left out or -1: unlimited; 0: none
    monthly_requests = 100
    max_tokens_per_request = 4000
    monthly_tokens = 1_000_000
    monthly_cost_cents = 500
    features = ["chat", "code_generation"]   # left out: everything, as ["*"]
    requests_per_minute = 20       # of the clock's minutes
    concurrent_requests = 4        # under way at once
    period = "anniversary"         # months from the day on which it was taken; left out: "calendar"
    rollover_percent = 50          # of what a month leaves unused, for the next; left out: 0
    refund = "never"               # failed requests keep their unit; left out: "trusted" callers give it back
    on_unavailable = "open"        # what clients do while tollkeeper is away; left out: "closed"
    price_per_month = 900          # cents; left out: 0
    price_per_year = 9000          # left out: not sold by the year
    currency = "eur"               # left out: "usd"
    warn_at = [50, 90]             # percent of limits at which users are told; left out: [50, 80, 100]
    billing_cycle = "monthly"      # or "yearly": how it is sold unless asked for otherwise
    trial_days = 14                # left out: 0, none
    self_service = true            # users may take it by themselves; left out: false
    text_policy = "redacted"       # or "none"; left out: "all"
    retain_text_days = 30          # left out or -1: as long as the setting says
    stripe_price_monthly = "price_1Q"    # what is sold at Stripe as this plan, paid by the month
    stripe_price_yearly = "price_1R"     # and paid by the year; left out: not sold so

    [plans.tiny.entitlements]      # what else it includes, for the app to ask: booleans, numbers, lists of texts
    projects = 3
    regions = ["eu", "us"]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal, TypeAlias, cast

from tollkeeper.bounds import MOST_CENTS, MOST_COUNT
from tollkeeper.errors import Faults, Invalid
from tollkeeper.metering.money import nanos_of_cents
from tollkeeper.metering.toml_file import document_of, table_of
from tollkeeper.metering.tracking.texts import POLICIES, TextPolicy, stricter

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_HIGHEST_RANK: Final = 1_000_000
_MOST_DAYS: Final = 36_500
_MOST_TRIAL_DAYS: Final = 3_650
_MOST_FEATURES: Final = 200
_LONGEST_FEATURE: Final = 206  # a model's name after "model:"
_MOST_WARNINGS: Final = 10
_MOST_ENTITLEMENTS: Final = 200
_LONGEST_VALUE: Final = 200
_ENTITLEMENT = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,99}")
_MODEL: Final = "model:"
_PRICE_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_CURRENCY = re.compile(r"[a-z]{3}")
LIMITS: Final = (
    "daily_requests",
    "monthly_requests",
    "max_tokens_per_request",
    "monthly_tokens",
    "requests_per_minute",
    "concurrent_requests",
)
Entitlement: TypeAlias = "bool | int | float | list[str]"
Cycle: TypeAlias = Literal["monthly", "yearly"]


WARN_AT: Final = (50, 80, 100)
"""At which percentages of their limits users are warned unless their plan says otherwise."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of the catalogue, of which a file says what is not as here.

    None is unlimited, 0 is none; prices in cents, ``price_per_year`` None: not sold so.

    ``version`` counts what users have agreed to since the plan was made; a file of plans says nothing of it.

    What is kept of texts, and for how long, is no part of what users agree to have: it holds as the catalogue says now.
    Nor is which price at Stripe means the plan.
    """

    name: str
    rank: int
    daily_requests: int | None = None
    monthly_requests: int | None = None
    max_tokens_per_request: int | None = None
    monthly_tokens: int | None = None
    monthly_cost_nanos: int | None = None
    features: tuple[str, ...] = ("*",)
    price_per_month: int = 0
    billing_cycle: Cycle = "monthly"
    text_policy: TextPolicy = "all"
    retain_text_days: int | None = None
    requests_per_minute: int | None = None
    concurrent_requests: int | None = None
    entitlements: Mapping[str, Entitlement] = field(default_factory=dict[str, Entitlement])
    period: Literal["calendar", "anniversary"] = "calendar"
    rollover_percent: int = 0
    refund: Literal["trusted", "never"] = "trusted"
    on_unavailable: Literal["closed", "open"] = "closed"
    warn_at: tuple[int, ...] = WARN_AT
    price_per_year: int | None = None
    currency: str = "usd"
    trial_days: int = 0
    self_service: bool = False
    stripe_price_monthly: str | None = None
    stripe_price_yearly: str | None = None
    version: int = field(default=0, compare=False)

    def includes(self, feature: str) -> bool:
        """Say whether a feature is included: listed (as everything is by ``*``), or with a value that is not false."""
        if feature in self.entitlements:
            return self.entitlements[feature] is not False
        if feature.startswith(_MODEL) and not any(each.startswith(_MODEL) for each in self.features):
            return True  # where no model is named, all are
        return feature in self.features or "*" in self.features

    @property
    def prices_at_stripe(self) -> dict[Cycle, str]:
        """Give the prices that are paid at Stripe for each period of a cycle; empty if it is not sold there."""
        prices: dict[Cycle, str | None] = {"monthly": self.stripe_price_monthly, "yearly": self.stripe_price_yearly}
        return {cycle: price for cycle, price in prices.items() if price is not None}

    def value_of(self, feature: str) -> Entitlement | None:
        """Give the value of a feature; ``None`` if it has none."""
        return self.entitlements.get(feature)

    def within(self, text_policy: TextPolicy, retain_text_days: int | None) -> Plan:
        """Say what is kept of texts under this plan in a house that itself keeps no more than that."""
        days = [each for each in (self.retain_text_days, retain_text_days) if each is not None]
        return replace(
            self, text_policy=stricter(self.text_policy, text_policy), retain_text_days=min(days, default=None)
        )


def parse(toml: str) -> list[Plan]:
    """Read a file of plans; ``Invalid`` names plan and field of all that is not right."""
    document = document_of(toml, "plans")
    faults = Faults()
    for name in sorted(document.keys() - {"plans"}):
        faults.add(name, "is not known here; plans stand under [plans.NAME]")
    tables = faults.of(table_of, document.get("plans", {}), "plans") or {}
    found = [faults.of(plan, name, table) for name, table in tables.items()]
    if not tables:
        faults.refuse()
        raise Invalid.field("plans", "names no plan")
    plans = [each for each in found if each is not None]
    ranks: dict[int, str] = {}
    for each in plans:
        if ranks.setdefault(each.rank, each.name) != each.name:
            faults.add(f"plans.{each.name}.rank", f"is also the rank of {ranks[each.rank]}")
    faults.of(refuse_shared_prices, plans)
    faults.refuse()
    return plans


def refuse_shared_prices(plans: Sequence[Plan]) -> None:
    """Refuse a price at Stripe that would mean two things: who pays it has one plan, and pays one way."""
    prices: dict[str, str] = {}
    faults = Faults()
    for plan in plans:
        for cycle, price in plan.prices_at_stripe.items():
            if price in prices:
                faults.add(f"plans.{plan.name}.stripe_price_{cycle}", f"is also {prices[price]}")
            prices[price] = f"the stripe_price_{cycle} of {plan.name}"
    faults.refuse()


def plan(name: str, given: Any) -> Plan:
    """Read the table of one plan; ``Invalid`` names all that is not right by plan and field, as ``plans.tiny.rank``."""
    place = f"plans.{name}"
    faults = Faults()
    if not _NAME.fullmatch(name):
        faults.add(place, "must have a name of 1 to 50 characters of a-z 0-9 _ - that begins with a letter")
    table = faults.of(table_of, given, place) or {}
    faults.refuse()
    for unknown in sorted(table.keys() - _READERS.keys()):
        faults.add(f"{place}.{unknown}", f"is not known here; known are {', '.join(FIELDS)}")
    if "rank" not in table:
        faults.add(f"{place}.rank", "must be given: the order in which plans grow")
    told: dict[str, Any] = {
        field: faults.of(_READERS[field], table[field], f"{place}.{field}") for field in FIELDS if field in table
    }
    faults.refuse()
    return Plan(name=name, **{_COLUMNS.get(field, field): value for field, value in told.items()})


def _limit(given: Any, field: str) -> int | None:
    return None if _is_unlimited(given) else _whole(given, field, most=MOST_COUNT)


def _whole(given: Any, field: str, *, most: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= most:
        raise Invalid.field(field, f"must be a whole number from 0 to {most}")
    return given


def _nanos(given: Any, field: str) -> int | None:
    if _is_unlimited(given):
        return None
    if isinstance(given, bool) or not isinstance(given, int | Decimal):
        raise Invalid.field(field, "must be a number of cents")
    return nanos_of_cents(given, field=field)


def _is_unlimited(given: Any) -> bool:
    return isinstance(given, int) and given == -1


def _features(given: Any, field: str) -> tuple[str, ...]:
    if not isinstance(given, list):
        raise Invalid.field(field, "must be a list of texts")
    features = cast("list[Any]", given)
    for feature in features:
        if not isinstance(feature, str) or not 0 < len(feature) <= _LONGEST_FEATURE or not feature.isprintable():
            raise Invalid.field(field, f"must be texts of 1 to {_LONGEST_FEATURE} printing characters")
    if len(features) > _MOST_FEATURES or len(set(features)) < len(features):
        raise Invalid.field(field, f"must be at most {_MOST_FEATURES}, none of them twice")
    return tuple(features)


def _percentages(given: Any, field: str) -> tuple[int, ...]:
    percentages = cast("list[Any]", given) if isinstance(given, list) else []
    whole = [each for each in percentages if type(each) is int and 1 <= each <= WARN_AT[-1]]
    if not isinstance(given, list) or len(percentages) > _MOST_WARNINGS or len(whole) < len(percentages):
        raise Invalid.field(field, f"must be a list of up to {_MOST_WARNINGS} whole numbers from 1 to {WARN_AT[-1]}")
    return tuple(sorted(set(whole)))


def _entitlements(given: Any, field: str) -> dict[str, Entitlement]:
    table = table_of(given, field)
    if len(table) > _MOST_ENTITLEMENTS:
        raise Invalid.field(field, f"must be at most {_MOST_ENTITLEMENTS}")
    faults = Faults()
    if not all(map(_ENTITLEMENT.fullmatch, table)):
        faults.add(field, "must have names of 1 to 100 characters of A-Z a-z 0-9 _ . : - after a letter")
    read = {name: faults.of(_entitlement, value, f"{field}.{name}") for name, value in table.items()}
    faults.refuse()
    return {name: value for name, value in read.items() if value is not None}


def _entitlement(given: Any, field: str) -> Entitlement:
    if isinstance(given, bool):
        return given
    if isinstance(given, int | Decimal) and Decimal(given).is_finite() and -MOST_COUNT <= given <= MOST_COUNT:
        return given if isinstance(given, int) else float(given)
    if isinstance(given, list):
        texts = cast("list[Any]", given)
        if len(texts) <= _MOST_FEATURES and all(isinstance(each, str) and _is_short(each) for each in texts):
            return cast("list[str]", texts)
    raise Invalid.field(
        field,
        f"must be true or false, a number up to {MOST_COUNT}, or a list of up to {_MOST_FEATURES} texts of up to "
        f"{_LONGEST_VALUE} printing characters",
    )


def _is_short(text: str) -> bool:
    return len(text) <= _LONGEST_VALUE and text.isprintable()


def _one_of(given: Any, field: str, *, choices: Sequence[str]) -> str:
    if given not in choices:
        raise Invalid.field(field, f"must be {', '.join(choices[:-1])} or {choices[-1]}")
    return given


def _price_id(given: Any, field: str) -> str:
    if not isinstance(given, str) or not _PRICE_ID.fullmatch(given):
        raise Invalid.field(field, "must be the id of a price at Stripe, as in price_1Q2w3E")
    return given


def _currency(given: Any, field: str) -> str:
    if not isinstance(given, str) or not _CURRENCY.fullmatch(given):
        raise Invalid.field(field, "must be three small letters, as in usd (ISO 4217)")
    return given


def _flag(given: Any, field: str) -> bool:
    if not isinstance(given, bool):
        raise Invalid.field(field, "must be true or false")
    return given


def _days(given: Any, field: str) -> int | None:
    if _is_unlimited(given):
        return None
    if given == 0:
        raise Invalid.field(field, "must be 1 or more; what keeps no text has the text policy none")
    return _whole(given, field, most=_MOST_DAYS)


_READERS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "rank": partial(_whole, most=_HIGHEST_RANK),
    **dict.fromkeys(LIMITS, _limit),
    "monthly_cost_cents": _nanos,
    "features": _features,
    "entitlements": _entitlements,
    "period": partial(_one_of, choices=("calendar", "anniversary")),
    "rollover_percent": partial(_whole, most=100),
    "refund": partial(_one_of, choices=("trusted", "never")),
    "on_unavailable": partial(_one_of, choices=("closed", "open")),
    "warn_at": _percentages,
    "price_per_month": partial(_whole, most=MOST_CENTS),
    "price_per_year": partial(_whole, most=MOST_CENTS),
    "currency": _currency,
    "billing_cycle": partial(_one_of, choices=("monthly", "yearly")),
    "trial_days": partial(_whole, most=_MOST_TRIAL_DAYS),
    "self_service": _flag,
    "text_policy": partial(_one_of, choices=POLICIES),
    "retain_text_days": _days,
    "stripe_price_monthly": _price_id,
    "stripe_price_yearly": _price_id,
}
_COLUMNS: Final = {"monthly_cost_cents": "monthly_cost_nanos"}
FIELDS: Final = tuple(_READERS)
