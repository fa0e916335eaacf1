"""Partitions by month, made ahead of time by the owner: the service's role may not."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import asyncpg

from tollkeeper.errors import Misconfigured, Unavailable
from tollkeeper.store.connections import directly
from tollkeeper.store.database import StatementFailed, guarded

# "partitio" in ASCII: of many nodes one makes them, the others then find them made.
_LOCK: Final = 0x706172746974696F
_PURPOSE: Final = "partitions"
# Everyone who starts a request waits behind whoever waits for this table: give up soon and come again.
_SESSION: Final = {"lock_timeout": "2000", "statement_timeout": "60000"}
_ENSURE: Final = """
WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock($1))
SELECT tk_ensure_partitions(tk_now(), tk_now() + $2::interval) FROM alone
"""


async def ensure_partitions(owner_dsn: str, *, ahead: timedelta) -> int:
    """Make the partitions of this month and of those that begin within ``ahead``; says how many were missing.

    ``Unavailable`` whatever the reason: what comes meanwhile stays in the default one, and nobody need wait for it.
    """
    try:
        async with directly(owner_dsn, _PURPOSE, **_SESSION) as owner:
            return await guarded(owner, asyncpg.Connection.fetchval, _ENSURE, _LOCK, ahead)
    except (Misconfigured, StatementFailed) as error:
        raise Unavailable(f"partitions could not be made: {error}") from error
