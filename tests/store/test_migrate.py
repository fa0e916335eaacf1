"""Migrations are applied once, whole, by whoever comes first; and the service gets just the rights it needs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conftest import Server, a_database
from tollkeeper.errors import Misconfigured
from tollkeeper.store import migrate as migrating
from tollkeeper.store.connections import session_settings
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.migrate import Applied, migrate

FIRST = "CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text); SELECT pg_sleep(0.05);"
SECOND = "CREATE TABLE activity (id serial PRIMARY KEY, what text); INSERT INTO things (name) VALUES ('once');"
COUNT = "CREATE OR REPLACE FUNCTION how_many() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM things';"
SHOWN = "CREATE OR REPLACE VIEW shown AS SELECT name, how_many() AS of FROM things;"
SLEEPING = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%half_done%')"
FORBIDDEN = [
    "ALTER TABLE things ADD COLUMN x int",
    "DROP TABLE things",
    "TRUNCATE things",
    "CREATE TABLE mine (id int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION how_many() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "CREATE TRIGGER mine BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION how_many()",
    "CREATE INDEX ON things (name)",
    "UPDATE activity SET what = 'nothing'",
    "DELETE FROM activity",
    "DELETE FROM schema_migrations",
    "UPDATE schema_migrations SET checksum = ''",
    "ALTER SYSTEM SET fsync = off",
    "COPY things TO '/dev/null'",
    "SELECT pg_read_file('/etc/passwd')",
    "SET ROLE tollkeeper_owner",
    "GRANT tollkeeper_owner TO tollkeeper_service",
    "ALTER ROLE tollkeeper_service SUPERUSER",
]
ALL = ["0001_things.sql", "0002_activity.sql", "10_count.sql", "20_shown.sql"]


class Schema:
    """Two folders of SQL and the database that they go to."""

    def __init__(self, directory: Path, addresses: Addresses) -> None:
        self.migrations = directory / "migrations"
        self.routines = directory / "routines"
        self.addresses = addresses
        for folder in (self.migrations, self.routines):
            folder.mkdir()
        self.migrations.joinpath("0001_things.sql").write_text(FIRST)
        self.migrations.joinpath("0002_activity.sql").write_text(SECOND)
        self.routines.joinpath("10_count.sql").write_text(COUNT)
        self.routines.joinpath("20_shown.sql").write_text(SHOWN)

    async def migrate(self) -> list[Applied]:
        at = self.addresses
        return await migrate(at.owner, at.service, migrations_dir=self.migrations, routines_dir=self.routines)


@pytest.fixture
async def dsns(server: Server) -> AsyncGenerator[Addresses]:
    """An empty database."""
    async with a_database(server, template="template0") as addresses:
        yield addresses


@pytest.fixture
def schema(tmp_path: Path, dsns: Addresses) -> Schema:
    return Schema(tmp_path, dsns)


async def test_it_says_what_it_did_and_then_has_nothing_to_do(schema: Schema, owner: asyncpg.Connection) -> None:
    applied = await schema.migrate()
    assert [each.name for each in applied] == ALL
    assert [each.kind for each in applied] == ["migration", "migration", "routine", "routine"]
    assert applied[0].milliseconds >= 50
    assert await schema.migrate() == []
    rows = await owner.fetch("SELECT name, kind FROM schema_migrations ORDER BY name")
    assert [(row["name"], row["kind"]) for row in rows] == [(each.name, each.kind) for each in applied]


async def test_five_at_once_apply_each_file_once(schema: Schema, owner: asyncpg.Connection) -> None:
    results = await asyncio.gather(*(schema.migrate() for _ in range(5)))
    assert sorted(len(applied) for applied in results) == [0, 0, 0, 0, 4]
    assert await owner.fetchval("SELECT how_many()") == 1


async def test_whoever_migrates_for_long_is_named(
    schema: Schema, owner: asyncpg.Connection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "_TOLD_SECONDS", 1)
    await owner.execute("SELECT pg_advisory_lock($1)", migrating._LOCK)
    task = asyncio.create_task(schema.migrate())
    async with asyncio.timeout(20):
        while f"process {owner.get_server_pid()} of PostgreSQL" not in caplog.text:  # noqa: ASYNC110 - it goes to a log
            await asyncio.sleep(0.05)
    await owner.execute("SELECT pg_advisory_unlock($1)", migrating._LOCK)
    assert [each.name for each in await task] == ALL


async def test_a_new_migration_is_added_to_the_old_ones(schema: Schema) -> None:
    await schema.migrate()
    schema.migrations.joinpath("0003_more.sql").write_text("ALTER TABLE things ADD COLUMN more text")
    assert [each.name for each in await schema.migrate()] == ["0003_more.sql"]


async def test_a_changed_migration_is_refused(schema: Schema) -> None:
    await schema.migrate()
    schema.migrations.joinpath("0001_things.sql").write_text(FIRST + " ")
    with pytest.raises(Misconfigured, match=r"0001_things\.sql was applied here with another text"):
        await schema.migrate()


async def test_a_changed_routine_is_applied_again(schema: Schema, owner: asyncpg.Connection) -> None:
    await schema.migrate()
    schema.routines.joinpath("10_count.sql").write_text(COUNT.replace("count(*)", "count(*) + 41"))
    assert [each.name for each in await schema.migrate()] == ["10_count.sql"]
    assert await owner.fetchval("SELECT how_many()") == 42
    assert await schema.migrate() == []


async def test_a_database_of_a_newer_version_is_refused(schema: Schema) -> None:
    await schema.migrate()
    schema.migrations.joinpath("0002_activity.sql").unlink()
    with pytest.raises(Misconfigured, match=r"0002_activity\.sql.*upgrade the package"):
        await schema.migrate()


async def test_a_file_that_fails_leaves_nothing_of_itself(schema: Schema, owner: asyncpg.Connection) -> None:
    broken = schema.migrations / "0003_broken.sql"
    broken.write_text("CREATE TABLE half_done (id int); SELECT 1 / 0;")
    with pytest.raises(Misconfigured, match=r"0003_broken\.sql failed and left nothing behind: division by zero"):
        await schema.migrate()
    assert await owner.fetchval("SELECT to_regclass('half_done')") is None
    assert await owner.fetchval("SELECT count(*) FROM schema_migrations") == 2
    broken.write_text("CREATE TABLE half_done (id int)")
    assert [each.name for each in await schema.migrate()] == ["0003_broken.sql", "10_count.sql", "20_shown.sql"]


async def test_a_file_with_another_kind_of_name_is_refused(schema: Schema) -> None:
    schema.migrations.joinpath("3_short.sql").write_text("SELECT 1")
    with pytest.raises(Misconfigured, match="NNNN_what_it_does"):
        await schema.migrate()


async def test_a_migrator_killed_half_way_leaves_nothing_half_done(schema: Schema, owner: asyncpg.Connection) -> None:
    slow = schema.migrations / "0003_slow.sql"
    slow.write_text("CREATE TABLE half_done (id int); SELECT pg_sleep(60);")
    child = _in_a_child(schema)
    async with asyncio.timeout(20):
        while not await owner.fetchval(SLEEPING):  # noqa: ASYNC110 - the child is not ours to be told by
            await asyncio.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    slow.write_text("CREATE TABLE half_done (id int);")
    assert [each.name for each in await schema.migrate()] == ["0003_slow.sql", "10_count.sql", "20_shown.sql"]
    assert await owner.fetchval("SELECT count(*) FROM schema_migrations") == 5


def _in_a_child(schema: Schema) -> subprocess.Popen[bytes]:
    code = (
        "import asyncio, sys; from pathlib import Path; from tollkeeper.store.migrate import migrate;"
        "asyncio.run(migrate(*sys.argv[1:3],"
        " migrations_dir=Path(sys.argv[3]), routines_dir=Path(sys.argv[4])))"
    )
    at = schema.addresses
    words = [sys.executable, "-c", code, at.owner, at.service, str(schema.migrations), str(schema.routines)]
    return subprocess.Popen(words, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


async def test_a_table_in_use_delays_a_migration_and_is_not_blocked_by_it(
    schema: Schema, owner: asyncpg.Connection, dsns: Addresses
) -> None:
    await schema.migrate()
    schema.migrations.joinpath("0003_more.sql").write_text("ALTER TABLE things ADD COLUMN more text")
    reader = await asyncpg.connect(dsns.service)
    await reader.execute("BEGIN; SELECT * FROM things")
    migrating = asyncio.create_task(schema.migrate())
    await asyncio.sleep(0.2)
    async with asyncio.timeout(5):
        # Queued behind the migration until that gives way.
        assert await owner.fetchval("SELECT count(*) FROM things") == 1
    await reader.execute("COMMIT")
    assert [each.name for each in await migrating] == ["0003_more.sql"]
    await reader.close()


async def test_the_service_reads_and_writes_rows_and_runs_functions(schema: Schema) -> None:
    await schema.migrate()
    service = await asyncpg.connect(schema.addresses.service)
    await service.execute("INSERT INTO things (name) VALUES ('a'); UPDATE things SET name = 'b'; DELETE FROM things")
    await service.execute("INSERT INTO activity (what) VALUES ('signed in')")
    assert await service.fetchval("SELECT how_many()") == 0
    assert await service.fetch("SELECT * FROM shown") == []
    assert await service.fetchval("SELECT count(*) FROM schema_migrations") == 4
    await service.close()


async def test_the_service_can_do_nothing_else(schema: Schema) -> None:
    await schema.migrate()
    service = await asyncpg.connect(schema.addresses.service)
    for statement in FORBIDDEN:
        with pytest.raises(asyncpg.PostgresError) as refused:
            await service.execute(statement)
        assert (statement, refused.value.sqlstate) == (statement, "42501")
    await service.close()


async def test_the_role_carries_the_settings_for_sessions_through_a_pooler(schema: Schema) -> None:
    await schema.migrate()
    async with Database.open(schema.addresses.service, size=1, transaction_pooler=True):
        plain = await asyncpg.connect(schema.addresses.service)
        for name, value in session_settings().items():
            assert await plain.fetchval("SELECT setting FROM pg_settings WHERE name = $1", name) == value
        await plain.close()


async def test_one_role_may_be_both_owner_and_service(schema: Schema, dsns: Addresses) -> None:
    schema.addresses = Addresses(dsns.owner, dsns.owner, None)
    assert [each.name for each in await schema.migrate()] == ALL
    assert await schema.migrate() == []


async def test_an_owner_who_may_not_create_is_told_so(schema: Schema, dsns: Addresses) -> None:
    schema.addresses = Addresses(dsns.service, dsns.service, None)
    with pytest.raises(Misconfigured, match="permission denied for schema public"):
        await schema.migrate()


async def test_what_ships_applies_to_an_empty_database(dsns: Addresses) -> None:
    assert await migrate(dsns.owner, dsns.service)
    assert await migrate(dsns.owner, dsns.service) == []


async def test_what_others_keep_in_the_schema_is_left_alone(schema: Schema) -> None:
    admin = await asyncpg.connect(schema.addresses.admin)
    await admin.execute(
        "CREATE TABLE theirs (a int); CREATE FUNCTION their_function() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    )
    await admin.execute("REVOKE ALL ON FUNCTION their_function() FROM PUBLIC")
    assert [each.name for each in await schema.migrate()] == ALL
    rights = "SELECT has_table_privilege('tollkeeper_service', $1, 'SELECT')"
    assert [await admin.fetchval(rights, table) for table in ("theirs", "things")] == [False, True]
    await admin.close()


async def test_a_database_that_cannot_hold_every_text_is_refused(server: Server) -> None:
    admin = await asyncpg.connect(server.addresses.admin)
    await admin.execute("CREATE DATABASE latin OWNER tollkeeper_owner TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
    latin = [
        urlsplit(dsn)._replace(path="/latin").geturl() for dsn in (server.addresses.owner, server.addresses.service)
    ]
    try:
        with pytest.raises(Misconfigured, match="has the encoding LATIN1"):
            await migrate(*latin)
    finally:
        await admin.execute("DROP DATABASE latin WITH (FORCE)")
        await admin.close()


@pytest.mark.parametrize(
    ("setting", "value"), [("default_transaction_isolation", "serializable"), ("default_transaction_read_only", "on")]
)
async def test_what_roles_were_told_for_others_does_not_hold_for_us(schema: Schema, setting: str, value: str) -> None:
    admin = await asyncpg.connect(schema.addresses.admin)
    roles = ("tollkeeper_owner", "tollkeeper_service")
    try:
        for role in roles:
            await admin.execute(f"ALTER ROLE {role} SET {setting} = '{value}'")
        assert [each.name for each in await schema.migrate()] == ALL
    finally:
        for role in roles:
            await admin.execute(f"ALTER ROLE {role} RESET {setting}")
        await admin.close()
