"""``tollkeeper user``: who the users are."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter, validators

from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import invitations, logins
from tollkeeper.accounts.sign_in.invitations import Invitation
from tollkeeper.accounts.users import User
from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import (
    DEFAULTS,
    FIRST_PAGE,
    Answer,
    Common,
    Email,
    Flag,
    Misused,
    Paged,
    Whole,
    not_empty,
    shown,
    table,
    told_at,
)
from tollkeeper.cli.house import House, after_of, opened, page_of
from tollkeeper.cli.leaving import delete
from tollkeeper.errors import NotFound, Unavailable
from tollkeeper.location import courier
from tollkeeper.metering.plans import catalogue, terms

app = App(name="user", help="Users: add, invite, list, show, set, link, delete.")
app.command(delete)

Plan = Annotated[str | None, Parameter(help="The plan they are on from now on.", converter=not_empty)]
Admin = Parameter(help="They may see and change everything.")
Timezone = Annotated[
    str | None, Parameter(name="--timezone", help="Where their days begin, such as Europe/Berlin.", converter=not_empty)
]
Name = Annotated[str | None, Parameter(help="What they are called; an empty one takes the name away.")]


@app.command
async def add(
    email: Email,
    /,
    *,
    plan: Plan = "free",
    admin: Annotated[bool, Flag, Admin] = False,
    timezone: Timezone = "UTC",
    name: Name = None,
    common: Common = DEFAULTS,
) -> Answer:
    """Add a user."""
    async with opened(common, begins=True) as house:
        added = await users.add(
            house.database,
            email,
            plan=plan or "free",
            admin=admin,
            time_zone=timezone or "UTC",
            name=name,
            actor=OPERATOR,
        )
    return _shown(added)


@app.command(name="list")
async def list_(*, paged: Paged = FIRST_PAGE, common: Common = DEFAULTS) -> Answer:
    """List users, the newest first."""
    async with opened(common) as house:
        page = await users.listed(house.database, limit=page_of(paged), after=after_of(paged))
    rows = [(user.email, user.plan, user.requests_used, _limit(user), user.is_active, user.id) for user in page.items]
    note = f"more: --after {page.next_after}" if page.next_after else ""
    document = {"items": [shown(user) for user in page.items], "nextAfter": page.next_after}
    return Answer(document, table(("EMAIL", "PLAN", "THIS MONTH", "OF", "ACTIVE", "ID"), rows), note)


@app.command
async def show(email: Email, /, *, common: Common = DEFAULTS) -> Answer:
    """Show a user with plan and usage."""
    async with opened(common) as house:
        user = await users.show(house.database, await house.user_id(email))
    return _shown(user)


@app.command(name="set")
async def set_(
    email: Email,
    /,
    *,
    plan: Plan = None,
    admin: Annotated[bool | None, Admin] = None,
    active: Annotated[bool | None, Parameter(help="They may use anything at all.")] = None,
    timezone: Timezone = None,
    name: Name = None,
    common: Common = DEFAULTS,
) -> Answer:
    """Change a user. A time zone takes effect with the next day or month."""
    if plan is admin is active is timezone is name is None:
        raise Misused("nothing to set: give --plan, --admin, --no-admin, --active, --no-active, --timezone or --name")
    async with opened(common) as house:
        user_id = await house.user_id(email)
        if plan is not None and plan not in {each.name for each in await catalogue.all_plans(house.database)}:
            raise NotFound(f"the catalogue has no plan {plan!r}")
        user = await users.change(
            house.database, user_id, actor=OPERATOR, name=name, admin=admin, is_active=active, time_zone=timezone
        )
        if plan is not None:
            await terms.set_plan(house.database, user_id, plan, actor=OPERATOR)
            user = await users.show(house.database, user_id)
    return _shown(user)


@app.command
async def invite(
    email: Email,
    /,
    *,
    plan: Annotated[str, Parameter(help="The plan they begin on.")] = "free",
    common: Common = DEFAULTS,
) -> Answer:
    """Let an address sign up, and tell it by mail where a mail server is set."""
    async with opened(common) as house:
        invited = await invitations.invite(house.database, email, plan=plan, actor=OPERATOR)
        site = house.site
        is_mailed = await _mailed(house, invited, site)
    by = "A mail tells them so." if is_mailed else "No mail was sent: tell them."
    note = f"{by} The invitation holds until {told_at(invited.expires_at)}."
    document = {**shown(invited), "url": site, "mailed": is_mailed}
    return Answer(document, f"{invited.address} may sign up at {site}", note)


async def _mailed(house: House, invited: Invitation, site: str) -> bool:
    if house.settings.smtp_url is None:
        return False
    from tollkeeper.accounts.mails import letters  # noqa: PLC0415 - only this command sends mails
    from tollkeeper.accounts.mails.courier import NotDelivered, Refused  # noqa: PLC0415

    letter = letters.invitation(
        invited.address, written_at=invited.created_at, expires_at=invited.expires_at, site=site
    )
    try:
        await courier(house.settings).deliver(letter)
    except (NotDelivered, Refused) as error:
        raise Unavailable(f"{invited.address} is invited, but {error}: tell them, or invite them again") from error
    return True


@app.command
async def link(
    email: Email,
    /,
    *,
    port: Annotated[
        int | None,
        Whole,
        Parameter(
            help="Where the service listens, if it does not run on this data directory.",
            validator=validators.Number(gte=1, lte=65_535),
        ),
    ] = None,
    common: Common = DEFAULTS,
) -> Answer:
    """Print a link that signs a user in, once."""
    async with opened(common) as house:
        made = await logins.make_link(
            house.database, await house.user_id(email), pepper=await house.pepper(), actor=OPERATOR
        )
        url = house.sign_in_url(made.token, port=port)
    note = f"It signs {email} in once, until {told_at(made.expires_at)}."
    return Answer({"url": url, "expiresAt": made.expires_at}, url, note)


def _shown(user: User) -> Answer:
    rows = [
        ("email", user.email),
        ("id", user.id),
        ("name", user.name),
        ("plan", user.plan),
        ("until", user.plan_expires_at),
        ("this month", f"{user.requests_used} of {_limit(user)} requests"),
        ("role", user.role),
        ("active", user.is_active),
        ("time zone", user.time_zone),
        ("signed in", user.last_login_at),
        ("since", user.created_at),
    ]
    return Answer(shown(user), table(("", ""), rows).lstrip("\n"))


def _limit(user: User) -> str:
    return "unlimited" if user.requests_limit is None else str(user.requests_limit)
