"""A histogram of latencies as HdrHistogram keeps one: fixed relative precision over all magnitudes, little to record.

Values are whole microseconds. Below 2^11 each has a bucket of its own; above, each doubling is cut into 1,024 equal
buckets, so that no value is told wrong by more than a thousandth.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

_BITS: Final = 10
_EXACT: Final = 1 << (_BITS + 1)

CURVE: Final = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 100.0)
"""The percentiles that are kept of a run."""


class Histogram:
    """Counts of latencies by bucket."""

    def __init__(self, counts: Iterable[tuple[int, int]] = ()) -> None:
        self._counts: Counter[int] = Counter(dict(counts))

    @classmethod
    def of(cls, microseconds: Iterable[int]) -> Histogram:
        """Count values that were kept singly."""
        made = cls()
        for each in microseconds:
            made.record(each)
        return made

    def record(self, microseconds: int) -> None:
        """Count one latency."""
        self._counts[_bucket(microseconds)] += 1

    @property
    def total(self) -> int:
        """How many were counted."""
        return self._counts.total()

    def counts(self) -> list[tuple[int, int]]:
        """Give buckets and counts, in order: what the constructor takes."""
        return sorted(self._counts.items())

    def percentile(self, percent: float) -> float:
        """Tell in milliseconds what so many percent stayed at or below: the top of a bucket, so never too little."""
        if not self.total:
            raise ValueError("there is no percentile of nothing")
        rank = max(1, math.ceil(self.total * percent / 100))
        seen = 0
        for bucket, count in self.counts():
            seen += count
            if seen >= rank:
                return _highest(bucket) / 1000
        raise AssertionError("the counts changed while they were read")

    def curve(self, percents: Sequence[float] = CURVE) -> list[tuple[float, float]]:
        """Give percentiles with their milliseconds, but none beyond which nothing was counted: that is the maximum."""
        return [
            (percent, self.percentile(percent))
            for percent in percents
            if percent == 100 or round(self.total * (100 - percent), 6) >= 100
        ]


def _bucket(microseconds: int) -> int:
    if microseconds < _EXACT:
        return max(0, microseconds)
    shift = microseconds.bit_length() - _BITS - 1
    return (shift << _BITS) + (microseconds >> shift)


def _highest(bucket: int) -> int:
    """Give the largest value of a bucket."""
    if bucket < _EXACT:
        return bucket
    shift = (bucket >> _BITS) - 1
    return (((bucket - (shift << _BITS)) + 1) << shift) - 1
