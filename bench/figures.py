"""What was measured: the rounds of each contender, what they are compared in, and the file that keeps them."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
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
    rounds: list[float | None]
    """``None`` for a round without a figure, so that those of one number ran side by side."""
    curves: list[list[tuple[float, float]]] = []
    """Of each round with a figure: percentiles and their milliseconds."""

    @property
    def figures(self) -> list[float]:
        """What the rounds gave."""
        return [each for each in self.rounds if each is not None]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.figures)


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
        return next((each for each in self.contenders if each.name == name and each.figures), None)

    def seen(self, line: Comparison) -> Seen | None:
        """Compare round by round; None where no round has a figure of both sides."""
        ours = self.contender(line.ours)
        theirs = self.contender(line.theirs) if line.theirs else None
        if ours is None or (line.theirs and theirs is None):
            return None
        if theirs is None:
            return Seen(line, ours.figures, len(ours.rounds))
        pairs = zip(ours.rounds, theirs.rounds, strict=True)
        ratios = [one / other for one, other in pairs if one is not None and other is not None]
        return Seen(line, ratios, len(ours.rounds)) if ratios else None


@dataclass(frozen=True, slots=True)
class Seen:
    """A comparison as it came out in each round: ratios of runs side by side, or against a bound the figures."""

    line: Comparison
    ratios: Sequence[float]
    rounds: int
    """With those that failed."""

    @property
    def ratio(self) -> float:
        """The one to quote: the median."""
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool:
        """Whether the bar is reached."""
        return self._reaches(self.ratio)

    @property
    def rounds_met(self) -> int:
        """In how many rounds it was."""
        return sum(map(self._reaches, self.ratios))

    def _reaches(self, ratio: float) -> bool:
        return ratio >= self.line.bar if self.line.sense == ">=" else ratio <= self.line.bar


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
