"""The PostgreSQL that comes along is closed to others and sized to its machine."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conftest import Server
from tollkeeper.store.tuning import most_clients, server_settings


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("unix_socket_permissions", "0700"),
        ("password_encryption", "scram-sha-256"),
        ("TimeZone", "UTC"),
        ("server_encoding", "UTF8"),
        ("jit", "off"),
        ("logging_collector", "on"),
    ],
)
async def test_it_runs_closed_and_safe(server: Server, setting: str, value: str) -> None:
    admin = await asyncpg.connect(server.addresses.admin)
    assert await admin.fetchval("SELECT setting FROM pg_settings WHERE name = $1", setting) == value
    await admin.close()


def test_it_has_no_tcp_port(server: Server) -> None:
    process = Path("/proc", (server.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
    opened = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
    sockets = {name.removeprefix("socket:[").removesuffix("]") for name in opened if name.startswith("socket:[")}
    tables = "".join((process / "net" / table).read_text() for table in ("tcp", "tcp6", "udp", "udp6"))
    assert sockets
    assert not sockets & set(tables.split())


@pytest.mark.parametrize("role", ["service", "owner", "admin"])
async def test_nobody_enters_without_the_right_password(server: Server, role: str) -> None:
    dsn = str(getattr(server.addresses, role))
    password = urlsplit(dsn).password
    assert password is not None
    for wrong in (dsn.replace(f":{password}@", "@"), dsn.replace(password, "guess")):
        with pytest.raises((asyncpg.InvalidPasswordError, asyncpg.InterfaceError)):
            await asyncpg.connect(wrong)


async def test_only_the_owner_owns_and_only_the_superuser_is_one(server: Server) -> None:
    admin = await asyncpg.connect(server.addresses.admin)
    rows = await admin.fetch("SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles")
    rights = {row["rolname"]: tuple(row.values())[1:] for row in rows if row["rolname"].startswith("tollkeeper")}
    await admin.close()
    assert rights == {
        "tollkeeper_admin": (True, True, True, True),
        "tollkeeper_owner": (False, False, False, False),
        "tollkeeper_service": (False, False, False, False),
    }


async def test_the_service_enters_no_other_database(server: Server) -> None:
    for name in ("postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(server.addresses.service.replace("/tollkeeper?", f"/{name}?"))


async def test_nothing_it_made_is_open_to_others(server: Server) -> None:
    for path in server.data_dir.rglob("*"):
        if not path.is_symlink() and path.parent.name != "pg_stat_tmp":
            assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0 or path.is_socket(), path


def test_memory_is_sized_to_the_machine_within_bounds() -> None:
    small, usual, large = (server_settings(gib << 30, 1 << 40) for gib in (1, 8, 256))
    assert (small["shared_buffers"], usual["shared_buffers"], large["shared_buffers"]) == ("128MB", "1024MB", "2048MB")
    assert (small["work_mem"], usual["work_mem"], large["work_mem"]) == ("4MB", "16MB", "32MB")


def test_the_log_is_sized_to_the_disk_within_bounds() -> None:
    small, usual, large = (server_settings(1 << 30, mib << 20) for mib in (300, 8192, 1 << 20))
    assert (small["max_wal_size"], usual["max_wal_size"], large["max_wal_size"]) == ("64MB", "1024MB", "4096MB")
    assert (small["min_wal_size"], usual["min_wal_size"], large["min_wal_size"]) == ("64MB", "256MB", "256MB")


def test_clients_of_two_nodes_are_let_in_within_bounds() -> None:
    assert [most_clients(of_a_node) for of_a_node in (0, 19, 228, 64 * 511)] == [100, 100, 496, 5000]
