"""Mails to all operators about the service itself. They are tried once: metrics, log and System say the same."""

from __future__ import annotations

import logging

from tollkeeper.accounts.mails import letters
from tollkeeper.accounts.mails.alerts import Post
from tollkeeper.accounts.mails.courier import NotDelivered, Refused
from tollkeeper.store.database import Statements

log = logging.getLogger(__name__)


async def raise_alarm(database: Statements, post: Post, *, what: str, rest: str) -> None:
    """Mail it to every operator, one after the other."""
    for row in await database.all("operators_addresses"):
        letter = letters.alarm(row["email"], what=what, rest=rest, written_at=row["written_at"], site=post.site)
        try:
            await post.courier.deliver(letter)
        except (NotDelivered, Refused) as error:
            log.warning("an alarm to an operator: %s", error)
