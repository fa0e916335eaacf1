"""pgbench on the same PostgreSQL: how many transactions a second, and how long each took."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.course import Wishes, postgres_program
from bench.histogram import Histogram
from bench.programs import Failed, output_of

SCRIPTS: Final = Path(__file__).parent / "pgbench"
CLIENTS: Final = (4, 8, 16, 32, 64)
_TRIAL_SECONDS: Final = 4


@dataclass(frozen=True, slots=True)
class Ran:
    """What pgbench said of one run."""

    per_second: float
    latencies: Histogram


async def pgbench(
    dsn: str, script: str, *, clients: int, seconds: float, users: int, rate: float | None = None, log: bool = False
) -> Ran:
    """Run a script; with ``rate`` at so many transactions a second on average, each timed from when it was due."""
    with tempfile.TemporaryDirectory() as directory:
        options = [
            "--no-vacuum", "--protocol=prepared", f"--client={clients}", f"--jobs={min(2, clients)}",
            f"--time={max(1, round(seconds))}", f"--define=users={users}", f"--file={SCRIPTS / script}",
        ]  # fmt: skip
        if log:
            options += ["--log", f"--log-prefix={directory}/log"]
        if rate:
            options.append(f"--rate={rate:.3f}")
        told = (await output_of(postgres_program("pgbench"), *options, dsn, patience=seconds + 120)).decode()
        latencies = Histogram()
        _read_logs(Path(directory), latencies)
    found = re.search(r"tps = ([\d.]+)", told)
    failed = re.search(r"number of failed transactions: (\d+)", told)
    if failed is None or int(failed[1]):
        raise Failed(f"pgbench: {told}")
    # It tells no speed where nothing was done in time.
    return Ran(float(found[1]) if found else 0.0, latencies)


def _read_logs(directory: Path, latencies: Histogram) -> None:
    """Count the latency of each transaction: the third field, in microseconds, from when it was due or else begun."""
    for file in directory.iterdir():
        for line in file.read_text(encoding="ascii").splitlines():
            latencies.record(int(line.split()[2]))


async def best_clients(
    dsn: str, script: str, wishes: Wishes, *, users: int, among: Sequence[int] = CLIENTS
) -> tuple[int, Mapping[int, float]]:
    """Find the number of clients at which pgbench is fastest here; gives all that was tried, too."""
    seconds = 1 if wishes.is_quick else _TRIAL_SECONDS
    speeds = {
        clients: (await pgbench(dsn, script, clients=clients, seconds=seconds, users=users)).per_second
        for clients in among
    }
    return max(speeds, key=speeds.__getitem__), speeds
