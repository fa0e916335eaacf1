"""``tollkeeper override`` and ``tollkeeper grant``: what is excepted from one user's plan."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from cyclopts import App, Parameter

from tollkeeper.activity import OPERATOR
from tollkeeper.bounds import MOST_CENTS, MOST_COUNT
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, Email, Misused, Whole, shown, table, told_at
from tollkeeper.cli.house import in_utc, opened
from tollkeeper.metering.money import cents_of, nanos_of_cents
from tollkeeper.metering.plans import exceptions
from tollkeeper.metering.plans.exceptions import Grant, Override, Unit
from tollkeeper.names import camel

overrides = App(name="override", help="Other limits of one user for a time: add, list, end.")
grants = App(name="grant", help="What one user may use beyond the plan: add, list, end.")

_LONGEST_REASON: Final = 1000
_MONEY: Final = "monthly_cost_cents"
_LIMITS: Final = tuple(_MONEY if name == "monthly_cost_nanos" else name for name in exceptions.LIMITS)

Id = Annotated[UUID, Parameter(help="Its id, as the list shows it.")]
Reason = Annotated[str, Parameter(help="Why, for whoever looks later.")]


@overrides.command(name="add")
async def add_override(
    email: Email,
    limits: Annotated[list[str], Parameter(help=f"LIMIT=NUMBER, -1 for unlimited, of {', '.join(_LIMITS)}.")],
    /,
    *,
    reason: Reason,
    until: Annotated[datetime | None, Parameter(help="When the plan's hold again (UTC unless it says so).")] = None,
    common: Common = DEFAULTS,
) -> Answer:
    """Let other limits than the plan's hold for a user from now on."""
    _refuse_silence(reason)
    wanted = _limits(limits)
    async with opened(common) as house:
        made = await exceptions.override(
            house.database,
            await house.user_id(email),
            wanted,
            reason=reason,
            ends_at=in_utc(until),
            actor=OPERATOR,
        )
    end = f" until {told_at(made.ends_at)}" if made.ends_at else ""
    return Answer(_override(made), f"{email}: {_words(made)}{end}.")


@overrides.command(name="list")
async def list_overrides(email: Email, /, *, common: Common = DEFAULTS) -> Answer:
    """List the overrides of a user, those that ended too; the newest first."""
    async with opened(common) as house:
        found = await exceptions.overrides(house.database, await house.user_id(email))
    header = ("ID", "LIMITS", "SINCE", "UNTIL", "ENDED", "REASON")
    rows = ((each.id, _words(each), each.starts_at, each.ends_at, each.ended_at, each.reason) for each in found)
    return Answer({"items": [_override(each) for each in found]}, table(header, rows))


@overrides.command(name="end")
async def end_override(email: Email, override: Id, /, *, common: Common = DEFAULTS) -> Answer:
    """End an override now."""
    async with opened(common) as house:
        ended = await exceptions.end_override(house.database, await house.user_id(email), override, actor=OPERATOR)
    return Answer(_override(ended), f"{email}: ended {_words(ended)}.")


@grants.command(name="add")
async def add_grant(
    email: Email,
    amount: Annotated[str, Parameter(help="How many: requests, tokens, or cents.")],
    unit: Annotated[Unit, Parameter(help="Of what.")],
    /,
    *,
    reason: Reason,
    until: Annotated[datetime | None, Parameter(help="When what is left expires (UTC unless it says so).")] = None,
    priority: Annotated[int, Whole, Parameter(help="Lower ones are burned first.")] = 0,
    common: Common = DEFAULTS,
) -> Answer:
    """Grant a user units beyond the month's allowance, from now on."""
    _refuse_silence(reason)
    units = _units(_number(amount), unit)
    if not -1000 <= priority <= 1000:  # noqa: PLR2004 - as over HTTP
        raise Misused("--priority must be from -1000 to 1000")
    async with opened(common) as house:
        made = await exceptions.grant(
            house.database,
            await house.user_id(email),
            unit,
            units,
            reason=reason,
            expires_at=in_utc(until),
            priority=priority,
            actor=OPERATOR,
        )
    end = f" until {told_at(made.expires_at)}" if made.expires_at else ""
    return Answer(_grant(made), f"{email} may use {_amount(made, made.amount)} beyond the plan{end}.")


