"""The log of who did what. It is only added to: the service's role can neither change nor delete it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tollkeeper.store.database import Statements

# Longer ones are nobody's address or browser.
_LONGEST = 1000


async def note(
    tx: Statements,
    *,
    user_id: UUID | None,
    actor: str,
    action: str,
    detail: Mapping[str, Any] | None = None,
    ip_address: str | None = None,
    user_agent: str | None = None,
) -> None:
    """Note one act, within the transaction that does it; ``user_id`` is None for one on no single user.

    ``actor`` says who: a user's id, ``key:`` and a key's id, ``operator``. ``action`` is a noun and a participle such
    as ``key.revoked``. Never hand it a secret or an e-mail address: what is noted outlives the account.
    """
    await tx.run(
        "note_activity",
        user_id=user_id,
        actor=actor,
        action=action,
        detail=dict(detail or {}),
        ip_address=ip_address and ip_address[:_LONGEST],
        user_agent=user_agent and user_agent[:_LONGEST],
    )
