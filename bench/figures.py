"""What was measured: the rounds of each contender, what they are compared in, and the file that keeps them."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.course import Wishes

Sense = Literal[">=", "<="]


class Contender(msgspec.Struct, rename="camel", omit_defaults=True):
    """One side of a comparison and all its rounds."""

    name: str
    unit: str
    rounds: list[float]
    curves: list[list[tuple[float, float]]] = []
    """Of each round: percentiles and their milliseconds."""

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.rounds)


class Comparison(msgspec.Struct, rename="camel", omit_defaults=True):
    """A line of the table: one contender against another, or against a bound."""

    what: str
    against: str
    sense: Sense
    bar: float
    ours: str
    theirs: str | None = None


class Measured(msgspec.Struct, rename="camel", omit_defaults=True):
    """What one measure gave, with all that one must know to repeat it."""

    title: str
    contenders: list[Contender]
    comparisons: list[Comparison]
    settings: dict[str, Any]
    failures: list[str] = []
    """Runs without a figure: why."""
    taken_at: str = ""
    machine: dict[str, Any] = {}

    def contender(self, name: str) -> Contender | None:
        """Find one that has figures."""
        return next((each for each in self.contenders if each.name == name and each.rounds), None)

    def ratio(self, line: Comparison) -> float | None:
        """Divide the medians; against a bound, the median itself. None where a side has no figure."""
        ours = self.contender(line.ours)
        theirs = self.contender(line.theirs) if line.theirs else None
        if ours is None or (line.theirs and theirs is None):
            return None
        return ours.median / theirs.median if theirs else ours.median

    def spread(self, line: Comparison) -> tuple[float, float] | None:
        """Give the least and the greatest of the ratios of single rounds, which ran side by side."""
        ours = self.contender(line.ours)
        theirs = self.contender(line.theirs) if line.theirs else None
        if ours is None or (line.theirs and theirs is None):
            return None
        ratios = (
            [one / other for one, other in zip(ours.rounds, theirs.rounds, strict=False)] if theirs else ours.rounds
        )
        return min(ratios), max(ratios)


def is_met(line: Comparison, ratio: float) -> bool:
    """Tell whether a bar is reached."""
    return ratio >= line.bar if line.sense == ">=" else ratio <= line.bar


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that can be measured by name."""

    name: str
    says: str
    run: Callable[[Wishes], Awaitable[Measured]]


class Kept(msgspec.Struct, rename="camel"):
    """docs/performance.json."""

    measures: dict[str, Measured]


def read(path: Path) -> Kept:
    """Read what was measured before; nothing where there is no such file or it is of an older kind."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (FileNotFoundError, msgspec.ValidationError):
        return Kept({})


def write(path: Path, kept: Kept) -> None:
    """Write all figures, readable and with few differences from one time to the next."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
