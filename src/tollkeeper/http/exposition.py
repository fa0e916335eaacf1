"""The numbers of the processes of a service as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tollkeeper.http.backend import Backend, Held
from tollkeeper.http.dashboards.streams import Streams
from tollkeeper.http.measures import Measures
from tollkeeper.metering.admin.system import LastVerification
from tollkeeper.metering.tracking.lane import Lane


def numbers_of_process(measures: Measures, backend: Backend, streams: Streams) -> Iterator[Metric]:
    """Give what this process alone knows."""
    yield from measures.metrics()
    yield from _lanes({"start": backend.ledger.starts, "finish": backend.ledger.finishes})
    waiting = backend.turns.waiting
    yield GaugeMetricFamily("tollkeeper_turns_waiting", "Statements that wait to look at much", value=waiting)
    yield from _streams(streams)
    yield from _connections(backend.held)


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
        own, siblings = numbers_of_process(self._measures, self._backend, self._streams), self._backend.siblings
        yield from own if siblings is None else siblings.summed(own)
        if (room := self._backend.room) and (free := room.free) is not None:
            yield GaugeMetricFamily("tollkeeper_disk_free_bytes", "Free on the disk of the database", value=free)
            yield GaugeMetricFamily("tollkeeper_disk_least_bytes", "Below it nothing new is taken in", value=room.least)
        if self._verification is not None:
            yield from _proved(self._verification)


def exposition(measures: Measures, backend: Backend, streams: Streams, verification: LastVerification | None) -> bytes:
    """Write it in Prometheus' text format, the sum over all processes of the port.

    Without a ``verification`` nothing is said of any.
    """
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
