"""The log of who did what. It is only added to: the service's role can neither change nor delete it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tollkeeper.store.database import Statements

# Longer ones are nobody's address or browser.
_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where as far as that is known.

    ``who`` is a user's id, ``key:`` and a key's id, ``operator`` at the command line, or the name of a job.
    """

    who: str
    ip_address: str | None = None
    user_agent: str | None = None


OPERATOR: Final = Actor("operator")
"""Whoever has the command line of the server."""


async def note(
    tx: Statements, *, user_id: UUID | None, actor: Actor, action: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Note one act, within the transaction that does it; ``user_id`` is None for one on no single user.

    ``action`` is a noun and a participle such as ``key.revoked``. Never hand it a secret or an e-mail address: what is
    noted outlives the account.
    """
    await tx.run(
        "note_activity",
        user_id=user_id,
        actor=actor.who,
        action=action,
        detail=dict(detail or {}),
        ip_address=actor.ip_address and actor.ip_address[:_LONGEST],
        user_agent=actor.user_agent and actor.user_agent[:_LONGEST],
    )
