"""A database of an older version becomes one of this version, and what users have agreed to stays."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import Server, a_database
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.migrate import MIGRATIONS, migrate

LAST_BEFORE_VERSIONS = "0012"
# Somebody with the pro plan of today, two with one of before, and one whose plan was free until it changed.
OLD = """
WITH person AS (
    INSERT INTO accounts (id) SELECT gen_random_uuid() FROM generate_series(1, 4) RETURNING id
), numbered AS (
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM person
), terms AS (
    INSERT INTO plan_terms (user_id, id, plan_name, plan_rank, daily_requests, monthly_requests, max_tokens_per_request,
                            features, price_per_month, billing_cycle, starts_at, expires_at)
    SELECT q.id, q.id, CASE WHEN q.n = 4 THEN 'free' ELSE p.name END, p.rank,
           CASE WHEN q.n IN (2, 3) THEN 40 ELSE CASE WHEN q.n = 4 THEN 7 ELSE p.daily_requests END END,
           CASE WHEN q.n = 4 THEN 70 ELSE p.monthly_requests END, p.max_tokens_per_request, p.features,
           p.price_per_month, p.billing_cycle, tk_now() - q.n * interval '1 day',
           CASE WHEN q.n = 1 THEN tk_now() + interval '9 days' END
      FROM numbered AS q CROSS JOIN plans AS p
     WHERE p.name = 'pro'
    RETURNING *
)
INSERT INTO usage (user_id, plan_name, plan_rank, plan_terms_id, plan_expires_at, daily_requests, monthly_requests,
                   max_tokens_per_request, features, day_on, day_starts_at, day_ends_at, month_starts_at, month_ends_at,
                   due_at)
SELECT t.user_id, t.plan_name, t.plan_rank, t.id, t.expires_at, t.daily_requests, t.monthly_requests,
       t.max_tokens_per_request, ARRAY(SELECT jsonb_array_elements_text(t.features)),
       (tk_now() AT TIME ZONE 'UTC')::date,
       date_trunc('day', tk_now(), 'UTC'), date_trunc('day', tk_now(), 'UTC') + interval '1 day',
       date_trunc('month', tk_now(), 'UTC'), date_trunc('month', tk_now(), 'UTC') + interval '1 month', tk_now()
  FROM terms AS t
"""


@pytest.fixture
async def dsns(server: Server) -> AsyncGenerator[Addresses]:
    """An empty database."""
    async with a_database(server, template="template0") as addresses:
        yield addresses


async def test_terms_that_were_copies_name_versions(dsns: Addresses, owner: asyncpg.Connection, tmp_path: Path) -> None:
    before, none = tmp_path / "before", tmp_path / "none"
    before.mkdir()
    none.mkdir()
    for file in MIGRATIONS.glob("*.sql"):
        if file.name[:4] <= LAST_BEFORE_VERSIONS:
            shutil.copy(file, before)
    await migrate(dsns.owner, dsns.service, migrations_dir=before, routines_dir=none)
    await owner.execute(OLD)
    await migrate(dsns.owner, dsns.service)
    found = await owner.fetch(
        "SELECT t.plan_name, v.daily_requests, v.version = p.version AS is_current, count(*) AS users"
        " FROM plan_terms AS t JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version"
        " JOIN plans AS p ON p.name = t.plan_name GROUP BY 1, 2, 3 ORDER BY 1, 2"
    )
    assert [tuple(each) for each in found] == [("free", 7, False, 1), ("pro", 40, False, 2), ("pro", 50, True, 1)]
    versions = await owner.fetch("SELECT plan_name, count(*) FROM plan_versions GROUP BY 1 ORDER BY 1")
    assert [tuple(each) for each in versions] == [("enterprise", 1), ("free", 2), ("pro", 2)]
    async with Database.open(dsns.service, size=2) as database:
        assert (await verify(database)).differences == []
        await database.value("bring_current", user_ids=[row["user_id"] for row in await owner.fetch("TABLE usage")])
        assert (await verify(database)).differences == []
