"""``python -m bench.peers``: what tollkeeper, MLflow tracing and Arize Phoenix do on one PostgreSQL, in turn.

Writes docs/performance-peers.json; ``bench.peers.page`` makes the page's section from it.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench.course import Wishes, course
from bench.machine import machine
from bench.peers import kept
from bench.peers.kept import Peers
from bench.peers.measuring import KINDS, SETTLE_SECONDS, Wanted, contended, kill, noted, summarise, track
from bench.peers.tracing import ORIGINALS
from bench.turns import say


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each load, in turn (default 5)")
    parser.add_argument("--seconds", type=float, default=6, help="of each load (default 6)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="requests stored when read")
    parser.add_argument("--reads", type=int, default=40, help="of each summary (default 40)")
    parser.add_argument("--users", type=int, default=1000, help="to choose from (default 1000)")
    parser.add_argument("--out", type=Path, default=kept.FILE, help="the file to write")
    given = parser.parse_args()
    if any(size % min(ORIGINALS, given.sizes[0]) for size in given.sizes):
        parser.error(f"each size must be a multiple of the first, or of {ORIGINALS} if that is less")
    wanted = Wanted(given.rounds, given.seconds, given.sizes, given.reads)
    kept.write(asyncio.run(_measured(wanted, Wishes(users=given.users))), given.out)
    say(f"written to {given.out}")


async def _measured(wanted: Wanted, wishes: Wishes) -> Peers:
    found = contended()
    async with course(wishes, "peers") as here:
        await track(here, wanted, found)
        for kind in KINDS:
            await noted(found[kind.name], "kill -9", kill(here, kind, found[kind.name]))
    for kind in KINDS:
        # On a PostgreSQL of its own, so that nobody else's rows and processes are about.
        async with course(wishes, "peers-read") as here:
            await noted(found[kind.name], "summary", summarise(here, kind, wanted, found[kind.name]))
    settings = asdict(wanted) | {"users": wishes.users, "settleSeconds": SETTLE_SECONDS}
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Peers(taken_at, await asyncio.to_thread(machine), settings, list(found.values()))


if __name__ == "__main__":
    main()
