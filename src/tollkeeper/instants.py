"""Between which instants everything lies that is told to us or kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

__all__ = ["EPOCH", "LAST_YEAR"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No request began before it: ids count milliseconds from here (RFC 9562, 5.7)."""

LAST_YEAR: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""What lies before it has a name in every zone; and the driver takes the last instant of all for infinity."""
