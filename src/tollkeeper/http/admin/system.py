"""How the service and its database stand."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import field

from tollkeeper.http.backend import Backend
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant
from tollkeeper.metering.admin import system
from tollkeeper.metering.admin.nodes import SeenNode
from tollkeeper.metering.admin.system import LastVerification, Partition, System, Table
from tollkeeper.metering.tracking.lane import Lane


class DatabaseShown(Heard, frozen=True, kw_only=True):
    """The PostgreSQL behind it; embedded, if it came along: then `freeBytes` are free on its disk.

    Below `reserveBytes` nothing new is taken in.
    """

    version: str
    size_bytes: int
    embedded: bool
    connections: int
    free_bytes: int | None
    reserve_bytes: int | None


class TableShown(Heard, frozen=True, kw_only=True):
    """A table with its indexes and long texts. Rows are an estimate."""

    name: str
    size_bytes: int
    rows: int

    @classmethod
    def of(cls, table: Table) -> TableShown:
        """Show a table."""
        return cls(name=table.name, size_bytes=table.size_bytes, rows=table.rows)


class PartitionShown(Heard, frozen=True, kw_only=True):
    """A month of requests, ``from`` on and before ``to``; without both it takes what no month has."""

    name: str
    since: Instant | None = field(name="from")
    until: Instant | None = field(name="to")
    size_bytes: int
    rows: int

    @classmethod
    def of(cls, partition: Partition) -> PartitionShown:
        """Show a partition."""
        return cls(
            name=partition.name,
            since=partition.starts_at and instant(partition.starts_at),
            until=partition.ends_at and instant(partition.ends_at),
            size_bytes=partition.size_bytes,
            rows=partition.rows,
        )


class LaneShown(Heard, frozen=True, kw_only=True):
    """What waits for its verdict on this node; sets and items that were decided since it started."""

    waiting: int
    sets: int
    decided: int

    @classmethod
    def of(cls, lane: Lane[Any, Any]) -> LaneShown:
        """Show a lane."""
        return cls(waiting=lane.waiting, sets=lane.sets, decided=lane.decided)


class LanesShown(Heard, frozen=True, kw_only=True):
    """The lanes of the node that answers."""

    starts: LaneShown
    finishes: LaneShown


class VerificationShown(Heard, frozen=True, kw_only=True):
    """What the last proof of all numbers found, a node's own or `tollkeeper verify`.

    It is ok if no number disagreed with the requests, and none of these were unreadable: of so many users and months.
    """

    at: Instant
    ok: bool
    differences: int
    unreadable: int
    seconds: float

    @classmethod
    def of(cls, last: LastVerification) -> VerificationShown:
        """Show a verification."""
        return cls(
            at=instant(last.at),
            ok=last.is_clean,
            differences=last.differences,
            unreadable=last.unreadable,
            seconds=last.seconds,
        )


class NodeShown(Heard, frozen=True, kw_only=True):
    """A process that serves. It says every two seconds that it lives."""

    id: str
    host: str
    version: str
    started_at: Instant
    seen_at: Instant
    pid: int

    @classmethod
    def of(cls, node: SeenNode) -> NodeShown:
        """Show a node."""
        return cls(
            id=str(node.id),
            host=node.host,
            version=node.version,
            started_at=instant(node.started_at),
            seen_at=instant(node.seen_at),
            pid=node.pid,
        )


class RetentionShown(Heard, frozen=True, kw_only=True):
    """How long requests and their texts are kept (null: for ever), and since when there are any (null: all are)."""

    rows_days: int | None
    text_days: int | None
    rows_from: Instant | None
    texts_from: Instant | None


class SystemShown(Heard, frozen=True, kw_only=True):
    """How the service stands. `startedAt` and `lanes` are of the node that answers."""

    success: Literal[True] = True
    version: str
    started_at: Instant | None
    database: DatabaseShown
    tables: list[TableShown]
    partitions: list[PartitionShown]
    lanes: LanesShown
    last_verify: VerificationShown | None
    nodes: list[NodeShown]
    retention: RetentionShown

    @classmethod
    def of(cls, found: System, backend: Backend) -> SystemShown:
        """Show what the database and this node say."""
        own = next((each for each in found.nodes if each.id == backend.node.id), None)
        return cls(
            version=backend.version,
            started_at=own and instant(own.started_at),
            database=DatabaseShown(
                version=found.version,
                size_bytes=found.size_bytes,
                embedded=backend.is_embedded,
                connections=found.connections,
                free_bytes=backend.room and backend.room.free,
                reserve_bytes=backend.room and backend.room.least,
            ),
            tables=[TableShown.of(each) for each in found.tables],
            partitions=[PartitionShown.of(each) for each in found.partitions],
            lanes=LanesShown(
                starts=LaneShown.of(backend.ledger.starts), finishes=LaneShown.of(backend.ledger.finishes)
            ),
            last_verify=found.last_verification and VerificationShown.of(found.last_verification),
            nodes=[NodeShown.of(each) for each in found.nodes],
            retention=RetentionShown(
                rows_days=backend.keep_rows_days,
                text_days=backend.keep_text_days,
                rows_from=found.rows_from and instant(found.rows_from),
                texts_from=found.texts_from and instant(found.texts_from),
            ),
        )


SHOW: Final = Operation("admin", summary="Show how the service stands", query=Said, gives={200: SystemShown})


@get("/api/admin/system", SHOW)
async def show_system(request: Exchange) -> Answer:
    """Version, database, partitions, lanes, nodes, and what the last proof of all numbers found."""
    request.asked(Said)
    return Answer.of(SystemShown.of(await system.read(request.backend.patient), request.backend))
