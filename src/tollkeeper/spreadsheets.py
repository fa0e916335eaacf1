"""CSV for spreadsheets: rows in which no cell can act as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

__all__ = ["csv_rows"]

# What programs that calculate take for the beginning of a formula, or skip on their way to one.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

_encode = msgspec.json.Encoder(decimal_format="number").encode


def csv_rows(rows: Iterable[Iterable[Any]]) -> bytes:
    """Write lines of a table."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows([_cell(each) for each in cells] for cells in rows)
    return written.getvalue().encode()


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
