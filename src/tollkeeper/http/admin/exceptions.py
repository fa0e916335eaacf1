"""Exceptions of one user: other limits for a time, and grants beyond the month's allowance."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from tollkeeper.bounds import MOST_CENTS, MOST_COUNT
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.http.admin.plan_of_user import user_of
from tollkeeper.http.body import Fault
from tollkeeper.http.exchange import Answer, Exchange, path_id
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import delete, get, post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Cents, Heard, Instant, Moment, instant
from tollkeeper.metering.money import cents_of, nanos_of_cents
from tollkeeper.metering.plans import exceptions
from tollkeeper.metering.plans.exceptions import Grant, Override, Unit

_USER: Final = "/api/admin/users/{user}"
Reason = Annotated[str, Meta(min_length=1, max_length=1000)]
Limit = Annotated[int, Meta(ge=-1, le=MOST_COUNT)] | UnsetType | None


class Limits(Said, frozen=True, kw_only=True):
    """The limits that are to differ. `null` or -1 is unlimited, 0 none; what is left out stays as the plan has it."""

    daily_requests: Limit = UNSET
    monthly_requests: Limit = UNSET
    max_tokens_per_request: Limit = UNSET
    monthly_tokens: Limit = UNSET
    monthly_cost: Cents | UnsetType | None = UNSET
    requests_per_minute: Limit = UNSET
    concurrent_requests: Limit = UNSET

    def as_limits(self) -> dict[str, int | None]:
        """Say the same inside, money in nano-USD."""
        named = {
            name: getattr(self, name)
            for name in exceptions.LIMITS
            if name != "monthly_cost_nanos" and getattr(self, name) is not UNSET
        }
        if not isinstance(self.monthly_cost, UnsetType):
            is_unlimited = self.monthly_cost is None or self.monthly_cost == -1
            named["monthly_cost_nanos"] = (
                -1 if is_unlimited else nanos_of_cents(self.monthly_cost or 0, field="limits.monthlyCost")
            )
        return {name: None if limit == -1 else limit for name, limit in named.items()}


class AddOverride(Said, frozen=True, kw_only=True):
    """Other limits than the plan's, for a reason, until `endsAt` (left out: until they are ended)."""

    limits: Limits
    reason: Reason
    ends_at: Moment | None = None


class AddGrant(Said, frozen=True, kw_only=True):
    """Units beyond the month's allowance: requests, tokens or cents. Burned after it, lower priority first."""

    unit: Unit
    amount: Cents
    reason: Reason
    expires_at: Moment | None = None
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0

    def faults(self) -> list[Fault]:
        """An amount is above 0, and whole unless it is money."""
        if self.unit == "cost":
            is_right = 0 < self.amount <= MOST_CENTS
            return [] if is_right else [Fault("amount", f"must be above 0 and at most {MOST_CENTS}")]
        if not 0 < self.amount <= MOST_COUNT or self.amount != int(self.amount):
            return [Fault("amount", f"must be a whole number from 1 to {MOST_COUNT}")]
        return []

    def units(self) -> int:
        """Count it as the ledger does, money in nano-USD."""
        if self.unit != "cost":
            return int(self.amount)
        nanos = nanos_of_cents(self.amount, field="amount")
        if not nanos:
            raise Invalid.field("amount", "is less than a nano-USD")
        return nanos


class LimitsOfOverride(Heard, frozen=True, kw_only=True):
    """The limits that differ; null is unlimited."""

    daily_requests: int | UnsetType | None = UNSET
    monthly_requests: int | UnsetType | None = UNSET
    max_tokens_per_request: int | UnsetType | None = UNSET
    monthly_tokens: int | UnsetType | None = UNSET
    monthly_cost: Cents | UnsetType | None = UNSET
    requests_per_minute: int | UnsetType | None = UNSET
    concurrent_requests: int | UnsetType | None = UNSET

    @classmethod
    def of(cls, override: Override) -> LimitsOfOverride:
        """Show them, money in cents."""
        limits: dict[str, Any] = {**override.limits}
        if "monthly_cost_nanos" in limits:
            nanos = limits.pop("monthly_cost_nanos")
            limits["monthly_cost"] = None if nanos is None else cents_of(nanos)
        return cls(**limits)


class OverrideShown(Heard, frozen=True, kw_only=True):
    """Limits of one user that differ from the plan's."""

    id: str
    limits: LimitsOfOverride
    reason: str
    starts_at: Instant
    ends_at: Instant | None
    ended_at: Instant | None

    @classmethod
    def of(cls, override: Override) -> OverrideShown:
        """Show one."""
        return cls(
            id=str(override.id),
            limits=LimitsOfOverride.of(override),
            reason=override.reason,
            starts_at=instant(override.starts_at),
            ends_at=override.ends_at and instant(override.ends_at),
            ended_at=override.ended_at and instant(override.ended_at),
        )


