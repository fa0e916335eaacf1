"""What must hold in the database after whatever was done to the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.faults.callers import Load
from tests.faults.nodes import Site, connected, until

# Each names what is half-done; none may find a row.
_HALF_DONE = {
    "a request twice under one name": """
        SELECT client_id FROM chat_requests WHERE client_id IS NOT NULL
         GROUP BY user_id, client_id HAVING count(*) > 1""",
    "a request without its key": """
        SELECT r.client_id FROM chat_requests AS r
         WHERE r.client_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM request_keys AS k WHERE k.user_id = r.user_id AND k.request_id = r.id
                                                           AND k.namespace = 'request' AND k.key = r.client_id)""",
    "a key without its request": """
        SELECT k.key FROM request_keys AS k
         WHERE NOT EXISTS (SELECT FROM chat_requests AS r WHERE r.user_id = k.user_id AND r.id = k.request_id)""",
    "analytics without a finish, or a finish without analytics": """
        SELECT r.client_id FROM chat_requests AS r
          FULL JOIN request_analytics AS a ON a.user_id = r.user_id AND a.id = r.id
         WHERE (a.id IS NOT NULL) <> (coalesce(r.status, 'pending') <> 'pending')""",
    "a user whose requests were counted wrongly": """
        SELECT u.user_id FROM usage AS u
         WHERE (u.total_requests, u.total_completed)
            <> (SELECT count(*), count(*) FILTER (WHERE r.status = 'completed')
                  FROM chat_requests AS r WHERE r.user_id = u.user_id)""",
}
_STORED = """
    SELECT r.client_id, r.id::text, r.status, r.tokens_used, i.value AS email
      FROM chat_requests AS r
      JOIN user_identities AS i ON i.user_id = r.user_id AND i.kind = 'email'
     WHERE r.client_id LIKE $1 || '-%'"""
_HELD = """
    SELECT u.user_id FROM usage AS u JOIN user_identities AS i USING (user_id) WHERE i.value = $1 FOR UPDATE OF u"""
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tollkeeper' AND wait_event_type = 'Lock'"
_LEFT_OPEN = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"


async def audit(site: Site) -> None:
    """Nothing is half-done, every derived number equals its rows, and no node met what it had not foreseen."""
    async with connected(site) as admin:
        for what, query in _HALF_DONE.items():
            assert await admin.fetch(query) == [], what
        await nothing_left_open(admin)
    found = await site.run("verify")
    assert (found["ok"], found["differences"]) == (True, [])
    assert [each for each in site.said() if "exception" in each] == []


async def nothing_left_open(admin: asyncpg.Connection) -> None:
    """No session waits within a transaction, but for the instant between two statements."""

    async def is_closed() -> bool:
        return await admin.fetchval(_LEFT_OPEN) == 0

    await until(is_closed)


async def all_is_stored_once(load: Load, site: Site) -> None:
    """What was acknowledged is there, as it was told, and there is nothing else."""
    async with connected(site) as admin:
        rows = await admin.fetch(_STORED, load.name)
    stored = {row["client_id"]: row for row in rows}
    assert len(stored) == len(rows)
    assert stored.keys() == load.starts.keys() == load.finishes.keys()
    assert [name for name, row in stored.items() if _of_row(row) != _as_told(load, name)] == []
    users = Counter(row["email"] for row in rows)
    assert users == Counter(load.user_of(name) for name in load.starts)


def _of_row(row: asyncpg.Record) -> tuple[Any, ...]:
    return (row["id"], row["status"], row["tokens_used"], row["email"])


def _as_told(load: Load, name: str) -> tuple[Any, ...]:
    told = load.finishes[name].told
    assert told["id"] == load.starts[name].told["id"]
    return (told["id"], told["status"], told["tokensUsed"], load.user_of(name))


@asynccontextmanager
async def held_up(site: Site, user: str) -> AsyncGenerator[asyncpg.Connection]:
    """Hold a user's usage row, so that whatever is to be decided for them waits for the end of the block."""
    async with connected(site) as admin:
        await admin.execute("BEGIN")
        assert await admin.fetchval(_HELD, user)
        yield admin
        await admin.execute("ROLLBACK")


async def somebody_waits(admin: asyncpg.Connection) -> None:
    """Wait until a deciding statement waits for a lock."""

    async def is_somebody() -> bool:
        # Within a transaction the first look would be remembered.
        await admin.execute("SELECT pg_stat_clear_snapshot()")
        return await admin.fetchval(_WAITING) > 0

    await until(is_somebody)
