"""Readers of foreign records: one file a format, all giving ``PastRequest``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from tollkeeper.errors import Invalid
from tollkeeper.traces import azure, burstgpt, mooncake, own, ragpulse
from tollkeeper.traces.reading import RELATIVE_START, PastRequest, Source, count_lines

__all__ = ["FORMATS", "RELATIVE_START", "PastRequest", "count_rows", "read"]

FORMATS: Final[Mapping[str, Callable[[Source, datetime], Iterator[PastRequest]]]] = {
    "azure": azure.read,
    "burstgpt": burstgpt.read,
    "mooncake": mooncake.read,
    "ragpulse": ragpulse.read,
    "tollkeeper": own.read,
}
"""Every format by the name that ``tollkeeper import`` takes."""

_WITH_HEADER: Final = frozenset({"azure", "burstgpt"})


def read(format: str, path: Path, *, starting_at: datetime = RELATIVE_START) -> Iterator[PastRequest]:  # noqa: A002
    """Read the requests of a file, lazily and in its order; plain or gzip, told by its first bytes.

    A trace that counts its times from its own beginning is counted from ``starting_at``. ``Invalid`` names the file,
    the row and the field: after a bad row the iterator goes on with the next one, after a bad file it ends.
    """
    return _reader(format)(Source(format, path), starting_at)


def count_rows(format: str, path: Path) -> int:  # noqa: A002
    """Count the rows that ``read`` will give or refuse, without reading into them."""
    _reader(format)
    return max(0, count_lines(path) - (format in _WITH_HEADER))


def _reader(format: str) -> Callable[[Source, datetime], Iterator[PastRequest]]:  # noqa: A002
    if format not in FORMATS:
        raise Invalid.field("format", f"must be one of {', '.join(FORMATS)}")
    return FORMATS[format]
