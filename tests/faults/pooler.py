"""Debian's PgBouncer in transaction mode between the service and a database of the run's server."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.faults.nodes import PATIENCE, Site
from tollkeeper.store.cluster import Role
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.placement import Account

PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
# Fewer than one node alone would like to have: whoever depends on a session of its own is found out.
SERVER_CONNECTIONS: Final = 4

_PORT: Final = 6432
_SETTINGS: Final = """\
[databases]
{database} = host={host} port={port}
[pgbouncer]
listen_addr =
listen_port = {own_port}
unix_socket_dir = {directory}
auth_type = scram-sha-256
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
logfile = {directory}/log
"""


@dataclass(slots=True)
class Pooler:
    """One PgBouncer. Its sockets stand in a directory of its own, which belongs to whom the server's belongs to."""

    directory: Path
    account: Account
    addresses: Addresses
    process: asyncio.subprocess.Process | None = None

    @property
    def dsn(self) -> str:
        """The service's address through it."""
        return self._through(self.addresses.service)

    @property
    def owner_dsn(self) -> str:
        """What an operator might take for the owner's address."""
        return self._through(self.addresses.owner)

    async def start(self) -> None:
        """Start it and wait until it answers."""
        assert PROGRAM is not None
        self._configure()
        self.process = await asyncio.create_subprocess_exec(
            PROGRAM, "-q", str(self.directory / "ini"), **self.account.surroundings
        )
        async with asyncio.timeout(PATIENCE):
            while not await self._answers():
                assert self.process.returncode is None, (self.directory / "log").read_text()
                await asyncio.sleep(0.02)

    def tell(self, what: signal.Signals) -> None:
        """Send a signal: SIGHUP reloads, SIGUSR1 pauses, SIGUSR2 resumes."""
        assert self.process is not None
        self.process.send_signal(what)

    async def kill(self) -> None:
        """Take it away, with everything that was under way."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.directory / f".s.PGSQL.{_PORT}")
        except OSError:
            return False
        writer.close()
        return True

    def _configure(self) -> None:
        self.account.make_private(self.directory)
        to = urlsplit(self.addresses.service)
        query = parse_qs(to.query)
        people = map(urlsplit, (self.addresses.service, self.addresses.owner))
        users = [f'"{each.username}" "{each.password}"\n' for each in people]
        self._write("users", "".join(users))
        self._write(
            "ini",
            _SETTINGS.format(
                database=to.path[1:],
                host=query["host"][0],
                port=query["port"][0],
                own_port=_PORT,
                directory=self.directory,
                connections=SERVER_CONNECTIONS,
            ),
        )

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.write_text(text)
        if self.account.uid != os.geteuid():
            os.chown(path, self.account.uid, self.account.gid)

    def _through(self, dsn: str) -> str:
        return urlsplit(dsn)._replace(query=f"host={self.directory}&port={_PORT}").geturl()


@dataclass(slots=True)
class PooledSite(Site):
    """Nodes that reach their database through a pooler, and know it."""

    pooler: Pooler = field(kw_only=True)
    owner: str = field(kw_only=True)
    is_told: bool = True

    def dsn(self, role: Role) -> str:
        """Where to look into the database, past the pooler."""
        dsn: str | None = getattr(self.pooler.addresses, role)
        assert dsn is not None
        return dsn

    def _environment(self) -> dict[str, str]:
        return Site._environment(self) | {
            "TOLLKEEPER_DATABASE_URL": self.pooler.dsn,
            "TOLLKEEPER_OWNER_DATABASE_URL": self.owner,
            "TOLLKEEPER_TRANSACTION_POOLER": str(self.is_told).lower(),
            "TOLLKEEPER_SWEEP_SECONDS": "0.3",
        }
