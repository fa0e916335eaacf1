"""Users: found by their e-mail address, added, shown, changed. Their plan is changed by ``metering.plans``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import idna

from tollkeeper import activity
from tollkeeper.accounts.pictures import picture
from tollkeeper.accounts.text import one_line, storable
from tollkeeper.activity import OPERATOR, Actor
from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.store.database import Database, Record, Statements, Transaction

LONGEST_NAME: Final = 200

_LONGEST_LOCAL_PART: Final = 64
_LONGEST_TIME_ZONE: Final = 100
_ADDRESS = re.compile(r'(?P<local>[^@\s"(),:;<>\[\]\\]+)@(?P<domain>[^@\s"(),:;<>\[\]\\]+)')
_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?", re.ASCII)
# Controls, invisible formatting, surrogates, private and unassigned characters, and every kind of space.
_NOT_IN_AN_ADDRESS: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class User:
    """One user at one instant. ``requests_used`` and ``requests_limit`` (None: unlimited) are those of the month."""

    id: UUID
    email: str
    name: str | None
    image: str | None
    plan: str
    plan_expires_at: datetime | None
    requests_used: int
    requests_limit: int | None
    is_active: bool
    role: Literal["user", "admin"]
    time_zone: str
    has_github: bool
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class UsersPage:
    """Some users, the newest first; ``next_after`` leads to the page behind it, None from the last one."""

    items: tuple[User, ...]
    next_after: UUID | None


async def add(
    database: Database,
    email: str,
    *,
    plan: str = "free",
    admin: bool = False,
    time_zone: str = "UTC",
    name: str | None = None,
    actor: Actor = OPERATOR,
) -> User:
    """Add a user; ``Contradiction`` if the address has one, ``NotFound`` for an unknown plan."""
    address = address_of(email)
    shown_name = name and one_line(name, field="name", most=LONGEST_NAME)
    async with database.transaction() as tx:
        if not await tx.value("plan_exists", plan=plan):
            raise NotFound(f"the catalogue has no plan {plan!r}")
        zone = await _zone(tx, time_zone)
        user_id = await tx.value("find_or_add_user", email=address, plan=plan, time_zone=zone)
        if not await tx.value("user_is_new", user_id=user_id):
            raise Contradiction(f"there is a user {address} already")
        await tx.value(
            "describe_user", user_id=user_id, given_name=shown_name, image=None, role="admin" if admin else None
        )
        detail = {"plan": plan, "role": "admin" if admin else "user"}
        await activity.note(tx, user_id=user_id, actor=actor, action="user.added", detail=detail)
        return await show(tx, user_id)


async def of_email(database: Statements, email: str) -> UUID | None:
    """Whose address it is, whatever the case of its letters. None if it is nobody's or cannot be an address."""
    try:
        return await database.value("user_of_email", email=address_of(email))
    except Invalid:
        return None


async def of_emails(database: Statements, emails: Sequence[str]) -> dict[str, UUID]:
    """Find the users of those of many canonical addresses that are somebody's."""
    rows = await database.all("users_of_emails", emails=list(emails))
    return {row["email"]: row["user_id"] for row in rows}


async def of_email_or_new(database: Statements, email: str) -> UUID:
    """Find the user of an address, or add one with the plan ``free``: a service key names users before we know them."""
    return await database.value("find_or_add_user", email=address_of(email), plan="free", time_zone="UTC")


async def of_emails_or_new(database: Statements, emails: Sequence[str]) -> dict[str, UUID]:
    """Find or add the users of many canonical addresses, as ``of_email_or_new`` does, all or none."""
    rows = await database.all("find_or_add_users", emails=list(emails), plan="free", time_zone="UTC")
    return {row["email"]: row["user_id"] for row in rows}


async def show(database: Statements, user_id: UUID) -> User:
    """Show one user; ``NotFound`` if there is none."""
    row = await database.one("user", user_id=user_id)
    if row is None:
        raise NotFound("no such user")
    return _user(row)


async def listed(database: Statements, *, limit: int, after: UUID | None = None) -> UsersPage:
    """Show all users, page by page. Who is added while one turns the pages is not shown, and nobody is shown twice."""
    rows = await database.all("users_page", below=after, most=limit + 1)
    items = tuple(_user(row) for row in rows[:limit])
    return UsersPage(items, next_after=items[-1].id if len(rows) > limit else None)


