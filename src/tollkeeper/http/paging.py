"""Lists come in pages: which part is asked for, and where the next one begins."""

from __future__ import annotations

import base64
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from tollkeeper.errors import Invalid
from tollkeeper.http.shapes import Said

Position = TypeVar("Position")


class PageQuery(Said, frozen=True, kw_only=True):
    """Which part of a list."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(max_length=600)] | None = None


def position(query: PageQuery, kind: type[Position]) -> Position | None:
    """Read where a page ends; the caller only hands back what we gave."""
    if query.cursor is None:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(query.cursor + "=="), type=kind)
    except (ValueError, msgspec.MsgspecError):
        raise Invalid.field("cursor", "is none that this list gave") from None


def cursor_at(position: object) -> str:
    """Write where a page ends."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")
