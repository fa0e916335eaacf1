"""A user's settings: what they are called, where their days begin and end, how they are shown and told things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts import users
from tollkeeper.activity import Actor
from tollkeeper.errors import NotFound
from tollkeeper.store.database import Database, Statements, Transaction

Theme = Literal["light", "dark", "auto"]
DaysShown = Literal[7, 14, 30, 90]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one user. ``next_time_zone`` takes effect with the next window; None: nothing will change.

    ``mails_limits``, ``mails_plan``, ``mails_security``: whether they want mail about their limits and what they
    spend, about their plan, and about their account's safety. ``warn_at``: at which percentages of their limits they
    are warned, None: at those of their plan, ``plan_warn_at``.
    """

    name: str | None
    email: str | None
    time_zone: str
    next_time_zone: str | None
    theme: Theme
    days_shown: DaysShown
    mails_limits: bool
    mails_plan: bool
    mails_security: bool
    warn_at: tuple[int, ...] | None
    plan_warn_at: tuple[int, ...]


async def show(database: Statements, user_id: UUID) -> Settings:
    """Show a user's settings as they are now; ``NotFound`` if there is no such user."""
    row = await database.one("settings_of_user", user_id=user_id)
    if row is not None and row["is_due"]:
        # A window has ended, and with the next one another zone may have begun.
        await database.value("bring_current", user_ids=[user_id])
        row = await database.one("settings_of_user", user_id=user_id)
    if row is None:
        raise NotFound("no such user")
    chosen = row["chosen"]
    return Settings(
        name=row["name"],
        email=row["email"],
        time_zone=row["time_zone"],
        next_time_zone=row["next_time_zone"],
        theme=chosen.get("theme", "auto"),
        days_shown=chosen.get("days_shown", 30),
        mails_limits=chosen.get("mails_limits", True),
        mails_plan=chosen.get("mails_plan", True),
        mails_security=chosen.get("mails_security", True),
        warn_at=None if row["own_warn_at"] is None else tuple(row["own_warn_at"]),
        plan_warn_at=tuple(row["plan_warn_at"]),
    )


async def change(
    database: Database,
    user_id: UUID,
    *,
    actor: Actor,
    name: str | None = None,
    time_zone: str | None = None,
    theme: Theme | None = None,
    days_shown: DaysShown | None = None,
    mails_limits: bool | None = None,
    mails_plan: bool | None = None,
    mails_security: bool | None = None,
    warn_at: Sequence[int] | Literal["plan"] | None = None,
) -> Settings:
    """Change what is given, all or none (None leaves it, an empty name takes the name away).

    ``warn_at`` are percentages from 1 to 100, ten at most; what was told in a window is not told again in it.
    ``Invalid`` names a time zone that is none, or a name that cannot be one.
    """
    chosen = {
        "theme": theme,
        "days_shown": days_shown,
        "mails_limits": mails_limits,
        "mails_plan": mails_plan,
        "mails_security": mails_security,
    }
    given = {setting: value for setting, value in chosen.items() if value is not None}
    async with database.transaction() as tx:
        if name is not None or time_zone is not None:
            await users.change_within(tx, user_id, actor=actor, name=name, time_zone=time_zone)
        if given:
            await tx.run("put_preferences", user_id=user_id, settings=given)
        if warn_at is not None:
            await _warn_at(tx, user_id, None if warn_at == "plan" else sorted(set(warn_at)))
        if mails_security is False:
            # Told by mail all the same: else whoever holds a session could silence all that comes after.
            await activity.note(tx, user_id=user_id, actor=actor, action="alerts.off")
        return await show(tx, user_id)


async def _warn_at(tx: Transaction, user_id: UUID, percentages: list[int] | None) -> None:
    """Put a user's own percentages, or those of their plan, in force from now on."""
    now = await tx.value("bring_current", user_ids=[user_id])
    await tx.run("choose_warn_at", user_id=user_id, warn_at=percentages)
    await tx.run("refresh_terms", user_id=user_id, at=now)
