"""What a text must be before it is kept."""

from __future__ import annotations

from tollkeeper.errors import Invalid

_LAST_CONTROL = 0x1F
_DELETE = 0x7F


def storable(text: str, *, field: str) -> str:
    """Answer the text; ``Invalid`` if PostgreSQL could not keep it: U+0000 or a lone surrogate."""
    if "\0" in text:
        raise Invalid.field(field, "must not contain U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid.field(field, "must not contain lone surrogates") from None
    return text


def one_line(text: str, *, field: str, most: int) -> str:
    """Answer the text; ``Invalid`` if it is longer than ``most`` characters or has any but printing ones."""
    storable(text, field=field)
    if len(text) > most:
        raise Invalid.field(field, f"must have at most {most} characters")
    if any(ord(each) <= _LAST_CONTROL or ord(each) == _DELETE for each in text):
        raise Invalid.field(field, "must not contain control characters")
    return text
