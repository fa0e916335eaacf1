"""Counting and timing exchanges, cheaply; Prometheus reads it from here."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tollkeeper.http.backend import Backend, Held
from tollkeeper.http.dashboards.streams import Streams
from tollkeeper.metering.lane import Lane
from tollkeeper.metering.system import LastVerification

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


class _Everything(Collector):
    def __init__(
        self, measures: Measures, backend: Backend, streams: Streams, verification: LastVerification | None
    ) -> None:
        self._measures = measures
        self._verification = verification
        self._backend = backend
        self._streams = streams

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("tollkeeper_build", "What runs", value={"version": self._backend.version})
        yield from self._measures.metrics()
        lanes = {"start": self._backend.ledger.starts, "finish": self._backend.ledger.finishes}
        yield from _lanes(lanes)
        waiting = self._backend.turns.waiting
        yield GaugeMetricFamily("tollkeeper_turns_waiting", "Statements that wait to look at much", value=waiting)
        yield from _streams(self._streams)
        yield from _connections(self._backend.held)
        if (room := self._backend.room) and (free := room.free) is not None:
            yield GaugeMetricFamily("tollkeeper_disk_free_bytes", "Free on the disk of the database", value=free)
            yield GaugeMetricFamily("tollkeeper_disk_least_bytes", "Below it nothing new is taken in", value=room.least)
        if self._verification is not None:
            yield from _proved(self._verification)


def exposition(measures: Measures, backend: Backend, streams: Streams, verification: LastVerification | None) -> bytes:
    """Write it in Prometheus' text format. Without a ``verification`` nothing is said of any."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything(measures, backend, streams, verification))
    return generate_latest(registry)


def _lanes(lanes: dict[str, Lane[Any, Any]]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("tollkeeper_lane_waiting", "Items that wait for their verdict", labels=("lane",))
    aside = GaugeMetricFamily("tollkeeper_lane_aside", "Users who are decided aside, being locked", labels=("lane",))
    sets = CounterMetricFamily("tollkeeper_lane_sets", "Sets decided, one round trip each", labels=("lane",))
    decided = CounterMetricFamily("tollkeeper_lane_decided", "Items decided", labels=("lane",))
    for name, lane in lanes.items():
        waiting.add_metric((name,), lane.waiting)
        aside.add_metric((name,), lane.aside)
        sets.add_metric((name,), lane.sets)
        decided.add_metric((name,), lane.decided)
    yield from (waiting, aside, sets, decided)


def _streams(streams: Streams) -> Iterator[Metric]:
    yield GaugeMetricFamily("tollkeeper_streams_open", "Readers who follow a dashboard", value=streams.count)
    yield CounterMetricFamily("tollkeeper_stream_rounds", "Looks at who has news for them", value=streams.rounds)
    yield GaugeMetricFamily("tollkeeper_stream_round_seconds", "How long the last took", value=streams.round_seconds)


def _connections(held: Held) -> Iterator[Metric]:
    yield GaugeMetricFamily("tollkeeper_connections_open", "Connections of clients", value=held.open)
    yield GaugeMetricFamily("tollkeeper_connections_most", "So many are held at the same time", value=held.most)
    yield CounterMetricFamily("tollkeeper_connections_turned_away", "Those beyond them", value=held.turned_away)


def _proved(last: LastVerification) -> Iterator[Metric]:
    at, wrong, unreadable = last.at.timestamp(), last.differences, last.unreadable
    yield GaugeMetricFamily("tollkeeper_proved_timestamp_seconds", "When all numbers were proved last", value=at)
    yield GaugeMetricFamily("tollkeeper_proved_wrong", "Numbers that the requests did not say then", value=wrong)
    yield GaugeMetricFamily(
        "tollkeeper_proved_unreadable", "Users and months that could not be read then", value=unreadable
    )


def _cumulative(counts: list[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, _BUCKETS), "+Inf"), counts, strict=True):
        total += count
        yield bound, total
