"""The PostgreSQL that comes along is there for as long as anyone needs it, whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from tests.store.embedding import Elsewhere, Start, answer_of, is_running, note_of, pid_of, setting_of, until
from tollkeeper.errors import Misconfigured, Unavailable
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses
from tollkeeper.store.queries import Statement


async def test_it_starts_warm_in_three_seconds_and_stops_without_a_trace(spare: Path, start: Start) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with start(spare):
        assert loop.time() - began < 3
        assert is_running(spare)
        pid = pid_of(spare)
        assert os.getsid(pid) != os.getsid(0)
    assert not is_running(spare)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_first_to_leave_does_not_take_it_from_the_second(spare: Path, start: Start) -> None:
    first, second = start(spare), start(spare)
    await first.__aenter__()
    addresses = await second.__aenter__()
    await first.__aexit__(None, None, None)
    assert await setting_of(addresses.service, "server_encoding") == "UTF8"
    await second.__aexit__(None, None, None)
    assert not is_running(spare)


async def test_processes_share_it_and_the_last_one_stops_it(spare: Path, start: Start, elsewhere: Elsewhere) -> None:
    async with elsewhere(spare) as child:
        pid = await answer_of(child)
        async with start(spare):
            assert pid_of(spare) == pid
        assert pid_of(spare) == pid
    assert not is_running(spare)


async def test_many_processes_that_start_at_once_share_one_server(open_dir: Path, elsewhere: Elsewhere) -> None:
    new = open_dir / "new"
    async with elsewhere(new) as one, elsewhere(new) as two, elsewhere(new) as three:
        assert len(set(await asyncio.gather(*map(answer_of, (one, two, three))))) == 1
    assert not is_running(new)


async def test_a_server_that_outlived_its_user_is_adopted_and_stopped(
    spare: Path, start: Start, elsewhere: Elsewhere
) -> None:
    async with elsewhere(spare) as child:
        pid = await answer_of(child)
        child.kill()
        await child.wait()
        assert pid_of(spare) == pid
        async with start(spare) as addresses:
            assert pid_of(spare) == pid
            assert await setting_of(addresses.service, "server_encoding") == "UTF8"
    assert not is_running(spare)


@pytest.fixture
async def marks(spare: Path, start: Start) -> AsyncGenerator[Addresses]:
    """The spare server, running, with a table to write marks into."""
    async with start(spare) as addresses:
        owner = await asyncpg.connect(addresses.owner)
        await owner.execute("DROP TABLE IF EXISTS marks; CREATE TABLE marks (id int)")
        await owner.execute("GRANT ALL ON marks TO tollkeeper_service")
        await owner.close()
        yield addresses
    assert not is_running(spare)


MARK = {
    "mark": Statement("mark", "INSERT INTO marks VALUES ($1)", ("id",)),
    "marks": Statement("marks", "SELECT id FROM marks", ()),
    "backend": Statement("backend", "SELECT pg_backend_pid()", ()),
}


@pytest.mark.parametrize("victim", ["server", "backend"])
async def test_after_a_kill_callers_hear_only_unavailable_and_what_was_confirmed_is_there(
    spare: Path, marks: Addresses, victim: str
) -> None:
    ids = itertools.count()
    confirmed: list[int] = []
    unavailable = 0
    stop = asyncio.Event()

    async def keep_marking(database: Database) -> None:
        nonlocal unavailable
        while not stop.is_set():
            try:
                await database.run("mark", id=(mark := next(ids)))
                confirmed.append(mark)
            except Unavailable:
                unavailable += 1
                await asyncio.sleep(0.02)

    async with Database.open(marks.service, size=4, known=MARK) as database:
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(keep_marking(database))
            for round_ in range(1, 3):
                await until(lambda: len(confirmed) > 50 * round_)  # noqa: B023
                pid = pid_of(spare) if victim == "server" else await database.value("backend")
                before = unavailable
                os.kill(pid, signal.SIGKILL)
                async with asyncio.timeout(5):
                    await until(lambda: unavailable > before + 12)  # noqa: B023
                    before = len(confirmed)
                    await until(lambda: len(confirmed) > before + 24)  # noqa: B023
            stop.set()
        assert set(confirmed) <= {row["id"] for row in await database.all("marks")}


async def test_a_server_killed_with_its_user_is_started_again_at_once(
    spare: Path, start: Start, elsewhere: Elsewhere
) -> None:
    async with elsewhere(spare) as child:
        pid = await answer_of(child)
        child.kill()
        os.kill(pid, signal.SIGKILL)
        async with start(spare) as addresses:
            assert await setting_of(addresses.service, "server_encoding") == "UTF8"
            assert pid_of(spare) != pid


async def test_one_that_does_not_come_back_is_told_without_a_trace_until_it_does(
    spare: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    control = note_of(spare).parent / "global" / "pg_control"
    async with start(spare) as addresses:
        away = control.rename(control.with_name("away"))
        os.kill(pid_of(spare), signal.SIGKILL)
        async with asyncio.timeout(30):
            await until(lambda: "does not come back" in caplog.text)
            away.rename(control)
            encoding = ""
            while not encoding:
                with suppress(OSError, asyncpg.PostgresError):
                    encoding = await setting_of(addresses.service, "server_encoding")
                await asyncio.sleep(0.1)
    assert "could not find the database system" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.fixture
def other_process() -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


async def test_a_process_that_got_the_number_of_a_dead_server_is_left_alone(
    spare: Path, start: Start, other_process: subprocess.Popen[bytes]
) -> None:
    async with start(spare):
        note = note_of(spare).read_text()
        account = note_of(spare).stat()
    note_of(spare).write_text(note.replace(note.split()[0], str(other_process.pid), 1))
    os.chown(note_of(spare), account.st_uid, account.st_gid)
    try:
        if os.geteuid() == account.st_uid:
            # PostgreSQL takes another process of the same account for the server, and only a person can know better.
            with pytest.raises(Misconfigured, match="lock file"):
                await start(spare).__aenter__()
        else:
            async with start(spare):
                assert pid_of(spare) != other_process.pid
        assert other_process.poll() is None
    finally:
        note_of(spare).unlink(missing_ok=True)


@pytest.fixture(params=[signal.SIG_DFL, signal.SIG_IGN], ids=["in front", "behind a script's &"])
def inherited(request: pytest.FixtureRequest) -> Generator[None]:
    """What a server begins with, until it listens to signals."""
    before = {each: signal.signal(each, request.param) for each in (signal.SIGINT, signal.SIGQUIT)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("inherited")
async def test_a_user_that_is_cancelled_while_starting_leaves_no_server(spare: Path, start: Start) -> None:
    async def use() -> None:
        async with start(spare):
            await asyncio.sleep(60)

    for delay in (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2):
        task = asyncio.create_task(use())
        await asyncio.sleep(delay)
        task.cancel()
        async with asyncio.timeout(30):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not is_running(spare)
