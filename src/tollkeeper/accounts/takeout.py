"""What a user takes along: everything that is kept of them but requests and activity, which are read page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.store.database import Database, Record, Statements

__all__ = ["PARTS", "Part", "note", "read"]


@dataclass(frozen=True, slots=True)
class Part:
    """One file: its name without an ending, the statement that it is made of, and what it is."""

    name: str
    statement: str
    means: str


PARTS: Final = (
    Part("profile", "takeout_profile", "who you are here, and your plan"),
    Part("identities", "takeout_identities", "what you are known by"),
    Part("preferences", "takeout_preferences", "how you want to be shown things"),
    Part("usage", "takeout_usage", "what your plan allows and what of it is used"),
    Part("plans", "takeout_plans", "the plans that you had and have"),
    Part("overrides", "takeout_overrides", "limits of yours that differ from your plan's, now and before"),
    Part("grants", "takeout_grants", "what you may use beyond your plan, and what of it you have used"),
    Part("subscriptions", "takeout_subscriptions", "who you are at Stripe, and your subscriptions there"),
    Part("plan-changes", "takeout_door", "what a provider told of your plan in the last 90 days"),
    Part("plan-provider", "takeout_door_state", "the latest that a provider told of your plan"),
    Part("variables", "takeout_variables", "your variables; secrets are masked, the page of variables reveals them"),
    Part("keys", "takeout_keys", "your API keys, without the keys themselves: we do not have them"),
    Part("passkeys", "takeout_passkeys", "your passkeys; their secret half is on your devices"),
    Part("sign-ins", "takeout_sign_ins", "where you signed in"),
    Part("alerts", "takeout_alerts", "which acts on your account you were told of by mail in the last two days"),
    Part("events", "takeout_events", "what you were told of your plan and limits in the last 90 days"),
    Part("webhooks", "takeout_webhooks", "which events about you other systems were told of"),
    Part("conversations", "takeout_conversations", "your conversations, summed"),
    Part("sums", "takeout_sums", "your requests summed by day, hour, model, category and type"),
    Part("request-names", "takeout_names", "what your programs called your requests"),
)


async def read(database: Statements, user_id: UUID, part: Part) -> tuple[Sequence[str], Sequence[Record]]:
    """Read one part: the names of its columns, and its rows. Without rows there are no names."""
    rows = await database.all(part.statement, user_id=user_id)
    return list(rows[0].keys()) if rows else [], rows


async def note(database: Database, user_id: UUID, *, actor: Actor) -> None:
    """Note that somebody takes it all along, before they do."""
    async with database.transaction() as tx:
        await activity.note(tx, user_id=user_id, actor=actor, action="account.exported")
