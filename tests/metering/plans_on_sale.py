"""The plans of the histories, as their oracle and as the catalogue has them."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.metering.plan_oracle import Plan
from tollkeeper.metering.plans import catalogue

TEAM = Plan("team", 120, monthly_requests=12, monthly_tokens=150, requests_per_minute=5, rollover=50)
PLANS = [
    Plan("free", 0, daily_requests=6, monthly_requests=6, monthly_tokens=60),
    Plan("basic", 110, daily_requests=6, monthly_requests=8, monthly_tokens=90, refunds=False, trial_days=14),
    TEAM,
    Plan("rolls", 130, monthly_requests=5, monthly_tokens=70, concurrent_requests=3, rollover=70, anniversary=True),
    Plan("open", 140, trial_days=30),
]
NEW_TEAM = {"monthly_requests": 7, "monthly_tokens": 100}
NAMES = [each.name for each in PLANS]
_SOLD_BY_THE_YEAR = {"team", "rolls"}


class Catalogue:
    """What is on sale, and what was when."""

    def __init__(self) -> None:
        self._sold = {each.name: [(datetime.min.replace(tzinfo=UTC), each)] for each in PLANS}

    def sell(self, plan: Plan, at: datetime) -> None:
        self._sold[plan.name].append((at, plan))

    def now(self, name: str) -> Plan:
        return self._sold[name][-1][1]

    def at(self, name: str, at: datetime) -> Plan:
        return next(plan for since, plan in reversed(self._sold[name]) if since <= at)


def as_in_file(plan: Plan) -> catalogue.Plan:
    return catalogue.Plan(
        plan.name,
        plan.rank,
        plan.daily_requests,
        plan.monthly_requests,
        None,
        plan.monthly_tokens,
        None,
        ("*",),
        1,
        "monthly",
        requests_per_minute=plan.requests_per_minute,
        concurrent_requests=plan.concurrent_requests,
        period="anniversary" if plan.anniversary else "calendar",
        rollover_percent=plan.rollover,
        refund="trusted" if plan.refunds else "never",
        trial_days=plan.trial_days,
        price_per_year=1 if plan.name in _SOLD_BY_THE_YEAR else None,
    )
