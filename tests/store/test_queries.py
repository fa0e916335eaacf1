"""Reading the statements from their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tollkeeper.errors import Misconfigured
from tollkeeper.store.queries import column, statements


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    for file in ("a.sql", "b.sql"):
        (tmp_path / file).write_text("-- name: twin\nSELECT 1;\n")
    with pytest.raises(Misconfigured, match="twin stands twice"):
        statements(tmp_path)


def test_a_quote_in_a_comment_behind_sql_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: trapped\nSELECT 1  -- the user's own\n WHERE :id = 1;\n")
    with pytest.raises(Misconfigured, match="line of its own"):
        statements(tmp_path)


def test_a_value_used_twice_is_sent_once(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: twice\n-- It's fine here: a whole line.\nSELECT :a::int, :b::int, :a;\n")
    twice = statements(tmp_path)["twice"]
    assert twice.sql == "SELECT $1::int, $2::int, $1;"
    assert twice.arguments({"b": 2, "a": 1}) == [1, 2]


@pytest.mark.parametrize("values", [[0], [None, ""], [False, None]])
def test_a_column_with_a_value_is_sent_whole(values: list[Any]) -> None:
    assert column(values) == values


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_a_column_without_a_value_is_not_sent(values: list[Any]) -> None:
    assert column(values) is None
