"""A large ledger, written by a few statements: one long history, a short one of the same shape, a thousand others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

SHORT: Final = 200
OTHERS: Final = 1_000
MONTHS: Final = 14
SESSIONS: Final = 40
MODELS: Final = 5
# Each user has two pending requests; those of so many others are past their deadline.
ABANDONED: Final = 40

# The middle of this month, at this time of the day: of a month with a few rows a plan may rightly read all, and where a
# month has just begun, or the history began as one ended, there is such a month.
_MID_MONTH: Final = """
DO $$
DECLARE
    v_now   timestamptz := clock_timestamp();
    v_ahead interval := date_trunc('month', v_now) + interval '14 days' - date_trunc('day', v_now);
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION tk_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS %L',
                   format('SELECT clock_timestamp() + interval %L', v_ahead));
END
$$
"""
_PARTITIONS: Final = """
SELECT tk_ensure_partitions(tk_now() - make_interval(months => $1), tk_now() + interval '62 days')
"""
_QUIET: Final = """
SELECT format('ALTER TABLE %I SET (autovacuum_enabled = off)', c.relname)
  FROM pg_class AS c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
"""
_USERS: Final = """
CREATE TEMP TABLE people AS
SELECT p.place, p.requests, p.span, tk_add_user(p.email, 'enterprise', 'UTC') AS user_id
  FROM (SELECT 1 AS place, 'long@example.com' AS email, $1::integer AS requests, make_interval(months => $2) AS span
         UNION ALL SELECT 2, 'short@example.com', $3, interval '40 days'
         UNION ALL SELECT 2 + g.n, 'other-' || g.n || '@example.com', 10 + g.n % 11, interval '50 days'
                     FROM generate_series(1, $4::integer) AS g (n)) AS p
"""
# The last two requests of each history are pending. One in ten belongs to no session, one in ten is a session of its
# own, and the others are spread over forty of very different sizes.
_REQUESTS: Final = """
CREATE TEMP TABLE made AS
SELECT p.place, p.user_id, n.n, t.at, tk_uuid7(t.at) AS id, 'c-' || n.n AS client_id,
       CASE n.n % 10 WHEN 0 THEN NULL WHEN 1 THEN 'alone-' || n.n
            ELSE 's-' || floor($1::integer * power((hashint4(n.n)::float8 + 2147483648) / 4294967296, 8))
             END AS session_id,
       'model-' || n.n % $2::integer AS model, 'category-' || n.n % $2 AS category,
       CASE WHEN n.n > p.requests - 2 THEN 'pending' WHEN n.n % 50 = 0 THEN 'failed' ELSE 'completed' END AS status,
       100 + n.n % 900 AS tokens_input, 10 + n.n % 90 AS tokens_output,
       (100 + n.n % 900) * 1000 + (10 + n.n % 90) * 3000 AS cost_nanos, 200 + n.n % 5000 AS duration,
       CASE WHEN n.n % 20 = 1 THEN 1 + n.n % 5 END AS rating,
       t.at + interval '15 minutes' AS expires_at
  FROM people AS p
 CROSS JOIN LATERAL generate_series(1, p.requests) AS n (n)
 CROSS JOIN LATERAL (SELECT tk_now() - interval '10 seconds'
                             - p.span * ((p.requests - n.n)::float8 / p.requests) AS at) AS t
"""
_PENDING: Final = """
UPDATE made AS m
   SET at = n.now, id = tk_uuid7(n.now),
       expires_at = n.now + CASE WHEN m.place BETWEEN 3 AND 2 + $1::integer THEN interval '1 second'
                                 ELSE interval '1 hour' END
  FROM (SELECT tk_now() - interval '10 seconds' AS now) AS n
 WHERE m.status = 'pending'
"""
_FILL: Final = """
INSERT INTO chat_requests (id, user_id, client_id, session_id, prompt, response, model, category, status, tokens_used,
                           cost_nanos, cost_source, computed_nanos, duration, plan_name, version, started_on,
                           started_at, expires_at, completed_at, created_at, unit_prices)
SELECT m.id, m.user_id, m.client_id, m.session_id, 'What is it?', 'It is what it is.', m.model, m.category, m.status,
       f.tokens_input + f.tokens_output, f.cost_nanos, f.source, f.cost_nanos, f.duration, 'enterprise', m.n,
       (m.at AT TIME ZONE 'UTC')::date, m.at, m.expires_at, m.at + f.duration * interval '1 millisecond', m.at,
       '{"input": 1000000000, "output": 3000000000}'
  FROM made AS m
  LEFT JOIN LATERAL (SELECT m.tokens_input, m.tokens_output, m.cost_nanos, m.duration, 'computed' AS source
                      WHERE m.status <> 'pending') AS f ON true;
INSERT INTO request_analytics (id, user_id, request_id, request_type, category, response_time, tokens_input,
                               tokens_output, user_rating, was_successful, created_at)
SELECT m.id, m.user_id, m.id, 'chat', m.category, m.duration, m.tokens_input, m.tokens_output, m.rating,
       m.status = 'completed', m.at
  FROM made AS m
 WHERE m.status <> 'pending';
INSERT INTO request_keys (user_id, namespace, key, request_id, payload_hash, created_at)
SELECT m.user_id, 'request', m.client_id, m.id, '', m.at
  FROM made AS m;
