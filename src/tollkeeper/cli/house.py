"""What a command works on: the settings, the database that they lead to, brought up to date, and the master key."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from tollkeeper.accounts import masterkey, users
from tollkeeper.cli.answers import Common, Misused, Paged
from tollkeeper.errors import NotFound
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.migrate import migrate

__all__ = ["OPERATOR", "House", "in_utc", "opened", "page_of", "uuid_of"]

OPERATOR: Final = "operator"
_MOST_LISTED: Final = 1000


@dataclass(frozen=True, slots=True)
class House:
    """Everything that commands share, open for as long as one runs."""

    data_dir: Path
    addresses: Addresses
    database: Database

    @property
    def pepper(self) -> bytes:
        """Under which keys and links are hashed; makes the master key if there is none yet."""
        return masterkey.pepper_of(masterkey.load_or_make(self.data_dir / "master.key"))

    async def user_id(self, email: str) -> UUID:
        """Find a user by their address; ``NotFound`` if nobody has it."""
        user_id = await users.of_email(self.database, email)
        if user_id is None:
            raise NotFound(f"there is no user {email}")
        return user_id

    def sign_in_url(self, token: str, *, port: int | None = None) -> str:
        """Put a token into a link to the service as it listens here."""
        return f"http://localhost:{port or 8080}/sign-in/{token}"


@asynccontextmanager
async def addresses_of(common: Common) -> AsyncGenerator[tuple[Path, Addresses]]:
    data_dir = common.data or Path(os.environ.get("TOLLKEEPER_DATA", ".data/tollkeeper"))
    url = os.environ.get("TOLLKEEPER_DATABASE_URL")
    if url:
        yield data_dir, Addresses(url, url, None)
        return
    async with embedded_server(data_dir) as addresses:
        yield data_dir, addresses


@asynccontextmanager
async def opened(common: Common, *, statement_seconds: float = 30.0) -> AsyncGenerator[House]:
    """Open what a command works on: the database of a running server, or one that is started for this command."""
    async with addresses_of(common) as (data_dir, addresses):
        await migrate(addresses.owner, addresses.service)
        async with Database.open(
            addresses.service, size=4, statement_timeout=statement_seconds, lock_timeout=10.0
        ) as database:
            yield House(data_dir, addresses, database)


def page_of(paged: Paged) -> int:
    """Read how many are to be listed."""
    if not 1 <= paged.limit <= _MOST_LISTED:
        raise Misused(f"--limit must be from 1 to {_MOST_LISTED}")
    return paged.limit


def uuid_of(text: str | None) -> UUID | None:
    """Read an id."""
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise Misused(f"{text!r} is no id") from None


def in_utc(at: datetime | None) -> datetime | None:
    """Take a time without a zone as UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
