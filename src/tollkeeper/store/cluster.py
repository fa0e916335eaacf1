"""One PostgreSQL cluster and its server process: made, started or adopted, stopped.

Who calls holds the gate (see ``embedded``): nobody else makes, starts or stops this cluster meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

import asyncpg

from tollkeeper.errors import Misconfigured
from tollkeeper.store.placement import Place, write_private
from tollkeeper.store.room import disk_bytes
from tollkeeper.store.tuning import memory_bytes, server_settings

log = logging.getLogger(__name__)

Role = Literal["admin", "owner", "service"]

# The processes of a killed server are gone within a second or two.
START_SECONDS: Final = 15.0
# After a crash the server replays its log before it takes connections.
RECOVERY_SECONDS: Final = 600.0
STOP_SECONDS: Final = 60.0
_STOP_AT_ONCE_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 10.0
_TICK_SECONDS: Final = 0.02
_ASK_AGAIN_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 0.25
_FIRST_WITH_BUILTIN_LOCALE: Final = 17
# What it says at its end, whatever that was but a kill, and for how long that is waited for.
_FAREWELL: Final = "database system is shut down"
_LAST_WORDS_SECONDS: Final = 1.0
_WORDS: Final = 6
# What PostgreSQL says while something is left of a killed server: waiting mends it, nothing else should.
_REMAINS: Final = ("lock file", "shared memory block")


@dataclass(frozen=True, slots=True)
class Passwords:
    """Of the three roles of an embedded cluster."""

    admin: str
    owner: str
    service: str


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What a server notes of itself in ``postmaster.pid``."""

    pid: int
    data_dir: Path
    socket_dir: Path
    status: str


