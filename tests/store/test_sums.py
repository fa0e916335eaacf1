"""What sums are kept in: wherever a row meets one of its key each of its numbers is added to, and none is forgotten."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

import asyncpg
import pytest

from tollkeeper.store.migrate import ROUTINES

TABLES: Final = (
    *("usage_rollups", "overall_rollups", "left_rollups", "sealed_rollups"),
    *("chat_sessions", "sealed_sessions"),
)
# A statement ends with a semicolon, with its function, or with the brackets of its WITH.
_UPSERT: Final = re.compile(
    rf"INSERT INTO ({'|'.join(TABLES)}) AS (\w) *(?:\(([^)]*)\))?\s*SELECT\b.*?"
    r"ON CONFLICT \([^)]*\) DO UPDATE\s+SET (.*?)(?=;|\$\$|\n +\)[,\n])",
    re.DOTALL,
)


class Upsert(NamedTuple):
    """A statement that adds to rows, as it is written."""

    table: str
    alias: str
    inserted: str
    assignments: str


def upserts_in(sql: str) -> Iterator[Upsert]:
    for found in _UPSERT.findall(sql):
        yield Upsert(*found)


def forgotten(upsert: Upsert, sums: Collection[str]) -> set[str]:
    """Name the columns that an upsert does not insert, or does not add to."""
    added = re.findall(rf"(\w+) += {upsert.alias}\.\1 \+ excluded\.\1\b", upsert.assignments)
    added += re.findall(rf"tk_latencies_sum\({upsert.alias}\.(\w+), excluded\.\1\)", upsert.assignments)
    inserted = re.findall(r"\w+", upsert.inserted) or sums
    return {*sums} - ({*added} & {*inserted})


@pytest.fixture
async def sums(owner: asyncpg.Connection) -> Mapping[str, set[str]]:
    """The columns of each table that are numbers, or counts by bucket, of its rows."""
    rows = await owner.fetch(
        "SELECT c.table_name, c.column_name FROM information_schema.columns AS c WHERE c.table_schema = 'public' "
        "AND c.table_name = ANY ($1) AND c.data_type IN ('integer', 'bigint', 'numeric', 'ARRAY')",
        TABLES,
    )
    return {table: {name for of, name in rows if of == table} for table in TABLES}


def upserts() -> list[Upsert]:
    return [each for path in sorted(ROUTINES.glob("*.sql")) for each in upserts_in(path.read_text(encoding="utf-8"))]


def test_every_statement_that_adds_is_looked_at() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in ROUTINES.glob("*.sql"))
    assert len(upserts()) == written.count(" + excluded.cost_nanos") >= 10
    assert {each.table for each in upserts()} == {*TABLES}


def test_no_number_is_forgotten_where_rows_meet(sums: Mapping[str, set[str]]) -> None:
    assert [(each.table, missing) for each in upserts() if (missing := forgotten(each, sums[each.table]))] == []


def test_a_number_that_is_forgotten_is_seen(sums: Mapping[str, set[str]]) -> None:
    for each in upserts():
        assert forgotten(each, {*sums[each.table], "another"}) == {"another"}
        for name in sums[each.table]:
            less = re.sub(rf"\b{name}(?= += )", "other", each.assignments).replace(f".{name},", ".other,")
            assert forgotten(each._replace(assignments=less), sums[each.table]) == {name}
