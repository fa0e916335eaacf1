"""``tollkeeper plan``: the catalogue, and who is on what."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import App, Parameter

from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, Email, Flag, shown, table, told_at
from tollkeeper.cli.house import in_utc, opened, text_of
from tollkeeper.metering import plans
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.plans import Plan, PlanDifference

app = App(name="plan", help="Plans: list, apply, set.")


@app.command(name="list")
async def list_(*, common: Common = DEFAULTS) -> Answer:
    """List the catalogue, by rank."""
    async with opened(common) as house:
        catalogue = await plans.catalogue(house.database)
    header = (
        "PLAN",
        "A DAY",
        "A MONTH",
        "TOKENS EACH",
        "TOKENS A MONTH",
        "CENTS A MONTH",
        "PRICE",
        "TEXTS",
        "FEATURES",
    )
    document = {"items": [_document(plan) for plan in catalogue]}
    return Answer(document, table(header, (_row(plan) for plan in catalogue)))


@app.command
async def apply(
    file: Annotated[Path, Parameter(help="A TOML file with one table for each plan, [plans.NAME].")],
    /,
    *,
    yes: Annotated[bool, Flag, Parameter(help="Apply it.")] = False,
    common: Common = DEFAULTS,
) -> Answer:
    """Show what a file of plans would change in the catalogue, and with --yes change it.

    Nobody's terms change: they are a snapshot of the plan as it was when it was taken. Only what is kept of texts
    changes at once for everybody on a plan. No plan is ever removed.
    """
    wanted = plans.parse(text_of(file))
    async with opened(common) as house:
        if yes:
            differences = await plans.apply(house.database, wanted, actor=OPERATOR)
        else:
            differences = await plans.difference(house.database, wanted)
    changes = [each for each in differences if each.kind in {"added", "changed"}]
    note = "Nothing to change." if not changes else "Applied." if yes else "Nothing is changed yet: --yes applies it."
    return Answer(
        {"applied": yes, "plans": [_difference(each) for each in differences]},
        "\n".join(line for each in differences for line in _told(each)),
        note,
    )


@app.command(name="set")
async def set_(
    email: Email,
    plan: Annotated[str, Parameter(help="A plan of the catalogue.")],
    /,
    *,
    until: Annotated[datetime | None, Parameter(help="When they fall back to free (UTC unless it says so).")] = None,
    common: Common = DEFAULTS,
) -> Answer:
    """Put a user on a plan, now. What is used stays used."""
    async with opened(common) as house:
        user_id = await house.user_id(email)
        terms = await plans.set_plan(house.database, user_id, plan, actor=OPERATOR, expires_at=in_utc(until))
    end = f" until {told_at(terms.expires_at)}" if terms.expires_at else ""
    return Answer(shown(terms) | {"userId": user_id, "email": email}, f"{email} is on {terms.plan_name}{end}.")


def _row(plan: Plan) -> tuple[object, ...]:
    limits = (
        plan.daily_requests,
        plan.monthly_requests,
        plan.max_tokens_per_request,
        plan.monthly_tokens,
        _cents(plan),
    )
    price = f"{plan.price_per_month} ({plan.billing_cycle})"
    return (
        plan.name,
        *("unlimited" if limit is None else limit for limit in limits),
        price,
        _texts(plan),
        " ".join(plan.features),
    )


def _texts(plan: Plan) -> str:
    return plan.text_policy if plan.retain_text_days is None else f"{plan.text_policy} ({plan.retain_text_days} days)"


def _document(plan: Plan) -> dict[str, Any]:
    return shown(plan) | {"monthlyCostCents": _cents(plan)}


def _cents(plan: Plan) -> Any:
    return None if plan.monthly_cost_nanos is None else cents_of(plan.monthly_cost_nanos)


def _difference(one: PlanDifference) -> dict[str, Any]:
    return {"name": one.name, "kind": one.kind, "changes": [shown(change) for change in one.changes]}


def _told(one: PlanDifference) -> list[str]:
    kinds = {
        "added": "is new",
        "changed": "changes",
        "same": "stays as it is",
        "absent": "is not in the file and stays",
    }
    changes = [f"  {change.field}: {_value(change.old)} -> {_value(change.new)}" for change in one.changes]
    if one.kind == "added":
        changes = [f"  {change.field}: {_value(change.new)}" for change in one.changes]
    return [f"{one.name} {kinds[one.kind]}", *changes]


def _value(value: Any) -> str:
    if value is None:
        return "unlimited"
    return " ".join(cast("list[str]", value)) if isinstance(value, list) else str(value)
