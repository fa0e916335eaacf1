"""``python -m bench``: measure tollkeeper beside named comparators, and write what was seen."""

from __future__ import annotations

import asyncio
import signal
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter

from bench import figures, page
from bench.course import Wishes
from bench.figures import Kept, Measure, Measured
from bench.machine import machine
from bench.measures import ALL
from bench.programs import ROOT, Failed
from bench.turns import say, shown

_DOCS: Final = ROOT / "docs"
_FILE: Final = "performance.json"
_STOPS: Final = (signal.SIGINT, signal.SIGTERM)
_FEWEST_ROUNDS: Final = 5
_SHORTEST_SECONDS: Final = 4
_FEWEST_ROWS: Final = 100_000

app = App(name="python -m bench", help=__doc__, version_flags=())


@app.default
def measure(
    *names: Annotated[str, Parameter(help="What to measure (see --list); all without.")],
    rounds: Annotated[int, Parameter(help="Of each contender, in turn.")] = 5,
    seconds: Annotated[float, Parameter(help="Of each round.")] = 8,
    rows: Annotated[int, Parameter(help="Of the large ledger in `growth`.")] = 1_000_000,
    quick: Annotated[bool, Parameter(help="Only try whether everything runs; nothing is written to docs.")] = False,
    write: Annotated[bool, Parameter(help="Write docs/performance.json, .md and the plots.")] = False,
    json: Annotated[bool, Parameter(help="Print the figures as JSON at the end.")] = False,
    list: Annotated[bool, Parameter(help="List what can be measured.")] = False,  # noqa: A002 - the option's name
    data: Annotated[Path, Parameter(help="Where databases stand meanwhile: on a disk, not in memory.")] = ROOT
    / ".bench",
) -> None:
    """Measure, contender after contender in turn, and check the ledger after every run."""
    if list:
        for each in ALL:
            print(f"{each.name:14} {each.says}")
        return
    known = {each.name: each for each in ALL}
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"no measure is called {', '.join(unknown)}; there are {', '.join(known)}")
    wishes = Wishes(rounds=rounds, seconds=seconds, rows=rows, data=data.resolve())
    _refuse_too_little(wishes, is_written=write and not quick)
    into = data.resolve() / "quick" if quick else _DOCS
    chosen = [known[name] for name in names] or ALL
    kept = _run(chosen, wishes.quick() if quick else wishes, into, is_written=write or quick)
    if json:
        print(msgspec.json.format(msgspec.json.encode(kept)).decode())
    if without := [each.name for each in chosen if not kept.measures[each.name].contenders]:
        raise SystemExit(f"no figures: {', '.join(without)}")


def _refuse_too_little(wishes: Wishes, *, is_written: bool) -> None:
    """Refuse what says nothing: at all, or not enough for what others shall trust."""
    if wishes.rounds < 1 or wishes.seconds < 1 or wishes.rows < _FEWEST_ROWS:
        raise SystemExit(f"--rounds and --seconds are at least 1, --rows at least {_FEWEST_ROWS:,}")
    if is_written and (wishes.rounds < _FEWEST_ROUNDS or wishes.seconds < _SHORTEST_SECONDS):
        raise SystemExit(
            f"docs are written from at least {_FEWEST_ROUNDS} rounds of {_SHORTEST_SECONDS} s:"
            " leave --write out, or try --quick"
        )


@app.command(name="page")
def write_page() -> None:
    """Write docs/performance.md and the plots anew from docs/performance.json."""
    page.write(_DOCS, figures.read(_DOCS / _FILE), ALL)


def _run(chosen: Sequence[Measure], wishes: Wishes, into: Path, *, is_written: bool) -> Kept:
    kept = figures.read(into / _FILE)
    here = machine()  # as it was before anything was written
    for each in chosen:
        say(f"== {each.name}: {each.says}")
        began = datetime.now(UTC)
        measured = _measured(each, wishes, kept.measures.get(each.name))
        measured.taken_at = f"{began:%Y-%m-%d %H:%M} UTC"
        measured.machine = here
        _tell(measured)
        kept.measures[each.name] = measured
        if is_written:
            figures.write(into / _FILE, kept)
            page.write(into, kept, ALL)
    return kept


def _measured(one: Measure, wishes: Wishes, before: Measured | None) -> Measured:
    """Measure; where that fails as a whole, no figure of before stands for it either."""
    try:
        measured = asyncio.run(_until_stopped(one, wishes))
    except Failed as failure:
        why = str(failure)
    except Exception:  # noqa: BLE001 - whoever left it alone shall find the figures of the others
        why = traceback.format_exc()
    else:
        measured.settings["rounds"] = wishes.rounds
        return measured
    say(f"{one.name} has no figures: {why}")
    title, lines = (before.title, before.comparisons) if before else (one.says, [])
    return Measured(title, [], lines, {}, [f"all: {why.strip().splitlines()[-1]}"])


async def _until_stopped(one: Measure, wishes: Wishes) -> Measured:
    """Measure; Ctrl-C and SIGTERM cancel, once, so that everything that was started is stopped to its end."""
    running = asyncio.ensure_future(one.run(wishes))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for each in _STOPS:
            loop.add_signal_handler(each, lambda: None)
        running.cancel()

    for each in _STOPS:
        loop.add_signal_handler(each, stop)
    try:
        return await running
    except asyncio.CancelledError:
        raise SystemExit("stopped") from None


def _tell(measured: Measured) -> None:
    for line in measured.comparisons:
        seen = measured.seen(line)
        if seen is None:
            say(f"   no figure: {line.what}, against {line.against}")
        else:
            verdict = f"{'met' if seen.is_met else 'not met'} in {seen.rounds_met} of {seen.rounds} rounds"
            bar = f"bar {line.sense} {line.bar:g}"
            say(f"   {shown(seen.ratio)} ({bar}, {verdict}): {line.what}, against {line.against}")


if __name__ == "__main__":
    app()
