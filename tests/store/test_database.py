"""What callers of the database may rely on, above all when something goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tests.conftest import Server, a_database
from tollkeeper.errors import Misconfigured, Unavailable
from tollkeeper.store.connections import session_settings
from tollkeeper.store.database import Database, StatementFailed, TryAgain
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.queries import Statement, statements

STATEMENTS = """
-- name: numbers
SELECT generate_series(1, :up_to::int) AS number

-- name: echo
SELECT :value::jsonb AS value

-- name: echo_all
SELECT :values::jsonb[] AS values

-- name: divide
SELECT :dividend::int / :divisor::int

-- name: sleep
SELECT pg_sleep(:seconds::float8)

-- name: backend
SELECT pg_backend_pid()

-- name: shown
SELECT current_setting(:setting::text)

-- name: add_note
INSERT INTO notes (id, text) VALUES (:id, :text)

-- name: note
SELECT text FROM notes WHERE id = :id

-- name: change_note
UPDATE notes SET text = :text WHERE id = :id

-- name: lock_note
SELECT text FROM notes WHERE id = :id FOR UPDATE
"""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Statement]:
    directory = tmp_path_factory.mktemp("sql")
    (directory / "tests.sql").write_text(STATEMENTS)
    return {**statements(directory), **statements()}


@pytest.fixture(scope="module")
async def dsns(server: Server) -> AsyncGenerator[Addresses]:
    """One database for all tests here: what they look at is not what is in it."""
    async with a_database(server, template="tollkeeper") as addresses:
        yield addresses


@pytest.fixture
async def notes(owner: asyncpg.Connection, dsns: Addresses, known: dict[str, Statement]) -> AsyncGenerator[Database]:
    """A database with two rows to quarrel over."""
    await owner.execute("DROP TABLE IF EXISTS notes")
    await owner.execute("CREATE TABLE notes (id int PRIMARY KEY, text text NOT NULL)")
    await owner.execute("GRANT ALL ON notes TO tollkeeper_service")
    await owner.execute("INSERT INTO notes VALUES (1, 'one'), (2, 'two')")
    async with Database.open(dsns.service, size=4, known=known, lock_timeout=0.2, statement_timeout=2) as database:
        yield database


async def test_rows_a_row_a_value_or_nothing_is_answered(notes: Database) -> None:
    assert [row["number"] for row in await notes.all("numbers", up_to=3)] == [1, 2, 3]
    row = await notes.one("numbers", up_to=3)
    assert row is not None
    assert row["number"] == 1
    assert await notes.one("numbers", up_to=0) is None
    assert await notes.value("numbers", up_to=0) is None
    await notes.run("change_note", id=1, text="uno")
    assert await notes.value("note", id=1) == "uno"


async def test_a_missing_or_an_extra_value_is_the_callers_mistake(notes: Database) -> None:
    with pytest.raises(TypeError, match="divide takes"):
        await notes.one("divide", dividend=1)
    with pytest.raises(KeyError):
        await notes.one("divide", dividend=1, divider=1)


@pytest.mark.parametrize("value", [None, True, 0.5, 2**62, "text \U0001f600", ["a", {"b": None}], {"a": {"b": [1, 2]}}])
async def test_json_goes_in_and_out_as_values(notes: Database, value: Any) -> None:
    assert await notes.value("echo", value=[value]) == [value]
    # Not a list in a list: to the driver that is an array of two dimensions.
    assert await notes.value("echo_all", values=[{"v": value}, {"v": [value]}]) == [{"v": value}, {"v": [value]}]


@pytest.mark.parametrize(("setting", "value"), [*session_settings().items(), ("application_name", "tollkeeper")])
async def test_every_session_has_our_settings(dsns: Addresses, setting: str, value: str) -> None:
    known = {"shown": Statement("shown", "SELECT setting FROM pg_settings WHERE name = $1", ("setting",))}
    async with Database.open(dsns.service, size=1, known=known) as database:
        assert await database.value("shown", setting=setting) == value


async def test_a_failed_statement_tells_state_and_constraint_but_quotes_no_row(notes: Database) -> None:
    with pytest.raises(StatementFailed) as failed:
        await notes.run("add_note", id=1, text="private")
    assert failed.value.sqlstate == "23505"
    assert failed.value.constraint == "notes_pkey"
    with pytest.raises(StatementFailed) as failed:
        await notes.run("add_note", id=None, text="private")
    assert failed.value.sqlstate == "23502"
    assert "private" not in str(failed.value)


@pytest.mark.parametrize("value", ["\ud800", 5])
async def test_a_value_that_its_type_cannot_hold_is_refused_and_the_connection_kept(
    dsns: Addresses, known: dict[str, Statement], value: Any
) -> None:
    async with Database.open(dsns.service, size=1, known=known) as database:
        backend = await database.value("backend")
        with pytest.raises(StatementFailed):
            await database.value("shown", setting=value)
        with pytest.raises(StatementFailed):
            await database.value("divide", dividend=1, divisor=0)
        assert await database.value("backend") == backend


async def test_a_transaction_holds_together_or_not_at_all(notes: Database) -> None:
    async with notes.transaction() as tx:
        await tx.run("change_note", id=1, text="uno")
        await tx.run("change_note", id=2, text="due")
    assert [await notes.value("note", id=each) for each in (1, 2)] == ["uno", "due"]
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the end of the block raises
        async with notes.transaction() as tx:
            await tx.run("change_note", id=1, text="lost")
            raise ZeroDivisionError
    assert await notes.value("note", id=1) == "uno"


async def test_a_commit_after_a_swallowed_failure_is_no_success(notes: Database) -> None:
    with pytest.raises(StatementFailed):  # noqa: PT012 - the end of the block raises
        async with notes.transaction() as tx:
            await tx.run("change_note", id=1, text="lost")
            with pytest.raises(StatementFailed):
                await tx.value("divide", dividend=1, divisor=0)
    assert await notes.value("note", id=1) == "one"


async def test_a_read_only_transaction_writes_nothing_and_sees_one_snapshot(notes: Database) -> None:
    async with notes.transaction(isolation="repeatable_read", read_only=True) as tx:
        assert await tx.value("note", id=1) == "one"
        await notes.run("change_note", id=1, text="uno")
        assert await tx.value("note", id=1) == "one"
        assert await tx.value("shown", setting="transaction_read_only") == "on"


async def test_who_waits_too_long_for_a_lock_is_told_to_come_again(notes: Database) -> None:
    async with notes.transaction() as tx:
        await tx.value("lock_note", id=1)
        with pytest.raises(Unavailable) as refused:
            await notes.run("change_note", id=1, text="uno")
        assert refused.value.fields["sqlstate"] == "55P03"
        await notes.run("change_note", id=2, text="due")


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    dsns: Addresses, known: dict[str, Statement]
) -> None:
    async with Database.open(dsns.service, size=1, known=known, statement_timeout=0.1) as database:
        backend = await database.value("backend")
        with pytest.raises(Unavailable) as refused:
            await database.value("sleep", seconds=5)
        assert refused.value.fields["sqlstate"] == "57014"
        assert await database.value("backend") == backend


@pytest.mark.usefixtures("notes")
async def test_a_deadlock_may_be_tried_again(dsns: Addresses, known: dict[str, Statement]) -> None:
    async with Database.open(dsns.service, size=2, known=known, lock_timeout=5) as database:
        met = asyncio.Barrier(2)

        async def take(first: int, second: int) -> None:
            async with database.transaction() as tx:
                await tx.value("lock_note", id=first)
                await met.wait()
                await tx.value("lock_note", id=second)

        results = await asyncio.gather(take(1, 2), take(2, 1), return_exceptions=True)
    assert sorted(str(type(result)) for result in results) == sorted(map(str, (type(None), TryAgain)))


async def test_a_serialization_failure_may_be_tried_again(notes: Database) -> None:
    with pytest.raises(TryAgain):  # noqa: PT012 - the end of the block raises
        async with notes.transaction(isolation="repeatable_read") as tx:
            await tx.value("note", id=1)
            await notes.run("change_note", id=1, text="uno")
            await tx.run("change_note", id=1, text="due")
    assert await notes.value("note", id=1) == "uno"


async def test_a_busy_database_answers_so_within_two_seconds(dsns: Addresses, known: dict[str, Statement]) -> None:
    loop = asyncio.get_running_loop()
    async with Database.open(dsns.service, size=1, known=known) as database:
        busy = asyncio.create_task(database.value("sleep", seconds=2.5))
        await asyncio.sleep(0.05)
        began = loop.time()
        with pytest.raises(Unavailable, match="busy"):
            await database.value("backend")
        assert 1.9 < loop.time() - began < 2.3
        await busy
        assert await database.value("backend")


async def test_a_cancelled_statement_never_leaves_its_answer_to_the_next(
    dsns: Addresses, known: dict[str, Statement]
) -> None:
    async with Database.open(dsns.service, size=2, known=known) as database:
        for delay in range(60):
            task = asyncio.create_task(database.all("numbers", up_to=5000))
            await asyncio.sleep(delay / 10_000)
            task.cancel()
            assert await database.value("divide", dividend=delay * 7, divisor=7) == delay


async def test_a_cancelled_transaction_is_rolled_back_and_its_connection_gone(notes: Database) -> None:
    inside = asyncio.Event()

    async def change() -> None:
        async with notes.transaction() as tx:
            await tx.run("change_note", id=1, text="lost")
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(change())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The server notices the end of the connection a moment later, and only then gives the lock up.
    await _until(lambda: notes.run("change_note", id=1, text="uno"))
    assert await notes.value("note", id=1) == "uno"


async def test_cancelled_waiters_lose_no_connection(dsns: Addresses, known: dict[str, Statement]) -> None:
    async with Database.open(dsns.service, size=3, known=known) as database:
        for _ in range(20):
            tasks = [asyncio.create_task(database.value("sleep", seconds=0.001)) for _ in range(12)]
            await asyncio.sleep(0.001)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert len(set(await asyncio.gather(*(database.value("backend") for _ in range(3))))) == 3


async def test_lost_connections_are_unavailable_once_and_then_replaced(
    dsns: Addresses, known: dict[str, Statement]
) -> None:
    admin = await asyncpg.connect(dsns.admin)
    async with Database.open(dsns.service, size=3, known=known) as database:
        await asyncio.gather(*(database.value("sleep", seconds=0.01) for _ in range(3)))
        sleeper = asyncio.create_task(database.value("sleep", seconds=3))
        await asyncio.sleep(0.05)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'tollkeeper_service' AND datname = current_database()"
        )
        with pytest.raises(Unavailable):
            await sleeper
        assert await asyncio.gather(*(database.value("divide", dividend=6, divisor=3) for _ in range(9))) == [2] * 9
    await admin.close()


async def test_a_connection_that_dies_in_a_transaction_is_unavailable(notes: Database, dsns: Addresses) -> None:
    admin = await asyncpg.connect(dsns.admin)
    with pytest.raises(Unavailable):  # noqa: PT012 - the end of the block raises
        async with notes.transaction() as tx:
            await admin.execute("SELECT pg_terminate_backend($1)", await tx.value("backend"))
            await asyncio.sleep(0.05)
            await tx.run("change_note", id=1, text="lost")
    assert await notes.value("note", id=1) == "one"
    await admin.close()


async def test_what_waiting_will_not_mend_is_told_at_once(dsns: Addresses) -> None:
    for wrong in (dsns.service.replace("service:", "service:x"), dsns.service.replace("/test_", "/none_")):
        with pytest.raises(Misconfigured):
            async with Database.open(wrong, size=1):
                pass
    with pytest.raises(Unavailable):
        async with Database.open(dsns.service.replace("port=5432", "port=5433"), size=1):
            pass


@pytest.mark.usefixtures("notes")
async def test_a_schema_that_changes_under_a_prepared_statement_does_no_harm(
    owner: asyncpg.Connection, dsns: Addresses
) -> None:
    known = {"whole": Statement("whole", "SELECT * FROM notes WHERE id = $1", ("id",))}
    async with Database.open(dsns.service, size=1, known=known) as database:
        assert await database.one("whole", id=1)
        await owner.execute("ALTER TABLE notes ADD COLUMN more int")
        row = await database.one("whole", id=1)
        assert row is not None
        assert len(row) == 3


async def test_without_prepared_statements_every_statement_works_all_the_same(
    dsns: Addresses, known: dict[str, Statement]
) -> None:
    async with Database.open(dsns.service, size=1, known=known, transaction_pooler=True) as database:
        for number in range(1, 9):
            assert len(await database.all("numbers", up_to=number)) == number
        async with database.transaction() as tx:
            assert await tx.value("echo", value={"a": 1}) == {"a": 1}


async def test_a_kept_statement_costs_little_more_than_the_driver(dsns: Addresses, known: dict[str, Statement]) -> None:
    plain = await asyncpg.connect(dsns.service)
    async with Database.open(dsns.service, size=1, known=known) as database:

        async def ours() -> None:
            await database.one("divide", dividend=4, divisor=2)

        async def bare() -> None:
            await plain.fetchrow("SELECT $1::int / $2::int", 4, 2)

        rounds = [(await _seconds_for(ours, 200), await _seconds_for(bare, 200)) for _ in range(5)]
    await plain.close()
    assert min(own / driver for own, driver in rounds) < 2


async def _seconds_for(work: Callable[[], Awaitable[None]], times: int) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(times):
        await work()
    return loop.time() - began


async def _until(work: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                return await work()
            except Unavailable:
                await asyncio.sleep(0.02)
