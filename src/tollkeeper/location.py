"""Where the settings say the database and the master keys are. Light enough for every command to load."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tollkeeper.accounts import masterkey
from tollkeeper.settings import Settings
from tollkeeper.store.embedded import Addresses, embedded_server


@asynccontextmanager
async def located(settings: Settings) -> AsyncGenerator[Addresses]:
    """Find the database: another's, or the one in the data directory, which is started unless it runs."""
    if settings.database_url is not None:
        owner = settings.owner_database_url or settings.database_url
        yield Addresses(settings.database_url, owner, admin=None)
        return
    async with embedded_server(Path(settings.data)) as addresses:
        yield addresses


def master_keys(settings: Settings, *, make: bool = False) -> dict[int, bytes]:
    """Read the master keys; without a setting they stand in the data directory, on demand made if they are not there.

    None may be made for a database that knows some already (``keyring.known``).
    """
    path = master_key_file(settings)
    if path is None:
        return masterkey.parse(settings.master_key or "", told_by="TOLLKEEPER_MASTER_KEY")
    if not make:
        return masterkey.load(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return masterkey.load_or_make(path)


def master_key_file(settings: Settings) -> Path | None:
    """Say where the master keys stand; nowhere if a key store hands them over."""
    return Path(settings.data) / "master.key" if settings.master_key is None else None
