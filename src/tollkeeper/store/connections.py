"""A bounded set of connections to one database, and how each is made.

They are not kept in asyncpg's own pool: on one core that adds 150 us to a statement of 95 us (35 us even when told to
reset nothing), and these add none that can be measured. A session has nothing to reset here: settings change only
inside transactions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import msgspec

from tollkeeper.errors import Misconfigured, TollkeeperError, Unavailable

log = logging.getLogger(__name__)

STATEMENT_SECONDS: Final = 5.0
LOCK_SECONDS: Final = 1.0
IDLE_IN_TRANSACTION_SECONDS: Final = 10.0
ACQUIRE_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 10.0
# How much longer than the server the client waits: the server should have the first word on its own time limit.
_GRACE_SECONDS: Final = 0.5
# Enough to come up again after a wait for a free place that took nearly all the time there was.
_SHORTEST_CONNECT_SECONDS: Final = 0.5
_STATEMENTS_KEPT: Final = 256


class Connections:
    """At most ``size`` connections, made when needed. One that is closed is never handed out."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], size: int) -> None:
        self._connect = connect
        self._places = asyncio.Semaphore(size)
        self._idle: list[asyncpg.Connection] = []
        self._closing = False

    async def take(self) -> asyncpg.Connection:
        """Hand out the connection used last, whose caches are warm, or a new one; waits at most two seconds."""
        if self._places.locked():
            seconds_left = await self._wait_for_a_place()
        else:
            await self._places.acquire()
            seconds_left = ACQUIRE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self._fresh(seconds_left)

    def give_back(self, connection: asyncpg.Connection) -> None:
        """Every connection taken comes back, closed or not."""
        if self._closing:
            connection.terminate()
        elif not connection.is_closed():
            self._idle.append(connection)
        self._places.release()

    def doubt(self, connection: asyncpg.Connection) -> None:
        """When the server took one connection away, it most likely took all: make new ones, do not try them in turn."""
        if connection.is_closed():
            while self._idle:
                self._idle.pop().terminate()

    async def close(self) -> None:
        """Close what is idle in good order; what is still in use is cut off when it comes back."""
        self._closing = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(each.close(timeout=_CLOSE_SECONDS) for each in idle), return_exceptions=True)

    async def _wait_for_a_place(self) -> float:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ACQUIRE_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        except TimeoutError as error:
            raise Unavailable("all connections to the database are busy") from error
        return max(deadline - loop.time(), _SHORTEST_CONNECT_SECONDS)

    async def _fresh(self, seconds: float) -> asyncpg.Connection:
        try:
            async with asyncio.timeout(seconds):
                return await self._connect()
        except Exception as error:
            self._places.release()
            if isinstance(error, Misconfigured):
                log.error("the database is not used: %s", error.detail)  # noqa: TRY400 - its words are all of it
            raise Unavailable("the database cannot be reached") from error
        except BaseException:
            self._places.release()
            raise


