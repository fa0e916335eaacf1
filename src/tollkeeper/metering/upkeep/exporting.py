"""Reading everything that was recorded, in one snapshot and page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final
from uuid import UUID

from tollkeeper.metering.tracking.records import MOST_BYTES, ChatRequest
from tollkeeper.store.database import Database, Transaction

__all__ = ["Page", "export"]

_ROWS: Final = 500
_USERS: Final = 500

Page = tuple[str | None, list[ChatRequest]]
"""Requests of one user, the oldest first, behind the user's e-mail address."""


async def export(database: Database, user_id: UUID | None = None) -> AsyncGenerator[Page]:
    """Give the requests of one user, or of all, as they all stood at one instant. Whoever reads may take their time."""
    async with database.transaction(isolation="repeatable_read", read_only=True) as tx:
        await tx.value("let_readers_pause")
        async for known_id, email in _users(tx, user_id):
            after: UUID | None = None
            while rows := await tx.all(
                "exported_requests", user_id=known_id, after=after, most=_ROWS, most_bytes=MOST_BYTES
            ):
                page = [ChatRequest.of(row) for row in rows]
                yield email, page
                after = page[-1].id


async def _users(tx: Transaction, user_id: UUID | None) -> AsyncGenerator[tuple[UUID, str | None]]:
    if user_id is not None:
        yield user_id, await tx.value("address_of_user", user_id=user_id)
        return
    after: UUID | None = None
    while rows := await tx.all("exported_users", after=after, most=_USERS):
        for row in rows:
            yield row["user_id"], row["email"]
        after = rows[-1]["user_id"]
