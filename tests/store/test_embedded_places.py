"""Where the PostgreSQL that comes along may stand, and what is told where it cannot."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import asyncpg
import pytest

from tests.store.embedding import (
    Elsewhere,
    Start,
    answer_of,
    exists,
    found,
    is_being_written,
    is_running,
    mode_of,
    move,
    pid_of,
    setting_of,
    socket_dir_of,
    until,
)
from tollkeeper.errors import Misconfigured
from tollkeeper.store import cluster, embedded, placement


@pytest.fixture
def odd(spare: Path) -> Generator[Path]:
    """The spare directory, moved to where no socket could have its path."""
    moved = spare.with_name("very-long-" * 12 + "a, b 'c' %20 é \udcff")
    spare.rename(moved)
    yield moved
    moved.rename(spare)


async def test_a_long_or_odd_path_and_a_moved_directory_work(odd: Path, start: Start) -> None:
    async with start(odd) as addresses:
        assert await setting_of(addresses.service, "server_encoding") == "UTF8"
        sockets = socket_dir_of(addresses)
        assert mode_of(sockets) == 0o700
        assert odd not in sockets.parents
        assert len(os.fsencode(sockets / ".s.PGSQL.5432")) <= 103
    assert not exists(sockets)


async def test_a_directory_that_is_moved_meanwhile_leaves_no_server(
    spare: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    moved = spare.with_name("moved")
    async with start(spare):
        pid = pid_of(spare)
        move(spare, moved)
    try:
        assert "was moved or taken away" in caplog.text
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        async with start(moved) as addresses:
            assert await setting_of(addresses.service, "server_encoding") == "UTF8"
    finally:
        move(moved, spare)


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
        await until(lambda: "waiting for process 4711" in caplog.text)
    await task
    assert caplog.text.count("waiting for") == 1


async def test_a_server_that_runs_and_refuses_us_is_told_in_its_words(
    spare: Path, start: Start, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "START_SECONDS", 0.5)
    async with elsewhere(spare) as child, start(spare) as addresses:
        await answer_of(child)
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
            assert await setting_of(addresses.service, "server_encoding") == "UTF8"


async def test_a_making_that_was_killed_is_begun_anew(open_dir: Path, start: Start, elsewhere: Elsewhere) -> None:
    data_dir = open_dir / "interrupted"
    async with elsewhere(data_dir) as child:
        await until(lambda: found(data_dir, "postgres-being-made-*/PG_VERSION"))
        child.kill()
    async with start(data_dir) as addresses:
        assert await setting_of(addresses.service, "data_checksums") == "on"
    # The killed one's initdb may go on for a while, and write where we have just cleared.
    await until(lambda: not is_being_written(data_dir))
    async with start(data_dir):
        assert not found(data_dir, "postgres-being-made-*")


async def test_a_making_whose_caller_was_cancelled_is_finished_first(open_dir: Path, start: Start) -> None:
    data_dir = open_dir / "cancelled"
    task = asyncio.create_task(start(data_dir).__aenter__())
    await until(lambda: found(data_dir, "postgres-being-made-*/PG_VERSION"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert exists(data_dir / "postgres" / "PG_VERSION")
    assert not is_running(data_dir)


async def test_a_server_is_heard_out_though_its_words_come_after_its_end(open_dir: Path, programs: Path) -> None:
    place = placement.place(open_dir / "words", programs=programs, shelter=open_dir / "shelter")
    place.logs.mkdir(parents=True)
    place.first_words.write_text("LOG:  redirecting log output to logging collector process\n", encoding="utf-8")
    log = place.logs / "postgres-Sun.log"
    log.write_text("[11] PANIC:  of another\n[11] LOG:  database system is shut down\n", encoding="utf-8")
    at_hand = cluster.Cluster(place)
    at_hand._spawned = 12
    words = asyncio.create_task(at_hand._last_words())
    await asyncio.sleep(0)
    with log.open("a", encoding="utf-8") as end:
        end.write('[12] FATAL:  lock file "x" already exists\n[12] LOG:  database system is shut down\n')
    assert 'lock file "x" already exists' in await words


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


async def test_a_copy_of_a_directory_in_use_leaves_that_alone(
    spare: Path, open_dir: Path, start: Start, elsewhere: Elsewhere
) -> None:
    copy = open_dir / "copied"
    async with elsewhere(spare) as child:
        pid = await answer_of(child)
        await asyncio.to_thread(subprocess.run, ["cp", "--archive", spare, copy], check=False)
        with pytest.raises(Misconfigured, match=rf"copied/postgres was copied from .*process {pid}"):
            async with start(copy):
                pass
        os.kill(pid, 0)
        async with start(spare) as addresses:
            assert await setting_of(addresses.service, "server_encoding") == "UTF8"
    # Once that has stopped the copy is what it is, as after a crash.
    async with start(copy) as addresses:
        assert await setting_of(addresses.service, "server_encoding") == "UTF8"


async def test_a_moved_directory_leaves_no_server_that_another_had_started(
    spare: Path, start: Start, elsewhere: Elsewhere
) -> None:
    moved = spare.with_name("moved-again")
    try:
        async with elsewhere(spare) as child:
            pid = await answer_of(child)
            adopted = start(spare)
            await adopted.__aenter__()
        move(spare, moved)
        await adopted.__aexit__(None, None, None)
        assert not cluster._alive(pid)
    finally:
        move(moved, spare)
