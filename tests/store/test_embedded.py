"""The PostgreSQL that comes along is there for as long as anyone needs it, whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from tollkeeper.errors import Misconfigured, Unavailable
from tollkeeper.store import cluster, embedded
from tollkeeper.store.database import Database
from tollkeeper.store.embedded import Addresses, embedded_server
from tollkeeper.store.queries import Statement

Elsewhere = Callable[[Path], AbstractAsyncContextManager[asyncio.subprocess.Process]]
Start = Callable[..., AbstractAsyncContextManager[Addresses]]

USE_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from tollkeeper.store.embedded import embedded_server

async def main():
    directory, programs, shelter = map(Path, sys.argv[1:])
    async with embedded_server(directory, programs=programs, shelter=shelter):
        print(*(directory / "postgres" / "postmaster.pid").read_text().split()[:1], flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def start(open_dir: Path, programs: Path) -> Start:
    def run(data_dir: Path, **settings: str) -> AbstractAsyncContextManager[Addresses]:
        return embedded_server(data_dir, programs=programs, shelter=open_dir / "shelter", **settings)

    return run


@pytest.fixture
def elsewhere(open_dir: Path, programs: Path) -> Elsewhere:
    """Use a server in a process of its own, until that is killed or its input ends. It prints the server's process."""

    @asynccontextmanager
    async def use(data_dir: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", USE_AND_WAIT, str(data_dir), str(programs), str(open_dir / "shelter")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            yield child
        finally:
            if child.stdin is not None:
                child.stdin.close()
            await child.wait()

    return use


async def _answer(child: asyncio.subprocess.Process) -> int:
    assert child.stdout is not None
    return int(await asyncio.wait_for(child.stdout.readline(), 20))


def _note(data_dir: Path) -> Path:
    return data_dir / "postgres" / "postmaster.pid"


def _pid(data_dir: Path) -> int:
    return int(_note(data_dir).read_text().split()[0])


def _runs(data_dir: Path) -> bool:
    return _note(data_dir).exists()


def _is_written(data_dir: Path) -> bool:
    """Whether an initdb is at work below a directory (where /proc tells)."""
    making = os.fsencode(data_dir / "postgres-being-made-")
    return any(making in _command(process) for process in Path("/proc").glob("[0-9]*"))


def _command(process: Path) -> bytes:
    with contextlib.suppress(OSError):
        return (process / "cmdline").read_bytes()
    return b""


def _socket_dir(addresses: Addresses) -> Path:
    return Path(parse_qs(urlsplit(addresses.service).query)["host"][0])


def _exists(path: Path) -> bool:
    return path.exists()


def _found(directory: Path, pattern: str) -> bool:
    return any(directory.glob(pattern))


def _move(directory: Path, place: Path) -> None:
    directory.rename(place)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.005)


