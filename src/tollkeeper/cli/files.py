"""Files that commands write: whole or not at all, for the operator's eyes only."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tollkeeper.cli.answers import standard_output
from tollkeeper.cli.house import blaming
from tollkeeper.errors import Invalid

__all__ = ["target"]


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


def _file(output: Path) -> Iterator[BinaryIO]:
    """Open a file, which takes its name when it is whole and safe on the disk, or a device."""
    if output.exists() and not output.is_file():
        with output.open("wb") as device:
            yield device
        return
    part = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
