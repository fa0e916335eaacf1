"""How the database stands: its size, its tables and partitions, the nodes on it, and what was verified last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tollkeeper.errors import Unavailable
from tollkeeper.metering.admin import nodes
from tollkeeper.metering.admin.nodes import SeenNode
from tollkeeper.store.database import Statements


@dataclass(frozen=True, slots=True)
class Table:
    """A table with all that belongs to it; of a partitioned one the sum. Rows are the database's estimate."""

    name: str
    size_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Partition:
    """A month of requests and their analytics; without bounds it takes what no month has."""

    name: str
    starts_at: datetime | None
    ends_at: datetime | None
    size_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class LastVerification:
    """When every number was recomputed last, how long that took, and how many disagreed.

    Of ``unreadable`` users and months nothing could be recomputed: the disk does not give their requests.
    """

    at: datetime
    seconds: float
    differences: int
    unreadable: int

    @property
    def is_clean(self) -> bool:
        """Everything could be read, and every number agreed."""
        return self.differences == self.unreadable == 0


@dataclass(frozen=True, slots=True)
class System:
    """The database as it stands. Rows and texts are there since ``rows_from`` and ``texts_from``, or the beginning."""

    version: str
    size_bytes: int
    connections: int
    rows_from: datetime | None
    texts_from: datetime | None
    tables: list[Table]
    partitions: list[Partition]
    last_verification: LastVerification | None
    nodes: list[SeenNode]


async def read(database: Statements) -> System:
    """Read it all."""
    row = await database.one("system")
    if row is None:
        raise Unavailable("the database did not say how it stands")
    return System(
        version=row["version"],
        size_bytes=row["size_bytes"],
        connections=row["connections"],
        rows_from=row["rows_from"],
        texts_from=row["texts_from"],
        tables=[Table(**each) for each in await database.all("table_sizes")],
        partitions=[Partition(**each) for each in await database.all("partition_sizes")],
        last_verification=await last_verification(database),
        nodes=await nodes.seen(database),
    )


async def last_verification(database: Statements) -> LastVerification | None:
    """Say what was found when everything was proved last, by whomever; ``None``: it never was."""
    row = await database.one("last_verification")
    if row is None:
        return None
    return LastVerification(row["at"], float(row["seconds"]), row["differences"], row["unreadable"])