async def change(
    database: Database,
    user_id: UUID,
    *,
    actor: Actor,
    name: str | None = None,
    admin: bool | None = None,
    is_active: bool | None = None,
    time_zone: str | None = None,
    image: str | None = None,
) -> User:
    """Change what is given (None leaves it, an empty name or image takes it away); ``NotFound`` for an unknown user.

    A time zone takes effect with the next window: the running day and month end when they were going to. Switched off,
    a user is refused by the very next request, and every sign-in and key says so.
    """
    async with database.transaction() as tx:
        await change_within(
            tx,
            user_id,
            actor=actor,
            name=name,
            admin=admin,
            is_active=is_active,
            time_zone=time_zone,
            image=image,
        )
        return await show(tx, user_id)


async def change_within(
    tx: Transaction,
    user_id: UUID,
    *,
    actor: Actor,
    name: str | None = None,
    admin: bool | None = None,
    is_active: bool | None = None,
    time_zone: str | None = None,
    image: str | None = None,
) -> None:
    """Do the same together with what else the transaction does; an empty image takes it away."""
    new_name = name and one_line(name, field="name", most=LONGEST_NAME)
    new_image = image and picture(image)
    # Takes the lock of all that is the user's.
    await tx.value("bring_current", user_ids=[user_id])
    role = None if admin is None else "admin" if admin else "user"
    if await tx.value("describe_user", user_id=user_id, given_name=new_name, image=new_image, role=role) is None:
        raise NotFound("no such user")
    zone = None if time_zone is None else await _zone(tx, time_zone)
    if zone is not None:
        await tx.run("plan_zone_of_user", user_id=user_id, time_zone=zone)
    if is_active is not None:
        await tx.run("switch_user", user_id=user_id, is_active=is_active)
    texts = {field: "given" for field, text in (("name", name), ("image", image)) if text is not None}
    given = {"role": role, "is_active": is_active, "time_zone": zone}
    detail = texts | {field: value for field, value in given.items() if value is not None}
    await activity.note(tx, user_id=user_id, actor=actor, action="user.changed", detail=detail)


def address_of(email: str, *, field: str = "email") -> str:
    """Read an e-mail address in its canonical Unicode form; ``Invalid`` names the field if it can be none.

    Quoted local parts and literal IP addresses are refused: nobody has them and mail headers trip over them. So is a
    letter that is no single one when it is small: to the database it would be another's (``İ`` and ``i``).
    """
    address = unicodedata.normalize("NFC", storable(email, field=field))
    if len(address) > LONGEST_EMAIL:
        raise Invalid.field(field, f"must have at most {LONGEST_EMAIL} characters")
    if any(unicodedata.category(each) in _NOT_IN_AN_ADDRESS for each in address):
        raise Invalid.field(field, "must not contain spaces, control or invisible characters")
    parts = _ADDRESS.fullmatch(address)
    if parts is None or len(parts["local"]) > _LONGEST_LOCAL_PART:
        raise Invalid.field(field, "must be an e-mail address")
    if any(len(each.lower()) > 1 for each in parts["local"]):
        raise Invalid.field(field, "must not contain a letter that has no small form of its own")
    try:
        domain = domain_of(parts["domain"])
    except ValueError:
        raise Invalid.field(field, "must end in the name of a domain") from None
    return f"{parts['local']}@{domain}"


def domain_of(text: str) -> str:
    """Read the name of a domain as mail finds it (UTS 46), so that one domain has one name; ``ValueError`` for none."""
    name = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError("every part has 1 to 63 letters, digits, - and _")
    if "xn--" not in name.lower():
        return name
    try:
        return idna.decode(name)
    except idna.IDNAError:  # of an older standard, as with emoji; mail finds it all the same
        return name.lower()


async def _zone(tx: Transaction, time_zone: str) -> str:
    named = one_line(time_zone, field="timeZone", most=_LONGEST_TIME_ZONE)
    zone = await tx.value("time_zone_named", time_zone=named)
    if zone is None:
        raise Invalid.field("timeZone", "must be the name of a time zone, such as Europe/Berlin")
    return zone


def _user(row: Record) -> User:
    return User(**row)
