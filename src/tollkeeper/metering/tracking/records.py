"""Reading what was recorded: requests and conversations of one user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from tollkeeper.errors import NotFound
from tollkeeper.store.database import Record, Statements

MOST_BYTES: Final = 4 * 2**20
"""A page ends with the request whose texts reach that with those before it."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat request as it stands. Money in nano-USD, ``None`` where it is not known."""

    id: UUID
    client_id: str | None
    session_id: str | None
    prompt: str | None
    response: str | None
    model: str | None
    request_type: str
    category: str | None
    complexity: str | None
    status: str
    error_message: str | None
    error_code: str | None
    late: bool
    refunded: bool
    outside_plan: bool
    over_reserved: bool
    tokens_used: int | None
    tokens_input: int | None
    tokens_output: int | None
    tokens_cached: int | None
    tokens_cache_write: int | None
    tokens_reasoning: int | None
    cost_nanos: int | None
    cost_source: str | None
    reported_nanos: int | None
    computed_nanos: int | None
    unit_prices: dict[str, Any] | None
    duration_ms: int | None
    rating: int | None
    plan_name: str
    max_tokens: int | None
    metadata: dict[str, Any] | None
    ip_address: str | None
    user_agent: str | None
    started_on: date
    started_at: datetime
    expires_at: datetime
    completed_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, row: Record) -> ChatRequest:
        """Read a row of a view ``requests_shown`` or ``_in_short``, whose columns these are, behind ``user_id``."""
        _, *columns = row.values()
        return cls(*columns[:_COLUMNS])


_COLUMNS: Final = len(fields(ChatRequest))


class Page(list[ChatRequest]):
    """Some requests in a row. ``goes_on``: more follow."""

    def __init__(self, rows: Sequence[Record]) -> None:
        super().__init__(map(ChatRequest.of, rows))
        self.goes_on: bool = bool(rows) and rows[-1]["goes_on"]


@dataclass(frozen=True, slots=True)
class ChatSession:
    """A conversation, summed. Tokens and money of what has finished; ``unpriced`` cost nothing that is known."""

    session_id: str
    started_at: datetime
    last_at: datetime
    requests: int
    completed: int
    failed: int
    tokens_used: int
    cost_nanos: int
    unpriced: int


async def newest(database: Statements, user_id: UUID, *, limit: int, before: UUID | None = None) -> Page:
    """List a user's requests, newest first, below ``before``."""
    rows = await database.all("newest_requests", user_id=user_id, before=before, most=limit, most_bytes=MOST_BYTES)
    return Page(rows)


async def oldest(database: Statements, user_id: UUID, *, limit: int, after: UUID | None = None) -> Page:
    """List a user's requests, oldest first, above ``after``."""
    rows = await database.all("oldest_requests", user_id=user_id, after=after, most=limit, most_bytes=MOST_BYTES)
    return Page(rows)


async def one(database: Statements, user_id: UUID, reference: UUID | str) -> ChatRequest:
    """Find one request of a user by our id or the client's own; ``NotFound`` if it is not there or not theirs."""
    ours, theirs = (reference, None) if isinstance(reference, UUID) else (None, reference)
    row = await database.one("one_request", user_id=user_id, id=ours, client_id=theirs)
    if row is None:
        raise NotFound("no such request", requestId=str(reference))
    return ChatRequest.of(row)


async def in_session(
    database: Statements, user_id: UUID, session_id: str, *, limit: int, after: UUID | None = None
) -> Page:
    """List the requests of a conversation in order, above ``after``."""
    rows = await database.all(
        "session_requests", user_id=user_id, session_id=session_id, after=after, most=limit, most_bytes=MOST_BYTES
    )
    return Page(rows)


async def newest_sessions(
    database: Statements, user_id: UUID, *, limit: int, before: tuple[datetime, str] | None = None
) -> list[ChatSession]:
    """List a user's conversations, the one begun last first, below ``before`` (a start and an id)."""
    before_at, before_id = before or (None, None)
    rows = await database.all("newest_sessions", user_id=user_id, before_at=before_at, before_id=before_id, most=limit)
    return [ChatSession(*row.values()) for row in rows]


async def oldest_sessions(
    database: Statements, user_id: UUID, *, limit: int, after: tuple[datetime, str] | None = None
) -> list[ChatSession]:
    """List a user's conversations, the one begun first first, above ``after`` (a start and an id)."""
    after_at, after_id = after or (None, None)
    rows = await database.all("oldest_sessions", user_id=user_id, after_at=after_at, after_id=after_id, most=limit)
    return [ChatSession(*row.values()) for row in rows]
