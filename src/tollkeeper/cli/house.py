"""What a command works on: the settings, the database that they lead to, brought up to date, and the master key."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from tollkeeper.accounts import users
from tollkeeper.accounts.secrets import keyring, masterkey
from tollkeeper.cli.answers import Common, Misused, Nowhere, Paged, remark
from tollkeeper.errors import Invalid, NotFound
from tollkeeper.instants import EPOCH, LAST_YEAR
from tollkeeper.location import located, master_keys, site_of
from tollkeeper.settings import Settings
from tollkeeper.store.database import Database, refuse_old
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.migrate import NothingThere, migrate
from tollkeeper.store.placement import is_taken

__all__ = [
    "House",
    "after_of",
    "connected",
    "in_utc",
    "opened",
    "page_of",
    "refuse_nowhere",
    "settings_of",
    "uuid_of",
]

_MOST_LISTED: Final = 1000
_MAKES_ONE: Final = "`tollkeeper serve` makes one there, and so does `tollkeeper migrate`"
_CONNECTIONS: Final = 2
_LOCK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class House:
    """Everything that commands share, open for as long as one runs."""

    settings: Settings
    addresses: Addresses
    database: Database
    known_keys: Mapping[int, bytes] = field(default_factory=dict[int, bytes])

    async def master_keys(self) -> dict[int, bytes]:
        """Read the master keys, made if there are none yet; ``Misconfigured`` if the database knows others."""
        keys = master_keys(self.settings, make=not await keyring.known(self.database))
        await keyring.admit(self.database, keys)
        return keys

    async def pepper(self) -> bytes:
        """Say under which keys and links are hashed; makes the master key if there is none yet.

        ``Misconfigured`` if the database knows another.
        """
        return masterkey.pepper_of(await self.master_keys())

    async def user_id(self, email: str) -> UUID:
        """Find a user by their address; ``NotFound`` if nobody has it."""
        user_id = await users.of_email(self.database, email)
        if user_id is None:
            raise NotFound(f"there is no user {email}")
        return user_id

    @property
    def site(self) -> str:
        """Where people reach the service."""
        return site_of(self.settings)

    def sign_in_url(self, token: str, *, port: int | None = None) -> str:
        """Put a token into a link to the service, or to what listens at a port of this machine."""
        return f"{self.site if port is None else f'http://localhost:{port}'}/sign-in/{token}"


def settings_of(common: Common, **given: Any) -> Settings:
    """Read the settings; options go before the environment. ``Misconfigured`` names those that are unknown or unfit."""
    return Settings.of(os.environ, data=common.data and str(common.data), **given)


@asynccontextmanager
async def opened(common: Common, *, begins: bool = False, statement_seconds: float = 30.0) -> AsyncGenerator[House]:
    """Open what a command works on, migrated: the database of a running server, or one started for this command.

    ``Nowhere`` where there is none, as of a name that was mistyped, unless the command is one that a service ``begins``
    with: those say so.
    """
    settings = settings_of(common)
    if not begins:
        refuse_nowhere(settings, common)
    elif settings.database_url is None and not is_taken(Path(settings.data)):
        remark(f"a new service begins in {settings.data}")
    # In a cluster of ours a first start may be under way; a database of theirs may be another's.
    may_begin = begins or settings.database_url is None
    async with (
        located(settings) as addresses,
        connected(settings, addresses, statement_seconds=statement_seconds, may_begin=may_begin) as database,
    ):
        yield House(settings, addresses, database, await keyring.known(database))


@asynccontextmanager
async def connected(
    settings: Settings, addresses: Addresses, *, statement_seconds: float, may_begin: bool
) -> AsyncGenerator[Database]:
    """Migrate and connect; ``Nowhere`` where nothing was ever migrated, unless it ``may_begin`` there."""
    try:
        await migrate(addresses.owner, addresses.service, may_begin=False)
    except NothingThere:
        if not may_begin:
            raise Nowhere(f"there is no service in the database of TOLLKEEPER_DATABASE_URL: {_MAKES_ONE}") from None
        if settings.database_url is not None:
            remark("a new service begins in the database of TOLLKEEPER_DATABASE_URL")
        await migrate(addresses.owner, addresses.service)
    async with Database.open(
        addresses.service,
        size=_CONNECTIONS,
        statement_timeout=statement_seconds,
        lock_timeout=_LOCK_SECONDS,
        transaction_pooler=settings.transaction_pooler,
    ) as database:
        await refuse_old(database)
        yield database


def refuse_nowhere(settings: Settings, common: Common) -> None:
    """Refuse a data directory in which there is nothing, and make nothing there; ``Nowhere`` says who named it."""
    if settings.database_url is None and not is_taken(Path(settings.data)):
        raise Nowhere(f"there is no service in {settings.data} ({_told_by(common)}): {_MAKES_ONE}")


def _told_by(common: Common) -> str:
    """Say who chose the data directory."""
    if common.data is not None:
        return "--data"
    return "TOLLKEEPER_DATA" if os.environ.get("TOLLKEEPER_DATA") else "neither --data nor TOLLKEEPER_DATA is given"


def page_of(paged: Paged) -> int:
    """Read how many are to be listed."""
    if not 1 <= paged.limit <= _MOST_LISTED:
        raise Misused(f"--limit must be from 1 to {_MOST_LISTED}")
    return paged.limit


def after_of(paged: Paged) -> UUID | None:
    """Read behind which id a list goes on."""
    try:
        return None if paged.after is None else UUID(paged.after)
    except ValueError:
        raise Misused(f"--after takes what the list before said, and {paged.after!r} is no id") from None


def uuid_of(text: str) -> UUID:
    """Read an id."""
    try:
        return UUID(text)
    except ValueError:
        raise Misused(f"{text!r} is no id") from None


def text_of(file: Path) -> str:
    """Read a file of the operator's; ``Invalid`` where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid.field("file", f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Invalid.field("file", f"is not UTF-8 (byte {error.start + 1})") from None


@contextmanager
def blaming(file: Path) -> Generator[None]:
    """Let what is not valid say in which file of the operator's it stands."""
    try:
        yield
    except Invalid as error:
        raise Invalid(f"{file}: {error.detail}", file=str(file), **error.fields) from error


def in_utc(at: datetime | None) -> datetime | None:
    """Take a time without a zone as UTC; ``Misused`` for one that not every zone has a name for."""
    told = at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
    if told is not None and not EPOCH <= told < LAST_YEAR:
        raise Misused(f"{at} is no time to be told here: from 1970 to 9998 is")
    return told
