"""``python -m bench.peers``: what tollkeeper, MLflow tracing and Arize Phoenix do on one PostgreSQL, in turn.

Writes docs/performance-peers.json, and docs/performance.md with the section made from it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import figures, page
from bench.course import Wishes, course
from bench.machine import machine
from bench.measures import ALL
from bench.peers import kept
from bench.peers.contender import Contender
from bench.peers.kept import Peers, Taken
from bench.peers.measuring import KINDS, SETTLE_SECONDS, Wanted, contended, kill, noted, summarise, track
from bench.peers.tracing import ORIGINALS
from bench.turns import say


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=KINDS, help="measure these; the others keep their figures")
    parser.add_argument("--rounds", type=int, default=5, help="of each load, in turn (default 5)")
    parser.add_argument("--seconds", type=float, default=6, help="of each load (default 6)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="requests stored when read")
    parser.add_argument("--reads", type=int, default=40, help="of each summary (default 40)")
    parser.add_argument("--users", type=int, default=1000, help="to choose from (default 1000)")
    parser.add_argument("--out", type=Path, default=kept.FILE, help="the file to write; the page only without")
    given = parser.parse_args()
    if any(size % min(ORIGINALS, given.sizes[0]) for size in given.sizes):
        parser.error(f"each size must be a multiple of the first, or of {ORIGINALS} if that is less")
    wanted = Wanted(given.rounds, given.seconds, given.sizes, given.reads)
    chosen = [kind for name, kind in KINDS.items() if name in (given.only or KINDS)]
    before = kept.read(given.out)
    peers = asyncio.run(_measured(chosen, wanted, Wishes(users=given.users)))
    kept.write(kept.joined(before, peers, [each.name for each in KINDS.values()]), given.out)
    say(f"written to {given.out}")
    if given.out == kept.FILE:
        page.write(kept.FILE.parent, figures.read(kept.FILE.with_name("performance.json")), ALL)


async def _measured(kinds: Sequence[type[Contender]], wanted: Wanted, wishes: Wishes) -> Peers:
    taken = Taken(
        at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", machine=await asyncio.to_thread(machine),
        in_turn=[kind.name for kind in kinds], rounds=wanted.rounds, seconds=wanted.seconds, users=wishes.users,
        reads=wanted.reads, settle_seconds=SETTLE_SECONDS,
    )  # fmt: skip
    found = contended(kinds, taken)
    async with course(wishes, "peers") as here:
        await track(here, kinds, wanted, found)
        for kind in kinds:
            await noted(found[kind.name], "kill -9", kill(here, kind, found[kind.name]))
    for kind in kinds:
        # On a PostgreSQL of its own, so that nobody else's rows and processes are about.
        async with course(wishes, "peers-read") as here:
            await noted(found[kind.name], "summary", summarise(here, kind, wanted, found[kind.name]))
    return Peers(list(found.values()))


if __name__ == "__main__":
    main()
