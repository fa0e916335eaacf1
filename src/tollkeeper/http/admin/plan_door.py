"""The door for providers: a change of plan that happened elsewhere, told once however often it is sent."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from tollkeeper.errors import KeyReused, NotFound, NotUnderstood
from tollkeeper.http.admin.plan_of_user import user_of
from tollkeeper.http.backend import Backend
from tollkeeper.http.body import Fault
from tollkeeper.http.exchange import JSON, Answer, Exchange, idempotency_key
from tollkeeper.http.operation import Operation
from tollkeeper.http.plans.catalogue import OwnPlanShown
from tollkeeper.http.plans.changes import PlanName
from tollkeeper.http.routing import post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, LimitsShown, Moment, encode, instant
from tollkeeper.metering.plans.plan_file import Cycle
from tollkeeper.selling import door
from tollkeeper.selling.door import Arrived, Told


class PlanTold(Said, frozen=True, kw_only=True):
    """What a provider says that a user has since `occurredAt`; until an instant, or until it says otherwise.

    `trial`: until `until`, else for as many days as the plan says. `atPeriodEnd`: it follows when the period ends that
    is paid for, as it is counted here. `reference` is the provider's own, such as the id of a subscription.
    """

    plan: PlanName
    billing_cycle: Cycle | None = None
    trial: bool = False
    until: Moment | None = None
    at_period_end: bool = False
    occurred_at: Moment
    reference: Annotated[str, Meta(min_length=1, max_length=255, pattern="^[^\\x00]*$")] | None = None

    def contradictions(self) -> list[Fault]:
        """What is to come has no end yet."""
        if self.at_period_end and (self.trial or self.until is not None):
            return [Fault("atPeriodEnd", "does not go with trial or until: tell those when they begin")]
        return []

    def as_told(self) -> Told:
        """Say the same inside."""
        return Told(
            plan=self.plan,
            billing_cycle=self.billing_cycle,
            trial=self.trial,
            until=self.until,
            at_period_end=self.at_period_end,
            occurred_at=self.occurred_at,
            reference=self.reference,
        )


class PlanHeard(Heard, frozen=True, kw_only=True):
    """What became of it. `superseded`: something that occurred later came earlier, so this changed nothing.

    `latestOccurredAt` is when the last of all occurred that came by this door. The plan is as it is right after it.
    """

    success: Literal[True] = True
    superseded: bool
    changed: bool
    latest_occurred_at: Instant
    plan: OwnPlanShown
    limits: LimitsShown

    @classmethod
    def of(cls, arrived: Arrived, backend: Backend) -> PlanHeard:
        """Show it."""
        return cls(
            superseded=arrived.is_superseded,
            changed=arrived.is_changed,
            latest_occurred_at=instant(arrived.latest_at),
            plan=OwnPlanShown.of_own(arrived.own, backend),
            limits=LimitsShown.of(arrived.own.limits),
        )


TELL: Final = Operation(
    "plans:write",
    summary="Tell that a user's plan changed elsewhere",
    takes=PlanTold,
    query=Said,
    headers={
        "Idempotency-Key": "Needed: makes it happen once, however often it is sent. 1 to 255 printable characters."
    },
    gives={200: PlanHeard},
    problems=(NotFound, KeyReused),
    examples={
        "bought": {"plan": "pro", "occurredAt": "2026-05-13T08:00:00Z", "reference": "sub_1042"},
        "cancelled, and paid for until": {
            "plan": "pro",
            "until": "2026-06-13T08:00:00Z",
            "occurredAt": "2026-05-20T08:00:00Z",
        },
    },
    names_user=True,
)


@post("/api/admin/users/{user}/plan", TELL)
async def tell_users_plan(request: Exchange) -> Answer:
    """At once and whatever the ranks: the provider decides when.

    The same `Idempotency-Key` with the same body is answered with the first answer, byte for byte, and the header
    `Idempotent-Replayed: true`. Of several changes the one that occurred last counts, in whichever order they come.
    """
    request.asked(Said)
    said = await request.said(PlanTold)
    key = idempotency_key(request)
    if key is None:
        raise NotUnderstood("send the header Idempotency-Key: a name of this change", field="Idempotency-Key")
    backend = request.backend

    def answer(arrived: Arrived) -> bytes:
        return encode(PlanHeard.of(arrived, backend))

    body, is_replayed = await door.arrive(
        backend.database, await user_of(request), said.as_told(), key=key, actor=request.actor, answer=answer
    )
    return Answer(body, headers=(JSON, *([(b"idempotent-replayed", b"true")] if is_replayed else [])))