async def _setting(dsn: str | None, name: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval("SELECT setting FROM pg_settings WHERE name = $1", name)
    finally:
        await connection.close()


async def test_it_starts_warm_in_three_seconds_and_stops_without_a_trace(spare: Path, start: Start) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with start(spare):
        assert loop.time() - began < 3
        assert _runs(spare)
        pid = _pid(spare)
        assert os.getsid(pid) != os.getsid(0)
    assert not _runs(spare)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_first_to_leave_does_not_take_it_from_the_second(spare: Path, start: Start) -> None:
    first, second = start(spare), start(spare)
    await first.__aenter__()
    addresses = await second.__aenter__()
    await first.__aexit__(None, None, None)
    assert await _setting(addresses.service, "server_encoding") == "UTF8"
    await second.__aexit__(None, None, None)
    assert not _runs(spare)


async def test_processes_share_it_and_the_last_one_stops_it(spare: Path, start: Start, elsewhere: Elsewhere) -> None:
    async with elsewhere(spare) as child:
        pid = await _answer(child)
        async with start(spare):
            assert _pid(spare) == pid
        assert _pid(spare) == pid
    assert not _runs(spare)


async def test_many_processes_that_start_at_once_share_one_server(open_dir: Path, elsewhere: Elsewhere) -> None:
    new = open_dir / "new"
    async with elsewhere(new) as one, elsewhere(new) as two, elsewhere(new) as three:
        assert len(set(await asyncio.gather(*map(_answer, (one, two, three))))) == 1
    assert not _runs(new)


async def test_a_server_that_outlived_its_user_is_adopted_and_stopped(
    spare: Path, start: Start, elsewhere: Elsewhere
) -> None:
    async with elsewhere(spare) as child:
        pid = await _answer(child)
        child.kill()
        await child.wait()
        assert _pid(spare) == pid
        async with start(spare) as addresses:
            assert _pid(spare) == pid
            assert await _setting(addresses.service, "server_encoding") == "UTF8"
    assert not _runs(spare)


@pytest.fixture
async def marks(spare: Path, start: Start) -> AsyncGenerator[Addresses]:
    """The spare server, running, with a table to write marks into."""
    async with start(spare) as addresses:
        owner = await asyncpg.connect(addresses.owner)
        await owner.execute("DROP TABLE IF EXISTS marks; CREATE TABLE marks (id int)")
        await owner.execute("GRANT ALL ON marks TO tollkeeper_service")
        await owner.close()
        yield addresses
    assert not _runs(spare)


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
                await _until(lambda: len(confirmed) > 50 * round_)  # noqa: B023
                pid = _pid(spare) if victim == "server" else await database.value("backend")
                before = unavailable
                os.kill(pid, signal.SIGKILL)
                async with asyncio.timeout(5):
                    await _until(lambda: unavailable > before + 12)  # noqa: B023
                    before = len(confirmed)
                    await _until(lambda: len(confirmed) > before + 24)  # noqa: B023
            stop.set()
        assert set(confirmed) <= {row["id"] for row in await database.all("marks")}


async def test_a_server_killed_with_its_user_is_started_again_at_once(
    spare: Path, start: Start, elsewhere: Elsewhere
) -> None:
    async with elsewhere(spare) as child:
        pid = await _answer(child)
        child.kill()
        os.kill(pid, signal.SIGKILL)
        async with start(spare) as addresses:
            assert await _setting(addresses.service, "server_encoding") == "UTF8"
            assert _pid(spare) != pid


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
        note = _note(spare).read_text()
        account = _note(spare).stat()
    _note(spare).write_text(note.replace(note.split()[0], str(other_process.pid), 1))
    os.chown(_note(spare), account.st_uid, account.st_gid)
    try:
        if os.geteuid() == account.st_uid:
            # PostgreSQL takes another process of the same account for the server, and only a person can know better.
            with pytest.raises(Misconfigured, match="lock file"):
                await start(spare).__aenter__()
        else:
            async with start(spare):
                assert _pid(spare) != other_process.pid
        assert other_process.poll() is None
    finally:
        _note(spare).unlink(missing_ok=True)


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
        assert not _runs(spare)


@pytest.fixture
def odd(spare: Path) -> Generator[Path]:
    """The spare directory, moved to where no socket could have its path."""
    moved = spare.with_name("very-long-" * 12 + "a, b 'c' %20 é \udcff")
    spare.rename(moved)
    yield moved
    moved.rename(spare)


async def test_a_long_or_odd_path_and_a_moved_directory_work(odd: Path, start: Start) -> None:
    async with start(odd) as addresses:
        assert await _setting(addresses.service, "server_encoding") == "UTF8"
        sockets = _socket_dir(addresses)
        assert _mode(sockets) == 0o700
        assert odd not in sockets.parents
        assert len(os.fsencode(sockets / ".s.PGSQL.5432")) <= 103
    assert not _exists(sockets)


async def test_a_directory_that_is_moved_meanwhile_leaves_no_server(
    spare: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    moved = spare.with_name("moved")
    async with start(spare):
        pid = _pid(spare)
        _move(spare, moved)
    try:
        assert "was moved or taken away" in caplog.text
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        async with start(moved) as addresses:
            assert await _setting(addresses.service, "server_encoding") == "UTF8"
    finally:
        _move(moved, spare)


async def test_whoever_is_waited_for_is_named(
    spare: Path, start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_TOLD_SECONDS", 0.1)

    async def use() -> None:
        async with start(spare):
            pass

    with (spare / "postgres-gate.lock").open("r+b") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        gate.truncate()
        gate.write(b"4711")
        gate.flush()
        task = asyncio.create_task(use())
        await _until(lambda: "waiting for process 4711" in caplog.text)
    await task
    assert caplog.text.count("waiting for") == 1


async def test_a_server_that_runs_and_refuses_us_is_told_in_its_words(
    spare: Path, start: Start, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "START_SECONDS", 0.5)
    async with elsewhere(spare) as child, start(spare) as addresses:
        await _answer(child)
        admin = await asyncpg.connect(addresses.admin)
        await admin.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS false")
        try:
            with pytest.raises(Misconfigured, match=r"it runs and refuses us: .*not currently accepting connections"):
                async with start(spare):
                    pass
        finally:
            await admin.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS true")
            await admin.close()


async def test_a_path_may_be_any_bytes(open_dir: Path, start: Start) -> None:
    for _ in ("made", "and found again"):
        async with start(open_dir / "b\udcfc\udcff") as addresses:
            assert await _setting(addresses.service, "server_encoding") == "UTF8"


async def test_a_making_that_was_killed_is_begun_anew(open_dir: Path, start: Start, elsewhere: Elsewhere) -> None:
    data_dir = open_dir / "interrupted"
    async with elsewhere(data_dir) as child:
        await _until(lambda: _found(data_dir, "postgres-being-made-*/PG_VERSION"))
        child.kill()
    async with start(data_dir) as addresses:
        assert await _setting(addresses.service, "data_checksums") == "on"
    # The killed one's initdb may go on for a while, and write where we have just cleared.
    await _until(lambda: not _is_written(data_dir))
    async with start(data_dir):
        assert not _found(data_dir, "postgres-being-made-*")


async def test_a_making_whose_caller_was_cancelled_is_finished_first(open_dir: Path, start: Start) -> None:
    data_dir = open_dir / "cancelled"
    task = asyncio.create_task(start(data_dir).__aenter__())
    await _until(lambda: _found(data_dir, "postgres-being-made-*/PG_VERSION"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _exists(data_dir / "postgres" / "PG_VERSION")
    assert not _runs(data_dir)


async def test_settings_that_postgres_refuses_are_told_in_its_words(spare: Path, start: Start) -> None:
    with pytest.raises(Misconfigured, match="shared_buffers"):
        async with start(spare, shared_buffers="plenty"):
            pass


@pytest.mark.parametrize(("version", "told"), [("14", "14"), ("é", r"\\xc3\\xa9")])
async def test_a_cluster_of_another_version_is_refused(open_dir: Path, start: Start, version: str, told: str) -> None:
    foreign = open_dir / f"other-version-{version}"
    (foreign / "postgres").mkdir(parents=True)
    (foreign / "postgres" / "PG_VERSION").write_text(f"{version}\n", encoding="utf-8")
    (foreign / "postgres-passwords.json").write_text('{"admin": "a", "owner": "o", "service": "s"}')
    with pytest.raises(Misconfigured, match=f"made by PostgreSQL {told} "):
        async with start(foreign):
            pass


async def test_a_cluster_that_is_not_ours_is_refused(open_dir: Path, start: Start) -> None:
    foreign = open_dir / "foreign"
    (foreign / "postgres").mkdir(parents=True)
    (foreign / "postgres" / "PG_VERSION").write_text("18\n")
    with pytest.raises(Misconfigured, match="is not ours"):
        async with start(foreign):
            pass


async def test_a_directory_that_everybody_may_write_to_is_refused(open_dir: Path, start: Start) -> None:
    public = open_dir / "public"
    public.mkdir()
    public.chmod(0o777)
    with pytest.raises(Misconfigured, match="everybody may write"):
        async with start(public):
            pass


async def test_a_path_that_cannot_be_a_directory_is_refused(open_dir: Path, start: Start) -> None:
    (open_dir / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be used"):
        async with start(open_dir / "file" / "below"):
            pass
