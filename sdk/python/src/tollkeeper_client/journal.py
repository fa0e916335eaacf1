"""What was not told yet, in a file that outlives this process, so that it is told once the service is there again.

A request that has ended is written down before it is told. Each process has a file of its own in the directory and
holds its lock; a file whose lock is free was left behind, and whoever comes first takes over what is in it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tollkeeper_client.flows import Entry

log = logging.getLogger(__name__)

REJECTED: Final = "rejected.jsonl"
_KIND: Final = ".journal"
# Above this size a file begins anew when all that was written is told, or all but one in so many: it holds prompts.
_LARGE_BYTES: Final = 2**20
_ONE_IN: Final = 10


class Journal:
    """The requests of this process that have ended and are not known to be told. Threads may share it.

    Without a ``directory`` they are kept in memory, and end with the process.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._written: dict[int, Entry] = {}
        self._waiting: dict[int, Entry] = {}
        self._numbers = 0
        self._size = 0
        self._crossed_out = 0
        self._held: list[int] = []
        self._unreadable: set[Path] = set()
        self._path: Path | None = None
        self._file: int | None = None
        if directory is not None:
            self._open(directory)
        self.changed = threading.Condition(self._lock)

    def write(self, entry: Entry) -> int:
        """Write an entry down before it is told; gives its number. Who is killed after this has lost nothing.

        On a disk that takes nothing it is in memory alone.
        """
        return self._put(entry)[0]

    def done(self, number: int) -> None:
        """Cross it out: it was told, or will never be taken."""
        with self._lock:
            self._written.pop(number, None)
            self._waiting.pop(number, None)
            self._append({"done": number})
            self._crossed_out += 1
            if self._size > _LARGE_BYTES and self._crossed_out >= _ONE_IN * len(self._written):
                self._begin_anew()
            self.changed.notify_all()

    def keep(self, number: int) -> None:
        """Let it be told later. It is on the disk when this returns, for now nobody else has it."""
        with self._lock:
            self._waiting[number] = self._written[number]
            self.changed.notify_all()
            if self._file is not None:
                try:
                    os.fsync(self._file)
                except OSError as error:
                    _complain(error)

    def reject(self, number: int, problem: Mapping[str, Any]) -> None:
        """Put aside what the service will never take, with what it said, for a person to look at."""
        entry = self._waiting[number]
        log.error("the service does not take request %s: %s", entry.start.get("requestId"), problem.get("detail"))
        if self._directory is not None:
            line = json.dumps({"problem": dict(problem), "entry": asdict(entry)}) + "\n"
            file = os.open(self._directory / REJECTED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                _write(file, line.encode())
                os.fsync(file)
            finally:
                os.close(file)
        self.done(number)

    def waiting(self) -> list[tuple[int, Entry]]:
        """What is to be told, as it came."""
        with self._lock:
            return list(self._waiting.items())

    @property
    def has_waiting(self) -> bool:
        """Tell whether there is anything to be told; for who holds ``changed``."""
        return bool(self._waiting)

    def adopt(self) -> None:
        """Take over what processes that are gone have left in the directory."""
        if self._directory is None:
            return
        for path in sorted(self._directory.glob(f"*{_KIND}")):
            try:
                self._adopt(path)
            except OSError as error:
                # As one of another account, which holds up no other.
                if path not in self._unreadable:
                    log.error("%s cannot be taken over: %s", path, error.strerror)  # noqa: TRY400 - that says all
                self._unreadable.add(path)

    def close(self) -> None:
        """Let go of the file: what is in it is for whoever comes next. An empty one goes."""
        with self._lock:
            if self._file is None or self._path is None:
                return
            if not self._written:
                self._path.unlink(missing_ok=True)
            for file in (self._file, *self._held):
                os.close(file)
            self._held.clear()
            self._file = None

    def leave(self) -> None:
        """Let go of files that another process goes on with: this one is its child, and nothing in them is its own."""
        for file in (self._file, *self._held):
            if file is not None:
                os.close(file)
        self._file = None
        self._held.clear()

    def _adopt(self, path: Path) -> None:
        file = _locked(path)
        if file is None:
            return
        puts = [self._put(entry) for entry in _left_in(path)]
        for number, _ in puts:
            self.keep(number)
        if all(is_on_disk for _, is_on_disk in puts):
            path.unlink(missing_ok=True)
            os.close(file)
        else:
            # What is here in memory alone stays there, held until this journal is closed or its process gone.
            self._held.append(file)

    def _open(self, directory: Path) -> None:
        self._path, self._file = _new_file(directory)
        self._size = self._crossed_out = 0

    def _begin_anew(self) -> None:
        """Let go of what is told: the rest stands in another file, or there is none."""
        if self._directory is None or self._path is None or self._file is None:
            return
        rest = b"".join(_line({"put": number, "entry": asdict(entry)}) for number, entry in self._written.items())
        try:
            if rest:
                path, file = _new_file(self._directory, rest)
                self._path.unlink(missing_ok=True)
                os.close(self._file)
                self._path, self._file = path, file
            else:
                os.ftruncate(self._file, 0)
        except OSError as error:
            _complain(error)
        else:
            self._size = len(rest)
        self._crossed_out = 0

    def _open_anew(self) -> None:
        """Write on after it was closed: what ends then is not to be lost either."""
        try:
            if self._directory is not None:
                self._open(self._directory)
        except OSError as error:
            _complain(error)

    def _put(self, entry: Entry) -> tuple[int, bool]:
        """Give it a number, and say whether it is on the disk."""
        with self._lock:
            self._numbers += 1
            if self._file is None:
                self._open_anew()
            is_on_disk = self._append({"put": self._numbers, "entry": asdict(entry)})
            self._written[self._numbers] = entry
            return self._numbers, is_on_disk

    def _append(self, line: Mapping[str, Any]) -> bool:
        # What JSON cannot say is refused here, also where no file is: it could never be told.
        data = _line(line)
        if self._file is None:
            return False
        try:
            _write(self._file, data)
        except OSError as error:
            # The service may be well all the same. Half a line would spoil the next one.
            _complain(error)
            os.ftruncate(self._file, self._size)
            return False
        self._size += len(data)
        return True


def _complain(error: OSError) -> None:
    log.error("the journal cannot be written: %s", error.strerror)


def _line(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, allow_nan=False).encode() + b"\n"


def _new_file(directory: Path, data: bytes = b"") -> tuple[Path, int]:
    """Make a file that is held and, if it is to have ``data``, forced to the disk with it; or none."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        path = directory / f"{uuid.uuid4().hex}{_KIND}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        # Somebody may have adopted it, empty, before it was locked.
        if os.fstat(file).st_nlink:
            break
        os.close(file)
    try:
        _write(file, data)
        if data:
            os.fsync(file)
    except OSError:
        path.unlink()
        os.close(file)
        raise
    return path, file


def _write(file: int, data: bytes) -> None:
    """Write all of it: a call may write a part."""
    while data:
        data = data[os.write(file, data) :]


def _locked(path: Path) -> int | None:
    """Open a file that nobody holds; ``None``: somebody does, or did until now."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    if os.fstat(file).st_nlink:
        return file
    os.close(file)
    return None


def _left_in(path: Path) -> Iterator[Entry]:
    """Read what was written and not crossed out. The last line may be torn: then its request was never told."""
    left: dict[int, Entry] = {}
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            told = json.loads(line)
            if "done" in told:
                left.pop(told["done"], None)
            else:
                left[told["put"]] = Entry(**told["entry"])
        except (ValueError, TypeError, KeyError):
            log.error("a line of %s cannot be read", path)  # noqa: TRY400 - the line may quote a prompt
    yield from left.values()
