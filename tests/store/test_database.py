"""The database as the service uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollkeeper.store.database import refuse_unsafe

if TYPE_CHECKING:
    from tollkeeper.store.database import Database


async def test_a_safe_server_is_accepted(db: Database) -> None:
    await refuse_unsafe(db)


async def test_again(db: Database) -> None:
    await refuse_unsafe(db)
