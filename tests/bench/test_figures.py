from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as bench_command
from bench import figures, page, plots
from bench.course import Wishes
from bench.figures import Comparison, Contender, Kept, Measure, Measured, Seen
from bench.measures import ALL
from bench.programs import Failed
from bench.turns import Figure, contend, in_turn, shown

LINE = Comparison("pairs/s", "pgbench", ">=", 2.0, "ours", "theirs")
BOUND = Comparison("memory", "(MB)", "<=", 120, "ours")


def measured(ours: list[float | None], theirs: list[float | None]) -> Measured:
    curve = [(50.0, 1.0), (90.0, 2.0), (99.0, 4.0), (99.9, 20.0)]
    contenders = [Contender("ours", "ms", ours, [curve]), Contender("theirs", "ms", theirs, [curve])]
    return Measured(
        "A & B",
        contenders,
        [LINE, BOUND],
        {"users": 1000, "byClients": {"4": 1.5}},
        taken_at="2026-11-28 10:00 UTC",
        machine={"commit": "abc"},
    )


def seen(line: Comparison, ours: list[float | None], theirs: list[float | None]) -> Seen:
    found = measured(ours, theirs).seen(line)
    assert found is not None
    return found


def test_a_ratio_is_the_median_of_those_of_the_rounds_which_ran_side_by_side() -> None:
    found = seen(LINE, [10, 30, 20], [5, 10, 40])
    assert (found.ratio, found.ratios) == (2.0, [2.0, 3.0, 0.5])
    assert (found.is_met, found.rounds_met) == (True, 2)


def test_a_round_without_a_figure_leaves_the_others_side_by_side() -> None:
    found = seen(LINE, [10, None, 30, 8], [5, 10, 10, None])
    assert (found.ratios, found.rounds_met, found.rounds) == ([2.0, 3.0], 2, 4)


def test_a_figure_against_a_bound_is_itself() -> None:
    assert seen(BOUND, [100, 90, 130], []).ratio == 100


def test_without_a_figure_on_one_side_there_is_no_ratio() -> None:
    assert measured([10], []).seen(LINE) is None
    assert measured([10], [None]).seen(LINE) is None
    assert "no figure" in page.text(Kept({"pairs": measured([10], [])}), ALL, {})


@pytest.mark.parametrize(("line", "ratio", "met"), [(LINE, 2.0, True), (LINE, 1.99, False), (BOUND, 121, False)])
def test_a_bar_is_met_when_it_is_reached(line: Comparison, ratio: float, *, met: bool) -> None:
    assert Seen(line, [ratio], 1).is_met == met


def test_figures_that_were_written_are_read_again(tmp_path: Path) -> None:
    kept = Kept({"pairs": measured([1.5], [2.5])})
    figures.write(tmp_path / "performance.json", kept)
    assert figures.read(tmp_path / "performance.json") == kept
    assert figures.read(tmp_path / "none.json") == Kept({})


def test_the_page_tells_each_bar_and_what_falls_short() -> None:
    text = page.text(Kept({"pairs": measured([10, 10], [10, 10])}), ALL, {"pairs": "A note.", "summary": "In short."})
    row = "| [pairs/s](#pairs) | pgbench | >= 2 | **1.00** (1.00 to 1.00) | **not met**, in 0 of 2 rounds |"
    assert f"{row} 2026-11-28, `abc` |" in text
    assert "- pairs/s, against pgbench: 1.00, and the bar is >= 2." in text
    assert "In short." in text
    assert "A note." in text


def test_every_plot_on_the_page_is_drawn(tmp_path: Path) -> None:
    page.write(tmp_path, Kept({"pairs": measured([10], [5]), "reads": measured([7], [])}), ALL)
    text = (tmp_path / "performance.md").read_text()
    drawn = {path.name for path in (tmp_path / "performance").iterdir()}
    assert drawn == {"pairs.svg", "pairs-percentiles.svg", "reads.svg", "reads-percentiles.svg"}
    assert all(f"(performance/{name})" in text for name in drawn)


def test_a_plot_escapes_what_it_is_told() -> None:
    drawing = plots.bars("A & B", measured([10], [5]).contenders, {"ours"})
    assert "A &amp; B" in drawing
    assert "A & B" not in drawing


def test_notes_stand_under_their_names() -> None:
    assert page.notes_of("<!-- -->\n## summary\nOne.\n\nTwo.\n## pairs\nThree.\n") == {
        "summary": "One.\n\nTwo.",
        "pairs": "Three.",
    }


def test_every_note_belongs_to_a_measure() -> None:
    notes = page.notes_of((Path(page.__file__).parent / "notes.md").read_text())
    assert set(notes) <= {each.name for each in ALL} | {"summary", "shortfalls"}


def test_names_of_measures_differ() -> None:
    assert len({each.name for each in ALL}) == len(ALL)
    assert all(isinstance(each, Measure) for each in ALL)


async def test_contenders_take_turns_and_a_failed_run_has_no_figure() -> None:
    order: list[str] = []

    async def good() -> Figure:
        order.append("A")
        return Figure(len(order))

    async def bad() -> Figure:
        order.append("B")
        if len(order) == 3:
            raise Failed("1 acknowledged and 0 stored")
        return Figure(1)

    one, other = contend("A", "ms", good), contend("B", "ms", bad)
    failures = await in_turn([one, other], 2)
    assert "".join(order) == "ABBAAB"
    assert one.contender.rounds == [4, 5]
    assert other.contender.rounds == [None, 1]
    assert failures == ["B, round 1: 1 acknowledged and 0 stored"]


async def broken(_: Wishes) -> Measured:
    raise Failed("verify found 3 differences")


async def whole(_: Wishes) -> Measured:
    return measured([10, 10], [5, 5])


def test_what_fails_as_a_whole_has_no_figure_and_none_of_before_stands_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_command, "ALL", [Measure("pairs", "pairs", whole)])
    monkeypatch.setattr(bench_command, "_DOCS", tmp_path)
    bench_command.measure("pairs", write=True)
    assert figures.read(tmp_path / "performance.json").measures["pairs"].contenders
    monkeypatch.setattr(bench_command, "ALL", [Measure("pairs", "pairs", broken)])
    with pytest.raises(SystemExit, match="no figures: pairs"):
        bench_command.measure("pairs", write=True)
    kept = figures.read(tmp_path / "performance.json").measures["pairs"]
    assert (kept.contenders, kept.failures) == ([], ["all: verify found 3 differences"])
    text = (tmp_path / "performance.md").read_text()
    assert "no figure" in text
    assert "verify found 3 differences" in text
    assert "verify found 3 differences" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"rounds": 0}, "--rounds"), ({"seconds": 0.1}, "--seconds"), ({"rows": 5}, "--rows"),
        ({"write": True, "rounds": 1}, "5 rounds"), ({"write": True, "seconds": 1.0}, "4 s"),
    ],
)  # fmt: skip
def test_too_little_to_say_anything_is_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(SystemExit, match=named):
        bench_command.measure("pairs", **options)


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123")])
def test_figures_are_shown_with_as_many_digits_as_mean_something(value: float, text: str) -> None:
    assert shown(value) == text
