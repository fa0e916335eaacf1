"""What the database could not take is quoted to nobody."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from tollkeeper.store.database import Database, StatementFailed
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.queries import Statement


@pytest.mark.parametrize("value", ["private \ud800", ["private"]])
async def test_a_value_that_does_not_fit_is_not_quoted_neither_by_driver_nor_by_server(
    dsns: Addresses, value: Any
) -> None:
    as_number = Statement("as_number", "SELECT $1::text::integer", ("text",))
    async with Database.open(dsns.service, size=1, known={"as_number": as_number}) as database:
        for text in (value, "private"):
            with pytest.raises(StatementFailed) as failed:
                await database.value("as_number", text=text)
            told = "".join(traceback.format_exception(failed.value))
            assert "private" not in told
            assert failed.value.sqlstate.startswith("22")
            assert str(failed.value).startswith(
                ("invalid input for query argument $1", "invalid input syntax for type")
            )


@pytest.mark.parametrize("text", ["12345678901", "private: 1", 'private" and: "private', "1 private"])
async def test_whatever_is_in_a_value_of_it_nothing_is_quoted(dsns: Addresses, text: str) -> None:
    reading = {
        "integer": "SELECT $1::text::integer",
        "date": "SELECT $1::text::date",
        "array": "SELECT $1::text::integer[]",
        "json": "SELECT $1::text::json",
        "regex": "SELECT 'x' ~ ('(' || $1::text)",
    }
    known = {name: Statement(name, sql, ("text",)) for name, sql in reading.items()}
    async with Database.open(dsns.service, size=1, known=known) as database:
        for name in reading:
            if (name, text) == ("json", "12345678901"):
                continue
            with pytest.raises(StatementFailed) as failed:
                await database.value(name, text=text)
            told = "".join(traceback.format_exception(failed.value))
            assert "private" not in told
            assert "12345678901" not in told
