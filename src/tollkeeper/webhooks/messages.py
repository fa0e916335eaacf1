"""What receivers are sent, what comes of a try, and when the next one is."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

KINDS: Final = (
    "limit.threshold",
    "limit.reached",
    "plan.changed",
    "plan.expiring",
    "plan.expired",
    "request.unpriced",
    "spend.unusual",
)
TEST: Final = "webhook.test"

# After each failure; after the one behind the last pause it is given up.
PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
LONGEST_ASKED: Final = timedelta(hours=24)
_JITTER: Final = 0.1
# Between two tries of one message.
LONGEST_PAUSE: Final = max(LONGEST_ASKED, PAUSES[-1] * (1 + _JITTER))
_GOOD: Final = range(200, 300)
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try: a status, or why there is none. ``retry_after_seconds``: what a busy receiver asked for."""

    status: int | None
    error: str | None
    duration_ms: int
    retry_after_seconds: int | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has it: a status from 200 to 299, and an answer that came to its end in time."""
        return self.error is None and self.status in _GOOD

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more, ever."""
        return self.status == _GONE

    @property
    def asked_pause(self) -> timedelta | None:
        """For how long a busy receiver asked us to wait; a day at most."""
        if self.retry_after_seconds is None:
            return None
        return min(timedelta(seconds=self.retry_after_seconds), LONGEST_ASKED)

    def as_attempt(self) -> dict[str, Any]:
        """Say it as it is kept."""
        return {"status": self.status, "error": self.error, "durationMs": self.duration_ms}


def body_of(kind: str, at: datetime, content: bytes) -> bytes:
    """Write the body of a message; ``content`` is JSON already, and stays as it is to the last digit."""
    when = f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"
    return msgspec.json.encode({"type": kind, "timestamp": when, "data": msgspec.Raw(content)})


def pause_after(tries: int, outcome: Outcome) -> timedelta | None:
    """Say how long to wait after so many tries; ``None``: it is given up.

    A little longer at random, so that what failed together does not come back together; and never sooner than asked.
    """
    if tries > len(PAUSES):
        return None
    pause = PAUSES[tries - 1] * random.uniform(1, 1 + _JITTER)  # noqa: S311 - jitter is no secret
    return max(pause, outcome.asked_pause or pause)