@dataclass(frozen=True, slots=True)
class Session:
    """How the service's connections are made; time limits in seconds."""

    dsn: str
    statement_timeout: float
    lock_timeout: float
    transaction_pooler: bool

    async def connect(self) -> asyncpg.Connection:
        """Open one connection, ready for use."""
        settings = {"application_name": "tollkeeper"}
        if not self.transaction_pooler:
            # In the start-up packet they cost no round trip, and rank above what role and database were told.
            # PgBouncer would refuse them there, and SET would reach whichever server comes next: see `migrate`.
            settings |= session_settings(self.statement_timeout, self.lock_timeout)
        connection = await asyncpg.connect(
            self.dsn,
            server_settings=settings,
            statement_cache_size=0 if self.transaction_pooler else _STATEMENTS_KEPT,
            command_timeout=self.statement_timeout + _GRACE_SECONDS,
        )
        try:
            await connection.set_type_codec(
                "jsonb", schema="pg_catalog", format="binary", encoder=_to_jsonb, decoder=_from_jsonb
            )
            await _refuse_unsafe(connection)
            await _refuse_former_primary(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection


PINNED: Final = {
    "search_path": "public",
    "TimeZone": "UTC",
    # What role or database are told for others would have sets undo each other, or nothing be written.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "standard_conforming_strings": "on",
}
"""What holds in every session of ours, the service's and the owner's, whatever role or database were told."""


@asynccontextmanager
async def directly(dsn: str, purpose: str, **settings: str) -> AsyncGenerator[asyncpg.Connection]:
    """Have one connection of one's own for as long as the block lasts, as owners work; a pooler is no way to it.

    ``settings`` rank above what is pinned. ``Misconfigured`` or ``Unavailable`` if there is none to be had.
    """
    async with _alone(dsn, purpose, {**PINNED, **settings}) as connection:
        yield connection


@asynccontextmanager
async def by_any_way(dsn: str, purpose: str) -> AsyncGenerator[asyncpg.Connection]:
    """Have one connection where a pooler may stand between, which takes no settings at the start: nothing is pinned."""
    async with _alone(dsn, purpose, {}) as connection:
        yield connection


@asynccontextmanager
async def _alone(dsn: str, purpose: str, settings: Mapping[str, str]) -> AsyncGenerator[asyncpg.Connection]:
    session = {"application_name": f"tollkeeper {purpose}", **settings}
    try:
        connection = await asyncpg.connect(
            dsn, server_settings=session, statement_cache_size=0, timeout=_CONNECT_SECONDS
        )
    except Exception as error:
        raise unreachable(error) from error
    try:
        yield connection
    finally:
        await connection.close(timeout=_CLOSE_SECONDS)


async def _refuse_unsafe(connection: asyncpg.Connection) -> None:
    """Refuse each connection whose server may forget what it confirms: it may have been told so since the last."""
    if unsafe := await connection.fetchval(_UNSAFE):
        raise Misconfigured(f"{unsafe} is off, so confirmed requests could be lost: switch it on in PostgreSQL")


async def _refuse_former_primary(connection: asyncpg.Connection) -> None:
    """Refuse the primary of before a failover: what it takes is not in the one that this process has seen since.

    The timeline of a PostgreSQL grows when a standby is promoted. One that does not tell it is believed.
    """
    try:
        told = await connection.fetchrow(_TIMELINE)
    except asyncpg.PostgresError:
        return
    if told is None:
        return
    newest = _newest_timelines.get(told["system"], 0)
    if told["timeline"] < newest:
        raise Misconfigured(
            f"this server is on timeline {told['timeline']} and there is one on {newest}: it was the primary before a"
            " failover, and is to be made a standby"
        )
    _newest_timelines[told["system"]] = told["timeline"]


def unreachable(error: Exception) -> TollkeeperError:
    """Tell what waiting will not mend from a server that is away."""
    if isinstance(error, Misconfigured):
        return error
    if isinstance(error, _NEVER_WILL):
        hint = _OF_A_POOLER if "startup parameter" in str(error) else ""
        return Misconfigured(f"the database does not let us in: {error}{hint}")
    return Unavailable(f"the database cannot be reached: {error}")


def session_settings(
    statement_timeout: float = STATEMENT_SECONDS, lock_timeout: float = LOCK_SECONDS
) -> dict[str, str]:
    """What every session of the service runs under."""
    return {
        **PINNED,
        # Planning a statement on partitioned tables costs five times its execution, and no estimate would ever say so.
        # tests/store/test_plans_of_hot_statements.py holds each statement to a plan that fits every user.
        "plan_cache_mode": "force_generic_plan",
        # Servers before 18 price a kind of plan that is switched off so high that they compile each statement of a set,
        # which takes seconds.
        "jit": "off",
        "statement_timeout": _milliseconds(statement_timeout),
        "lock_timeout": _milliseconds(lock_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_SECONDS),
    }


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


_NEVER_WILL: Final = (
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    # PgBouncer's answer to settings at the start of a session: it is there and we were not told.
    asyncpg.ProtocolViolationError,
)
_OF_A_POOLER: Final = (
    ": behind a transaction pooler set TOLLKEEPER_TRANSACTION_POOLER=true, with the database itself in "
    "TOLLKEEPER_OWNER_DATABASE_URL"
)
_UNSAFE: Final = """
SELECT s.name
  FROM unnest(ARRAY['fsync', 'full_page_writes', 'synchronous_commit']) AS s (name)
 WHERE current_setting(s.name) = 'off'
 LIMIT 1
"""
# The first eight digits of a segment's name. A standby has none of its own, and takes no writes either.
_TIMELINE: Final = """
SELECT s.system_identifier AS system,
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint AS timeline
  FROM pg_control_system() AS s
 WHERE NOT pg_is_in_recovery()
"""
# By the identifier that primaries and standbys of one origin share; of this process, whatever it connects for.
_newest_timelines: Final[dict[int, int]] = {}
_JSONB_VERSION: Final = b"\x01"
_json_encoder: Final = msgspec.json.Encoder()
_json_decoder: Final = msgspec.json.Decoder()


def _to_jsonb(value: Any) -> bytes:
    return _JSONB_VERSION + _json_encoder.encode(value)


def _from_jsonb(value: bytes) -> Any:
    return _json_decoder.decode(value[1:])
