"""Reads for somebody who may leave meanwhile: then PostgreSQL goes on with none of them either."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import asyncpg

from tollkeeper.store.database import Database, Run, Statements


class Reads(Statements):
    """Statements that only read, each cancelled in PostgreSQL when ``departure`` comes before its answer.

    What was cancelled raises ``Unavailable``. Each is a transaction, in which PostgreSQL refuses to write; and a pooler
    lends its server to nobody else before that has ended, which is after the cancel has come.
    """

    def __init__(self, database: Database, departure: asyncio.Future[None]) -> None:
        self._database = database
        self._departure = departure

    async def _run(self, name: str, values: Mapping[str, Any], how: Run) -> Any:
        async with self._database.transaction(read_only=True) as tx:
            within = cast("Statements", tx)
            return await within._run(name, values, partial(_unless, self._departure, how))  # noqa: SLF001 - it is of the same kind


async def _unless(
    departure: asyncio.Future[None], how: Run, connection: asyncpg.Connection, sql: str, *arguments: Any
) -> Any:
    """Run a statement; at the departure have the driver send a cancel.

    It sends nothing else on this connection (as the ROLLBACK that follows) before the server has taken the cancel and
    the cancelled statement has ended: so no cancel comes late.
    """
    asked = asyncio.ensure_future(how(connection, sql, *arguments))
    try:
        await asyncio.wait((asked, departure), return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
    await asyncio.wait((asked,))
    if asked.cancelled():
        raise asyncpg.QueryCanceledError("whoever asked has left")
    return asked.result()