class GrantShown(Heard, frozen=True, kw_only=True):
    """A grant, and how much of it is burned; money in cents. `rollover`: what a month left unused."""

    id: str
    unit: Unit
    amount: Cents
    burned: Cents
    priority: int
    source: Literal["operator", "rollover"]
    reason: str
    created_at: Instant
    expires_at: Instant | None
    ended_at: Instant | None

    @classmethod
    def of(cls, grant: Grant) -> GrantShown:
        """Show one."""
        is_money = grant.unit == "cost"
        return cls(
            id=str(grant.id),
            unit=grant.unit,
            amount=cents_of(grant.amount) if is_money else grant.amount,
            burned=cents_of(grant.burned) if is_money else grant.burned,
            priority=grant.priority,
            source=grant.source,
            reason=grant.reason,
            created_at=instant(grant.created_at),
            expires_at=grant.expires_at and instant(grant.expires_at),
            ended_at=grant.ended_at and instant(grant.ended_at),
        )


class OverridesAnswer(Heard, frozen=True, kw_only=True):
    """The last thousand overrides, the newest first."""

    success: Literal[True] = True
    items: list[OverrideShown]


class OverrideAnswer(Heard, frozen=True, kw_only=True):
    """One override."""

    success: Literal[True] = True
    override: OverrideShown


class GrantsAnswer(Heard, frozen=True, kw_only=True):
    """The last thousand grants, the newest first."""

    success: Literal[True] = True
    items: list[GrantShown]


class GrantAnswer(Heard, frozen=True, kw_only=True):
    """One grant."""

    success: Literal[True] = True
    grant: GrantShown


def _operation(summary: str, gives: type[Heard], *, status: int = 200, takes: type[Said] | None = None) -> Operation:
    problems = (NotFound, Contradiction) if takes else (NotFound,)
    return Operation("admin", summary=summary, takes=takes, query=Said, gives={status: gives}, problems=problems)


@get(_USER + "/overrides", _operation("List a user's overrides", OverridesAnswer))
async def list_overrides(request: Exchange) -> Answer:
    """Those that hold, and those that did."""
    request.asked(Said)
    found = await exceptions.overrides(request.backend.database, await user_of(request))
    return Answer.of(OverridesAnswer(items=[OverrideShown.of(each) for each in found]))


@post(
    _USER + "/overrides",
    _operation("Override limits of a user", OverrideAnswer, status=201, takes=AddOverride),
)
async def add_override(request: Exchange) -> Answer:
    """From now on. Where several name the same limit the newest counts."""
    request.asked(Said)
    said = await request.said(AddOverride)
    made = await exceptions.override(
        request.backend.database,
        await user_of(request),
        said.limits.as_limits(),
        reason=said.reason,
        ends_at=said.ends_at,
        actor=request.actor,
    )
    return Answer.of(OverrideAnswer(override=OverrideShown.of(made)), status=201)


@delete(_USER + "/overrides/{id}", _operation("End an override", OverrideAnswer))
async def end_override(request: Exchange) -> Answer:
    """Now: the plan's own limit holds again, or that of an older override."""
    request.asked(Said)
    ended = await exceptions.end_override(
        request.backend.database, await user_of(request), path_id(request, "id"), actor=request.actor
    )
    return Answer.of(OverrideAnswer(override=OverrideShown.of(ended)))


@get(_USER + "/grants", _operation("List a user's grants", GrantsAnswer))
async def list_grants(request: Exchange) -> Answer:
    """With what of each is burned by now."""
    request.asked(Said)
    backend, user_id = request.backend, await user_of(request)
    await backend.ledger.bring_current([user_id])
    found = await exceptions.grants(backend.database, user_id)
    return Answer.of(GrantsAnswer(items=[GrantShown.of(each) for each in found]))


@post(
    _USER + "/grants",
    _operation("Grant a user units beyond the plan", GrantAnswer, status=201, takes=AddGrant),
)
async def add_grant(request: Exchange) -> Answer:
    """They add to the month's limit at once, until they are burned or expire."""
    request.asked(Said)
    said = await request.said(AddGrant)
    made = await exceptions.grant(
        request.backend.database,
        await user_of(request),
        said.unit,
        said.units(),
        reason=said.reason,
        expires_at=said.expires_at,
        priority=said.priority,
        actor=request.actor,
    )
    return Answer.of(GrantAnswer(grant=GrantShown.of(made)), status=201)


@delete(_USER + "/grants/{id}", _operation("End a grant", GrantAnswer))
async def end_grant(request: Exchange) -> Answer:
    """What of it is burned stays so, what is left goes."""
    request.asked(Said)
    ended = await exceptions.end_grant(
        request.backend.database, await user_of(request), path_id(request, "id"), actor=request.actor
    )
    return Answer.of(GrantAnswer(grant=GrantShown.of(ended)))
