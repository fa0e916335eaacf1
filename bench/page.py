"""docs/performance.md, made from the figures: nothing in it is typed by hand but notes.md and the method."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench import plots
from bench.figures import Contender, Kept, Measure, Measured, Seen
from bench.peers import page as peers
from bench.turns import shown

_HERE: Final = Path(__file__).parent


def write(into: Path, kept: Kept, measures: Sequence[Measure]) -> None:
    """Write the page and its plots beside the JSON file."""
    directory = into / "performance"
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.svg"):
        old.unlink()
    for name, drawing in plots.drawn(kept).items():
        (directory / f"{name}.svg").write_text(drawing, encoding="utf-8")
    notes = notes_of((_HERE / "notes.md").read_text(encoding="utf-8"))
    (into / "performance.md").write_text(text(kept, measures, notes, peers.section().strip()), encoding="utf-8")


def notes_of(written: str) -> dict[str, str]:
    """Read notes.md: a section for each measure, by its name."""
    parts = re.split(r"^## (\S+)\n", written, flags=re.MULTILINE)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def text(kept: Kept, measures: Sequence[Measure], notes: Mapping[str, str], beside: str = "") -> str:
    """Write the whole page; ``beside`` is the section about what else one can install."""
    seen = [(each.name, kept.measures[each.name]) for each in measures if each.name in kept.measures]
    method = (_HERE / "method.md").read_text(encoding="utf-8").strip()
    parts = [
        "# Performance",
        "<!-- Made by `make bench`; the words come from bench/method.md and bench/notes.md. -->",
        notes.get("summary", ""),
        "## The bars",
        "\n".join(_table(seen)),
        *_shortfalls(seen, notes),
        "## The figures",
        *(part for name, measured in seen for part in _section(name, measured, notes.get(name, ""))),
        beside,
        method,
        "## Machine and versions",
        "\n".join(_machines(seen)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(seen: Sequence[tuple[str, Measured]]) -> Iterator[str]:
    yield "| what | against | bar | seen | | taken |"
    yield "|---|---|---|---|---|---|"
    for name, measured in seen:
        for line in measured.comparisons:
            bar = f"{line.sense} {line.bar:g}"
            seen_in = _told(measured.seen(line))
            yield f"| [{line.what}](#{name}) | {line.against} | {bar} | {seen_in} | {_taken(measured)} |"


def _taken(measured: Measured) -> str:
    """Say when, and of which commit: they may differ from line to line."""
    return f"{measured.taken_at[:10]}, `{measured.machine.get('commit', '')}`"


def _told(seen: Seen | None) -> str:
    if seen is None:
        return "no figure | -"
    verdict = f"{'met' if seen.is_met else '**not met**'}, in {seen.rounds_met} of {seen.rounds} rounds"
    return f"**{shown(seen.ratio)}** ({shown(min(seen.ratios))} to {shown(max(seen.ratios))}) | {verdict}"


def _shortfalls(seen: Sequence[tuple[str, Measured]], notes: Mapping[str, str]) -> Iterator[str]:
    short = [
        found
        for _, measured in seen
        for line in measured.comparisons
        if (found := measured.seen(line)) is not None and not found.is_met
    ]
    if short or notes.get("shortfalls"):
        yield "## What falls short"
    if short:
        yield "\n".join(
            f"- {each.line.what}, against {each.line.against}: {shown(each.ratio)}, and the bar is {each.line.sense}"
            f" {each.line.bar:g}."
            for each in short
        )
    if notes.get("shortfalls"):
        yield notes["shortfalls"]


def _section(name: str, measured: Measured, note: str) -> Iterator[str]:
    yield f'<a id="{name}"></a>\n\n### {measured.title}'
    for plot, label in plots.names(name, measured):
        yield f"![{label}](performance/{plot}.svg)"
    yield "\n".join(_rounds(measured.contenders))
    if curves := [each for each in measured.contenders if each.curves]:
        yield "\n".join(_percentiles(curves))
    yield note
    yield "\n".join(f"- A run without a figure: {each}" for each in measured.failures)
    yield f"{_settings(measured.settings)}; `{measured.machine.get('commit', '')}`, {measured.taken_at}."


def _rounds(contenders: Sequence[Contender]) -> Iterator[str]:
    yield "| | unit | median | min | max | rounds |"
    yield "|---|---|---|---|---|---|"
    for each in contenders:
        figures = (each.median, min(each.figures), max(each.figures)) if each.figures else ()
        cells = [shown(figure) for figure in figures] or ["no figure", "", ""]
        yield f"| {each.name} | {each.unit} | {' | '.join(cells)} | {len(each.figures)} |"


def _percentiles(contenders: Sequence[Contender]) -> Iterator[str]:
    curves = {each.name: dict(plots.median_curve(each)) for each in contenders}
    percents = sorted({percent for curve in curves.values() for percent in curve})
    yield "| ms, median of the rounds | " + " | ".join(_percent(percent) for percent in percents) + " |"
    yield "|---" * (len(percents) + 1) + "|"
    for name, curve in curves.items():
        yield f"| {name} | " + " | ".join(shown(curve[each]) if each in curve else "-" for each in percents) + " |"


def _percent(percent: float) -> str:
    return {0.0: "min", 100.0: "max"}.get(percent, f"p{percent:g}")


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{_words(name)} {_value(value)}" for name, value in settings.items())


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _value(value: Any) -> str:
    match value:
        case dict():
            return "(" + ", ".join(f"{key}: {_value(each)}" for key, each in value.items()) + ")"  # pyright: ignore[reportUnknownVariableType]
        case list():
            return ", ".join(_value(each) for each in value)  # pyright: ignore[reportUnknownVariableType]
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _machines(seen: Sequence[tuple[str, Measured]]) -> Iterator[str]:
    """List each machine with what was measured on it; mostly there is one."""
    told: dict[str, list[str]] = {}
    for name, measured in seen:
        described = {key: value for key, value in measured.machine.items() if key not in {"commit", "bodies"}}
        told.setdefault(_settings(described), []).append(name)
    for description, names in told.items():
        yield f"- {', '.join(names)}: {description}."
    for measured in [measured for _, measured in seen][:1]:
        yield f"- The bodies: {_settings(measured.machine.get('bodies', {}))}."
