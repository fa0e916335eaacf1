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
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

from tollkeeper.errors import Invalid
from tollkeeper.metering.money import MAX_CENTS, nanos_of_cents
from tollkeeper.metering.texts import POLICIES, TextPolicy, stricter

Choice = TypeVar("Choice", bound=str)

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_HIGHEST_RANK: Final = 1_000_000
MOST: Final = 10**12
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
_LIMITS: Final = (
    "daily_requests",
    "monthly_requests",
    "max_tokens_per_request",
    "monthly_tokens",
    "requests_per_minute",
    "concurrent_requests",
)
FIELDS: Final = (
    "rank",
    *_LIMITS,
    "monthly_cost_cents",
    "features",
    "entitlements",
    "period",
    "rollover_percent",
    "refund",
    "on_unavailable",
    "warn_at",
    "price_per_month",
    "price_per_year",
    "currency",
    "billing_cycle",
    "trial_days",
    "self_service",
    "text_policy",
    "retain_text_days",
    "stripe_price_monthly",
    "stripe_price_yearly",
)


Entitlement: TypeAlias = "bool | int | float | list[str]"
Cycle: TypeAlias = Literal["monthly", "yearly"]


WARN_AT: Final = (50, 80, 100)
"""At which percentages of their limits users are warned unless their plan says otherwise."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of the catalogue. None is unlimited, 0 is none; prices in cents, ``price_per_year`` None: not sold so.

    ``version`` counts what users have agreed to since the plan was made; a file of plans says nothing of it.

    What is kept of texts, and for how long, is no part of what users agree to have: it holds as the catalogue says now.
    Nor is which price at Stripe means the plan.
    """

    name: str
    rank: int
    daily_requests: int | None
    monthly_requests: int | None
    max_tokens_per_request: int | None
    monthly_tokens: int | None
    monthly_cost_nanos: int | None
    features: tuple[str, ...]
    price_per_month: int
    billing_cycle: Cycle
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
    """Read a file of plans; ``Invalid`` names plan and field of the first that is not right."""
    try:
        document = tomllib.loads(toml, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise Invalid.field("plans", f"is not TOML: {error}") from error
    for name in document.keys() - {"plans"}:
        raise Invalid.field(name, "is not known here; plans stand under [plans.NAME]")
    plans = [plan(name, table) for name, table in _table(document.get("plans"), "plans").items()]
    if not plans:
        raise Invalid.field("plans", "names no plan")
    ranks: dict[int, str] = {}
    for each in plans:
        if each.rank in ranks:
            raise Invalid.field(f"plans.{each.name}.rank", f"is also the rank of {ranks[each.rank]}")
        ranks[each.rank] = each.name
    refuse_shared_prices(plans)
    return plans


def refuse_shared_prices(plans: Sequence[Plan]) -> None:
    """Refuse a price at Stripe that would mean two things: who pays it has one plan, and pays one way."""
    prices: dict[str, str] = {}
    for plan in plans:
        for cycle, price in plan.prices_at_stripe.items():
            if price in prices:
                raise Invalid.field(f"plans.{plan.name}.stripe_price_{cycle}", f"is also {prices[price]}")
            prices[price] = f"the stripe_price_{cycle} of {plan.name}"


def plan(name: str, given: Any) -> Plan:
    """Read the table of one plan; ``Invalid`` names plan and field of what is not right, as in ``plans.tiny.rank``."""
    place = f"plans.{name}"
    if not _NAME.fullmatch(name):
        raise Invalid.field(place, "must have a name of 1 to 50 characters of a-z 0-9 _ - that begins with a letter")
    table = _table(given, place)
    for unknown in table.keys() - set(FIELDS):
        raise Invalid.field(f"{place}.{unknown}", f"is not known here; known are {', '.join(FIELDS)}")
    if "rank" not in table:
        raise Invalid.field(f"{place}.rank", "must be given: the order in which plans grow")
    return Plan(
        name=name,
        rank=_whole(table["rank"], f"{place}.rank", most=_HIGHEST_RANK),
        daily_requests=_limit(table, "daily_requests", place),
        monthly_requests=_limit(table, "monthly_requests", place),
        max_tokens_per_request=_limit(table, "max_tokens_per_request", place),
        monthly_tokens=_limit(table, "monthly_tokens", place),
        monthly_cost_nanos=_nanos(table.get("monthly_cost_cents", -1), f"{place}.monthly_cost_cents"),
        features=_features(table.get("features", ["*"]), f"{place}.features"),
        price_per_month=_whole(table.get("price_per_month", 0), f"{place}.price_per_month", most=MAX_CENTS),
        billing_cycle=_one_of(table, "billing_cycle", place, ("monthly", "yearly")),
        text_policy=_one_of(table, "text_policy", place, POLICIES),
        retain_text_days=_days(table.get("retain_text_days", -1), f"{place}.retain_text_days"),
        requests_per_minute=_limit(table, "requests_per_minute", place),
        concurrent_requests=_limit(table, "concurrent_requests", place),
        entitlements=_entitlements(table.get("entitlements", {}), f"{place}.entitlements"),
        period=_one_of(table, "period", place, ("calendar", "anniversary")),
        rollover_percent=_whole(table.get("rollover_percent", 0), f"{place}.rollover_percent", most=100),
        refund=_one_of(table, "refund", place, ("trusted", "never")),
        on_unavailable=_one_of(table, "on_unavailable", place, ("closed", "open")),
        warn_at=_percentages(table.get("warn_at", list(WARN_AT)), f"{place}.warn_at"),
        price_per_year=_price_per_year(table, place),
        currency=_currency(table.get("currency", "usd"), f"{place}.currency"),
        trial_days=_whole(table.get("trial_days", 0), f"{place}.trial_days", most=_MOST_TRIAL_DAYS),
        self_service=_flag(table.get("self_service", False), f"{place}.self_service"),
        stripe_price_monthly=_price_id(table, "stripe_price_monthly", place),
        stripe_price_yearly=_price_id(table, "stripe_price_yearly", place),
    )


def _limit(table: dict[str, Any], field: str, place: str) -> int | None:
    given = table.get(field, -1)
    return None if _is_unlimited(given) else _whole(given, f"{place}.{field}", most=MOST)


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
    table = _table(given, field)
    if len(table) > _MOST_ENTITLEMENTS:
        raise Invalid.field(field, f"must be at most {_MOST_ENTITLEMENTS}")
    for name in table:
        if not _ENTITLEMENT.fullmatch(name):
            raise Invalid.field(field, "must have names of 1 to 100 characters of A-Z a-z 0-9 _ . : - after a letter")
    return {name: _entitlement(value, f"{field}.{name}") for name, value in table.items()}


def _entitlement(given: Any, field: str) -> Entitlement:
    if isinstance(given, bool):
        return given
    if isinstance(given, int | Decimal) and abs(given) <= MOST:
        return given if isinstance(given, int) else float(given)
    if isinstance(given, list):
        texts = cast("list[Any]", given)
        if len(texts) <= _MOST_FEATURES and all(isinstance(each, str) and _is_short(each) for each in texts):
            return cast("list[str]", texts)
    raise Invalid.field(
        field,
        f"must be true or false, a number up to {MOST}, or a list of up to {_MOST_FEATURES} texts of up to "
        f"{_LONGEST_VALUE} printing characters",
    )


def _is_short(text: str) -> bool:
    return len(text) <= _LONGEST_VALUE and text.isprintable()


def _one_of(table: dict[str, Any], field: str, place: str, choices: Sequence[Choice]) -> Choice:
    """Read one of some words; left out it is the first of them."""
    given = table.get(field, choices[0])
    for choice in choices:
        if given == choice:
            return choice
    raise Invalid.field(f"{place}.{field}", f"must be {', '.join(choices[:-1])} or {choices[-1]}")


def _price_per_year(table: dict[str, Any], place: str) -> int | None:
    given = table.get("price_per_year")
    return None if given is None else _whole(given, f"{place}.price_per_year", most=MAX_CENTS)


def _price_id(table: dict[str, Any], field: str, place: str) -> str | None:
    given = table.get(field)
    if given is not None and not (isinstance(given, str) and _PRICE_ID.fullmatch(given)):
        raise Invalid.field(f"{place}.{field}", "must be the id of a price at Stripe, as in price_1Q2w3E")
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


def _table(given: Any, field: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Invalid.field(field, "must be a table")
    return cast("dict[str, Any]", given)