class Cluster:
    """The cluster of one place. ``settings`` go to the server above its own."""

    def __init__(self, place: Place, **settings: str) -> None:
        self._place = place
        self._settings = settings
        self._socket_dir = place.socket_dir
        self._pid: int | None = None
        self._spawned: int | None = None
        self._joined = False
        self._refusal = ""

    def dsn(self, role: Role, database: str = "tollkeeper") -> str:
        """Tell where a role reaches a database, for asyncpg and psql alike."""
        password = asdict(_passwords(self._place))[role]
        host = quote(str(self._socket_dir), safe="/")
        return f"postgresql://tollkeeper_{role}:{password}@/{database}?host={host}&port=5432"

    def make(self) -> None:
        """Make the cluster unless it is there; an attempt that was killed is begun anew. Blocks for about a second."""
        place = self._place
        _remove_left_overs(place)
        if not place.cluster.exists():
            if not place.passwords.exists():
                made = Passwords(*(secrets.token_urlsafe(24) for _ in range(3)))
                write_private(place.passwords, json.dumps(asdict(made)) + "\n")
            _initialise(place, _passwords(place))
        if not place.passwords.exists():
            raise Misconfigured(f"{place.cluster} is not ours: there is no {place.passwords} to it")
        found = (place.cluster / "PG_VERSION").read_text(encoding="ascii", errors="backslashreplace").strip()
        if found != str(place.major):
            raise Misconfigured(
                f"{place.cluster} was made by PostgreSQL {found} and this is {place.major}: back up with the tollkeeper"
                " that made it, restore into a new data directory with this one"
            )

    def is_running(self) -> bool:
        """Tell whether the process that was started or adopted last still lives."""
        if self._pid is not None and not _alive(self._pid):
            self._pid = None
        return self._pid is not None

    async def start(self) -> None:
        """Adopt the server if it runs, else start it; again and again while remains of a killed one are in the way."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        pause = 2 * _TICK_SECONDS
        while not await self._reached():
            words = await self._last_words()
            if loop.time() > deadline or not any(sign in words for sign in _REMAINS):
                raise Misconfigured(f"PostgreSQL does not start in {self._place.home}: {self._why_not(words)}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _why_not(self, words: str) -> str:
        if self._refusal:
            return f"it runs and {self._refusal}"
        noted = self._noted()
        if noted is not None and any(sign in words for sign in _REMAINS):
            return f"{words} (of process {noted.pid}, which may be a server of this directory that was moved)"
        return words or "it said nothing"

    async def stop(self) -> None:
        """Shut the server down in order and wait until it is gone. One that we never got to know is left alone."""
        pid = await self._running_pid()
        if pid is None:
            return
        for request, patience in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, _STOP_AT_ONCE_SECONDS)):
            if await _ended(pid, request, patience):
                # It may stand in a directory that is not ours to fill.
                with suppress(OSError):
                    self._socket_dir.rmdir()
                return
        log.error("PostgreSQL (process %d) does not stop", pid)

    async def _running_pid(self) -> int | None:
        if self._joined:
            # Not always the one we knew: another process may have restarted it.
            with suppress(Misconfigured):
                await self._adopted()
        return self._pid if self.is_running() else None

    async def _reached(self) -> bool:
        self._refusal = ""
        return await self._adopted() or await self._started()

    async def _adopted(self) -> bool:
        """Find a server that runs, ours or one that outlived its starter. Its note alone proves nothing."""
        noted = self._noted()
        if noted is None or not _alive(noted.pid):
            return False
        self._refuse_copy(noted)
        return await self._answers(noted.pid)

    def _refuse_copy(self, noted: Postmaster) -> None:
        """Refuse a note that was copied: the server that it means is of another directory, and in use there."""
        works_in = _directory_of(noted.pid) or noted.data_dir
        if (works_in / "PG_VERSION").exists() and not works_in.samefile(self._place.cluster):
            raise Misconfigured(
                f"{self._place.cluster} was copied from {works_in} while a server ran there, which still does (process"
                f" {noted.pid}): copy it when that has stopped, or restore a backup of it"
            )

    async def _started(self) -> bool:
        self._pid = self._spawned = self._spawn()
        return await self._answers(self._pid)

    async def _answers(self, pid: int) -> bool:
        """Wait while a server that lives gets ready, and log in."""
        noted = await self._ready(pid)
        if noted is None:
            return False
        self._socket_dir = noted.socket_dir
        try:
            connection = await asyncpg.connect(self.dsn("admin", "postgres"), timeout=_CONNECT_SECONDS)
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            raise Misconfigured(f"{self._place.passwords} does not fit {self._place.cluster}: {error}") from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            told = str(error) or type(error).__name__
            self._refusal = f"refuses us: {told}" if isinstance(error, asyncpg.PostgresError) else f"is mute: {told}"
            return False
        await connection.close(timeout=_CONNECT_SECONDS)
        self._pid, self._joined = pid, True
        return True

    async def _ready(self, pid: int) -> Postmaster | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECOVERY_SECONDS
        while _alive(pid) and loop.time() < deadline:
            noted = self._noted()
            if noted is not None and noted.pid == pid and noted.status == "ready":
                return noted
            await asyncio.sleep(_TICK_SECONDS)
        return None

    def _noted(self) -> Postmaster | None:
        try:
            lines = os.fsdecode((self._place.cluster / "postmaster.pid").read_bytes()).splitlines()
        except FileNotFoundError:
            return None
        if not lines or not lines[0].isdigit():
            return None
        # A server that is still starting has not written all lines.
        _, data_dir, _, _, socket_dir, _, _, status, *_ = [*lines, *[""] * 8]
        return Postmaster(int(lines[0]), Path(data_dir), Path(socket_dir), status.strip())

    def _spawn(self) -> int:
        place = self._place
        place.account.make_private(place.socket_dir)
        place.account.make_private(place.logs)
        settings = {
            **server_settings(memory_bytes(), disk_bytes(place.home)),
            "unix_socket_directories": str(place.socket_dir),
            "log_directory": str(place.logs),
            **self._settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with os.fdopen(os.open(place.first_words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
            child = subprocess.Popen(  # noqa: S603
                [str(place.programs / "postgres"), "-D", str(place.cluster), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C at the terminal is for us: we stop the server when we are done with it.
                start_new_session=True,
                **place.account.surroundings,
            )
        # Until someone waits for it, a killed child keeps its process id, and no successor may start.
        threading.Thread(target=child.wait, name="postgres-reaper", daemon=True).start()
        return child.pid

    async def _last_words(self) -> str:
        """Quote what the server said last: at first on standard error, then in its log.

        There it comes by another process, which may outlive the server by a moment.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LAST_WORDS_SECONDS
        mark = f"[{self._spawned}]"
        while True:
            said = _lines(self._place.first_words)
            if not any("log output" in line for line in said):
                break
            logs = sorted(self._place.logs.glob("*.log"), key=lambda path: path.stat().st_mtime)
            said = _lines(logs[-1])[-_WORDS:] if logs else said
            if any(mark in line and _FAREWELL in line for line in said) or loop.time() > deadline:
                break
            await asyncio.sleep(_TICK_SECONDS)
        return " / ".join(said[-_WORDS:])


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def _alive(pid: int) -> bool:
    # As the first process of a container we inherit servers whose starters ended, and must bury them.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_unburied(pid)


