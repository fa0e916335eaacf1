"""Counting and timing exchanges, cheaply; Prometheus reads it from here."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_UNKNOWN: Final = "unknown"


class Measures:
    """What this process has answered since it started."""

    def __init__(self) -> None:
        self._exchanges: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str], float] = {}
        self._refusals: Counter[str] = Counter()

    def note(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Note one exchange; a path that is no route counts as ``unknown``, so that callers cannot make up names."""
        name = (method if route else _UNKNOWN, route or _UNKNOWN)
        self._exchanges[(*name, status)] += 1
        counts = self._buckets.get(name)
        if counts is None:
            counts = self._buckets[name] = [0] * (len(_BUCKETS) + 1)
            self._seconds[name] = 0.0
        counts[bisect_left(_BUCKETS, seconds)] += 1
        self._seconds[name] += seconds

    def note_refusal(self, limit: str) -> None:
        """Note that a plan's limit refused a request."""
        self._refusals[limit] += 1

    def metrics(self) -> Iterator[Metric]:
        """Show it all."""
        exchanges = CounterMetricFamily(
            "tollkeeper_exchanges", "HTTP exchanges by route and status", labels=("method", "route", "status")
        )
        for (method, route, status), count in self._exchanges.items():
            exchanges.add_metric((method, route, str(status)), count)
        yield exchanges
        times = HistogramMetricFamily("tollkeeper_exchange_seconds", "Time to answer", labels=("method", "route"))
        for name, counts in self._buckets.items():
            times.add_metric(name, list(_cumulative(counts)), self._seconds[name])
        yield times
        refusals = CounterMetricFamily("tollkeeper_refusals", "Requests refused by a plan's limit", labels=("limit",))
        for limit, count in self._refusals.items():
            refusals.add_metric((limit,), count)
        yield refusals


def _cumulative(counts: list[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, _BUCKETS), "+Inf"), counts, strict=True):
        total += count
        yield bound, total
