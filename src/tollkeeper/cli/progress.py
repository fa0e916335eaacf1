"""How far a long command is, on standard error: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from tollkeeper.cli.answers import beside

__all__ = ["progress"]

_LINE_EVERY_SECONDS: Final = 5.0


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[[int], None]]:
    """Give a function that is told how many more are done."""
    shown = _bar if sys.stderr.isatty() else _lines
    with shown(what, total) as advance:
        yield advance


@contextmanager
def _bar(what: str, total: int) -> Generator[Callable[[int], None]]:
    from rich.console import Console  # noqa: PLC0415 - half of all there is to load, and seldom needed
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)


@contextmanager
def _lines(what: str, total: int) -> Generator[Callable[[int], None]]:
    done, told_at = 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done, told_at
        done += more
        if time.monotonic() - told_at > _LINE_EVERY_SECONDS:
            told_at = time.monotonic()
            beside(f"{what}: {done:,} of {total:,}")

    yield advance