def _directory_of(pid: int) -> Path | None:
    """Where a process works, which a server does in its data directory, wherever that is moved; None without /proc."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


def _is_unburied(pid: int) -> bool:
    """Tell a dead process whose parent takes its time; where there is no /proc, such a one counts as alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return False


async def _ended(pid: int, request: signal.Signals, seconds: float) -> bool:
    """Ask a server to end until it has, for so long. One begun by a script's ``&`` does not hear what comes early."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    asks_at = loop.time()
    while _alive(pid) and loop.time() < deadline:
        if loop.time() >= asks_at:
            with suppress(ProcessLookupError):
                os.kill(pid, request)
            asks_at += _ASK_AGAIN_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
    return not _alive(pid)


def _passwords(place: Place) -> Passwords:
    try:
        return Passwords(**json.loads(place.passwords.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise Misconfigured(f"{place.passwords} is damaged: {error}") from error


def _remove_left_overs(place: Place) -> None:
    """Remove what making a cluster has left when it was killed. What an orphaned initdb still writes goes next time."""
    for left_over in place.home.glob("postgres-being-made-*"):
        if left_over.is_dir():
            shutil.rmtree(left_over, ignore_errors=True)
        else:
            left_over.unlink(missing_ok=True)


def _initialise(place: Place, passwords: Passwords) -> None:
    """Make the cluster beside its place, roles and database included, and move it there when it is whole."""
    # A name of its own: an initdb whose caller was killed goes on, and shall not meddle with the next one.
    part = place.home / f"postgres-being-made-{secrets.token_hex(4)}"
    place.account.make_private(part)
    secret = part.with_suffix(".password")
    try:
        write_private(secret, passwords.admin)
        os.chown(secret, place.account.uid, place.account.gid)
        options = ["-D", str(part), "-U", "tollkeeper_admin", f"--pwfile={secret}", *_initdb_options(place.major)]
        _run(place, "initdb", *options)
    finally:
        secret.unlink(missing_ok=True)
    _run(place, "postgres", "--single", "-D", str(part), "-c", "exit_on_error=on", "postgres", told=_roles(passwords))
    part.rename(place.cluster)


def _initdb_options(major: int) -> tuple[str, ...]:
    # The same order of text on every machine: byte by byte, with the letters of all scripts known.
    if major >= _FIRST_WITH_BUILTIN_LOCALE:
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    else:
        locale = ("--locale=C.UTF-8",)
    return (*locale, "--encoding=UTF8", "--data-checksums", "--auth=scram-sha-256", "--no-instructions")


def _run(place: Place, program: str, *words: str, told: str | None = None) -> None:
    done = place.account.run(place.programs / program, *words, text_in=told)
    if done.returncode != 0:
        raise Misconfigured(f"{place.cluster} could not be made: {done.stdout.strip()}")


def _roles(passwords: Passwords) -> str:
    # A single-user server reads one statement from each line. The passwords are letters, digits, - and _.
    return f"""\
CREATE ROLE tollkeeper_owner LOGIN PASSWORD '{passwords.owner}';
CREATE ROLE tollkeeper_service LOGIN PASSWORD '{passwords.service}';
CREATE DATABASE tollkeeper OWNER tollkeeper_owner;
REVOKE ALL ON DATABASE tollkeeper, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE tollkeeper TO tollkeeper_service;
"""
