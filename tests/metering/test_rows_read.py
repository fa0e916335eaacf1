"""What a set costs does not depend on when its plan was made."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from tests.metering.making import PENDING_FOR, a_request, a_user, an_outcome
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses

TABLES = [
    "chat_requests_default",
    "request_analytics_default",
    "request_keys",
    "usage",
    "usage_rollups",
    "chat_sessions",
]

_READ = """
SELECT relname, (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
  FROM pg_stat_user_tables WHERE relname = ANY ($1::text[])
"""
_FILL = """
WITH request AS (
    INSERT INTO chat_requests (id, user_id, session_id, plan_name, version, status,
                               started_on, started_at, expires_at, created_at)
    SELECT tk_uuid7(g.at), $1::uuid, 's-' || g.at, 'pro', 1, 'failed', g.at::date, g.at, g.at, g.at
      FROM generate_series(now() - interval '3000 minutes', now(), interval '1 minute') AS g (at)
    RETURNING id, user_id, session_id, started_at
), key AS (
    INSERT INTO request_keys (user_id, namespace, key, request_id, payload_hash, created_at)
    SELECT r.user_id, 'request', r.id::text, r.id, '', r.started_at FROM request AS r
)
INSERT INTO chat_sessions (user_id, session_id, started_at, last_at)
SELECT r.user_id, r.session_id, r.started_at, r.started_at FROM request AS r
"""
_PAIRS = 20


async def test_a_plan_made_on_empty_tables_reads_few_rows_when_they_have_filled(
    dsns: Addresses, db: Database, owner: asyncpg.Connection
) -> None:
    busy = await a_user(db, "enterprise")
    for table in TABLES:
        # No statistics come to the planner's help, as in the first seconds of a month's partition.
        await owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        await owner.execute(f"VACUUM ANALYZE {table}")

    async with Database.open(dsns.service, size=1) as database, Ledger(database, pending_for=PENDING_FOR) as ledger:
        await _pairs(ledger, busy, "before")
        await owner.execute(_FILL, busy)
        await _pairs(ledger, busy, "after")
    # The connection's end has told how much it read.
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    read = {row[0]: row[1] for row in await owner.fetch(_READ, TABLES)}

    assert read["chat_requests_default"] >= _PAIRS
    assert all(rows < 20 * 2 * _PAIRS for rows in read.values()), read


async def _pairs(ledger: Ledger, user: UUID, name: str) -> None:
    for n in range(_PAIRS):
        await ledger.start(a_request(user, client_id=f"{name}-{n}", session_id=f"{name}-{n}"))
        await ledger.finish(an_outcome(user, f"{name}-{n}", tokens_input=1, tokens_output=1))
        await ledger.finish(an_outcome(user, f"{name}-{n}", None, rated=True, rating=4))
