"""Past requests in bulk: rows a second through ``POST /api/chat/track/batch``, beside COPY into the same tables."""

from __future__ import annotations

import asyncio
import csv
import io
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.bodies import Real, group_of, real_requests
from bench.course import Course, Wishes, asked, course, postgres_program
from bench.figures import Comparison, Measure, Measured
from bench.load import Result
from bench.measures.pairs import OURS
from bench.programs import output_of
from bench.turns import Figure, contend, in_turn, per_second, say
from tollkeeper.store.embedded import Addresses

UNIT: Final = "rows/s"
COPY: Final = "COPY"
PATH: Final = "/api/chat/track/batch"
# The service takes two batches at once and sends others away.
CONNECTIONS: Final = (1, 2)
COPY_CONNECTIONS: Final = (1, 2, 4)
_ROWS: Final = 5_000
_BODIES: Final = 6
_COPIED: Final = 50_000


async def run(wishes: Wishes) -> Measured:
    """Both write finished requests of the same users, texts and tokens; each at its best number of connections."""
    async with course(wishes, "batch") as here, here.service() as served:
        beside = await here.beside("bench_copy")
        rows = 1_000 if wishes.is_quick else _ROWS
        bodies = _written_bodies(here, rows)
        copied = 5_000 if wishes.is_quick else _COPIED
        files = await _written_copies(here, beside, copied)

        async def send(connections: int, seconds: float) -> Result:
            return await here.checked(
                served, kind="batches", path=PATH, bodies=bodies, rows=rows, connections=connections, seconds=seconds
            )

        trial = min(3.0, wishes.seconds)
        await send(1, trial / 2)  # so that the first tried is not the only cold one
        ours_by = {each: per_second(await send(each, trial)).value for each in CONNECTIONS}
        theirs_by = {each: await _copied(beside, files, each, trial / 2) for each in COPY_CONNECTIONS}
        ours_best, theirs_best = (max(found, key=found.__getitem__) for found in (ours_by, theirs_by))
        for name, found in ((OURS, ours_by), (COPY, theirs_by)):
            say(f"{name} by connections: " + ", ".join(f"{each}: {speed:,.0f}" for each, speed in found.items()))

        async def ours() -> Figure:
            return per_second(await send(ours_best, wishes.seconds))

        async def theirs() -> Figure:
            return Figure(await _copied(beside, files, theirs_best, wishes.seconds / 2))

        turns = [contend(OURS, UNIT, ours), contend(COPY, UNIT, theirs)]
        failures = await in_turn(turns, wishes.rounds)
    settings = {
        "rowsPerBatch": rows, "rowsPerCopy": copied, "connections": ours_best, "copyConnections": theirs_best,
        "users": wishes.users, "seconds": wishes.seconds,
        "byConnections": {str(each): round(speed) for each, speed in ours_by.items()},
        "copyByConnections": {str(each): round(speed) for each, speed in theirs_by.items()},
    }  # fmt: skip
    line = Comparison("batch ingest rows/s", "`COPY` into the same tables with the same indexes", ">=", 0.4, OURS, COPY)
    return Measured("Past requests in bulk", [each.contender for each in turns], [line], settings, failures)


def _written_bodies(here: Course, rows: int) -> list[str]:
    written: list[str] = []
    for number in range(_BODIES):
        items = [_item(here.users, at) for at in _instants(rows)]
        path = here.wishes.data / "data" / f"batch-{number}.json"
        path.write_bytes(msgspec.json.encode(items))
        written.append(str(path))
    return written


def _item(users: Sequence[str], at: datetime) -> dict[str, Any]:
    user, real = _drawn(len(users))
    return {"user": users[user], "startedAt": at, **real.started(), **real.finished()}


def _drawn(users: int) -> tuple[int, Real]:
    """Choose a user, and one of the requests that this user makes."""
    user = random.randrange(users)
    first, size = group_of(user, users)
    return user, real_requests()[first + random.randrange(size)]


def _instants(rows: int) -> list[datetime]:
    """Spread over the hour before this one's last minutes, oldest first."""
    now = datetime.now(UTC) - timedelta(minutes=5)
    return sorted(now - timedelta(seconds=random.uniform(0, 3600)) for _ in range(rows))


