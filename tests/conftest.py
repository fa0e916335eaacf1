"""One embedded PostgreSQL for the whole run, and a database of its own for every test that asks for one."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.migrate import migrate
from tollkeeper.store.placement import WHEEL_PROGRAMS

# Not skipped elsewhere but absent: only root can become another account, and only for root is there anything to see.
collect_ignore = [] if os.geteuid() == 0 else ["store/test_embedded_as_root.py"]

# Taken out, for a tollkeeper that a test starts would refuse a setting that it does not know.
_version = os.environ.pop("TOLLKEEPER_TEST_POSTGRES", None)
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """The server of this run, by its data directory and addresses; its database is the template of all others."""

    data_dir: Path
    addresses: Addresses


@pytest.fixture(scope="session")
def programs() -> Path:
    """What ships, or Debian's: ``TOLLKEEPER_TEST_POSTGRES=15 pytest tests/store``."""
    return Path(f"/usr/lib/postgresql/{_version}/bin") if _version else WHEEL_PROGRAMS


@pytest.fixture(scope="session")
def open_dir() -> Generator[Path]:
    """A directory that other accounts may pass through, unlike pytest's own: for root the server runs as another."""
    path = Path(tempfile.mkdtemp(prefix="tollkeeper-test-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
async def server(open_dir: Path, programs: Path) -> AsyncGenerator[Server]:
    """Start the server and migrate its database."""
    data_dir = open_dir / "server"
    # Small buffers, for they are searched through whenever a database is dropped.
    async with embedded_server(
        data_dir, programs=programs, shelter=open_dir / "shelter", shared_buffers="64MB"
    ) as addresses:
        await migrate(addresses.owner, addresses.service)
        yield Server(data_dir, addresses)


@pytest.fixture(scope="session")
async def spare(open_dir: Path, programs: Path) -> Path:
    """A second data directory with a cluster that does not run, for tests that start and stop one."""
    data_dir = open_dir / "spare"
    async with embedded_server(data_dir, programs=programs, shelter=open_dir / "shelter"):
        pass
    return data_dir


@pytest.fixture
async def dsns(server: Server) -> AsyncGenerator[Addresses]:
    """Addresses of a fresh, migrated database."""
    async with a_database(server, template="tollkeeper") as addresses:
        yield addresses


@pytest.fixture
async def db(dsns: Addresses) -> AsyncGenerator[Database]:
    """The fresh database as the service sees it."""
    async with Database.open(dsns.service, size=4) as database:
        yield database


@pytest.fixture
async def owner(dsns: Addresses) -> AsyncGenerator[asyncpg.Connection]:
    """A plain connection of the owner, who may do what the service may not."""
    connection = await asyncpg.connect(dsns.owner)
    yield connection
    await connection.close()


@asynccontextmanager
async def a_database(server: Server, *, template: str) -> AsyncGenerator[Addresses]:
    """Lend a copy of a database. FILE_COPY makes and drops one in half the time of WAL_LOG."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(_in_database(server.addresses.admin, "postgres"))
    try:
        await admin.execute(f"CREATE DATABASE {name} OWNER tollkeeper_owner TEMPLATE {template} STRATEGY file_copy")
        at = server.addresses
        service, owner, own_admin = (_in_database(dsn, name) for dsn in (at.service, at.owner, at.admin))
        yield Addresses(service, owner, own_admin)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


def _in_database(dsn: str | None, name: str) -> str:
    assert dsn is not None
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()
