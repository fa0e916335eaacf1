"""Mails about somebody's plan and limits: the events that the database wrote say what there is to tell.

A node takes events for two minutes, sends, and notes that they are sent. One that stops in between leaves them to
others, so a mail may come twice and does not get lost. What a mail server does not take is tried again for a day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, date
from typing import Any, Final

from tollkeeper.accounts.mails import letters
from tollkeeper.accounts.mails.alerts import LEASE, Post
from tollkeeper.accounts.mails.courier import NotDelivered, NotNow, Refused
from tollkeeper.accounts.mails.letters import Letter
from tollkeeper.store.database import Database, Record

log = logging.getLogger(__name__)

_AT_ONCE: Final = 10
_ALL: Final = 100
_LIMITS: Final = {
    "dailyRequests": ("requests of today", "Today ends"),
    "monthlyRequests": ("requests of this month", "The month ends"),
    "monthlyTokens": ("tokens of this month", "The month ends"),
    "monthlyCost": ("spend of this month", "The month ends"),
}
_CHANGED: Final = {
    "upgraded": "It holds from now on; what you have used stays used.",
    "downgraded": "The larger one has ended, as was arranged.",
    "cancelled": "The one before it has ended.",
    "migrated": "It holds on the terms that are offered now; what you have used stays used.",
}


async def tell(database: Database, post: Post) -> int:
    """Mail what there is to tell, some at a time, until there is no more or the mail server is away.

    Says how many were sent.
    """
    sent = 0
    while rows := await database.all("claim_notices", lease=LEASE, most=_AT_ONCE):
        outcomes = await asyncio.gather(*(_send(database, post, row) for row in rows if row["is_wanted"]))
        sent += outcomes.count(True)
        if False in outcomes:
            break
    return sent


async def _send(database: Database, post: Post, row: Record) -> bool | None:
    """Send one: False if no mail gets through, None if this one does not, now or ever."""
    event = {"user_id": row["user_id"], "event_id": row["id"], "tries": row["tries"]}
    try:
        await post.courier.deliver(_letter(row, post.site))
    except Refused as error:
        log.warning("a notice: %s", error)
        await database.run("notice_done", **event)
        return None
    except NotDelivered as error:
        log.warning("a notice: %s; it is tried again within a day", error)
        await database.run("notice_failed", **event)
        return None if isinstance(error, NotNow) else False
    await database.run("notice_done", **event)
    return True


def _letter(row: Record, site: str) -> Letter:
    what, rest = told(row["kind"], row["data"], _at(row))
    return letters.notice(row["email"], what=what, rest=rest, written_at=row["written_at"], site=site)


def told(kind: str, data: Mapping[str, Any], at: str) -> tuple[str, str]:
    """Say an event in words, as the subject and as the rest; ``at`` is the instant that it names, in words."""
    if kind == "spend.unusual":
        usual = f"On days on which you spend at all it is about {_dollars(data['usual'])}."
        day = f"{date.fromisoformat(data['day']):%-d %B %Y}"
        return f"You spent more than usual on {day}", f"It was {_dollars(data['cost'])} by then. {usual}"
    if kind == "plan.expiring":
        return f"Your plan {data['plan']} is about to end", f"It ends {at}. Then you have {data['nextPlan']}."
    if kind == "plan.expired":
        return f"Your plan {data['plan']} has ended", f"It ended {at}. Now you have {data['nextPlan']}."
    if kind == "plan.changed":
        until = "" if data["expiresAt"] is None else f" It ends {at}."
        return f"Your plan is {data['to']} now", _CHANGED.get(data["kind"], "It holds from now on.") + until
    return _of_limit(data, at)


def _of_limit(data: Mapping[str, Any], at: str) -> tuple[str, str]:
    units, ends = _LIMITS[data["limit"]]
    show = _dollars if data["limit"] == "monthlyCost" else _number
    rest = f"{show(data['used'])} of {show(data['allowed'])} on the plan {data['plan']}. {ends} {at}."
    if data["percent"] < _ALL:
        return f"{data['percent']} % of your {units} are used", rest
    return f"You have reached your limit: {units}", f"{rest} Until then requests beyond it are refused."


def _at(row: Record) -> str:
    """Tell the instant that an event names, if it names one."""
    if row["at"] is None:
        return ""
    in_utc = f"{row['at'].astimezone(UTC):%-d %B %Y, %H:%M} UTC"
    return (
        f"on {in_utc}"
        if row["time_zone"] == "UTC"
        else (f"on {row['local_at']:%-d %B %Y, %H:%M} in {row['time_zone']} ({in_utc})")
    )


def _number(amount: float) -> str:
    return f"{amount:,}"


def _dollars(cents: float) -> str:
    return f"${cents / 100:,.2f}"
