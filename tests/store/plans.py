"""What a statement did to find its rows: by its plan, and by what the server itself counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

import asyncpg

from tollkeeper.store.queries import Statement, statements

# Of the transaction at hand: rows that were found by walking a table and entries that were taken from an index, wanted
# or not, of all partitions together; and how often one or the other was begun. Statements within functions count too.
_READ: Final = """
SELECT regexp_replace(coalesce(t.relname, c.relname), '_(default|\\d{4}_\\d\\d)$', '') AS name,
       sum(pg_stat_get_xact_tuples_returned(c.oid))::bigint AS rows,
       sum(pg_stat_get_xact_numscans(c.oid))::bigint AS scans
  FROM pg_class AS c
  LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
  LEFT JOIN pg_class AS t ON t.oid = i.indrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')
 GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, by table: rows, and how often it was begun."""

    rows: Counter[str] = field(default_factory=Counter[str])
    scans: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that was carried out, and what that read."""

    nodes: Sequence[Mapping[str, Any]]
    read: Reading

    @property
    def rows(self) -> int:
        """How many rows were read of all tables, wanted or not."""
        return self.read.rows.total()

    @property
    def walked(self) -> set[str]:
        """Which tables were read from one end to the other and had rows."""
        return {node["Relation Name"] for node in self.nodes if node["Node Type"] == "Seq Scan" and _read(node)}

    @property
    def sorted(self) -> int:
        """How many rows the largest sort took."""
        sorts = [node for node in self.nodes if node["Node Type"] in {"Sort", "Incremental Sort"}]
        taken = [below["Actual Rows"] * below["Actual Loops"] for node in sorts for below in node["Plans"]]
        return round(max(taken, default=0))


class Reader:
    """A session that keeps every statement prepared, as the service does, and tells what each of them reads."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self._prepared: set[str] = set()

    async def plan(self, name: str, **values: Any) -> Plan:
        """Carry a statement out as it was prepared, and take back what it did."""
        statement = statements()[name]
        await self._prepare(statement)
        given = ", ".join(_literal(value) for value in statement.arguments(values))
        explain = f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON) EXECUTE held_{name}"
        async with self.reading() as read:
            told: str = await self.connection.fetchval(f"{explain} ({given})" if given else explain)
        return Plan(list(_nodes(json.loads(told)[0]["Plan"])), read)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Reading]:
        """Tell at the end of the block what it has read, and take back what it did."""
        await self.connection.execute("BEGIN")
        try:
            before, read = await self._read(), Reading()
            yield read
            after = await self._read()
            read.rows.update(after.rows - before.rows)
            read.scans.update(after.scans - before.scans)
        finally:
            await self.connection.execute("ROLLBACK")

    async def _prepare(self, statement: Statement) -> None:
        if statement.name not in self._prepared:
            await self.connection.execute(f"PREPARE held_{statement.name} AS {statement.sql}")
            self._prepared.add(statement.name)

    async def _read(self) -> Reading:
        rows = await self.connection.fetch(_READ)
        return Reading(
            Counter({row["name"]: row["rows"] for row in rows}), Counter({row["name"]: row["scans"] for row in rows})
        )


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _read(node: Mapping[str, Any]) -> float:
    """Count the rows out of a scan and those that it threw away; both are told as means of its loops."""
    return (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]


def _literal(value: object) -> str:
    """Write a value into an EXECUTE, which takes no parameters of its own."""
    return "NULL" if value is None else "'" + _text(value).replace("'", "''") + "'"


def _text(value: object) -> str:
    match value:
        case bytes():
            return "\\x" + value.hex()
        case datetime():
            return value.isoformat()
        case timedelta():
            return f"{value.total_seconds()} seconds"
        case list():
            quoted = (_text(each).replace("\\", "\\\\") for each in cast("list[object]", value))
            return "{" + ",".join(f'"{each}"' for each in quoted) + "}"
        case _:
            return str(value)
