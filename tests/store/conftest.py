"""The PostgreSQL that comes along, used here and in other processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.store.embedding import USE_AND_WAIT, Elsewhere, Start
from tollkeeper.store.embedded import Addresses, embedded_server


@pytest.fixture
def start(open_dir: Path, programs: Path) -> Start:
    def run(data_dir: Path, **settings: str) -> AbstractAsyncContextManager[Addresses]:
        return embedded_server(data_dir, programs=programs, shelter=open_dir / "shelter", least_mib=None, **settings)

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
