"""How long and how large what is told to us may be, wherever it is told."""

from __future__ import annotations

from typing import Final

__all__ = ["LONGEST_EMAIL", "MOST_CENTS", "MOST_COUNT", "MOST_NOTE_BYTES", "MOST_TEXT_BYTES"]

LONGEST_EMAIL: Final = 320
"""A local part of 64 characters, @, and a domain of 255 (RFC 5321, 4.5.3.1)."""
MOST_TEXT_BYTES: Final = 2**20
"""Of a prompt or a response, in UTF-8."""
MOST_NOTE_BYTES: Final = 2**14
"""Of an error's message, in UTF-8, and of metadata, as JSON."""
MOST_COUNT: Final = 10**12
"""Of tokens, of requests and of milliseconds."""
MOST_CENTS: Final = 10**9
"""Of a cost or a price: ten million dollars."""
