"""Chat requests on the wire: the seed's camelCase names outside, the field's words inside. Translated here, once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias, cast
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tollkeeper import token_counts
from tollkeeper.bounds import MOST_COUNT, MOST_NOTE_BYTES, MOST_TEXT_BYTES
from tollkeeper.errors import Invalid, NotUnderstood
from tollkeeper.http.addresses import is_address
from tollkeeper.http.body import Fault, inner
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import LONGEST_USER_AGENT, Cents, Heard, Instant, LimitsShown, Name, cents, encode, instant
from tollkeeper.metering.money import nanos_of_cents
from tollkeeper.metering.tracking.requests import (
    Complexity,
    FinalStatus,
    NewRequest,
    Outcome,
    Settled,
    Started,
    reference,
)

# Their bounds are bytes and looked at in `faults`. A description can only say characters, of which there are no more.
Text: TypeAlias = Annotated[str, Meta(extra_json_schema={"maxLength": MOST_TEXT_BYTES})]
Note: TypeAlias = Annotated[str, Meta(extra_json_schema={"maxLength": MOST_NOTE_BYTES})]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_COUNT)]
Rating: TypeAlias = Annotated[int, Meta(ge=1, le=5)]
_LARGEST_INTEGER: Final = 2**63


class StartTracking(Said, frozen=True, kw_only=True):
    """The body of ``POST /api/chat/track``."""

    prompt: Text
    session_id: Name | None = None
    model: Name | None = None
    request_type: Name | None = None
    category: Name | None = None
    complexity: Complexity | None = None
    request_id: str | None = None
    max_tokens: Count | None = None
    metadata: dict[str, Any] | None = None
    ip_address: Annotated[str, Meta(max_length=45)] | None = None
    user_agent: Annotated[str, Meta(max_length=LONGEST_USER_AGENT)] | None = None

    def faults(self) -> Iterator[Fault]:
        """Name texts and metadata that are too large, and an address that is none."""
        yield from _too_long("prompt", self.prompt, MOST_TEXT_BYTES)
        if self.ip_address is not None and not is_address(self.ip_address):
            yield Fault("ipAddress", "must be an IPv4 or IPv6 address")
        if self.metadata:
            yield from _faults_of_metadata(self.metadata)

    def as_new_request(
        self,
        user_id: UUID,
        *,
        at: datetime,
        idempotency_key: str | None,
        ip_address: str | None,
        user_agent: str | None,
    ) -> NewRequest:
        """Say the same to the ledger; address and browser are the caller's own where the body has none."""
        return NewRequest(
            user_id=user_id,
            prompt=self.prompt,
            priced_at=at,
            session_id=self.session_id,
            model=self.model,
            request_type=self.request_type or "chat",
            category=self.category,
            complexity=self.complexity,
            max_tokens=self.max_tokens,
            metadata=_plain(self.metadata) if self.metadata else self.metadata,
            client_id=None if self.request_id is None else client_id(self.request_id),
            idempotency_key=idempotency_key,
            ip_address=self.ip_address or ip_address,
            user_agent=self.user_agent or user_agent,
            told_origin=(self.ip_address, self.user_agent),
        )


class FinishTracking(Said, frozen=True, kw_only=True):
    """The body of ``PUT /api/chat/track``: a finish, a rating, or a response that comes later."""

    request_id: str
    status: FinalStatus | None = None
    response: Text | None = None
    tokens_used: Count | None = None
    tokens_input: Count | None = None
    tokens_output: Count | None = None
    tokens_cached: Count | None = None
    tokens_cache_write: Count | None = None
    tokens_reasoning: Count | None = None
    cost: Cents | None = None
    duration: Cents | None = None
    model: Name | None = None
    error_message: Note | None = None
    error: Note | None = None
    user_rating: Rating | UnsetType | None = UNSET

    def faults(self) -> Iterator[Fault]:
        """Name texts that are too large and numbers that are out of bounds."""
        yield from _too_long("response", self.response, MOST_TEXT_BYTES)
        yield from _too_long("errorMessage", self.error_message, MOST_NOTE_BYTES)
        yield from _too_long("error", self.error, MOST_NOTE_BYTES)
        yield from self._faults_of_numbers()

    def contradictions(self) -> Iterator[Fault]:
        """Name what contradicts itself, and what belongs to a finish that is not one."""
        yield from self._faults_of_tokens()
        if self.error is not None and self.error_message is not None and self.error != self.error_message:
            yield Fault("error", "is another name for errorMessage, and both are given with different texts")
        if self.status is None:
            yield from self._faults_of_a_patch()

    def _faults_of_numbers(self) -> Iterator[Fault]:
        if self.duration is not None and not 0 <= self.duration <= MOST_COUNT:
            yield Fault("duration", f"must be from 0 to {MOST_COUNT} ms")
        try:
            if self.cost is not None:
                nanos_of_cents(self.cost)
        except Invalid as error:
            yield Fault("cost", error.fields["errors"][0]["message"])

    def _faults_of_tokens(self) -> Iterator[Fault]:
        for field, why in token_counts.faults(
            *self._tokens(),
            cached=self.tokens_cached,
            cache_write=self.tokens_cache_write,
            reasoning=self.tokens_reasoning,
        ):
            yield Fault(field, why)

    def _faults_of_a_patch(self) -> Iterator[Fault]:
        finishing = {
            name: value
            for name, value in msgspec.to_builtins(self, builtin_types=(Decimal,)).items()
            if value is not None and name not in {"requestId", "response", "userRating"}
        }
        for name in finishing:
            yield Fault(name, "belongs to a finish: send status too")
        if not finishing and self.response is None and self.user_rating is UNSET:
            yield Fault("status", "is missing: the body changes nothing. Send status, userRating or response")

    def _tokens(self) -> tuple[int | None, int | None, int | None]:
        """Give used, input and output, of which the third follows from two."""
        return token_counts.third(self.tokens_used, self.tokens_input, self.tokens_output)

    def as_outcome(
        self, user_id: UUID, *, at: datetime, trusted: bool, completed_at: datetime | None = None
    ) -> Outcome:
        """Say the same to the ledger; ``NotUnderstood`` if the request id can be none."""
        used, into, out = self._tokens()
        return Outcome(
            user_id=user_id,
            request=reference(self.request_id),
            priced_at=at,
            trusted=trusted,
            status=self.status,
            response=self.response,
            error_message=self.error_message if self.error_message is not None else self.error,
            model=self.model,
            tokens_used=used,
            tokens_input=into,
            tokens_output=out,
            tokens_cached=self.tokens_cached,
            tokens_cache_write=self.tokens_cache_write,
            tokens_reasoning=self.tokens_reasoning,
            reported_nanos=None if self.cost is None else nanos_of_cents(self.cost),
            duration_ms=None if self.duration is None else milliseconds(self.duration),
            rated=self.user_rating is not UNSET,
            rating=None if self.user_rating is UNSET else self.user_rating,
            completed_at=completed_at,
        )


