"""Running named statements, and what becomes of a connection whose statement fails."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import asyncpg

from tollkeeper.errors import Misconfigured, NotFound, TollkeeperError, Unavailable
from tollkeeper.store.connections import Connections, Session, unreachable
from tollkeeper.store.queries import Statement, statements

log = logging.getLogger(__name__)

Record = asyncpg.Record
Isolation = Literal["read_committed", "repeatable_read", "serializable"]
Run = Callable[..., Awaitable[Any]]

OLDEST_SERVER: Final = 15

_ROLL_BACK_SECONDS: Final = 5.0


class TryAgain(Unavailable):
    """A deadlock, a serialization failure, a schema that changed: nothing happened, and the same again may succeed."""


class StatementFailed(TollkeeperError):
    """The server refused a statement, and a transaction around it is lost; the connection is fine.

    It quotes no value, and has no cause that would: it may be logged.
    """

    def __init__(self, message: str, *, sqlstate: str, constraint: str | None = None) -> None:
        super().__init__(f"{message} ({sqlstate})")
        self.sqlstate = sqlstate
        self.constraint = constraint


class Statements(ABC):
    """The four ways to run a named statement."""

    async def all(self, name: str, **values: Any) -> list[Record]:
        """Answer every row."""
        return await self._run(name, values, asyncpg.Connection.fetch)

    async def one(self, name: str, **values: Any) -> Record | None:
        """Answer the first row, if there is one."""
        return await self._run(name, values, asyncpg.Connection.fetchrow)

    async def value(self, name: str, **values: Any) -> Any:
        """Answer the first column of the first row, None without a row."""
        return await self._run(name, values, asyncpg.Connection.fetchval)

    async def run(self, name: str, **values: Any) -> None:
        """Run it for its effect."""
        await self._run(name, values, asyncpg.Connection.execute)

    @abstractmethod
    async def _run(self, name: str, values: Mapping[str, Any], how: Run) -> Any: ...


class Transaction(Statements):
    """Statements that hold together or not at all."""

    def __init__(self, connection: asyncpg.Connection, known: Mapping[str, Statement]) -> None:
        self._connection = connection
        self._known = known

    async def _run(self, name: str, values: Mapping[str, Any], how: Run) -> Any:
        statement = self._known[name]
        return await guarded(self._connection, how, statement.sql, *statement.arguments(values))


class Database(Statements):
    """The database as one process sees it. Every method raises ``Unavailable`` when the server is away or busy."""

    def __init__(self, connections: Connections, known: Mapping[str, Statement]) -> None:
        self._connections = connections
        self._known = known

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        dsn: str,
        *,
        size: int,
        statement_timeout: float = 5.0,
        lock_timeout: float = 1.0,
        transaction_pooler: bool = False,
        known: Mapping[str, Statement] | None = None,
    ) -> AsyncGenerator[Database]:
        """Connect as ``dsn`` says, with at most ``size`` connections; time limits in seconds.

        With ``transaction_pooler`` (PgBouncer) nothing outlives a transaction: no prepared statement is kept, and the
        session's settings come from the role alone, where ``migrate`` has put them.
        """
        session = Session(dsn, statement_timeout, lock_timeout, transaction_pooler)
        connections = Connections(session.connect, size)
        try:
            await _try(connections)
            yield cls(connections, statements() if known is None else known)
        finally:
            await connections.close()

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", read_only: bool = False
    ) -> AsyncGenerator[Transaction]:
        """Commit at the end of the block, roll back when it raises.

        After ``Unavailable`` from the end of the block itself nobody knows whether it was committed.
        """
        connection = await self._connections.take()
        try:
            await guarded(connection, asyncpg.Connection.execute, _BEGIN[isolation, read_only])
            try:
                yield Transaction(connection, self._known)
            except Exception:
                await _roll_back(connection)
                raise
            except BaseException:
                # Cancelled between two statements: nobody is there to wait for the end of a transaction.
                connection.terminate()
                raise
            await _commit(connection)
        except Unavailable:
            self._connections.doubt(connection)
            raise
        finally:
            self._connections.give_back(connection)

    async def _run(self, name: str, values: Mapping[str, Any], how: Run) -> Any:
        statement = self._known[name]
        arguments = statement.arguments(values)
        connection = await self._connections.take()
        try:
            return await guarded(connection, how, statement.sql, *arguments)
        except Unavailable:
            self._connections.doubt(connection)
            raise
        finally:
            self._connections.give_back(connection)


def is_damaged(error: Unavailable) -> bool:
    """Tell whether the disk did not give what was written to it, rather than that the server is away or busy."""
    return error.fields.get("sqlstate") in _DAMAGED


async def refuse_old(database: Database) -> None:
    """Refuse a server that is too old."""
    if await database.value("server_version") < OLDEST_SERVER * 10_000:
        raise Misconfigured(f"this PostgreSQL is too old: version {OLDEST_SERVER} or newer is needed")


async def guarded(connection: asyncpg.Connection, how: Run, sql: str, *arguments: Any) -> Any:
    """Run a statement. Whatever is not plainly the server's answer to it ends the connection."""
    try:
        return await how(connection, sql, *arguments)
    except asyncpg.PostgresError as error:
        # Not from it: its DETAIL may quote a row.
        raise _told(connection, error) from None
    except Exception as error:
        if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
            # A value that its type cannot hold: refused by the driver, which quotes it, before anything was sent.
            raise StatementFailed(str(error).partition(":")[0], sqlstate=_INVALID_VALUE) from None
        connection.terminate()
        raise Unavailable("the connection to the database was lost") from error
    except BaseException:
        # Cancelled: the answer is still under way and must not meet the next statement.
        connection.terminate()
        raise


