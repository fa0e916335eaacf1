from __future__ import annotations

import base64
import struct
import zlib

import pytest

from tollkeeper.accounts.pictures import LONGEST, picture
from tollkeeper.errors import Invalid

# The smallest ones that there are, of one pixel.
JPEG = (
    "/9j/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8QEBEQCgwSExIQEw8QEBD/yQALCAABAAEBAREA"
    "/8wABgAQEAX/2gAIAQEAAD8A0s8g/9k="
)
LOSSLESS = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
LOSSY = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def png(width: int, height: int) -> str:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress((bytes(1 + (width + 7) // 8)) * height)
    return encoded(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def jpeg(width: int, height: int) -> str:
    whole = base64.b64decode(JPEG)
    at = whole.index(b"\xff\xc9") + 5
    return encoded(whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :])


def webp(width: int, height: int) -> str:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return encoded(b"RIFF\x12\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + size)


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        ("png", png(1, 1)),
        ("png", png(1024, 1024)),
        ("jpeg", JPEG),
        ("jpeg", jpeg(96, 1024)),
        ("webp", LOSSLESS),
        ("webp", LOSSY),
        ("webp", webp(256, 256)),
    ],
)
def test_a_small_picture_is_kept_as_it_is(kind: str, kept: str) -> None:
    url = f"data:image/{kind};base64,{kept}"
    assert picture(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.com/me.png",
        "javascript:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "data:image/svg+xml;base64,PHN2Zy8+",
        f"data:image/gif;base64,{png(1, 1)}",
        f"data:image/png,{png(1, 1)}",
        f"data:image/png;base64,{png(1, 1)}\n",
        f" data:image/png;base64,{png(1, 1)}",
        f"data:image/png;base64,{png(1, 1)[:-5]}",
        f"data:image/png;base64,{png(1, 1)[:20]}",
        f"data:image/png;base64,{JPEG}",
        f"data:image/jpeg;base64,{png(1, 1)}",
        f"data:image/webp;base64,{encoded(b'RIFF0000WEBPVP9 ' + bytes(30))}",
        "data:image/jpeg;base64," + encoded(b"\xff\xd8" + b"\xff\xe0\0\0" * 50),
        "data:image/jpeg;base64," + encoded(b"\xff\xd8 no marker"),
        f"data:image/png;base64,{png(1025, 1)}",
        f"data:image/png;base64,{png(0, 1)}",
        f"data:image/jpeg;base64,{jpeg(1, 1025)}",
        f"data:image/webp;base64,{webp(2**24, 1)}",
        f"data:image/png;base64,{png(1, 1)[:-4] + 'A' * LONGEST}",
    ],
)
def test_what_is_no_small_picture_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        picture(url)