class TrackingStarted(Heard, frozen=True, kw_only=True):
    """The answer to an admitted start."""

    success: Literal[True] = True
    request_id: str
    id: str
    status: Literal["pending"] = "pending"
    expires_at: Instant
    limits: LimitsShown

    @classmethod
    def of(cls, started: Started) -> TrackingStarted:
        """Made of what the ledger keeps, so that a repeat answers the same bytes."""
        ours = str(started.id)
        return cls(
            request_id=started.client_id or ours,
            id=ours,
            expires_at=instant(started.expires_at),
            limits=LimitsShown.of(started.limits),
        )


class Rehearsal(Heard, frozen=True, kw_only=True):
    """The answer to a dry run: whether the request would be admitted, or the problem that it would meet."""

    success: Literal[True] = True
    admitted: bool
    limits: LimitsShown | None
    problem: msgspec.Raw | UnsetType = UNSET


class TrackingFinished(Heard, frozen=True, kw_only=True):
    """The answer to a finish, a rating or a patch."""

    success: Literal[True] = True
    request_id: str
    id: str
    status: str
    error_code: str | UnsetType = UNSET
    late: bool
    cost: Cents | None
    cost_nanos: int | None
    cost_source: str | None
    tokens_used: int | None
    duration: int | None
    limits: LimitsShown

    @classmethod
    def of(cls, settled: Settled) -> TrackingFinished:
        """Show the request as it stands now."""
        ours = str(settled.id)
        return cls(
            request_id=settled.client_id or ours,
            id=ours,
            status=settled.status,
            error_code=settled.error_code or UNSET,
            late=settled.late,
            cost=cents(settled.cost_nanos),
            cost_nanos=settled.cost_nanos,
            cost_source=settled.cost_source,
            tokens_used=settled.tokens_used,
            duration=settled.duration_ms,
            limits=LimitsShown.of(settled.limits),
        )


def client_id(text: str) -> str:
    """Read the id that a client gives its request; ``NotUnderstood`` if it cannot be one or looks like one of ours."""
    named = reference(text)
    if isinstance(named, UUID):
        raise NotUnderstood("requestId: must not be shaped like a UUID, those are ours", field="requestId")
    return named


def _too_long(field: str, text: str | None, most: int) -> Sequence[Fault]:
    # UTF-8 takes at most 4 bytes for a character, so that most texts need not be encoded to know.
    if text is None or len(text) * 4 <= most or len(text.encode()) <= most:
        return ()
    return (Fault(field, f"must have at most {most:,} bytes of UTF-8"),)


def milliseconds(duration: Cents) -> int:
    """Round a duration to whole milliseconds, half up."""
    return duration if isinstance(duration, int) else int(duration.to_integral_value(ROUND_HALF_UP))


def _faults_of_metadata(metadata: dict[str, Any]) -> Iterable[Fault]:
    if faults := list(_faults_of_numbers(metadata, "metadata")):
        return faults
    if len(encode(metadata)) + _bytes_of_zeros(metadata) > MOST_NOTE_BYTES:
        return [Fault("metadata", f"must have at most {MOST_NOTE_BYTES:,} bytes of JSON, with its numbers written out")]
    return ()


def _bytes_of_zeros(value: Any) -> int:
    """Count what exponents save: the database keeps and gives numbers without."""
    if isinstance(value, dict):
        return sum(map(_bytes_of_zeros, cast("dict[str, Any]", value).values()))
    if isinstance(value, list):
        return sum(map(_bytes_of_zeros, cast("list[Any]", value)))
    if not isinstance(value, Decimal):
        return 0
    kept = Decimal(repr(float(value)))
    return len(f"{kept:f}") - len(str(kept))


def _faults_of_numbers(value: Any, path: str) -> Iterator[Fault]:
    if isinstance(value, dict):
        for name, each in cast("dict[str, Any]", value).items():
            yield from _faults_of_numbers(each, inner(path, name))
    elif isinstance(value, list):
        for place, each in enumerate(cast("list[Any]", value)):
            yield from _faults_of_numbers(each, inner(path, place))
    elif isinstance(value, int) and not -_LARGEST_INTEGER <= value < _LARGEST_INTEGER:
        yield Fault(path, "must fit into 64 bits")
    elif isinstance(value, Decimal) and not math.isfinite(float(value)):
        yield Fault(path, "is out of bounds")


def _plain(value: Any) -> Any:
    """Make numbers with a fraction what the database keeps them as."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    return float(value) if isinstance(value, Decimal) else value
