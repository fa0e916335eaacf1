"""How fields are called outside."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["camel"]

_WORD_ENDS: Final = re.compile(r"_([a-z0-9])")


def camel(name: str) -> str:
    """Give the name on the wire of a name in here."""
    return _WORD_ENDS.sub(lambda end: end[1].upper(), name)
