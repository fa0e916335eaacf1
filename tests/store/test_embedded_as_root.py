"""As root the server runs as an ordinary account, and nobody's permissions are loosened for it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import Server
from tollkeeper.errors import Misconfigured
from tollkeeper.store.embedded import embedded_server
from tollkeeper.store.placement import ACCOUNT, WHEEL_PROGRAMS, Place, place, sheltered

# In every Debian, as the account of the server is; here it stands for a stranger.
STRANGER = pwd.getpwnam("nobody")


@pytest.fixture
def private_dir() -> Generator[Path]:
    """A directory like /root: closed to all but root."""
    path = Path(tempfile.mkdtemp(prefix="tollkeeper-private-"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    yield path
    shutil.rmtree(path)


@pytest.fixture
def shelter(open_dir: Path) -> Generator[Path]:
    path = open_dir / "fresh-shelter"
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def readable_programs(open_dir: Path) -> Path:
    """The wheel's programs for any account, wherever the checkout is."""
    return sheltered(WHEEL_PROGRAMS, place(open_dir / "any").account, open_dir / "shelter-of-programs")


@pytest.fixture
def private_programs(private_dir: Path) -> Path:
    """The wheel as installed below a private directory, under the strictest umask."""
    site = private_dir / "site-packages"
    package = WHEEL_PROGRAMS.parents[1]
    shutil.copytree(WHEEL_PROGRAMS.parent, site / package.name / WHEEL_PROGRAMS.parent.name, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), site / f"{package.name}.libs")
    for path in site.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    return site / WHEEL_PROGRAMS.relative_to(package.parent)


def _permissions(*directories: Path) -> dict[Path, tuple[int, int, int]]:
    paths = {path for directory in directories for path in (directory, *directory.parents, *directory.rglob("*"))}
    found = {path: path.lstat() for path in paths}
    return {path: (each.st_mode, each.st_uid, each.st_gid) for path, each in found.items()}


def _server_user(data_dir: Path) -> str:
    home = Path((data_dir / "postgres-is-at").read_text().strip())
    pid = (home / "postgres" / "postmaster.pid").read_text().split()[0]
    return pwd.getpwuid(Path("/proc", pid).stat().st_uid).pw_name


async def test_a_checkout_and_a_data_directory_below_a_private_directory_work(
    private_dir: Path, private_programs: Path, shelter: Path
) -> None:
    before = _permissions(private_dir)
    data_dir = private_dir / "data"
    for _ in range(2):
        async with embedded_server(data_dir, programs=private_programs, shelter=shelter) as addresses:
            connection = await asyncpg.connect(addresses.service)
            assert await connection.fetchval("SELECT 'Grüße'::text || length('é')") == "Grüße1"
            await connection.close()
            assert _server_user(data_dir) == ACCOUNT
    after = _permissions(private_dir)
    assert {path: after[path] for path in before} == before
    assert all(mode & 0o077 == 0 for path, (mode, _, _) in after.items() if data_dir in path.parents)


async def test_many_at_once_make_one_copy_of_the_programs(
    private_dir: Path, private_programs: Path, shelter: Path
) -> None:
    async def one(number: int) -> Place:
        data_dir = private_dir / str(number % 2)
        return await asyncio.to_thread(place, data_dir, programs=private_programs, shelter=shelter)

    places = await asyncio.gather(*(one(number) for number in range(6)))
    assert len({each.programs for each in places}) == 1
    assert len({each.home for each in places}) == 2
    assert len(_names(shelter)) == 3
    assert {name.partition("-")[0] for name in _names(shelter)} == {"clusters", "lock", "pixeltable"}
    assert len(_names(shelter / "clusters")) == 2


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def test_a_new_directory_of_an_old_name_gets_a_new_database(private_dir: Path, shelter: Path) -> None:
    first = await asyncio.to_thread(place, private_dir / "data", shelter=shelter)
    shutil.rmtree(private_dir / "data")
    second = await asyncio.to_thread(place, private_dir / "data", shelter=shelter)
    assert first.home != second.home


async def test_a_database_that_is_gone_is_not_replaced_by_an_empty_one(private_dir: Path, shelter: Path) -> None:
    first = await asyncio.to_thread(place, private_dir / "data", shelter=shelter)
    shutil.rmtree(first.home)
    with pytest.raises(Misconfigured, match="that is gone"):
        await asyncio.to_thread(place, private_dir / "data", shelter=shelter)


