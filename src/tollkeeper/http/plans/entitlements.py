"""Entitlements: what an app may ask of a user's plan before it offers something."""

from __future__ import annotations

from typing import Final, Literal, Self

from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, LimitsShown
from tollkeeper.metering.plans import own_plan
from tollkeeper.metering.plans.own_plan import OwnPlan

Value = bool | int | float | list[str] | None


class EntitlementShown(Heard, frozen=True, kw_only=True):
    """A feature, whether the plan includes it, and its value there if it has one."""

    feature: str
    included: bool
    value: Value


class OfPlan(Heard, frozen=True, kw_only=True):
    """Of which terms it is told: the same that decide the next start. Their `version` is that of `limits`.

    `onUnavailable` is what a client should do while tollkeeper is away: refuse (`closed`) or let pass (`open`).
    """

    success: Literal[True] = True
    plan: str
    on_unavailable: Literal["closed", "open"]
    limits: LimitsShown


class EntitlementAnswer(OfPlan, frozen=True, kw_only=True):
    """One feature."""

    entitlement: EntitlementShown

    @classmethod
    def of(cls, own: OwnPlan, feature: str) -> Self:
        """Show whether a plan includes a feature."""
        shown = EntitlementShown(feature=feature, included=own.plan.includes(feature), value=own.plan.value_of(feature))
        return cls(
            plan=own.plan.name,
            on_unavailable=own.plan.on_unavailable,
            limits=LimitsShown.of(own.limits),
            entitlement=shown,
        )


class EntitlementsAnswer(OfPlan, frozen=True, kw_only=True):
    """All features that the plan names. Where one of them is `*` it includes every other too."""

    items: list[EntitlementShown]

    @classmethod
    def of(cls, own: OwnPlan) -> Self:
        """Show all that a plan names."""
        names = sorted({*own.plan.features, *own.plan.entitlements})
        items = [
            EntitlementShown(feature=each, included=own.plan.includes(each), value=own.plan.value_of(each))
            for each in names
        ]
        return cls(
            plan=own.plan.name, on_unavailable=own.plan.on_unavailable, limits=LimitsShown.of(own.limits), items=items
        )


ALL: Final = Operation(
    "dashboard:read", summary="List what the user's plan includes", query=Said, gives={200: EntitlementsAnswer}
)
ONE: Final = Operation(
    "dashboard:read",
    summary="Say whether the user's plan includes a feature",
    query=Said,
    gives={200: EntitlementAnswer},
)


@get("/api/user/entitlements", ALL)
async def list_entitlements(request: Exchange) -> Answer:
    """Request types, `model:NAME`, flags, and what has a value."""
    request.asked(Said)
    return Answer.of(EntitlementsAnswer.of(await _own(request)))


@get("/api/user/entitlements/{feature}", ONE)
async def show_entitlement(request: Exchange) -> Answer:
    """A feature that no plan names is not included; that is an answer and no error."""
    request.asked(Said)
    return Answer.of(EntitlementAnswer.of(await _own(request), path_text(request, "feature")))


async def _own(request: Exchange) -> OwnPlan:
    backend = request.backend
    return await own_plan.read(backend.database, backend.ledger, request.caller.user_id)
