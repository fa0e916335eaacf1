"""Verdicts of the deciding statements that are not a yes, worded for their readers."""

from __future__ import annotations

from tollkeeper.errors import (
    AccountInactive,
    AlreadyFinished,
    Invalid,
    KeyReused,
    LimitReached,
    NotFound,
    NotInPlan,
    StillPending,
    TollkeeperError,
    TooManyTokens,
    UnpricedModel,
)
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.metering.tracking.requests import NewRequest, Outcome
from tollkeeper.store.database import Record

_WHAT = {
    "daily": "requests of the day",
    "monthly": "requests of the month",
    "tokens": "tokens of the month",
    "cost": "money of the month",
    "perMinute": "requests of the minute",
    "concurrent": "requests that may be under way at once",
}


def of_start(request: NewRequest, verdict: Record) -> TollkeeperError:  # noqa: PLR0911 - one return for each verdict
    """Word why a request was not admitted. ``limits`` and ``upgradeTo`` come from the same locked read."""
    told = verdict["verdict"]
    limits = Limits.of(verdict["limits"]) if verdict["limits"] else None
    better = {"limits": limits, "upgradeTo": verdict["upgrade_to"]}
    if told == "limit" and limits:
        return _limit_reached(request, limits, verdict)
    if told == "too-many-tokens":
        detail = (
            f"the request needs up to {verdict['needed']} tokens, the plan allows {verdict['allowed']} for one request"
        )
        return TooManyTokens(detail, needed=verdict["needed"], allowed=verdict["allowed"], **better)
    if told == "not-in-plan":
        field = verdict["reason"]
        value = request.model if field == "model" else request.request_type
        plan = limits.plan_name if limits else "current"
        return NotInPlan(
            f"the plan {plan} does not include {field} {value or '(none)'}", field=field, value=value, **better
        )
    if told == "unpriced-model":
        named = f"model {request.model}" if request.model else "a request without a model"
        return UnpricedModel(f"{named} has no known price, and the plan limits money", model=request.model, **better)
    if told == "inactive":
        return AccountInactive("the account has been switched off by the operator")
    if told == "key-reused":
        return KeyReused(
            "this request id or idempotency key was used with another payload",
            requestId=verdict["reason"] or str(verdict["id"]),
            id=str(verdict["id"]),
        )
    if told == "in-the-future":
        return Invalid.field("startedAt", "lies in the future")
    return NotFound("no such user")


def of_finish(outcome: Outcome, verdict: Record) -> TollkeeperError:
    """Word why a request was not settled."""
    told = verdict["verdict"]
    if told == "already-finished":
        detail = f"the request is already {verdict['status']}, with another outcome"
        return AlreadyFinished(
            detail,
            requestId=verdict["client_id"] or str(verdict["id"]),
            id=str(verdict["id"]),
            currentStatus=verdict["status"],
        )
    if told == "still-pending":
        return StillPending("a request is rated after it is finished", requestId=str(outcome.request))
    return NotFound("no such request", requestId=str(outcome.request))


def _limit_reached(request: NewRequest, limits: Limits, verdict: Record) -> LimitReached:
    limit = verdict["reason"]
    used, allowed = limits.of_limit(limit)
    said_used, said_allowed, said_needed = (_said(limit, each) for each in (used, allowed, verdict["needed"]))
    return LimitReached(
        f"the {_WHAT[limit]} are used up: {said_used} of {said_allowed}"
        if verdict["needed"] <= 1
        else f"the request needs {said_needed} more of the {_WHAT[limit]}: {said_used} of {said_allowed} are used",
        limit=limit,
        used=used,
        allowed=allowed,
        remaining=max((allowed or 0) - used, 0),
        needed=verdict["needed"],
        resetsAt=limits.resets_at(limit),
        upgradeTo=verdict["upgrade_to"],
        limits=limits,
        requestId=request.client_id,
    )


def _said(limit: str, units: int | None) -> str:
    """Write a number of a limit's units as people count them: money in cents."""
    return f"{cents_of(units or 0)} cents" if limit == "cost" else str(units)
