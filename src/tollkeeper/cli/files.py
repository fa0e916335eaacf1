"""Files that commands write: whole or not at all, for the operator's eyes only. And what they read more than once."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import secrets
import threading
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from tollkeeper.cli.answers import standard_output
from tollkeeper.cli.house import blaming
from tollkeeper.errors import Invalid

__all__ = ["handed_on", "kept", "target"]

_STANDARD_INPUT: Final = Path("/dev/stdin")
_PIECE_BYTES: Final = 2**20


@asynccontextmanager
async def kept(given: Path) -> AsyncGenerator[Path]:
    """Give a file that can be read again and again; ``-`` is standard input.

    What comes through a pipe is kept beside for as long as the block lasts, however long its writer takes.
    """
    source = _STANDARD_INPUT if given == Path("-") else given
    is_file = source.is_file() and (source is given or os.access(source, os.R_OK))
    if not source.exists() or source.is_dir() or is_file:
        yield source
        return
    with TemporaryDirectory(prefix="tollkeeper-") as place, _opened(source) as descriptor:
        copy = Path(place) / source.name
        try:
            with copy.open("wb") as file:
                async for piece in _pieces(descriptor):
                    file.write(piece)
        except OSError as error:
            error.filename = str(copy)  # where there may be no room
            raise
        yield copy


@contextmanager
def _opened(source: Path) -> Generator[int]:
    """Open a pipe without waiting for its writer. What another account handed to us has no name that we may open."""
    descriptor = os.dup(0) if source == _STANDARD_INPUT else os.open(source, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _pieces(descriptor: int) -> AsyncGenerator[bytes]:
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    while True:
        # Of /dev/null and of files nobody is told when there is something: there always is.
        with suppress(PermissionError):
            loop.add_reader(descriptor, there.set)
            try:
                await there.wait()  # where a signal is heard
            finally:
                loop.remove_reader(descriptor)
        there.clear()
        if not (piece := os.read(descriptor, _PIECE_BYTES)):
            return
        yield piece


@contextmanager
def target(output: Path | None, *, told_as: str) -> Generator[BinaryIO]:
    """Open what is written to, standard output if it is no file.

    ``Invalid`` names the file that cannot be, and the argument that it was ``told_as``.
    """
    if output is None:
        with standard_output() as file:
            yield file
        return
    with blaming(output):
        try:
            yield from _file(output)
        except OSError as error:
            raise Invalid.field(told_as, f"cannot be written: {error.strerror or error}") from error


async def handed_on(file: BinaryIO, block: bytes) -> None:
    """Write to what may have a reader who stands still: a signal does not wait for that, and nothing else does."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: OSError | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def write() -> None:
        error = None
        try:
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(file.fileno(), rest) :]
        except OSError as failed:
            error = failed
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(tell, error)

    # None of the loop's threads, for whose end it would wait.
    threading.Thread(target=write, daemon=True).start()
    await done


def _file(output: Path) -> Iterator[BinaryIO]:
    """Open a file, which takes its name when it is whole and safe on the disk, or a device."""
    if output.exists() and not output.is_file():
        with output.open("wb") as device:
            yield device
        return
    _take_away_what_the_dead_left(output)
    part, descriptor = _part(output)
    with os.fdopen(descriptor, "wb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(output)  # while the lock is held
        finally:
            part.unlink(missing_ok=True)


def _part(output: Path) -> tuple[Path, int]:
    """Make the hidden file that becomes the whole one, with a lock that says that its writer lives."""
    while True:
        part = output.with_name(f".{output.name}.{secrets.token_hex(4)}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with suppress(OSError):  # where a file system has no locks, nothing is taken for left
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if part.exists():
            return part, descriptor
        os.close(descriptor)  # it was taken for left before it had its lock


def _take_away_what_the_dead_left(output: Path) -> None:
    """Remove hidden files of this one that nobody writes any more: whoever was killed could not."""
    ours = re.compile(re.escape(f".{output.name}.") + r"[0-9a-f]{8}\.part")
    with suppress(OSError):
        for part in [each for each in output.parent.iterdir() if ours.fullmatch(each.name)]:
            with suppress(OSError), _locked(part):
                part.unlink()


@contextmanager
def _locked(part: Path) -> Generator[None]:
    """Hold the lock of a hidden file; ``OSError`` if its writer lives, or it is no file of ours."""
    descriptor = os.open(part, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
