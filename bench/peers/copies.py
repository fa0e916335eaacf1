"""Many stored requests out of few: a peer's own rows, taken in over its own interface, repeated by SQL.

Neither peer takes in a hundred thousand requests within minutes on a small machine. What a read costs depends on the
rows, not on how they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg


@dataclass(frozen=True, slots=True)
class Table:
    """A table to repeat: which of its rows are originals, and what differs in copy number ``k`` of row ``t``."""

    name: str
    originals: str
    changed: Mapping[str, str]


async def repeat(dsn: str, tables: Sequence[Table], first: int, last: int) -> None:
    """Add the copies with the numbers from ``first`` to ``last``."""
    if last < first:
        return
    connection = await asyncpg.connect(dsn)
    try:
        for table in tables:
            names = [row["column_name"] for row in await connection.fetch(_COLUMNS, table.name)]
            values = [table.changed.get(name, f't."{name}"') for name in names]
            quoted = ", ".join(f'"{name}"' for name in names)
            await connection.execute(
                f"INSERT INTO {table.name} ({quoted})"  # noqa: S608 - all of it is written here
                f" SELECT {', '.join(values)} FROM {table.name} AS t, generate_series({first}, {last}) AS k"
                f" WHERE {table.originals}"
            )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


_COLUMNS = """
SELECT column_name FROM information_schema.columns
 WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'
 ORDER BY ordinal_position
"""
