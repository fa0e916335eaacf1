"""Plots as plain SVG: readable at the width of a phone, in light and dark, without a script or a font of their own."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Collection, Iterator, Sequence
from html import escape
from typing import Final

from bench.figures import Contender, Kept, Measured
from bench.turns import shown

_WIDTH: Final = 480
_MARGIN: Final = 12
_ROW: Final = 50
_BAR: Final = 18
_STYLE: Final = """
  text { font: 15px system-ui, sans-serif; fill: #1f2328 }
  .small { font-size: 13px; fill: #59636e }
  .ours { fill: #0b62c4; stroke: #0b62c4 } .theirs { fill: #8c959f; stroke: #8c959f }
  path.line { fill: none; stroke-width: 2.5 } .bar { stroke: none }
  .whisker { stroke: #1f2328; stroke-width: 1.5 } .grid { stroke: #d1d9e0; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 }
    .ours { fill: #58a6ff; stroke: #58a6ff } .theirs { fill: #7d8590; stroke: #7d8590 }
    path.line { fill: none } .bar { stroke: none }
    .whisker { stroke: #e6edf3 } .grid { stroke: #3d444d }
  }
"""
_DASHES: Final = ("none", "8 4", "2 4", "12 4 2 4")
_SHOWN_PERCENTS: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9)


def drawn(kept: Kept) -> dict[str, str]:
    """Draw everything, by the name of its file."""
    found: dict[str, str] = {}
    for name, measured in kept.measures.items():
        for unit, contenders in _by_unit(measured).items():
            found[_bars_name(name, unit, measured)] = bars(f"{measured.title}: {unit}", contenders, _ours(measured))
        if curves := _with_curves(measured):
            found[f"{name}-percentiles"] = percentiles(f"{measured.title}: percentiles", curves, _ours(measured))
    return found


def names(name: str, measured: Measured) -> Iterator[tuple[str, str]]:
    """Give the files that ``drawn`` makes of one measure, each with what it shows."""
    for unit, contenders in _by_unit(measured).items():
        told = "; ".join(f"{each.name}: {shown(each.median)} {unit}" for each in contenders)
        yield _bars_name(name, unit, measured), f"Bars with the range of all rounds. {told}."
    if _with_curves(measured):
        yield f"{name}-percentiles", "Latency by percentile, the median of the rounds; the table below has the values."


def bars(title: str, contenders: Sequence[Contender], ours: Collection[str]) -> str:
    """Draw medians as bars, and from the least to the greatest round as whiskers."""
    most = max(max(each.figures) for each in contenders) or 1.0
    scale = (_WIDTH - 2 * _MARGIN - 70) / most
    parts: list[str] = []
    for number, each in enumerate(contenders):
        top = 40 + number * _ROW
        low, middle, high = (_MARGIN + value * scale for value in (min(each.figures), each.median, max(each.figures)))
        at = top + 18 + _BAR / 2
        parts += [
            f'<text x="{_MARGIN}" y="{top + 12}">{escape(each.name)}</text>',
            (
                f'<rect class="bar {_side(each, ours)}" x="{_MARGIN}" y="{top + 18}" width="{middle - _MARGIN:.1f}"'
                f' height="{_BAR}" rx="2"/>'
            ),
            f'<path class="whisker" d="M{low:.1f} {at}H{high:.1f}M{low:.1f} {at - 5}v10M{high:.1f} {at - 5}v10"/>',
            f'<text x="{max(high, middle) + 6:.1f}" y="{at + 5}">{shown(each.median)}</text>',
        ]
    return _drawing(title, "", 44 + len(contenders) * _ROW, parts)


def percentiles(title: str, contenders: Sequence[Contender], ours: Collection[str]) -> str:
    """Draw milliseconds by percentile, both axes stretched: what matters lies at the end."""
    height, left, right, top = 280, 52, _WIDTH - _MARGIN - 8, 50
    curves = [
        [(percent, value) for percent, value in median_curve(each) if percent in _SHOWN_PERCENTS] for each in contenders
    ]
    values = [value for curve in curves for _, value in curve]
    ticks = _ticks(min(values), max(values))

    def x(percent: float) -> float:
        return left + (right - left) * (_stretched(percent) - _stretched(50)) / (_stretched(99.9) - _stretched(50))

    def y(value: float) -> float:
        share = math.log(value / ticks[0]) / math.log(ticks[-1] / ticks[0])
        return height - 40 - (height - 40 - top) * share

    parts = [
        (
            f'<path class="grid" d="M{left} {y(tick):.1f}H{right}"/>'
            f'<text class="small" x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
        for tick in ticks
    ]
    parts += [
        f'<text class="small" x="{x(percent):.1f}" y="{height - 20}" text-anchor="middle">p{percent:g}</text>'
        for percent in (50, 90, 99, 99.9)
    ]
    for number, (each, curve) in enumerate(zip(contenders, curves, strict=True)):
        points = "L".join(f"{x(percent):.1f} {y(value):.1f}" for percent, value in curve)
        kind = f'class="line {_side(each, ours)}" stroke-dasharray="{_DASHES[number % len(_DASHES)]}"'
        below = height + number * 20
        parts += [
            f'<path {kind} d="M{points}"/><path {kind} d="M{left} {below - 5}h32"/>',
            f'<text class="small" x="{left + 40}" y="{below}">{escape(each.name)}</text>',
        ]
    return _drawing(title, "milliseconds, logarithmic", height + len(contenders) * 20 - 12, parts)


def median_curve(one: Contender) -> list[tuple[float, float]]:
    """Give of each percentile the median of all rounds; those that no round lacks."""
    rounds = [dict(curve) for curve in one.curves]
    return [
        (percent, statistics.median(each[percent] for each in rounds))
        for percent in rounds[0]
        if all(percent in each for each in rounds)
    ]


def _stretched(percent: float) -> float:
    return -math.log10(100 - percent)


def _ticks(low: float, high: float) -> list[float]:
    """Give 1, 2 and 5 of each power of ten that has to do with these values, at least two."""
    steps = [base * 10.0**power for power in range(-4, 6) for base in (1, 2, 5)]
    first = max(place for place, step in enumerate(steps) if step <= max(low, steps[0]))
    last = min(place for place, step in enumerate(steps) if step >= min(high, steps[-1]))
    return steps[first : max(last, first + 1) + 1]


def _by_unit(measured: Measured) -> dict[str, list[Contender]]:
    found: dict[str, list[Contender]] = {}
    for each in measured.contenders:
        if each.figures and each.unit:
            found.setdefault(each.unit, []).append(each)
    return found


def _with_curves(measured: Measured) -> list[Contender]:
    return [each for each in measured.contenders if len(each.curves) and each.unit == "ms"]


def _bars_name(name: str, unit: str, measured: Measured) -> str:
    if len(_by_unit(measured)) == 1:
        return name
    return f"{name}-{re.sub('[^a-z]', '', unit.lower().replace('µ', 'u'))}"


def _ours(measured: Measured) -> frozenset[str]:
    """Give those that stand on the left of a comparison."""
    return frozenset(line.ours for line in measured.comparisons)


def _side(one: Contender, ours: Collection[str]) -> str:
    return "ours" if one.name in ours else "theirs"


def _drawing(title: str, subtitle: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(title)}">\n<style>{_STYLE}</style>\n'
        f'<text x="{_MARGIN}" y="20">{escape(title)}</text>\n'
        + (f'<text class="small" x="{_MARGIN}" y="38">{escape(subtitle)}</text>\n' if subtitle else "")
        + "\n".join(parts)
        + "\n</svg>\n"
    )
