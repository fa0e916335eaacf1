"""Pictures of users: small ones, kept as the ``data:`` URL that pages show.

Whoever lists users shows many at once, and a few kilobytes can unpack to gigabytes: so a picture must be what it says,
and say how large it unpacks.
"""

from __future__ import annotations

import base64
import re
from typing import Final

from tollkeeper.errors import Invalid

LONGEST: Final = 32_768
"""How many characters such a URL may have: 24 KiB, twenty times what a picture of 96 by 96 needs."""
MOST_PIXELS: Final = 1024
"""How wide and how high a picture may be."""

_WANTED: Final = "must be a data: URL in base64 of a PNG, JPEG or WebP picture"
_URL: Final = re.compile(r"data:image/(png|jpeg|webp);base64,([A-Za-z0-9+/]+={0,2})")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MARK: Final = 0xFF
# Frames of JPEG; the four between them are tables and the like.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def picture(url: str) -> str:
    """Answer the URL; ``Invalid`` if it is no small picture of a kind that every browser shows."""
    parts = _URL.fullmatch(url)
    if parts is None or len(url) > LONGEST:
        raise Invalid.field("image", f"{_WANTED}, of at most {LONGEST} characters")
    try:
        kept = base64.b64decode(parts[2], validate=True)
        width, height = _MEASURES[parts[1]](kept)
    except (ValueError, IndexError):
        raise Invalid.field("image", _WANTED) from None
    if not (0 < width <= MOST_PIXELS and 0 < height <= MOST_PIXELS):
        raise Invalid.field("image", f"must be at most {MOST_PIXELS} pixels wide and high")
    return url


def _of_png(kept: bytes) -> tuple[int, int]:
    if not kept.startswith(_PNG) or kept[12:16] != b"IHDR":
        raise ValueError
    return int.from_bytes(kept[16:20], "big"), int.from_bytes(kept[20:24], "big")


def _of_jpeg(kept: bytes) -> tuple[int, int]:
    if not kept.startswith(b"\xff\xd8"):
        raise ValueError
    place = 2
    while True:
        if kept[place] != _MARK:
            raise ValueError
        marker = kept[place + 1]
        if marker in _FRAMES:
            height, width = kept[place + 5 : place + 7], kept[place + 7 : place + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        place += 2 + max(2, int.from_bytes(kept[place + 2 : place + 4], "big"))


def _of_webp(kept: bytes) -> tuple[int, int]:
    if kept[:4] != b"RIFF" or kept[8:12] != b"WEBP":
        raise ValueError
    match kept[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(kept[24:27], "little"), 1 + int.from_bytes(kept[27:30], "little")
        case b"VP8L":
            both = int.from_bytes(kept[21:25], "little")
            return 1 + (both & 0x3FFF), 1 + (both >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = kept[26:28], kept[28:30]
            return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF
        case _:
            raise ValueError


_MEASURES: Final = {"png": _of_png, "jpeg": _of_jpeg, "webp": _of_webp}