INSERT INTO chat_sessions (user_id, session_id, started_at, last_at)
SELECT m.user_id, m.session_id, min(m.at), max(m.at)
  FROM made AS m
 WHERE m.session_id IS NOT NULL
 GROUP BY 1, 2;
UPDATE usage AS u
   SET version = m.requests, total_requests = m.requests, day_requests = m.today, month_requests = m.this_month,
       pending_requests = m.pending,
       due_at = least(u.due_at, m.expires_at)
  FROM (SELECT m.user_id, count(*) AS requests, min(m.expires_at) FILTER (WHERE m.status = 'pending') AS expires_at,
               count(*) FILTER (WHERE m.status = 'pending') AS pending,
               count(*) FILTER (WHERE m.at >= w.day_starts_at) AS today,
               count(*) FILTER (WHERE m.at >= w.month_starts_at) AS this_month
          FROM made AS m
          JOIN usage AS w ON w.user_id = m.user_id
         GROUP BY 1) AS m
 WHERE u.user_id = m.user_id;
"""
# What follows from finishes follows by the ledger's own function.
_APPLY: Final = """
SELECT tk_apply(array_agg(ROW(m.user_id, 1, 0, 0, 0, m.at, (m.at AT TIME ZONE 'UTC')::date, 'enterprise', m.session_id,
                              m.model, m.category, 'chat', NULL, (m.status = 'completed')::integer,
                              (m.status = 'failed')::integer, m.tokens_input + m.tokens_output, m.tokens_input,
                              m.tokens_output, 0, 0, 0, m.cost_nanos, 0, (m.status = 'completed')::integer,
                              CASE WHEN m.status = 'completed' THEN m.duration ELSE 0 END,
                              (m.rating IS NOT NULL)::integer, coalesce(m.rating, 0), 0)::tk_change), tk_now())
  FROM made AS m
 WHERE m.status <> 'pending'
"""
_OLD_HOURS: Final = """
DELETE FROM usage_rollups WHERE period = 'hour' AND period_start < (tk_now() AT TIME ZONE 'UTC') - interval '60 days'
"""


# Three keys and sign-ins of each user, the third of them over; links; variables; what they did.
_ACCOUNTS: Final = """
INSERT INTO api_keys (key_hash, kind, user_id, name, shown_as, scopes, revoked_at)
SELECT sha256((p.place || '-' || g.n)::bytea), 'user', p.user_id, 'mine', 'tk_...', '{}',
       CASE WHEN g.n = 3 THEN tk_now() END
  FROM people AS p CROSS JOIN generate_series(1, 3) AS g (n);
INSERT INTO sessions (token_hash, user_id, expires_at, ended_at)
SELECT sha256((p.place || '-' || g.n)::bytea), p.user_id, tk_now() + interval '1 day',
       CASE WHEN g.n = 3 THEN tk_now() END
  FROM people AS p CROSS JOIN generate_series(1, 3) AS g (n);
INSERT INTO sign_in_links (token_hash, user_id, expires_at)
SELECT sha256((p.place || '-' || g.n)::bytea), p.user_id, tk_now() + interval '1 hour'
  FROM people AS p CROSS JOIN generate_series(1, 2) AS g (n);
INSERT INTO variables (user_id, key, value)
SELECT p.user_id, 'V' || g.n, 'x'
  FROM people AS p CROSS JOIN generate_series(1, 20) AS g (n);
INSERT INTO activity (user_id, actor, action, created_at)
SELECT p.user_id, p.user_id::text, 'thing.done', tk_now()
  FROM people AS p CROSS JOIN LATERAL generate_series(1, CASE WHEN p.place = 1 THEN 5000 ELSE 3 END) AS g (n);
"""
_SOME: Final = "SELECT p.user_id FROM people AS p WHERE p.place = ANY ($1) ORDER BY p.place"


@dataclass(frozen=True, slots=True)
class People:
    """Whose histories there are."""

    long: UUID
    short: UUID
    other: UUID
    abandoned: UUID


async def make_partitions(admin: asyncpg.Connection) -> None:
    """Make all months, and let nothing but the test vacuum or analyze: what is known of tables is part of the test."""
    await admin.execute("SET ROLE tollkeeper_owner")
    await admin.execute(_MID_MONTH)
    await admin.execute(_PARTITIONS, MONTHS + 1)
    await admin.execute("RESET ROLE")
    for (statement,) in await admin.fetch(_QUIET):
        await admin.execute(statement)


def secret_hash(place: int, n: int) -> bytes:
    """Give the hash of a user's nth key, sign-in and link."""
    return hashlib.sha256(f"{place}-{n}".encode()).digest()


async def fill(admin: asyncpg.Connection, *, long: int) -> People:
    """Write all histories, as the superuser: the foreign keys hold by the way that the rows are made."""
    await admin.execute("BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL work_mem = '256MB'")
    await admin.execute(_USERS, long, MONTHS, SHORT, OTHERS)
    await admin.execute(_REQUESTS, SESSIONS, MODELS)
    await admin.execute(_PENDING, ABANDONED)
    await admin.execute(_FILL)
    await admin.execute(_APPLY)
    await admin.execute(_OLD_HOURS)
    await admin.execute(_ACCOUNTS)
    users = [row["user_id"] for row in await admin.fetch(_SOME, [1, 2, 3, OTHERS])]
    await admin.execute("DROP TABLE people, made")
    await admin.execute("COMMIT")
    long_one, short, abandoned, other = users
    return People(long_one, short, other, abandoned)