async def _try(connections: Connections) -> None:
    """Tell at once what waiting will not mend."""
    try:
        connections.give_back(await connections.take())
    except Unavailable as error:
        if isinstance(error.__cause__, Exception):
            raise unreachable(error.__cause__) from error
        raise


async def _commit(connection: asyncpg.Connection) -> None:
    if await guarded(connection, asyncpg.Connection.execute, "COMMIT") != "COMMIT":
        # The server's answer when a statement had failed and the block went on as if it had not.
        raise StatementFailed("a statement of the transaction had failed", sqlstate=_TRANSACTION_FAILED)


async def _roll_back(connection: asyncpg.Connection) -> None:
    if connection.is_closed():
        return
    try:
        # If a statement was cancelled, the driver waits first until that is over.
        await connection.execute("ROLLBACK", timeout=_ROLL_BACK_SECONDS)
    except Exception:  # noqa: BLE001 - the block's own error is the one to tell
        connection.terminate()
    except BaseException:
        connection.terminate()
        raise


def _told(connection: asyncpg.Connection, error: asyncpg.PostgresError) -> TollkeeperError:
    """Say what an error of the server means to a caller, without what may quote rows and values."""
    sqlstate, message = error.sqlstate or "", error.args[0]
    if error.severity_en in _LAST_WORDS or sqlstate.startswith(_SERVER_IS_ILL) or not sqlstate:
        connection.terminate()
        if sqlstate in _DAMAGED:
            log.error("the database is damaged: %s", message)
        return Unavailable(f"the database is not available: {message}", sqlstate=sqlstate)
    if sqlstate in _CONFLICTS or isinstance(error, asyncpg.InvalidCachedStatementError):
        return TryAgain(f"another transaction came between: {message}", sqlstate=sqlstate)
    if sqlstate in _TIME_IS_UP:
        return Unavailable(f"the database did not answer in time: {message}", sqlstate=sqlstate)
    if sqlstate == _NOT_THERE and (error.constraint_name or "").endswith("user_id_fkey"):
        # Deleted since the caller was recognised.
        return NotFound("no such user")
    if sqlstate.startswith(_OF_VALUES):
        message = _QUOTED.sub('"…"', message).partition(":")[0]
    return StatementFailed(message, sqlstate=sqlstate, constraint=error.constraint_name)


# Errors whose very message may quote a value: invalid input syntax for type integer: "..."
_OF_VALUES: Final = "22"
_QUOTED: Final = re.compile('".*"', re.DOTALL)
_INVALID_VALUE: Final = "22000"
_TRANSACTION_FAILED: Final = "25P02"
_NOT_THERE: Final = "23503"
_CONFLICTS: Final = frozenset({"40001", "40P01"})
_TIME_IS_UP: Final = frozenset({"55P03", "57014"})
_LAST_WORDS: Final = frozenset({"FATAL", "PANIC"})
# A lost connection (08), no room (53), going down (57P), a disk or a page that fails (58, XX), a primary that has
# become a standby (25006).
_SERVER_IS_ILL: Final = ("08", "53", "57P", "58", "XX", "25006")
# A page or an index that is corrupt, a file that is gone or that the disk does not read.
_DAMAGED: Final = frozenset({"XX001", "XX002", "58P01", "58030"})
_BEGIN: Final[dict[tuple[Isolation, bool], str]] = {
    ("read_committed", False): "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    ("read_committed", True): "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
    ("repeatable_read", False): "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
    ("repeatable_read", True): "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    ("serializable", False): "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
    ("serializable", True): "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
}
