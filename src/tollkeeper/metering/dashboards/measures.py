"""What has finished, summed: the figures that every view of usage over time is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tollkeeper.metering.dashboards.dashboard import percentiles, rounded_mean
from tollkeeper.store.database import Record

Outcome = Literal["completed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Requests that have finished, and what they used. ``None`` is what the sums cannot tell apart by status.

    Money in nano-USD, durations and percentiles (within 2 %) in ms and of completed requests alone.
    """

    completed: int
    failed: int
    tokens_used: int | None
    tokens_input: int | None
    tokens_output: int | None
    tokens_cached: int | None
    tokens_cache_write: int | None
    tokens_reasoning: int | None
    cost_nanos: int | None
    unpriced: int | None
    timed: int | None
    duration_ms: int | None
    rated: int | None
    rating: int | None
    p50: float | None
    p95: float | None
    p99: float | None
    is_of_one_status: bool = False

    @classmethod
    def of(cls, row: Record | Mapping[str, Any]) -> Measures:
        """Read a row of sums, or what the SQL function ``tk_overall_measures`` wrote."""
        p50, p95, p99 = percentiles(row["percentiles"])
        sums: dict[str, Any] = {name: int(row[name]) for name in _SUMS}
        return cls(**sums, p50=p50, p95=p95, p99=p99)

    @property
    def requests(self) -> int:
        """How many have finished."""
        return self.completed + self.failed

    @property
    def success_rate(self) -> float | None:
        """The share of completed ones."""
        return None if self.is_of_one_status or not self.requests else self.completed / self.requests

    @property
    def average_duration(self) -> int | None:
        """The mean over completed requests whose duration is known, rounded half up."""
        return rounded_mean(self.duration_ms, self.timed) if self.timed and self.duration_ms is not None else None

    @property
    def average_rating(self) -> float | None:
        """The mean of all ratings."""
        return self.rating / self.rated if self.rated and self.rating is not None else None

    def only(self, status: Outcome | None) -> Measures:
        """Leave out what ended otherwise: how long it took is told of completed requests, the rest of all together."""
        if status is None:
            return self
        told: dict[str, Any] = dict.fromkeys((*_SUMS, *_PERCENTILES)) | {"completed": 0, "failed": 0}
        known = ("failed",) if status == "failed" else _OF_COMPLETED
        return Measures(**told | {name: getattr(self, name) for name in known}, is_of_one_status=True)


_SUMS: Final = (
    "completed",
    "failed",
    "tokens_used",
    "tokens_input",
    "tokens_output",
    "tokens_cached",
    "tokens_cache_write",
    "tokens_reasoning",
    "cost_nanos",
    "unpriced",
    "timed",
    "duration_ms",
    "rated",
    "rating",
)
_PERCENTILES: Final = ("p50", "p95", "p99")
_OF_COMPLETED: Final = ("completed", "timed", "duration_ms", *_PERCENTILES)
_NOTHING: Final[dict[str, Any]] = {**dict.fromkeys(_SUMS, 0), **dict.fromkeys(_PERCENTILES)}
NOTHING: Final = Measures(**_NOTHING)
