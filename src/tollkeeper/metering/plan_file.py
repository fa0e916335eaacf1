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
    price_per_month = 900          # cents; left out: 0
    billing_cycle = "monthly"      # or "yearly"
    text_policy = "redacted"       # or "none"; left out: "all"
    retain_text_days = 30          # left out or -1: as long as the setting says
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Literal, cast

from tollkeeper.errors import Invalid
from tollkeeper.metering.money import MAX_CENTS, nanos_of_cents
from tollkeeper.metering.texts import POLICIES, TextPolicy, stricter

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")
_HIGHEST_RANK: Final = 1_000_000
_MOST: Final = 10**12
_MOST_DAYS: Final = 36_500
_MOST_FEATURES: Final = 200
_LONGEST_FEATURE: Final = 206  # a model's name after "model:"
_LIMITS: Final = ("daily_requests", "monthly_requests", "max_tokens_per_request", "monthly_tokens")
_FIELDS: Final = (
    "rank",
    *_LIMITS,
    "monthly_cost_cents",
    "features",
    "price_per_month",
    "billing_cycle",
    "text_policy",
    "retain_text_days",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of the catalogue. None is unlimited, 0 is none; ``price_per_month`` in cents.

    What is kept of texts, and for how long, is no part of what users agree to have: it holds as the catalogue says now.
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
    billing_cycle: Literal["monthly", "yearly"]
    text_policy: TextPolicy = "all"
    retain_text_days: int | None = None

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
    plans = [_plan(name, table) for name, table in _table(document.get("plans"), "plans").items()]
    if not plans:
        raise Invalid.field("plans", "names no plan")
    ranks: dict[int, str] = {}
    for plan in plans:
        if plan.rank in ranks:
            raise Invalid.field(f"plans.{plan.name}.rank", f"is also the rank of {ranks[plan.rank]}")
        ranks[plan.rank] = plan.name
    return plans


def _plan(name: str, given: Any) -> Plan:
    place = f"plans.{name}"
    if not _NAME.fullmatch(name):
        raise Invalid.field(place, "must have a name of 1 to 50 characters of a-z 0-9 _ - that begins with a letter")
    table = _table(given, place)
    for field in table.keys() - set(_FIELDS):
        raise Invalid.field(f"{place}.{field}", f"is not known here; known are {', '.join(_FIELDS)}")
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
        billing_cycle=_billing_cycle(table.get("billing_cycle", "monthly"), f"{place}.billing_cycle"),
        text_policy=_text_policy(table.get("text_policy", "all"), f"{place}.text_policy"),
        retain_text_days=_days(table.get("retain_text_days", -1), f"{place}.retain_text_days"),
    )


def _limit(table: dict[str, Any], field: str, place: str) -> int | None:
    given = table.get(field, -1)
    return None if _is_unlimited(given) else _whole(given, f"{place}.{field}", most=_MOST)


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


def _billing_cycle(given: Any, field: str) -> Literal["monthly", "yearly"]:
    if given == "monthly" or given == "yearly":  # noqa: PLR1714 - only so does the type narrow
        return given
    raise Invalid.field(field, "must be monthly or yearly")


def _text_policy(given: Any, field: str) -> TextPolicy:
    for policy in POLICIES:
        if given == policy:
            return policy
    raise Invalid.field(field, "must be all, redacted or none")


def _days(given: Any, field: str) -> int | None:
    if _is_unlimited(given):
        return None
    if given == 0:
        raise Invalid.field(field, 'must be 1 or more; what keeps no text is text_policy = "none"')
    return _whole(given, field, most=_MOST_DAYS)


def _table(given: Any, field: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Invalid.field(field, "must be a table")
    return cast("dict[str, Any]", given)
