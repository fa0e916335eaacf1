"""``tollkeeper plan``: the catalogue, and who is on what."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import (
    DEFAULTS,
    FIRST_PAGE,
    Answer,
    Common,
    Email,
    Flag,
    Paged,
    counted,
    not_empty,
    shown,
    table,
    told_at,
)
from tollkeeper.cli.house import after_of, blaming, in_utc, opened, page_of, text_of
from tollkeeper.cli.plan_words import changed, given, price
from tollkeeper.cli.progress import progress
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.plans import catalogue, changes, migrating, own_plan, terms
from tollkeeper.metering.plans.catalogue import Plan, PlanDifference
from tollkeeper.metering.plans.plan_file import Cycle

app = App(name="plan", help="Plans: list, apply, migrate, set, change, history.")


@app.command(name="list")
async def list_(*, common: Common = DEFAULTS) -> Answer:
    """List the catalogue, by rank."""
    async with opened(common) as house:
        found = await catalogue.all_plans(house.database)
    header = (
        "PLAN",
        "A DAY",
        "A MONTH",
        "TOKENS EACH",
        "TOKENS A MONTH",
        "CENTS A MONTH",
        "A MINUTE",
        "AT ONCE",
        "PRICE",
        "TEXTS",
        "FEATURES",
    )
    document = {"items": [_document(plan) for plan in found]}
    return Answer(document, table(header, (_row(plan) for plan in found)))


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
    with blaming(file):
        wanted = catalogue.parse(text_of(file))
        async with opened(common, begins=yes) as house:
            if yes:
                differences = await catalogue.apply(house.database, wanted, actor=OPERATOR)
            else:
                differences = await catalogue.difference(house.database, wanted)
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
        given = await terms.set_plan(house.database, user_id, plan, actor=OPERATOR, expires_at=in_utc(until))
    end = f" until {told_at(given.expires_at)}" if given.expires_at else ""
    return Answer(shown(given) | {"userId": user_id, "email": email}, f"{email} is on {given.plan_name}{end}.")


@app.command
async def change(
    email: Email,
    plan: Annotated[str, Parameter(help="A plan of the catalogue; the present one takes back what is arranged.")],
    /,
    *,
    billing_cycle: Annotated[Cycle | None, Parameter(help="How it is paid, if not as it is sold.")] = None,
    trial: Annotated[bool, Flag, Parameter(help="Try it for as many days as the plan says.")] = False,
    preview: Annotated[bool, Flag, Parameter(help="Say what it would do, and change nothing.")] = False,
    common: Common = DEFAULTS,
) -> Answer:
    """Change a user's plan as users do: up at once, down when the paid period ends. What is used stays used."""
    wish = changes.Wish(plan, billing_cycle, trial)
    async with opened(common) as house:
        user_id = await house.user_id(email)
        act = changes.preview if preview else changes.change
        done = await act(house.database, user_id, wish, actor=OPERATOR, by_themselves=False)
    decision = done.decision
    when = "at once" if decision.is_at_once else f"at {told_at(decision.takes_effect_at)}"
    until = f" until {told_at(decision.until)}" if decision.until else ""
    cost = f"{done.price} {done.plan.currency} cents {decision.cycle}"
    document = shown(decision) | {
        "userId": user_id,
        "email": email,
        "plan": done.plan.name,
        "price": done.price,
        "currency": done.plan.currency,
        "previewed": preview,
    }
    note = "Nothing is changed: this was a preview." if preview else ""
    return Answer(document, f"{email}: {decision.kind} to {plan} {when}{until}, {cost}.", note)


@app.command
async def migrate(
    plan: Annotated[str, Parameter(help="The plan whose users are to be moved.")],
    /,
    *,
    to: Annotated[
        str | None, Parameter(help="Another plan to move them to, instead of the newest version.", converter=not_empty)
    ] = None,
    yes: Annotated[bool, Flag, Parameter(help="Move them.")] = False,
    common: Common = DEFAULTS,
) -> Answer:
    """Show whose terms are older than those of the catalogue and what would change, and with --yes move them.

    When their plan ends, what follows it and how it is paid for stays as it was. Interrupted, it is called again.
    """
    target = to or plan
    async with opened(common) as house:
        found = await migrating.outdated(house.database, plan, target)
        total, moved = sum(each.users for each in found), 0
        if yes:
            with progress("Moving users", total) as advance:
                async for more in migrating.migrate(house.database, plan, target, actor=OPERATOR):
                    moved += more
                    advance(more)
    lines = [
        line
        for each in found
        for line in (
            f"{plan} version {each.version}: {counted(each.users, 'user')}",
            *(f"  {changed(change)}" for change in each.changes),
        )
    ]
    versions = [shown(each) | {"changes": [shown(change) for change in each.changes]} for each in found]
    note = f"Moved: {counted(moved, 'user')}." if yes else "Nobody is moved yet: --yes moves them." if found else ""
    text = "\n".join(lines) or f"Nobody on {plan} has other terms than {target} has now."
    return Answer({"plan": plan, "to": target, "moved": moved, "versions": versions}, text, note)


@app.command
async def history(email: Email, /, *, paged: Paged = FIRST_PAGE, common: Common = DEFAULTS) -> Answer:
    """List the plans that a user had, the newest first, and how they came to each."""
    most, after = page_of(paged), after_of(paged)
    async with opened(common) as house:
        user_id = await house.user_id(email)
        found = await own_plan.history(house.database, user_id, limit=most + 1, after=after)
    next_after = found[most - 1].id if len(found) > most else None
    header = ("ID", "PLAN", "VERSION", "HOW", "PAID", "TRIAL", "SINCE", "UNTIL")
    rows = (
        (
            each.id,
            each.plan_name,
            each.plan_version,
            each.kind,
            each.billing_cycle,
            each.is_trial,
            each.starts_at,
            each.ended_at,
        )
        for each in found[:most]
    )
    return Answer(
        {"items": [shown(each) for each in found[:most]], "nextAfter": next_after},
        table(header, rows),
        f"more: --after {next_after}" if next_after else "",
    )


def _row(plan: Plan) -> tuple[object, ...]:
    limits = (
        plan.daily_requests,
        plan.monthly_requests,
        plan.max_tokens_per_request,
        plan.monthly_tokens,
        _cents(plan),
        plan.requests_per_minute,
        plan.concurrent_requests,
    )
    return (
        plan.name,
        *("unlimited" if limit is None else limit for limit in limits),
        price(plan),
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
    tell = given if one.kind == "added" else changed
    return [f"{one.name} {kinds[one.kind]}", *(f"  {tell(change)}" for change in one.changes)]
