"""JSON Merge Patch (RFC 7396): what has changed between two objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from tollkeeper.http.wire import encode


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any] | None:
    """Tell what makes ``new`` of ``old``; ``None`` where only the whole of ``new`` can tell it.

    In a patch null takes a member away, so no patch can say that a member has become null. One that was null before
    and still is needs no word.
    """
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        if name in old and _is_same(old[name], value):
            continue
        told = _told(old.get(name), value)
        if told is None:
            return None
        patch[name] = told
    return patch


def _told(old: Any, new: Any) -> Any:
    """Say a member's new value; ``None`` if that cannot be said."""
    if not isinstance(new, dict):
        return new
    return merge_patch(cast("dict[str, Any]", old) if isinstance(old, dict) else {}, cast("dict[str, Any]", new))


def _is_same(old: Any, new: Any) -> bool:
    # By what is written, for Python takes 1, 1.0 and True for equal; by value first, for the order of members is none.
    if isinstance(old, dict) and isinstance(new, dict):
        return merge_patch(cast("dict[str, Any]", old), cast("dict[str, Any]", new)) == {}
    return encode(old) == encode(new)
