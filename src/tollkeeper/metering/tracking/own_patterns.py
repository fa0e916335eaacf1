r"""The operator's own patterns of what is secret: regular expressions whose run time is bounded by what they are.

Python's regular expressions go back and try anew, and a pattern that looks harmless can take years on the text of a
stranger. So a pattern here says how long everything in it may be (``{1,64}`` instead of ``+``), and what it can cost at
a single place of a text, every way tried, is counted before it is taken. Known are letters, classes such as ``[A-Z]``
and ``\d``, ``.``, groups, ``|``, ``?``, ``{n}``, ``{m,n}``, ``^``, ``$`` and ``\b``, and ``(?i)`` at the beginning.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MOST_PATTERNS: Final = 20
MOST_STEPS: Final = 400
MOST_STEPS_TOGETHER: Final = 1000
LONGEST_MATCH: Final = 1000

_COUNT: Final = re.compile(r"\{(\d{1,4})(?:,(\d{1,4}))?\}")
_ESCAPE: Final = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[dDwWsSbBntrfv]|[^\w\s])", re.ASCII)
_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_LOOKS: Final = ("^", "$", r"\b", r"\B")


@dataclass(frozen=True, slots=True)
class _Cost:
    """How many characters a part matches, in how many ways, and how many steps it takes to try them all."""

    shortest: int = 0
    longest: int = 0
    ways: int = 1
    steps: int = 0

    def then(self, other: _Cost) -> _Cost:
        return _Cost(
            self.shortest + other.shortest,
            self.longest + other.longest,
            self.ways * other.ways,
            self.steps + self.ways * other.steps,
        )

    def either(self, other: _Cost) -> _Cost:
        return _Cost(
            min(self.shortest, other.shortest),
            max(self.longest, other.longest),
            self.ways + other.ways,
            self.steps + other.steps,
        )

    def repeated(self, fewest: int, most: int) -> _Cost:
        each = [_Cost()]
        while len(each) <= most:
            each.append(each[-1].then(self))
            _refuse_costly(each[-1])
        ways = sum(cost.ways for cost in each[fewest:])
        return _Cost(each[fewest].shortest, each[-1].longest, ways, each[-1].steps)


def read(patterns: Sequence[str]) -> tuple[tuple[re.Pattern[str], int], ...]:
    """Compile patterns, each with the length of its longest match. ``ValueError`` says which is unfit, and why."""
    if len(patterns) > MOST_PATTERNS:
        raise ValueError(f"must be {MOST_PATTERNS} patterns at most")
    read = [_read(number, pattern) for number, pattern in enumerate(patterns, start=1)]
    if sum(cost.steps for _, cost in read) > MOST_STEPS_TOGETHER:
        raise ValueError(f"may take more than {MOST_STEPS_TOGETHER} steps at one place, all patterns together")
    return tuple((pattern, cost.longest) for pattern, cost in read)


def _read(number: int, pattern: str) -> tuple[re.Pattern[str], _Cost]:
    try:
        with warnings.catch_warnings(action="error"):
            compiled = re.compile(pattern)
        cost = _Reading(pattern).whole()
    except (re.error, Warning, RecursionError, OverflowError):
        raise ValueError(f"has a pattern (number {number}) that is no regular expression") from None
    except ValueError as error:
        raise ValueError(f"has a pattern (number {number}) that {error}") from None
    if cost.shortest == 0:
        raise ValueError(f"has a pattern (number {number}) that matches where nothing is")
    return compiled, cost


class _Reading:
    """Reads a pattern that Python has understood, to find out what it costs."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._place = 4 if pattern.startswith("(?i)") else 0

    def whole(self) -> _Cost:
        cost = self._alternatives()
        if self._place < len(self._pattern):
            raise ValueError("has something that is not known here")
        return cost

    def _alternatives(self) -> _Cost:
        cost = self._sequence()
        while self._next() == "|":
            self._place += 1
            cost = cost.either(self._sequence())
        return _refuse_costly(cost)

    def _sequence(self) -> _Cost:
        parts: list[_Cost] = []
        while self._next() not in {"", "|", ")"}:
            parts.append(self._counted(self._part()))
        cost = _Cost()
        for part in parts:
            cost = _refuse_costly(cost.then(part))
        return cost

    def _part(self) -> _Cost:
        letter = self._next()
        if letter == "(":
            return self._group()
        if letter in "*+?{":
            raise ValueError("has something that is not known here")
        found = {"[": _CLASS, "\\": _ESCAPE}.get(letter)
        if found is None:
            self._place += 1
            return _Cost(steps=1) if letter in _LOOKS else _Cost(1, 1, 1, 1)
        match = found.match(self._pattern, self._place)
        if match is None:
            raise ValueError("has something that is not known here")
        self._place = match.end()
        return _Cost(steps=1) if match[0] in _LOOKS else _Cost(1, 1, 1, 1)

    def _group(self) -> _Cost:
        self._place += 1
        if self._next() == "?":
            if self._pattern[self._place : self._place + 2] != "?:":
                raise ValueError("looks ahead, looks behind or refers back")
            self._place += 2
        cost = self._alternatives()
        self._place += 1  # the bracket, which is there: Python has read the pattern
        return cost

    def _counted(self, part: _Cost) -> _Cost:
        letter = self._next()
        if letter in {"*", "+"}:
            raise ValueError("does not say how long it may be: write {1,64} instead of +")
        if letter == "?":
            self._place += 1
            return self._not_again(part.repeated(0, 1))
        if letter != "{":
            return part
        count = _COUNT.match(self._pattern, self._place)
        if count is None:
            raise ValueError("does not say how long it may be: write {1,64} instead of {1,}")
        self._place = count.end()
        return self._not_again(part.repeated(int(count[1]), int(count[2] or count[1])))

    def _not_again(self, cost: _Cost) -> _Cost:
        if self._next() in {"?", "+", "*", "{"}:
            raise ValueError("counts a part twice")
        return cost

    def _next(self) -> str:
        return self._pattern[self._place : self._place + 1]


def _refuse_costly(cost: _Cost) -> _Cost:
    if cost.longest > LONGEST_MATCH:
        raise ValueError(f"may match more than {LONGEST_MATCH} characters")
    if cost.steps > MOST_STEPS:
        raise ValueError(f"may take more than {MOST_STEPS} steps at one place")
    return cost
