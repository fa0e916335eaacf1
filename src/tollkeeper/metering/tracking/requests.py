"""Chat requests as the ledger takes and answers them."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from tollkeeper.errors import NotUnderstood
from tollkeeper.metering.tracking.limits import Limits

Complexity = Literal["low", "medium", "high"]
FinalStatus = Literal["completed", "failed"]

# Four bytes of UTF-8 to a token: the rule of thumb of the providers' own documentation for English text.
_BYTES_PER_TOKEN = 4
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:~-]{1,200}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")


def reference(text: str) -> UUID | str:
    """Read a request id, ours (a UUID) or a client's own; ``NotUnderstood`` if it can be neither."""
    if _UUID.fullmatch(text):
        return UUID(text)
    if _CLIENT_ID.fullmatch(text):
        return text
    raise NotUnderstood("a request id has 1 to 200 characters of A-Z a-z 0-9 . _ : ~ -", field="requestId")


class NewRequest(msgspec.Struct, frozen=True):
    """A chat request that wants to begin. ``started_at`` is given for past ones only, which are never refused.

    ``deadline`` is when one of those expired where it was recorded, because nobody had finished it by then.
    ``told_origin``: address and browser as a service told them, not as they were seen.
    """

    user_id: UUID
    prompt: str
    priced_at: datetime
    session_id: str | None = None
    model: str | None = None
    request_type: str = "chat"
    category: str | None = None
    complexity: Complexity | None = None
    max_tokens: int | None = None
    metadata: dict[str, Any] | None = None
    client_id: str | None = None
    idempotency_key: str | None = None
    import_key: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    told_origin: tuple[str | None, str | None] = (None, None)
    started_at: datetime | None = None
    deadline: datetime | None = None

    def by(self, user_id: UUID) -> NewRequest:
        """The same of another user."""
        return self if user_id == self.user_id else msgspec.structs.replace(self, user_id=user_id)

    @property
    def estimated_input_tokens(self) -> int:
        """What the prompt will take, roughly: a quarter of its bytes in UTF-8, rounded up."""
        return -(-len(self.prompt.encode()) // _BYTES_PER_TOKEN)

    @property
    def counted(self) -> list[str]:
        """The names on the wire of what is reserved for it."""
        return ["prompt" if self.max_tokens is None else "maxTokens"]

    def payload_hash(self) -> bytes:
        """Tell this payload from another under the same id (a digest of 16 bytes)."""
        payload = (
            self.client_id, self.prompt, self.session_id, self.model, self.request_type, self.category, self.complexity,
            self.max_tokens, self.metadata, self.started_at,
        )  # fmt: skip
        return _digest((*payload, *self.told()))

    def told(self) -> tuple[Any, ...]:
        """What was told of where it comes from: the connection may say something else when the same is sent again."""
        return () if self.told_origin == (None, None) else (self.told_origin,)


class Started(msgspec.Struct, frozen=True):
    """An admitted request: our ``id``, and until when it may finish in time."""

    id: UUID
    client_id: str | None
    expires_at: datetime
    limits: Limits
    replayed: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """How a request ended, or (without ``status``) a rating or a response that comes later.

    ``trusted`` outcomes come from services: their cost counts and their failures give the unit back. ``refunded`` says
    of a past failure whether it did so where it was recorded.
    """

    user_id: UUID
    request: UUID | str
    priced_at: datetime
    trusted: bool = False
    status: FinalStatus | None = None
    response: str | None = None
    error_message: str | None = None
    model: str | None = None
    tokens_used: int | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    tokens_cached: int | None = None
    tokens_cache_write: int | None = None
    tokens_reasoning: int | None = None
    reported_nanos: int | None = None
    duration_ms: int | None = None
    rated: bool = False
    rating: int | None = None
    completed_at: datetime | None = None
    refunded: bool | None = None

    @property
    def counted(self) -> list[str]:
        """The names on the wire of what was told to be counted; that it ended is counted too."""
        is_split = self.tokens_input is not None or self.tokens_output is not None
        told = {
            "tokensUsed": None if is_split else self.tokens_used,
            "tokensInput": self.tokens_input,
            "tokensOutput": self.tokens_output,
            "cost": self.reported_nanos,
            "duration": self.duration_ms,
        }
        return [name for name, value in told.items() if value is not None] or ["status"]

    def payload_hash(self) -> bytes:
        """Tell this outcome from another of the same request."""
        payload = (
            self.status, self.response, self.error_message, self.model, self.tokens_used, self.tokens_input,
            self.tokens_output, self.tokens_cached, self.tokens_cache_write, self.tokens_reasoning,
            self.reported_nanos, self.duration_ms, self.rated, self.rating,
        )  # fmt: skip
        return _digest(payload)


class Settled(msgspec.Struct, frozen=True):
    """A finished, rated or patched request as it stands now; ``limits`` as they stood at its finish."""

    id: UUID
    client_id: str | None
    status: str
    error_code: str | None
    late: bool
    cost_nanos: int | None
    cost_source: str | None
    tokens_used: int | None
    duration_ms: int | None
    limits: Limits


def _digest(payload: tuple[Any, ...]) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(payload, order="sorted"), digest_size=16).digest()
