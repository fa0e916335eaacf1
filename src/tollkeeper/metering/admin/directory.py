"""All users as operators see them: looked for, sorted, noted on, moved to another plan, switched off and on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.metering.plans import terms
from tollkeeper.metering.upkeep.leaving import LAST_OPERATOR
from tollkeeper.store.database import Database, Record, Statements, Transaction

Sort = Literal["email", "createdAt", "lastActiveAt", "requests", "tokensUsed", "cost"]
Order = Literal["asc", "desc"]

_BY_ORDER: Final[dict[tuple[str, str], str]] = {
    ("email", "asc"): "directory_by_email",
    ("email", "desc"): "directory_by_email_backwards",
    ("createdAt", "asc"): "directory_by_age",
    ("createdAt", "desc"): "directory_by_age_backwards",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One user. Money in nano-USD; a limit of ``None`` is none at all. ``address`` is the e-mail as it is compared.

    ``total_unpriced`` counts the finished requests whose price is not known: they are in the cost with nothing.
    """

    id: UUID
    email: str | None
    name: str | None
    plan: str
    plan_expires_at: datetime | None
    is_active: bool
    role: Literal["user", "admin"]
    time_zone: str
    created_at: datetime
    last_active_at: datetime | None
    requests_today: int
    requests_this_month: int
    monthly_limit: int | None
    daily_limit: int | None
    total_requests: int
    total_tokens_used: int
    total_cost_nanos: int
    note: str | None
    address: str | None
    total_unpriced: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to list; ``None`` does not matter. ``text`` is looked for in address and name, or is an id."""

    text: str | None = None
    plan: str | None = None
    is_active: bool | None = None

    @property
    def is_anybody(self) -> bool:
        """Whether everybody is wanted, so that a page need not look at more than it shows."""
        return self.text is self.plan is self.is_active is None


@dataclass(frozen=True, slots=True)
class Found:
    """An entry and its place in the order that was asked for."""

    entry: Entry
    key: str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an operator changes of a user; what is unset stays. A plan that expires gives way to ``free``.

    ``note_seen`` is the note that they saw before.
    """

    note: str | UnsetType | None = UNSET
    note_seen: str | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET
    plan: str | UnsetType = UNSET
    plan_expires_at: datetime | UnsetType | None = UNSET


async def listed(
    database: Statements,
    wanted: Wanted,
    *,
    sort: Sort,
    order: Order,
    limit: int,
    after: tuple[str | int, UUID] | None = None,
) -> list[Found]:
    """List those who are wanted, behind the place ``after`` (its key and id).

    By address and age a page shows everybody once, whatever happens meanwhile. By what they use people overtake each
    other while one turns the pages.
    """
    looked_for: dict[str, Any] = {"text": wanted.text, "plan": wanted.plan, "is_active": wanted.is_active}
    key, user_id = after or (None, None)
    name = _BY_ORDER.get((sort, order))
    # Who is looked for may be rare: then it is quicker to look at all at once than at one after the other.
    if name is not None and (wanted.is_anybody or sort == "email"):
        place = key if sort == "email" else user_id
        rows = await database.all(name, after=place, most=limit, **looked_for)
        entries = [_entry(row) for row in rows]
        return [Found(each, (each.address or "") if sort == "email" else 0) for each in entries]
    rows = await database.all(
        "directory_by_usage",
        sort=sort,
        backwards=order == "desc",
        after_key=key,
        after_id=user_id,
        most=limit,
        **looked_for,
    )
    return [Found(_entry(row), row["key"]) for row in rows]


async def one(database: Statements, user_id: UUID) -> Entry:
    """Show one user; ``NotFound`` if there is none."""
    row = await database.one("directory_entry", user_id=user_id)
    if row is None:
        raise NotFound("no such user")
    return _entry(row)


async def change(database: Database, user_id: UUID, wanted: Change, *, actor: Actor) -> Entry:
    """Change a user, all of it or nothing.

    ``NotFound`` for an unknown user, ``Invalid`` for an unknown plan or an expiry that is over, ``Contradiction`` where
    the last operator would be switched off, or the note is another by now than was seen.
    Switched off, a user is refused by the very next start. Another plan is in force at once, and what is used of the
    windows stays used. The plan that a user is on already, with the same expiry, is left as it is.
    """
    async with database.transaction() as tx:
        # Takes the lock of all that is the user's.
        now = await tx.value("bring_current", user_ids=[user_id])
        before = await one(tx, user_id)
        if wanted.note_seen is not UNSET and wanted.note_seen != before.note:
            raise Contradiction("somebody has changed the note meanwhile: look at it again")
        await _set_plan(tx, before, wanted, now=now, actor=actor)
        detail: dict[str, Any] = {}
        if wanted.is_active is not UNSET and wanted.is_active != before.is_active:
            if not wanted.is_active and await tx.value("is_last_operator", user_id=user_id):
                raise Contradiction(LAST_OPERATOR)
            await tx.run("switch_user", user_id=user_id, is_active=wanted.is_active)
            detail["is_active"] = wanted.is_active
        if wanted.note is not UNSET and wanted.note != before.note:
            await tx.value("note_on_user", user_id=user_id, note=wanted.note)
            # That there is one: what is noted in the log outlives the account.
            detail["note"] = "taken away" if wanted.note is None else "given"
        if detail:
            await activity.note(tx, user_id=user_id, actor=actor, action="user.changed", detail=detail)
        return await one(tx, user_id)


async def _set_plan(tx: Transaction, before: Entry, wanted: Change, *, now: datetime, actor: Actor) -> None:
    if wanted.plan is UNSET and wanted.plan_expires_at is UNSET:
        return
    plan = before.plan if wanted.plan is UNSET else wanted.plan
    kept = before.plan_expires_at if plan == before.plan else None
    expires_at = kept if wanted.plan_expires_at is UNSET else wanted.plan_expires_at
    if (plan, expires_at) == (before.plan, before.plan_expires_at):
        return
    if not await tx.value("plan_exists", plan=plan):
        raise Invalid.field("plan", "is none of the catalogue")
    terms.refuse_odd_end("planExpiresAt", expires_at, now=now)
    if plan == before.plan:
        await terms.give_until(tx, before.id, plan, until=expires_at, now=now, actor=actor)
    else:
        await terms.put_on(tx, before.id, plan, starts_at=now, actor=actor, expires_at=expires_at)


def _entry(row: Record) -> Entry:
    return Entry(*row["entry"].values())
