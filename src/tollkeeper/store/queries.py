"""The statements of the service: every ``-- name:`` in ``sql/*.sql``, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from aiosql.adapters.asyncpg import AsyncPGAdapter
from aiosql.query_loader import QueryLoader

from tollkeeper.errors import Misconfigured

SQL: Final = Path(__file__).parent / "sql"

# aiosql takes a quote in such a comment for the start of a string, and leaves the :values after it as they are.
_QUOTE_IN_COMMENT: Final = re.compile(r"^\s*[^\s-].*--.*['\"]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One named statement, with ``$1, $2, ...`` where its file says ``:name``."""

    name: str
    sql: str
    parameters: tuple[str, ...]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Put the values into the order of the placeholders: each is there, and no other."""
        if len(values) != len(self.parameters):
            raise TypeError(f"the statement {self.name} takes {sorted(self.parameters)}, got {sorted(values)}")
        return [values[parameter] for parameter in self.parameters]


@cache
def statements(directory: Path = SQL) -> Mapping[str, Statement]:
    """Read all statements of a directory. A name that stands twice is refused: one of the two would silently win."""
    found: dict[str, Statement] = {}
    for path in sorted(directory.glob("*.sql")):
        for statement in _read(path):
            if statement.name in found:
                raise Misconfigured(f"the statement {statement.name} stands twice, once in {path.name}")
            found[statement.name] = statement
    return found


def _read(path: Path) -> Iterator[Statement]:
    text = path.read_text(encoding="utf-8")
    if trap := _QUOTE_IN_COMMENT.search(text):
        raise Misconfigured(f"{path.name}: give the comment a line of its own, it holds a quote: {trap[0].strip()}")
    adapter = AsyncPGAdapter()
    # aiosql's own protocol does not fit its own adapter for the type checker.
    loader = QueryLoader(cast("Any", adapter), None, mandatory_parameters=False)
    for read in loader.load_query_data_from_sql(text, [], path):
        parameters = cast("list[str]", adapter.var_sorted[read.query_name])  # pyright: ignore[reportUnknownMemberType]
        yield Statement(read.query_name, read.sql, tuple(parameters))


def column(values: list[Any]) -> list[Any] | None:
    """Give an array of a set's values, one for each item; none at all where no item has one.

    The driver looks at each member of an array and the server unpacks them, for nothing where all are null.
    """
    for value in values:
        if value is not None:
            return values
    return None
