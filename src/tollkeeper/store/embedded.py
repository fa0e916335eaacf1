"""The PostgreSQL that comes along: started by the first who needs it, stopped by the last, restarted when killed."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from tollkeeper.errors import Misconfigured, TollkeeperError
from tollkeeper.store.cluster import RECOVERY_SECONDS, START_SECONDS, Cluster
from tollkeeper.store.placement import SHELTER, WHEEL_PROGRAMS, Place, place
from tollkeeper.store.room import MIB, Room, Spare

log = logging.getLogger(__name__)

_WATCH_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
# Whoever is inside may be waiting for a recovery.
_GATE_SECONDS: Final = RECOVERY_SECONDS + 2 * START_SECONDS
_GATE_TICK_SECONDS: Final = 0.02
_TOLD_SECONDS: Final = 3.0
_GONE: Final = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each role reaches the database: the service that serves, the owner that migrates, the superuser."""

    service: str
    owner: str
    admin: str | None
    room: Room | None = None
    """On its disk, as far as that is known: of a PostgreSQL of others it is not."""


@asynccontextmanager
async def embedded_server(
    data_dir: Path,
    *,
    programs: Path = WHEEL_PROGRAMS,
    shelter: Path = SHELTER,
    least_mib: int | None = None,
    **settings: str,
) -> AsyncGenerator[Addresses]:
    """Have PostgreSQL running on a data directory for as long as the block lasts.

    Any number of processes may do so on one directory at once: the first starts the server, the last one out stops it,
    and whoever is in starts it again if it is killed. ``least_mib`` is the ``Room``'s; ``settings`` go to the server
    above its own.
    """
    where = await asyncio.to_thread(place, data_dir, programs=programs, shelter=shelter)
    cluster = Cluster(where, **settings)
    spare = Spare(where.spare, Room.below(where.home, least_mib))
    presence = await _join(where, cluster, spare)
    watch = asyncio.create_task(_watch(where, cluster, spare))
    try:
        yield Addresses(cluster.dsn("service"), cluster.dsn("owner"), cluster.dsn("admin"), spare.room)
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await _leave(where, cluster, presence)


async def _join(where: Place, cluster: Cluster, spare: Spare) -> BinaryIO:
    try:
        async with _gate(where):
            presence = _open(where.users)
            try:
                fcntl.flock(presence, fcntl.LOCK_SH)
                await _to_its_end(cluster.make)
                await _start(cluster, spare)
            except BaseException:
                await _out(where, cluster, presence)
                raise
    except OSError as error:
        raise Misconfigured(f"PostgreSQL cannot be started in {where.home}: {error}") from error
    return presence


async def _to_its_end(work: Callable[[], None]) -> None:
    """Run in a thread. It cannot be stopped, so a cancelled caller waits for it: nothing goes on behind our back."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def _leave(where: Place, cluster: Cluster, presence: BinaryIO) -> None:
    try:
        async with _gate(where):
            await _out(where, cluster, presence)
    except OSError as error:
        gone = "was moved or taken away meanwhile" if isinstance(error, _GONE) else "cannot be left in good order"
        log.error("%s %s: %s", where.home, gone, error)  # noqa: TRY400 - its words are all of it
        # Of the files only what is open is left: who can have it alone is the last one.
        if not presence.closed:
            with presence:
                if _locked(presence):
                    await cluster.stop()


async def _out(where: Place, cluster: Cluster, presence: BinaryIO) -> None:
    presence.close()
    with _open(where.users) as last:
        if _locked(last):
            await cluster.stop()


async def _start(cluster: Cluster, spare: Spare) -> None:
    if spare.give_up_where_full():
        log.warning("the disk is full: %s is given up, so that PostgreSQL can start", spare.path)
    await cluster.start()
    spare.keep()


async def _watch(where: Place, cluster: Cluster, spare: Spare) -> None:
    pause = _WATCH_SECONDS
    was_scarce = False
    while True:
        await asyncio.sleep(pause)
        if cluster.is_running():
            # A directory that is gone, or a gate that stays shut, is told of by whoever needs it.
            with suppress(OSError, TollkeeperError):
                was_scarce = _told_of(spare.room, was_scarce=was_scarce)
                if spare.is_wanted:
                    async with _gate(where):
                        spare.keep()
            continue
        log.warning("PostgreSQL is gone: starting it again")
        try:
            async with _gate(where):
                await _start(cluster, spare)
            pause = _WATCH_SECONDS
        except (TollkeeperError, OSError) as error:
            # Commands log as well, and whoever calls one reads it: its words are all of it.
            log.error("PostgreSQL does not come back, trying again: %s", error)  # noqa: TRY400
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _told_of(room: Room, *, was_scarce: bool) -> bool:
    """Log when room gets scarce and when it no longer is."""
    is_scarce = room.is_scarce
    if is_scarce and not was_scarce:
        least = room.least // MIB
        log.warning("less than %d MiB are free in %s: nothing new is taken in", least, room.directory)
    if was_scarce and not is_scarce:
        log.warning("there is room in %s again", room.directory)
    return is_scarce


@asynccontextmanager
async def _gate(where: Place) -> AsyncGenerator[None]:
    """Let one process at a time make, start or stop the server."""
    loop = asyncio.get_running_loop()
    began, is_told = loop.time(), False
    with _open(where.gate) as gate:
        while not _locked(gate):
            who = f"process {gate.read().decode() or '?'}"
            gate.seek(0)
            waited = loop.time() - began
            if waited > _GATE_SECONDS:
                raise Misconfigured(f"{who} has been starting PostgreSQL in {where.home} for too long")
            if waited > _TOLD_SECONDS and not is_told:
                log.warning("waiting for %s, which starts or stops PostgreSQL in %s", who, where.home)
                is_told = True
            await asyncio.sleep(_GATE_TICK_SECONDS)
        # Who waits is told for whom; on a full disk nobody is.
        with suppress(OSError):
            os.ftruncate(gate.fileno(), 0)
            os.pwrite(gate.fileno(), b"%d" % os.getpid(), 0)
        yield


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> BinaryIO:
    return cast("BinaryIO", os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b"))
