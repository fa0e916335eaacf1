"""What an idle process holds, how soon a warm start answers, and what a finished request takes on disk."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from pathlib import Path
from typing import Any, Final

from bench.course import SQL, TOLLKEEPER, Course, Wishes, asked, course, free_port, remove
from bench.figures import Comparison, Contender, Measure, Measured
from bench.programs import Failed, running
from bench.turns import say

MEMORY: Final = "resident memory of an idle process"
SHARED: Final = "the same, pages shared with others counted in part (PSS)"
START: Final = "warm start to first answer"
DISK: Final = "bytes on disk for a byte of its fields"
_TEXT: Final = 500
# A minute or two of load: less is over before autovacuum had its turns, and what it gives back was never used again.
_REQUESTS: Final = 200_000
_IDLE_SECONDS: Final = 3.0
_TABLES: Final = (
    "chat_requests", "request_analytics", "chat_sessions", "usage_rollups", "overall_rollups", "usage", "request_keys",
)  # fmt: skip


async def run(wishes: Wishes) -> Measured:
    """The disk first, on a service that stays; then starts on the directory that is there already."""
    disk, settings = await _disk(wishes)
    starts, resident, proportional = await _starts(wishes)
    lines = [
        Comparison("memory of one idle service process", "(MB, PostgreSQL apart)", "<=", 120, MEMORY),
        Comparison("warm `tollkeeper serve` to first answer", "(seconds)", "<=", 3, START),
        Comparison(
            f"disk per finished request with {_TEXT} characters of text", "raw bytes of its fields", "<=", 3, DISK
        ),
    ]
    contenders = [
        Contender(MEMORY, "MB", [*resident]), Contender(SHARED, "MB", [*proportional]),
        Contender(START, "s", [*starts]), Contender(DISK, "", [disk] if disk else []),
    ]  # fmt: skip
    return Measured("Footprint", contenders, lines, settings)


async def _starts(wishes: Wishes) -> tuple[list[float], list[float], list[float]]:
    """Start, ask, look at the memory, stop; again and again on one data directory."""
    async with course(wishes, "footprint", is_kept=True) as here:
        data = here.data
    starts: list[float] = []
    resident: list[float] = []
    proportional: list[float] = []
    for number in range(wishes.rounds):
        port = free_port()
        began = time.perf_counter()
        async with running(TOLLKEEPER, "serve", "--data", data, "--port", str(port), log=here.log) as process:
            await asyncio.to_thread(_first_answer, port)
            starts.append(time.perf_counter() - began)
            await asyncio.sleep(_IDLE_SECONDS)
            memory = _memory(process.pid)
            resident.append(memory["Rss"])
            proportional.append(memory["Pss"])
        say(f"start {number + 1}: {starts[-1]:.2f} s, {resident[-1]:.0f} MB resident")
    remove(data)
    return starts, resident, proportional


def _first_answer(port: int, patience: float = 60) -> None:
    """Knock every few milliseconds until a request is answered."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if b" 200 " in connection.recv(4096)[:20]:
                    return
        except OSError:
            pass
        time.sleep(0.005)
    raise Failed("the service did not answer")


def _memory(pid: int) -> dict[str, float]:
    """Read the process's memory in MB (10^6 bytes), as the kernel of Linux tells it."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return {name: int(kib) * 1024 / 1e6 for name, kib in re.findall(r"^(Rss|Pss): +(\d+) kB", told, re.MULTILINE)}


async def _disk(wishes: Wishes) -> tuple[float, dict[str, Any]]:
    """Finish requests over HTTP, let vacuum and a checkpoint tidy up, and weigh the tables."""
    at_least = 2_000 if wishes.is_quick else _REQUESTS
    async with course(wishes, "disk") as here, here.service() as served:
        before = await _weights(here)
        requests = 0
        while requests < at_least:
            requests += (await here.checked(served, kind="pairs", text=_TEXT, verify=False)).done
        await here.verify()
        await here.all("VACUUM ANALYZE")
        await asked(here.admin, "CHECKPOINT")
        after = await _weights(here)
        raw = int(await here.value((SQL / "raw_bytes.sql").read_text(encoding="utf-8")))
    grown = {table: after[table] - before[table] for table in _TABLES}
    say(f"{sum(grown.values()) / requests:,.0f} bytes on disk for {raw / requests:,.0f} of fields")
    settings = {
        "requests": requests, "rawBytesPerRequest": round(raw / requests),
        "diskBytesPerRequest": {table: round(size / requests, 1) for table, size in grown.items()},
    }  # fmt: skip
    return sum(grown.values()) / raw, settings


async def _weights(here: Course) -> dict[str, int]:
    """Weigh each table with its partitions, indexes and long texts."""
    return {
        table: int(await here.value(
            "SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree($1::text::regclass) AS t", table
        ) or 0) or int(await here.value("SELECT pg_total_relation_size($1::text::regclass)", table))
        for table in _TABLES
    }  # fmt: skip


MEASURE: Final = Measure("footprint", "memory, warm start, and disk for each request", run)
