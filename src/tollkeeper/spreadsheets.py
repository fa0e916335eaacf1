"""CSV for spreadsheets: rows in which no cell can act as a formula."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

__all__ = ["csv_rows"]

# What programs that calculate take for the beginning of a formula, or skip on their way to one.
# Those of full width are the same to them where people type such.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# What separates cells, also where a comma does not: in such places a part of a cell would be a cell of its own.
_NEEDS_QUOTES: Final = re.compile(r'[",;\t\r\n]')

_encode = msgspec.json.Encoder(decimal_format="number").encode


def csv_rows(rows: Iterable[Iterable[Any]]) -> bytes:
    """Write lines of a table."""
    return "".join(_row([_quoted(_cell(each)) for each in cells]) for cells in rows).encode()


def _row(cells: Sequence[str]) -> str:
    # One empty cell alone would be no row.
    return f"{','.join(cells) if len(cells) != 1 or cells[0] else _quoted('', always=True)}\r\n"


def _quoted(cell: str, *, always: bool = False) -> str:
    if not always and _NEEDS_QUOTES.search(cell) is None:
        return cell
    return '"' + cell.replace('"', '""') + '"'


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
        case Decimal():
            return f"{value:f}"
        case _:
            return _encode(value).decode().strip('"')
