"""Tables that spreadsheets read, however they part cells."""

from __future__ import annotations

import csv
import io

import pytest

from tollkeeper.spreadsheets import csv_rows


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_what_may_begin_a_formula_is_guarded(start: str) -> None:
    ((cell,),) = csv.reader(io.StringIO(csv_rows([[f"{start}1"]]).decode(), newline=""))
    assert cell == f"'{start}1"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_part_of_a_cell_is_a_cell_where_another_separator_is_meant(separator: str) -> None:
    cell = f"a{separator}=1"
    assert csv_rows([[cell, 1]]) == f'"{cell}",1\r\n'.encode()
    rows = csv.reader(io.StringIO(csv_rows([[cell]]).decode(), newline=""), delimiter=separator)
    assert list(rows) == [[cell]]


def test_a_table_is_read_as_it_was_written() -> None:
    rows = [["", "a", 'b"c'], ["d\r\ne", "f;g", ""], ["", "", ""]]
    assert list(csv.reader(io.StringIO(csv_rows(rows).decode(), newline=""))) == rows
    assert list(csv.reader(io.StringIO(csv_rows([[None], ["x"]]).decode(), newline=""))) == [[""], ["x"]]
