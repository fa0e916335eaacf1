"""One embedded PostgreSQL for the whole run, and a database of its own for every test that asks for one."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.migrate import migrate
from tollkeeper.store.placement import WHEEL_PROGRAMS

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """The running server and its migrated template."""

    addresses: Addresses
    template: str


@pytest.fixture(scope="session")
def programs() -> Path:
    """What ships, or Debian's: ``TOLLKEEPER_TEST_POSTGRES=15 pytest tests/store``."""
    version = os.environ.get("TOLLKEEPER_TEST_POSTGRES")
    return Path(f"/usr/lib/postgresql/{version}/bin") if version else WHEEL_PROGRAMS


@pytest.fixture(scope="session")
def open_dir() -> Iterator[Path]:
    """A directory that other accounts may pass through, unlike pytest's own: as root the server runs as another."""
    path = Path(tempfile.mkdtemp(prefix="tollkeeper-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
async def server(open_dir: Path, programs: Path) -> AsyncIterator[Server]:
    """Start the server and migrate the database that every test's own is copied from."""
    async with embedded_server(open_dir / "server", programs=programs, shelter=open_dir / "shelter") as addresses:
        await migrate(addresses.owner, addresses.service)
        yield Server(addresses, template="tollkeeper")


@pytest.fixture
async def dsns(server: Server) -> AsyncIterator[Addresses]:
    """Addresses of a fresh, migrated database."""
    name = f"test_{next(_numbers)}"
    await _as_admin(server, f"CREATE DATABASE {name} TEMPLATE {server.template} OWNER tollkeeper_owner")
    yield in_database(server.addresses, name)
    await _as_admin(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def db(dsns: Addresses) -> AsyncIterator[Database]:
    """The fresh database as the service sees it."""
    async with Database.open(dsns.service, size=4) as database:
        yield database


@pytest.fixture
async def owner(dsns: Addresses) -> AsyncIterator[Any]:
    """A plain connection of the owner, who may do what the service may not."""
    connection = await asyncpg.connect(dsns.owner)
    yield connection
    await connection.close()


def in_database(addresses: Addresses, name: str) -> Addresses:
    """Address another database of the same server."""
    service, owner, admin = (
        urlunsplit(urlsplit(dsn)._replace(path=f"/{name}")) if dsn else None
        for dsn in (addresses.service, addresses.owner, addresses.admin)
    )
    assert service is not None
    assert owner is not None
    return replace(addresses, service=service, owner=owner, admin=admin)


async def _as_admin(server: Server, statement: str) -> None:
    assert server.addresses.admin is not None
    connection = await asyncpg.connect(in_database(server.addresses, "postgres").admin)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
