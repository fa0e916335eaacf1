"""Lists come in pages: which part is asked for, and where the next one begins."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from tollkeeper.errors import Invalid
from tollkeeper.http.shapes import Said
from tollkeeper.instants import EPOCH, LAST_YEAR

Position = TypeVar("Position")


class PageQuery(Said, frozen=True, kw_only=True):
    """Which part of a list."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(max_length=600)] | None = None


def refuse_limit(query: bytes) -> None:
    """Refuse the length of a page for a file, also where it is the one that pages have unasked."""
    if any(name == b"limit" for name, _ in parse_qsl(query, keep_blank_values=True)):
        raise Invalid.field("limit", "is the length of a page, and a file has none")


def position(query: PageQuery, kind: type[Position]) -> Position | None:
    """Read where a page ends; the caller only hands back what we gave. ``Invalid`` for what cannot be that."""
    if query.cursor is None:
        return None
    refused = Invalid.field("cursor", "is none that this list gave")
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(query.cursor + "=="), type=kind)
    except (ValueError, msgspec.MsgspecError):
        raise refused from None
    if not all(_can_be_kept(part) for part in _parts(place)):
        raise refused
    return place


def cursor_at(position: object) -> str:
    """Write where a page ends."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def _parts(place: object) -> Iterable[Any]:
    if isinstance(place, msgspec.Struct):
        return msgspec.structs.astuple(place)
    return cast("tuple[Any, ...]", place) if isinstance(place, tuple) else (place,)


def _can_be_kept(part: object) -> bool:
    """Whether the database could have said it: texts without U+0000, instants that have a name in every zone."""
    if isinstance(part, str):
        return "\0" not in part
    return not isinstance(part, datetime) or (part.tzinfo is not None and EPOCH <= part < LAST_YEAR)