async def _written_copies(here: Course, beside: Addresses, rows: int) -> list[tuple[Path, Path]]:
    """Write what COPY reads: as many files as there may be connections."""
    users = [str(row["user_id"]) for row in await asked(beside.owner, "SELECT user_id FROM bench_users ORDER BY n")]
    share = rows // max(COPY_CONNECTIONS)
    found: list[tuple[Path, Path]] = []
    for number in range(max(COPY_CONNECTIONS)):
        requests, analytics = io.StringIO(), io.StringIO()
        for at in _instants(share):
            _write_row(csv.writer(requests), csv.writer(analytics), users, at)
        directory = here.wishes.data / "data"
        paths = directory / f"requests-{number}.csv", directory / f"analytics-{number}.csv"
        paths[0].write_text(requests.getvalue(), encoding="utf-8")
        paths[1].write_text(analytics.getvalue(), encoding="utf-8")
        found.append(paths)
    return found


def _write_row(requests: Any, analytics: Any, users: Sequence[str], at: datetime) -> None:
    user, real = _drawn(len(users))
    request_id = _uuid7(at)
    ended = at + timedelta(milliseconds=real.duration_ms)
    tokens = real.tokens_input + real.tokens_output
    requests.writerow([
        request_id, users[user], real.session_id, real.prompt, real.response, real.model, "chat", real.category,
        "completed", tokens, 1_000_000, "computed", 1_000_000, real.duration_ms, 50, _RATES, "enterprise", 1, at.date(),
        r"\x900150983cd24fb0d6963f7d28e17f72", _LIMITS, at, at + timedelta(minutes=15), ended, at,
    ])  # fmt: skip
    analytics.writerow([
        request_id, users[user], request_id, "chat", real.category, real.duration_ms, real.tokens_input,
        real.tokens_output, True, ended,
    ])  # fmt: skip


_RATES: Final = '{"source": "genai-prices", "provider": "openai", "model": "gpt-4o", "input": 2500000000, "output": 1}'
# What a finish was answered, as it stands in the rows that the service writes.
_LIMITS: Final = (
    '[1, "enterprise", 1, null, 1, null, 700, null, 6200000, null, 1795392000000000, 1796083200000000, true]'
)
_REQUESTS_COLUMNS: Final = (
    "id, user_id, session_id, prompt, response, model, request_type, category, status, tokens_used, cost_nanos,"
    " cost_source, computed_nanos, duration, reserved_tokens, unit_prices, plan_name, version, started_on, finish_hash,"
    " finish_limits, started_at, expires_at, completed_at, created_at"
)
_ANALYTICS_COLUMNS: Final = (
    "id, user_id, request_id, request_type, category, response_time, tokens_input, tokens_output, was_successful,"
    " created_at"
)


def _uuid7(at: datetime) -> str:
    milliseconds = int(at.timestamp() * 1000)
    digits = f"{milliseconds:012x}7{random.getrandbits(12):03x}{0x8000 | random.getrandbits(14):04x}"
    return f"{digits}{random.getrandbits(48):012x}"


async def _copied(beside: Addresses, files: Sequence[tuple[Path, Path]], connections: int, seconds: float) -> float:
    """Copy all files over so many connections, again and again into empty tables; gives rows a second."""
    rows, took = 0, 0.0
    while took < seconds:
        await asked(beside.owner, "TRUNCATE request_analytics, chat_requests")
        began = time.perf_counter()
        await asyncio.gather(*(_copy(beside, files[number::connections]) for number in range(connections)))
        took += time.perf_counter() - began
        rows += (await asked(beside.owner, "SELECT count(*) FROM request_analytics"))[0][0]
    return rows / took


async def _copy(beside: Addresses, files: Sequence[tuple[Path, Path]]) -> None:
    """Copy over one connection, requests and analytics of a file in one transaction."""
    words: list[str] = []
    for requests, analytics in files:
        words += [
            "BEGIN",
            rf"\copy chat_requests ({_REQUESTS_COLUMNS}) FROM '{requests}' (FORMAT csv)",
            rf"\copy request_analytics ({_ANALYTICS_COLUMNS}) FROM '{analytics}' (FORMAT csv)",
            "COMMIT",
        ]
    commands = [part for word in words for part in ("--command", word)]
    psql = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", beside.service)
    await output_of(postgres_program("psql"), *psql, *commands)


MEASURE: Final = Measure("batch", "past requests in bulk, beside COPY", run)
