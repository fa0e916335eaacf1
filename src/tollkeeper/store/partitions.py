"""Partitions by month, made ahead of time by the owner: the service's role may not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, cast

import asyncpg

from tollkeeper.errors import Unavailable
from tollkeeper.store.connections import PINNED

# "partitio" in ASCII: of many nodes one makes them, the others then find them made.
_LOCK: Final = 0x706172746974696F
_CONNECT_SECONDS: Final = 10
_SETTINGS: Final = {
    "application_name": "tollkeeper partitions",
    **PINNED,
    # Everyone who starts a request waits behind whoever waits for this table: give up soon and come again.
    "lock_timeout": "2000",
    "statement_timeout": "60000",
}
_ENSURE: Final = """
WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock($1))
SELECT tk_ensure_partitions(tk_now(), tk_now() + $2::interval) FROM alone
"""


async def ensure_partitions(owner_dsn: str, *, ahead: timedelta) -> int:
    """Make the partitions of this month and of those that begin within ``ahead``; says how many were missing."""
    try:
        connection: Any = await asyncpg.connect(
            owner_dsn, server_settings=_SETTINGS, timeout=_CONNECT_SECONDS, statement_cache_size=0
        )
        try:
            return cast("int", await connection.fetchval(_ENSURE, _LOCK, ahead))
        finally:
            await connection.close(timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"partitions could not be made: {error}") from error
