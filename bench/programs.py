"""Running other programs: waited for, or kept in the background; none is left behind, whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
_STOP_SECONDS: Final = 30.0


class Failed(Exception):
    """A run that has no figure, and why."""


def environment(**added: str) -> dict[str, str]:
    """Give our own environment without settings of tollkeeper: the service runs as shipped."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TOLLKEEPER_")} | added


async def output_of(
    *command: str | Path,
    given: bytes = b"",
    patience: float = 600,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> bytes:
    """Run a program to its end and give what it wrote; ``Failed`` if it failed or took too long."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, env=env or environment(), start_new_session=True
    )
    try:
        told, complaints = await asyncio.wait_for(process.communicate(given), patience)
    except TimeoutError:
        raise Failed(f"{Path(command[0]).name} took more than {patience:.0f} s") from None
    finally:
        _end(process, signal.SIGKILL)
    if check and process.returncode:
        words = complaints.decode(errors="replace").strip()[-2000:]
        raise Failed(f"{Path(command[0]).name} ended with exit code {process.returncode}: {words}")
    return told


@asynccontextmanager
async def running(
    *command: str | Path, env: Mapping[str, str] | None = None, log: Path
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Have a program running for as long as the block lasts; what it writes goes to a file."""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, cwd=ROOT, env=env or environment(),
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        await asyncio.shield(_stopped(process))


async def _stopped(process: asyncio.subprocess.Process) -> None:
    _end(process, signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        _end(process, signal.SIGKILL)
        await process.wait()


def _end(process: asyncio.subprocess.Process, how: signal.Signals) -> None:
    """Tell the program and all that it started, if it still runs."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
