"""A user's settings: what they are called, where their days begin and end, how they are shown and told things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts import users
from tollkeeper.activity import Actor
from tollkeeper.errors import NotFound
from tollkeeper.store.database import Database, Statements

Theme = Literal["light", "dark", "auto"]
DaysShown = Literal[7, 14, 30, 90]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one user. ``next_time_zone`` takes effect with the next window; None: nothing will change.

    ``mails_limits``, ``mails_security``: whether they want mail about their limits, and about their account's safety.
    """

    name: str | None
    email: str | None
    time_zone: str
    next_time_zone: str | None
    theme: Theme
    days_shown: DaysShown
    mails_limits: bool
    mails_security: bool


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
        mails_security=chosen.get("mails_security", True),
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
    mails_security: bool | None = None,
) -> Settings:
    """Change what is given, all or none (None leaves it, an empty name takes the name away).

    ``Invalid`` names a time zone that is none, or a name that cannot be one.
    """
    chosen = {
        "theme": theme,
        "days_shown": days_shown,
        "mails_limits": mails_limits,
        "mails_security": mails_security,
    }
    given = {setting: value for setting, value in chosen.items() if value is not None}
    async with database.transaction() as tx:
        if name is not None or time_zone is not None:
            await users.change_within(tx, user_id, actor=actor, name=name, time_zone=time_zone)
        if given:
            await tx.run("put_preferences", user_id=user_id, settings=given)
        if mails_security is False:
            # Told by mail all the same: else whoever holds a session could silence all that comes after.
            await activity.note(tx, user_id=user_id, actor=actor, action="alerts.off")
        return await show(tx, user_id)