def _psql(programs: Path, dsn: str, user: pwd.struct_passwd) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "psql", "--no-psqlrc", "--no-password", dsn, "-c", "SELECT 'inside'"],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_another_account_cannot_connect_even_with_the_password(server: Server, readable_programs: Path) -> None:
    for dsn in (server.addresses.service, server.addresses.owner, server.addresses.admin):
        assert dsn is not None
        refused = _psql(readable_programs, dsn, STRANGER)
        assert refused.returncode == 2
        assert "Permission denied" in refused.stderr
        assert "inside" in _psql(readable_programs, dsn, pwd.getpwuid(0)).stdout


def test_the_servers_own_account_needs_a_password_too(server: Server, readable_programs: Path) -> None:
    dsn = server.addresses.admin
    assert dsn is not None
    refused = _psql(
        readable_programs, dsn.partition(":")[0] + "://tollkeeper_admin@" + dsn.partition("@")[2], _daemon()
    )
    assert refused.returncode == 2
    assert "no password supplied" in refused.stderr


def _daemon() -> pwd.struct_passwd:
    return pwd.getpwnam(ACCOUNT)


def test_another_account_reads_nothing(server: Server) -> None:
    for path in (server.data_dir / "postgres-passwords.json", server.data_dir / "postgres", server.data_dir):
        listed = subprocess.run(
            ["/bin/ls", "-R", path] if path.is_dir() else ["/bin/cat", path],
            user=STRANGER.pw_uid,
            group=STRANGER.pw_gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
        assert listed.returncode != 0
        assert listed.stdout == b""


async def test_a_socket_directory_of_someone_else_is_refused(open_dir: Path, programs: Path) -> None:
    data_dir = open_dir / ("long-" * 20)
    sockets = (await asyncio.to_thread(place, data_dir, programs=programs)).socket_dir
    sockets.mkdir()
    os.chown(sockets, STRANGER.pw_uid, STRANGER.pw_gid)
    try:
        with pytest.raises(Misconfigured, match="move it away"):
            await embedded_server(data_dir, programs=programs).__aenter__()
    finally:
        sockets.rmdir()


async def test_a_data_directory_of_someone_else_is_refused(open_dir: Path, programs: Path) -> None:
    data_dir = open_dir / "strangers"
    data_dir.mkdir()
    os.chown(data_dir, STRANGER.pw_uid, STRANGER.pw_gid)
    with pytest.raises(Misconfigured, match="belongs to another user"):
        await embedded_server(data_dir, programs=programs).__aenter__()


AS_AN_ORDINARY_USER = """
import asyncio, concurrent.futures.thread, encodings.ascii, os, sys
from pathlib import Path
import asyncpg
from tollkeeper.store.embedded import embedded_server

async def main():
    async with embedded_server(Path(sys.argv[1]), programs=Path(sys.argv[2])) as addresses:
        connection = await asyncpg.connect(addresses.service)
        pid = (Path(sys.argv[1]) / "postgres" / "postmaster.pid").read_text().split()[0]
        print(await connection.fetchval("SELECT current_user"), Path("/proc", pid).stat().st_uid)
        await connection.close()

# Only now that all is imported: the stranger may not be allowed to read this Python and its packages.
os.setgroups([])
os.setgid(int(sys.argv[4]))
os.setuid(int(sys.argv[3]))
asyncio.run(main())
"""


def test_an_ordinary_user_has_it_all_in_the_data_directory(open_dir: Path, readable_programs: Path) -> None:
    parent = open_dir / "home-of-a-stranger"
    parent.mkdir(mode=0o700)
    os.chown(parent, STRANGER.pw_uid, STRANGER.pw_gid)
    data_dir = parent / "data"
    account = (str(STRANGER.pw_uid), str(STRANGER.pw_gid))
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", AS_AN_ORDINARY_USER, data_dir, readable_programs, *account],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.stdout, done.stderr) == (f"tollkeeper_service {STRANGER.pw_uid}\n", "")
    assert {path.lstat().st_uid for path in data_dir.rglob("*")} == {STRANGER.pw_uid}
    assert all(path.lstat().st_mode & 0o077 == 0 for path in (data_dir, *data_dir.rglob("*")))
