"""The catalogue of plans: how many are on each, changing one, and moving users to the terms that it has now."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec import UNSET, UnsetType

from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.http.accounts.leaving import PATIENCE_SECONDS
from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.plans.catalogue import PlanShown, shown
from tollkeeper.http.plans.changes import PlanName
from tollkeeper.http.routing import get, post, put
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Cents, Heard
from tollkeeper.metering.admin import overview
from tollkeeper.metering.admin.overview import PlanWithUsers
from tollkeeper.metering.plans import catalogue, migrating, plan_file
from tollkeeper.metering.plans.catalogue import FieldChange
from tollkeeper.metering.plans.migrating import Outdated
from tollkeeper.metering.plans.plan_file import Cycle, Plan
from tollkeeper.metering.tracking.texts import TextPolicy

_PATH: Final = "/api/admin/plans"
_ONE: Final = _PATH + "/{name}"
_MONEY: Final = "monthly_cost_cents"

Limit = int | UnsetType | None


class PutPlan(Said, frozen=True, kw_only=True):
    """All of a plan, as the file of `plan apply` has it: what is left out is unlimited, or what the file takes it for.

    A limit of `null` or -1 is none at all, 0 allows nothing. Money in cents; `pricePerYear` of `null`: not sold so,
    nor is it at Stripe without a price there.
    """

    rank: int
    daily_requests: Limit = UNSET
    monthly_requests: Limit = UNSET
    max_tokens_per_request: Limit = UNSET
    monthly_tokens: Limit = UNSET
    monthly_cost: Cents | UnsetType | None = UNSET
    requests_per_minute: Limit = UNSET
    concurrent_requests: Limit = UNSET
    features: list[str] | UnsetType = UNSET
    entitlements: dict[str, bool | int | Decimal | list[str]] | UnsetType = UNSET
    period: Literal["calendar", "anniversary"] | UnsetType = UNSET
    rollover_percent: int | UnsetType = UNSET
    refund: Literal["trusted", "never"] | UnsetType = UNSET
    on_unavailable: Literal["closed", "open"] | UnsetType = UNSET
    warn_at: list[int] | UnsetType = UNSET
    price_per_month: int | UnsetType = UNSET
    price_per_year: int | UnsetType | None = UNSET
    currency: str | UnsetType = UNSET
    billing_cycle: Cycle | UnsetType = UNSET
    trial_days: int | UnsetType = UNSET
    self_service: bool | UnsetType = UNSET
    text_policy: TextPolicy | UnsetType = UNSET
    retain_text_days: Limit = UNSET
    stripe_price_monthly: str | UnsetType | None = UNSET
    stripe_price_yearly: str | UnsetType | None = UNSET

    def as_plan(self, name: str) -> Plan:
        """Read it as the table of a file is read. ``Invalid`` names the field."""
        table = {field: getattr(self, field) for field in self.__struct_fields__}
        table[_MONEY] = table.pop("monthly_cost")
        for field in ("price_per_year", "stripe_price_monthly", "stripe_price_yearly"):
            if table[field] is None:
                del table[field]
        given = {field: -1 if value is None else value for field, value in table.items() if value is not UNSET}
        return plan_file.plan(name, given)


class PutQuery(Said, frozen=True, kw_only=True):
    """Whether only to say what would change; and the `revision` of a preview, unless which the plan no longer has."""

    preview: bool = False
    revision: str | None = None


class FieldChangeShown(Heard, frozen=True, kw_only=True):
    """One field of a plan that differs; a limit of null is none at all.

    `isOfTerms`: users agree to it, so who is on an older version keeps what they have until they are moved.
    """

    field: str
    old: Any
    new: Any
    is_of_terms: bool

    @classmethod
    def of(cls, change: FieldChange) -> FieldChangeShown:
        """Show it."""
        return cls(field=_on_the_wire(change.field), old=change.old, new=change.new, is_of_terms=change.is_of_terms)


class PlanPut(Heard, frozen=True, kw_only=True):
    """What became of the catalogue, or would: in a preview nothing is changed. `added`: all fields of a new plan.

    `revision`: how the plan stood before. Sent along with the change it says that this is what one has seen.
    """

    success: Literal[True] = True
    name: str
    kind: Literal["added", "changed", "same", "absent"]
    is_preview: bool
    revision: str
    changes: list[FieldChangeShown]


class Migrate(Said, frozen=True, kw_only=True):
    """To which plan the users are moved (left out: to the newest version of their own); only with `apply` they are."""

    to: PlanName | None = None
    apply: bool = False


class OutdatedShown(Heard, frozen=True, kw_only=True):
    """Those on one version of a plan, and what changes for them."""

    version: int
    users: int
    changes: list[FieldChangeShown]

    @classmethod
    def of(cls, outdated: Outdated) -> OutdatedShown:
        """Show them."""
        changes = [FieldChangeShown.of(each) for each in outdated.changes]
        return cls(version=outdated.version, users=outdated.users, changes=changes)


class Migrated(Heard, frozen=True, kw_only=True):
    """Who has other terms, by version, and how many of them are `moved` now.

    Not `isComplete`: there are more than one call moves. Call again.
    """

    success: Literal[True] = True
    plan: str
    to: str
    applied: bool
    versions: list[OutdatedShown]
    moved: int
    is_complete: bool


class PlanWithUsersShown(PlanShown, frozen=True, kw_only=True):
    """A plan of the catalogue, the number of its users, of those whose terms are older, and what means it at Stripe."""

    users: int
    outdated_users: int
    stripe_price_monthly: str | None
    stripe_price_yearly: str | None

    @classmethod
    def of_one(cls, one: PlanWithUsers) -> PlanWithUsersShown:
        """Show it."""
        return cls(
            **shown(one.plan),
            users=one.users,
            outdated_users=one.outdated,
            stripe_price_monthly=one.plan.stripe_price_monthly,
            stripe_price_yearly=one.plan.stripe_price_yearly,
        )


class PlansWithUsers(Heard, frozen=True, kw_only=True):
    """The catalogue, by rank."""

    success: Literal[True] = True
    plans: list[PlanWithUsersShown]


LIST: Final = Operation("admin", summary="List plans with their users", query=Said, gives={200: PlansWithUsers})
PUT: Final = Operation(
    "admin",
    summary="Add a plan to the catalogue, or change it",
    takes=PutPlan,
    query=PutQuery,
    gives={200: PlanPut},
    problems=(Contradiction,),
    examples={"a plan for teams": {"rank": 15, "dailyRequests": 500, "pricePerMonth": 2900, "trialDays": 14}},
)
MIGRATE: Final = Operation(
    "admin",
    summary="Move users of a plan to the terms that the catalogue has now",
    takes=Migrate,
    query=Said,
    gives={200: Migrated},
    problems=(NotFound,),
    takes_room=True,
    examples={"a preview": {}, "for good": {"apply": True}, "to another plan": {"to": "pro", "apply": True}},
)


@get(_PATH, LIST)
async def list_plans(request: Exchange) -> Answer:
    """Who is on a plan that has expired counts as free."""
    request.asked(Said)
    found = await overview.plans_with_users(request.backend.patient)
    return Answer.of(PlansWithUsers(plans=[PlanWithUsersShown.of_one(each) for each in found]))


@put(_ONE, PUT)
async def put_plan(request: Exchange) -> Answer:
    """The plan is then what the body says, and nothing else of it stays. Nobody's terms change by it.

    With `preview=true` nothing is changed: the same answer says what would be. With the `revision` of a preview it is
    409 if somebody has changed the plan since.
    """
    query, name = request.asked(PutQuery), path_text(request, "name")
    said = await request.said(PutPlan)
    database = request.backend.database
    with _told_as_on_the_wire(name):
        wanted = [said.as_plan(name)]
        if query.preview:
            found, *_ = await catalogue.difference(database, wanted)
        else:
            found, *_ = await catalogue.apply(database, wanted, actor=request.actor, seen=query.revision)
    changes = [FieldChangeShown.of(each) for each in found.changes]
    return Answer.of(
        PlanPut(name=name, kind=found.kind, is_preview=query.preview, revision=found.revision, changes=changes)
    )


@post(_ONE + "/migrate", MIGRATE)
async def migrate_users(request: Exchange) -> Answer:
    """When their plan ends, what follows and how it is paid stays as it was. Interrupted, it is called again."""
    request.asked(Said)
    name = path_text(request, "name")
    said = await request.said(Migrate)
    to, database = said.to or name, request.backend.database
    found = await migrating.outdated(request.backend.patient, name, to)
    moved = migrating.Moved(0, is_complete=True)
    if said.apply:
        moved = await migrating.migrate_for(database, name, to, actor=request.actor, seconds=PATIENCE_SECONDS)
    return Answer.of(
        Migrated(
            plan=name,
            to=to,
            applied=said.apply,
            versions=[OutdatedShown.of(each) for each in found],
            moved=moved.users,
            is_complete=moved.is_complete,
        )
    )


@contextmanager
def _told_as_on_the_wire(name: str) -> Generator[None]:
    """Let faults in the words of a file of plans name the fields of our body."""
    try:
        yield
    except Invalid as refused:
        faults = [each | {"field": _in_the_body(name, each["field"])} for each in refused.fields["errors"]]
        raise Invalid.several(faults) from None


def _in_the_body(name: str, field: str) -> str:
    place = f"plans.{name}"
    return "name" if field == place else _on_the_wire(field.removeprefix(place + "."))


def _on_the_wire(field: str) -> str:
    """Write the name of a field as PlanShown has it; what comes behind a dot is no name of ours."""
    ours, *rest = ("monthly_cost" if field == _MONEY else field).split(".", 1)
    first, *words = ours.split("_")
    return ".".join([first + "".join(word.capitalize() for word in words), *rest])
