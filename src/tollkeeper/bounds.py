"""How long what is told to us may be, wherever it is told."""

from __future__ import annotations

from typing import Final

__all__ = ["LONGEST_EMAIL"]

LONGEST_EMAIL: Final = 320
"""A local part of 64 characters, @, and a domain of 255 (RFC 5321, 4.5.3.1)."""
