"""The numbers of several processes are summed; of one that has ended those alone that count up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from tollkeeper.http.siblings import Siblings


def numbers(count: int) -> list[Metric]:
    counter = CounterMetricFamily("tollkeeper_told", "Told", labels=("to",))
    counter.add_metric((f"only {count}",), count)
    counter.add_metric(("all",), count)
    histogram = HistogramMetricFamily("tollkeeper_seconds", "Seconds", labels=("of",))
    histogram.add_metric(("a",), [("1.0", count), ("+Inf", 2 * count)], 0.5 * count)
    waiting = GaugeMetricFamily("tollkeeper_waiting", "Waiting", value=count)
    return [counter, histogram, waiting, GaugeMetricFamily("tollkeeper_stream_round_seconds", "Took", value=count)]


async def keep(siblings: Siblings, count: int) -> None:
    async with siblings.kept(lambda: numbers(count)):
        pass


def told(metrics: list[Metric]) -> dict[str, float]:
    return {" ".join((s.name, *s.labels.values())): s.value for each in metrics for s in each.samples}


def test_the_sum_is_over_all_and_of_the_ended_what_counts_up(tmp_path: Path) -> None:
    alone, other, asked = (Siblings(tmp_path) for _ in range(3))
    assert told(asked.summed(numbers(1))) == told(numbers(1))
    asyncio.run(keep(alone, 10))
    asyncio.run(keep(other, 100))
    of_all = {
        "tollkeeper_told_total only 1": 1,
        "tollkeeper_told_total only 10": 10,
        "tollkeeper_told_total only 100": 100,
        "tollkeeper_told_total all": 111,
        "tollkeeper_seconds_bucket a 1.0": 111,
        "tollkeeper_seconds_bucket a +Inf": 222,
        "tollkeeper_seconds_count a": 222,
        "tollkeeper_seconds_sum a": 55.5,
        "tollkeeper_waiting": 111,
        "tollkeeper_stream_round_seconds": 100,
    }
    assert told(asked.summed(numbers(1))) == of_all
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone = next(each for each in tmp_path.glob("*.json") if b"only 100" in each.read_bytes())
    gone.rename(tmp_path / f"{ended.pid}-x.json")
    left = {"tollkeeper_waiting": 11, "tollkeeper_stream_round_seconds": 10}
    assert told(asked.summed(numbers(1))) == of_all | left
