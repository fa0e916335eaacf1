"""After a failover the primary of before is not used by who has seen the new one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import asyncpg
import pytest

from tests.store.embedding import Start
from tollkeeper.errors import Misconfigured
from tollkeeper.store.database import Database
from tollkeeper.store.queries import Statement

_KNOWN = {"one": Statement("one", "SELECT 1", ())}


async def test_the_primary_of_before_a_failover_is_refused(spare: Path, start: Start) -> None:
    async with start(spare):
        pass
    follower = spare.with_name(f"{spare.name}-follower")
    _copy_as_standby(spare, follower)
    async with start(spare) as old, start(follower) as new:
        await _used(old.service)
        admin = await asyncpg.connect(new.admin)
        assert await admin.fetchval("SELECT pg_promote()")
        # Both take writes now, and both are known by the same names.
        await _used(old.service)
        await _used(new.service)
        for dsn in (old.service, f"{old.service}&target_session_attrs=read-write"):
            with pytest.raises(Misconfigured, match="timeline 1 and there is one on 2"):
                await _used(dsn)
        await _used(new.service)
        await admin.close()


async def _used(dsn: str) -> None:
    async with Database.open(dsn, size=1, known=_KNOWN) as database:
        assert await database.value("one") == 1


def _copy_as_standby(origin: Path, copy: Path) -> None:
    subprocess.run(["cp", "-a", origin, copy], check=True)
    signal = copy / "postgres" / "standby.signal"
    signal.touch()
    found = (copy / "postgres").stat()
    os.chown(signal, found.st_uid, found.st_gid)
