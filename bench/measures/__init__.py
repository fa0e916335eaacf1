"""What is measured, one family a file; ``ALL`` has them in the order of the page."""

from __future__ import annotations

from typing import Final

from bench.figures import Measure
from bench.measures import batch, footprint, growth, latency, limits, live, one_user, pages, pairs, reads, streams

ALL: Final[tuple[Measure, ...]] = (
    pairs.MEASURE,
    one_user.MEASURE,
    latency.ALONE,
    latency.LOADED,
    limits.MEASURE,
    batch.MEASURE,
    growth.MEASURE,
    reads.MEASURE,
    streams.MEASURE,
    live.MEASURE,
    pages.MEASURE,
    footprint.MEASURE,
)
