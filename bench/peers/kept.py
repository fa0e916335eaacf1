"""What was measured: docs/performance-peers.json."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from bench.programs import ROOT

FILE: Final = ROOT / "docs" / "performance-peers.json"

Way = Literal["single", "batch"]


class Round(msgspec.Struct, rename="camel"):
    """One run of the load."""

    acknowledged: int
    seconds: float
    """From the first call to the last good answer."""
    stored: int
    stored_seconds: float
    """From the first call until all that was acknowledged stood in the database, or until we stopped waiting."""
    refused: dict[str, int]

    @property
    def stored_per_second(self) -> float:
        """The figure to quote: what is only in memory is not yet tracked."""
        return self.stored / self.stored_seconds

    @property
    def acknowledged_per_second(self) -> float:
        """How fast the senders were told that all is well."""
        return self.acknowledged / self.seconds


class Tracked(msgspec.Struct, rename="camel"):
    """All runs of one way to send."""

    way: Way
    senders: int
    batch: int
    rounds: list[Round]

    def median(self, figure: Literal["stored_per_second", "acknowledged_per_second"]) -> float:
        """Give the median of all rounds."""
        return statistics.median(getattr(each, figure) for each in self.rounds)


class Killed(msgspec.Struct, rename="camel"):
    """A server that was killed under load."""

    acknowledged: int
    stored: int
    """Of those that were acknowledged."""


class Summary(msgspec.Struct, rename="camel"):
    """Reads of requests, tokens and cost of the last 30 days, in all and by model."""

    requests: int
    milliseconds: list[float]

    @property
    def p50(self) -> float:
        """The figure to quote."""
        return statistics.median(self.milliseconds)


class Taken(msgspec.Struct, rename="camel"):
    """When, on what and how figures were taken."""

    at: str
    machine: dict[str, Any]
    in_turn: list[str]
    """Who was measured in one run, taking turns; one name if it was alone."""
    rounds: int
    seconds: float
    """Of each round."""
    users: int
    reads: int
    settle_seconds: float
    """How long at most we waited until what was acknowledged was stored."""


class Contended(msgspec.Struct, rename="camel"):
    """All about one contender."""

    name: str
    version: str
    taken: Taken
    acknowledgement: str
    read: str
    settings: list[str]
    tracked: list[Tracked] = []
    killed: Killed | None = None
    summaries: list[Summary] = []
    failures: list[str] = []
    remarks: list[str] = []
    """What was otherwise than the page says; written by hand when the measuring was changed and this was kept."""


class Peers(msgspec.Struct, rename="camel"):
    """The whole file."""

    contenders: list[Contended]


def read(path: Path = FILE) -> Peers:
    """Read what was measured before."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Peers)
    except FileNotFoundError:
        return Peers([])


def joined(before: Peers, now: Peers, order: Sequence[str]) -> Peers:
    """Put what was measured now in the place of what was before; who was not measured keeps what it had."""
    known = {each.name: each for each in before.contenders + now.contenders}
    return Peers([known[name] for name in order if name in known])


def write(peers: Peers, path: Path = FILE) -> None:
    """Write the file, readable."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(peers), indent=1) + b"\n")
