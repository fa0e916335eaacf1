"""Answers as gzip: what a browser reads of dashboards, lists and analytics. Nothing of it slows tracking."""

from __future__ import annotations

import re
import zlib
from typing import Final

# The fastest: a tenth of the size in a millisecond, and what is smaller still takes three times as long.
_LEVEL: Final = 1
_GZIP: Final = zlib.MAX_WBITS | 16
_REFUSED: Final = re.compile(r"q=0(\.0*)?$")


def reads(accepted: str, encoding: str) -> bool:
    """Whether a caller with this ``Accept-Encoding`` reads an encoding."""
    for part in accepted.split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() == encoding:
            return not _REFUSED.match(weight.strip())
    return False


def pack(body: bytes) -> bytes:
    """Compress a body as gzip."""
    packing = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packing.compress(body) + packing.flush()
