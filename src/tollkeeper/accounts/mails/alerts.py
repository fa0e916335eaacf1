"""Mails about the safety of an account: the log of activity says what there is to tell, whoever did it.

A node takes acts for two minutes, sends, and notes that they are sent. One that stops in between leaves them to others,
so a mail may come twice and does not get lost. What a mail server does not take is tried again for a day.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Final

from tollkeeper.accounts.devices import device_of
from tollkeeper.accounts.mails import letters
from tollkeeper.accounts.mails.courier import Courier, NotDelivered, NotNow, Refused
from tollkeeper.accounts.mails.letters import Letter
from tollkeeper.store.database import Database, Record

log = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=2)
_AT_ONCE: Final = 10
_ALL: Final = "Under Settings > Activity you see all that was done with your account."
_REVEALED: Final = ("Secrets among your variables were revealed", f"You get at most one such mail an hour. {_ALL}")
# What is told of each kind of act, as the subject and as the rest.
_TOLD: Final = {
    "login.begun": ("New sign-in to your account", "Neither this browser nor this network was known from before."),
    "passkey.added": ("A passkey was added to your account", "It can sign in to your account from now on."),
    "passkey.removed": ("A passkey was removed from your account", "It signs in no more."),
    "passkey.refused": (
        "A passkey of your account was refused",
        "Its signature was older than its last one: it may have been copied. Nobody was signed in by it.",
    ),
    "key.created": ("An API key was created for your account", "Whoever has it acts as you within its scopes."),
    "key.rotated": ("An API key of your account was rotated", "A new key stands in the place of an old one."),
    "github.connected": ("GitHub was connected with your account", "That GitHub account can sign in from now on."),
    "github.disconnected": ("GitHub was disconnected from your account", "It signs in no more."),
    "variable.revealed": _REVEALED,
    "variables.revealed": _REVEALED,
    "acting.begun": (
        "An operator began to act as you",
        f"They see what you see, for half an hour at most, and all that they do is noted. {_ALL}",
    ),
    "user.changed": ("The role of your account was changed", "Roles say whether somebody is an operator here."),
    "alerts.off": ("Mails about security were switched off", f"What is done from now on is not mailed. {_ALL}"),
    "account.exported": ("All data of your account was downloaded", "Secrets are masked in such a download."),
}


@dataclass(frozen=True, slots=True)
class Post:
    """Who takes mails away, and where people reach the service."""

    courier: Courier
    site: str


async def tell(database: Database, post: Post) -> int:
    """Mail what there is to tell, some at a time, until there is no more or the mail server is away.

    Says how many were sent. Nothing while another node takes acts.
    """
    sent = 0
    while rows := await _take(database):
        outcomes = await asyncio.gather(*(_send(database, post, row) for row in rows if row["is_wanted"]))
        sent += outcomes.count(True)
        if False in outcomes:
            break
    return sent


async def forget(database: Database) -> None:
    """Forget what was told, two days after the act."""
    await database.run("forget_alerts")


async def _take(database: Database) -> list[Record]:
    async with database.transaction() as tx:
        since = await tx.value("hold_alerts")
        if since is None:
            return []
        return await tx.all("claim_alerts", since=since, lease=LEASE, most=_AT_ONCE)


async def _send(database: Database, post: Post, row: Record) -> bool | None:
    """Send one: False if no mail gets through, None if this one does not, now or ever."""
    act = {"user_id": row["user_id"], "act_id": row["id"]}
    try:
        await post.courier.deliver(_letter(row, post.site))
    except Refused as error:
        log.warning("an alert: %s", error)
        await database.run("alert_done", is_sent=False, **act)
        return None
    except NotDelivered as error:
        log.warning("an alert: %s; it is tried again within a day of its act", error)
        await database.run("alert_failed", **act)
        return None if isinstance(error, NotNow) else False
    await database.run("alert_done", is_sent=True, **act)
    return True


def _letter(row: Record, site: str) -> Letter:
    what, rest = _TOLD[row["action"]]
    at = f"{row['at'].astimezone(UTC):%-d %B %Y, %H:%M} UTC"
    if row["time_zone"] != "UTC":
        at = f"{row['local_at']:%-d %B %Y, %H:%M} in {row['time_zone']} ({at})"
    return letters.alert(
        row["email"], what=what, rest=rest, at=at, by_whom=_by_whom(row), written_at=row["written_at"], site=site
    )


def _by_whom(row: Record) -> str:
    """Say from where it was done; of an operator neither name nor address is told, as in the log that users see."""
    if row["actor"] != str(row["user_id"]) and not row["actor"].startswith("key:"):
        return "an operator of this service"
    return f"{row['ip_address'] or 'an unknown address'}, {device_of(row['user_agent'])}"
