from __future__ import annotations

import math
import random

import pytest

from bench.histogram import Histogram


def test_a_percentile_is_at_most_a_thousandth_above_the_exact_one() -> None:
    chance = random.Random(1)
    values = sorted(int(chance.lognormvariate(8, 2)) for _ in range(20_000))
    histogram = Histogram.of(values)
    for percent in (0.01, 1, 50, 90, 99, 99.9, 100):
        exact = values[max(1, math.ceil(len(values) * percent / 100)) - 1]
        assert exact <= round(histogram.percentile(percent) * 1000) <= exact * 1.001


def test_what_was_recorded_apart_can_be_put_together() -> None:
    histogram = Histogram.of([1, 5, 5, 3_000_000])
    again = Histogram(histogram.counts())
    assert again.total == 4
    assert again.curve((50, 100)) == histogram.curve((50, 100))


def test_the_greatest_of_one_value_is_that_value() -> None:
    assert [Histogram.of([value]).percentile(50) for value in (0, 1, 2047, 2048)] == [0, 0.001, 2.047, 2.049]


def test_a_curve_leaves_out_percentiles_beyond_which_nothing_was_counted() -> None:
    assert [percent for percent, _ in Histogram.of(range(100)).curve((50, 99, 99.5, 99.9, 100))] == [50, 99, 100]
    assert [percent for percent, _ in Histogram.of(range(1000)).curve((99.9, 99.99, 100))] == [99.9, 100]


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing"):
        Histogram().percentile(50)
