"""Contenders take turns: A B C, C B A, ... so that whatever changes in the machine meanwhile meets all of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.figures import Contender
from bench.histogram import Histogram
from bench.load import Result
from bench.pgbench import Ran
from bench.programs import Failed

_BEGAN = time.monotonic()


@dataclass(frozen=True, slots=True)
class Figure:
    """What one run gave."""

    value: float
    latencies: Histogram | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A contender and how it runs once."""

    contender: Contender
    run: Callable[[], Awaitable[Figure]]
    is_warmed: bool = True
    """Runs once before the first round, for no figure."""


def contend(name: str, unit: str, run: Callable[[], Awaitable[Figure]], *, is_warmed: bool = True) -> Turn:
    """Enter a contender."""
    return Turn(Contender(name, unit, []), run, is_warmed=is_warmed)


async def in_turn(turns: Sequence[Turn], rounds: int) -> list[str]:
    """Let all run so many times; their figures are put into the contenders, and why some are missing is returned."""
    failures: list[str] = []
    for number in range(rounds + 1):
        # There and back, so that of two that are compared neither always comes first.
        for turn in turns if number % 2 == 0 else reversed(turns):
            if number or turn.is_warmed:
                await _run(turn, number, failures)
    return failures


async def _run(turn: Turn, number: int, failures: list[str]) -> None:
    contender = turn.contender
    which = f"round {number}" if number else "warm-up"
    try:
        figure = await turn.run()
    except Failed as failure:
        failures.append(f"{contender.name}, {which}: {failure}")
        say(f"{which:>9}  {contender.name}: no figure: {failure}")
        if number:
            contender.rounds.append(None)
        return
    say(f"{which:>9}  {contender.name}: {shown(figure.value)} {contender.unit}")
    if number:
        contender.rounds.append(figure.value)
        if figure.latencies is not None:
            contender.curves.append(figure.latencies.curve())


def shown(value: float) -> str:
    """Write a figure with as many digits as mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def say(text: str) -> None:
    """Tell what goes on, and since when."""
    print(f"{time.monotonic() - _BEGAN:7.1f} s  {text}", flush=True)


def per_second(result: Result) -> Figure:
    """Count what was done in a second."""
    return Figure(result.done / result.seconds)


def at_percentile(latencies: Histogram, percent: float) -> Figure:
    """Quote a percentile, and keep the whole curve."""
    return Figure(latencies.percentile(percent), latencies)


def of_result(result: Result, percent: float) -> Figure:
    """Quote a percentile of a load's calls."""
    return at_percentile(Histogram(result.latencies), percent)


def of_pgbench(ran: Ran) -> Figure:
    """Count pgbench's transactions in a second."""
    return Figure(ran.per_second)