@grants.command(name="list")
async def list_grants(email: Email, /, *, common: Common = DEFAULTS) -> Answer:
    """List the grants of a user, those that are used up too; the newest first."""
    async with opened(common) as house:
        user_id = await house.user_id(email)
        await house.database.value("bring_current", user_ids=[user_id])
        found = await exceptions.grants(house.database, user_id)
    header = ("ID", "AMOUNT", "BURNED", "EXPIRES", "ENDED", "FROM", "REASON")
    rows = (
        (
            each.id,
            _amount(each, each.amount),
            _amount(each, each.burned),
            each.expires_at,
            each.ended_at,
            each.source,
            each.reason,
        )
        for each in found
    )
    return Answer({"items": [_grant(each) for each in found]}, table(header, rows))


@grants.command(name="end")
async def end_grant(email: Email, grant: Id, /, *, common: Common = DEFAULTS) -> Answer:
    """End a grant now: what of it is burned stays so, what is left goes."""
    async with opened(common) as house:
        ended = await exceptions.end_grant(house.database, await house.user_id(email), grant, actor=OPERATOR)
    return Answer(_grant(ended), f"{email}: ended, with {_amount(ended, ended.burned)} burned.")


def _refuse_silence(reason: str) -> None:
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise Misused(f"--reason must say why, in at most {_LONGEST_REASON} characters")


def _number(text: str) -> Decimal:
    """Read a number; what is none is not finite."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return Decimal("NaN")


def _limits(told: list[str]) -> dict[str, int | None]:
    """Read what is to hold, each limit once."""
    read = [_limit(each) for each in told]
    names = Counter(name for name, _ in read)
    if doubled := next((name for name, times in names.items() if times > 1), None):
        raise Misused(f"{doubled.replace('monthly_cost_nanos', _MONEY)} is given more than once")
    return dict(read)


def _limit(text: str) -> tuple[str, int | None]:
    name, _, number = text.partition("=")
    given = _number(number)
    if name not in _LIMITS or not given.is_finite() or not -1 <= given <= MOST_COUNT:
        raise Misused(
            f"{text!r} is no LIMIT=NUMBER with a limit of {', '.join(_LIMITS)} and a number up to {MOST_COUNT}"
        )
    if given == -1:
        return name.replace(_MONEY, "monthly_cost_nanos"), None
    if name == _MONEY:
        return "monthly_cost_nanos", nanos_of_cents(given, field=_MONEY)
    if given != int(given) or given < 0:
        raise Misused(f"{text!r}: the number must be whole, 0 or more, or -1")
    return name, int(given)


def _units(amount: Decimal, unit: Unit) -> int:
    if not amount.is_finite() or not 0 < amount <= (MOST_CENTS if unit == "cost" else MOST_COUNT):
        raise Misused("the amount must be above 0, and not beyond what can be counted")
    if unit == "cost":
        return nanos_of_cents(amount, field="amount")
    if amount != int(amount):
        raise Misused(f"the amount of {unit} must be whole")
    return int(amount)


def _words(override: Override) -> str:
    return ", ".join(
        f"{name.replace('monthly_cost_nanos', _MONEY)} {'unlimited' if limit is None else _in_words(name, limit)}"
        for name, limit in override.limits.items()
    )


def _in_words(name: str, limit: int) -> str:
    return str(cents_of(limit) if name == "monthly_cost_nanos" else limit)


def _amount(grant: Grant, units: int) -> str:
    amount, unit = (cents_of(units), "cents") if grant.unit == "cost" else (units, grant.unit)
    return f"{amount:,} {unit.removesuffix('s') if amount == 1 else unit}"


def _override(override: Override) -> dict[str, Any]:
    limits = {
        camel(name.replace("monthly_cost_nanos", _MONEY)): cents_of(limit)
        if limit is not None and name == "monthly_cost_nanos"
        else limit
        for name, limit in override.limits.items()
    }
    return shown(override) | {"limits": limits}


def _grant(grant: Grant) -> dict[str, Any]:
    is_money = grant.unit == "cost"
    amounts = {
        name: cents_of(getattr(grant, name)) if is_money else getattr(grant, name) for name in ("amount", "burned")
    }
    return shown(grant) | amounts
