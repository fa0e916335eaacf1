"""A batch on the wire: what is said of one request among many, and what is answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import Invalid, KeyReused, NotUnderstood, TollkeeperError, TooLarge
from tollkeeper.http.body import Fault, invalid
from tollkeeper.http.tracking.wire import (
    Count,
    FinishTracking,
    Note,
    Rating,
    StartTracking,
    Text,
    client_id,
    milliseconds,
)
from tollkeeper.http.wire import Cents, Heard, Instant, LimitsShown, Moment, instant
from tollkeeper.instants import EPOCH
from tollkeeper.metering.tracking.batch import Entry, PastRequest
from tollkeeper.metering.tracking.requests import FinalStatus, Started

VerdictName: TypeAlias = Literal["admitted", "recorded", "replayed", "refused", "key-reused", "invalid", "unavailable"]

_MILLISECOND: Final = timedelta(milliseconds=1)
# So far may a caller's clock be ahead of ours: it counts as now, since a record is not to be lost for it.
_AHEAD: Final = timedelta(minutes=1)
# Names the request of a finish whose start is in the same set: the ledger knows it by then.
_JUST_STARTED: Final = "-"


class BatchItem(StartTracking, frozen=True, kw_only=True, gc=False):
    """One request: to be started now or, with `status`, one that has ended, told whole and with its own times."""

    user: Annotated[str, Meta(max_length=LONGEST_EMAIL, description="The user's e-mail address.")]
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
    error_message: Note | None = None
    error: Note | None = None
    user_rating: Rating | UnsetType | None = UNSET
    started_at: Moment | None = None
    completed_at: Moment | None = None

    def faults(self) -> Iterator[Fault]:
        """Name what is out of bounds in a start, and in the finish of one that has ended."""
        yield from super().faults()
        if self.status is not None:
            yield from self._finish(self.duration).faults()

    def contradictions(self) -> Iterator[Fault]:
        """Name what contradicts itself, and what belongs to an end that is not told."""
        if self.status is not None:
            yield from self._finish(self.duration).contradictions()
            if self.started_at and self.completed_at and self.completed_at < self.started_at:
                yield Fault("completedAt", "must not be before startedAt")
            return
        for name, (field, absent) in _OF_AN_END.items():
            if getattr(self, field) is not absent:
                yield Fault(name, "belongs to a request that has ended: send status too")

    def refuse_what_cannot_be(self, now: datetime) -> None:
        """Refuse an id that can be none, and what began before 1970 or has not happened yet."""
        if self.request_id is not None:
            client_id(self.request_id)
        given = {"startedAt": self.started_at, "completedAt": self.completed_at}
        faults = [
            Fault(name, "lies in the future" if at > now else "lies before 1970")
            for name, at in given.items()
            if at is not None and not EPOCH <= at <= now + _AHEAD
        ]
        if faults:
            raise invalid(faults)
        if self.status is not None:
            _times(self.started_at, self.completed_at, self._duration_ms(), now)

    def as_entry(self, user_id: UUID, *, now: datetime, ip_address: str | None, user_agent: str | None) -> Entry:
        """Say the same to the ledger. Address and browser are of the caller, who starts but has not served the past."""
        if self.status is None:
            started = self.as_new_request(
                user_id, at=now, idempotency_key=None, ip_address=ip_address, user_agent=user_agent
            )
            return started, None
        return self._past(user_id, now)

    def _past(self, user_id: UUID, now: datetime) -> Entry:
        said = (_in_utc(self.started_at), _in_utc(self.completed_at))
        duration = self._duration_ms()
        began_at, ended_at = _times(*said, duration, now)
        if duration is None and None not in said:
            duration = (ended_at - began_at) // _MILLISECOND
        outcome = self._finish(duration).as_outcome(user_id, at=began_at, trusted=True, completed_at=ended_at)
        new = self.as_new_request(user_id, at=began_at, idempotency_key=None, ip_address=None, user_agent=None)
        return PastRequest.of(new, outcome, started_at=began_at, said=said), outcome

    def _duration_ms(self) -> int | None:
        return None if self.duration is None else milliseconds(self.duration)

    def _finish(self, duration: Cents | None) -> FinishTracking:
        """Give what would have been sent to finish it. The model is the one that it was started with."""
        return FinishTracking(
            request_id=self.request_id or _JUST_STARTED,
            status=self.status,
            response=self.response,
            tokens_used=self.tokens_used,
            tokens_input=self.tokens_input,
            tokens_output=self.tokens_output,
            tokens_cached=self.tokens_cached,
            tokens_cache_write=self.tokens_cache_write,
            tokens_reasoning=self.tokens_reasoning,
            cost=self.cost,
            duration=duration,
            error_message=self.error_message,
            error=self.error,
            user_rating=self.user_rating,
        )


class BatchVerdict(Heard, frozen=True, kw_only=True, gc=False):
    """What became of one item. `index` counts from 0, empty lines not counted.

    `admitted`: started, as the answer to a single start says. `recorded`: booked at its own time. `replayed`: the same
    item was booked before. All others have a `problem`, the document that the single call would have answered, and
    left nothing behind; for `unavailable` that is not known, and sending it again is safe if it has a `requestId`.
    """

    index: int
    verdict: VerdictName
    request_id: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    status: Literal["pending", "completed", "failed"] | UnsetType = UNSET
    expires_at: Instant | UnsetType = UNSET
    limits: LimitsShown | UnsetType = UNSET
    problem: msgspec.Raw | UnsetType = UNSET

    @classmethod
    def of_started(cls, index: int, item: BatchItem, started: Started) -> BatchVerdict:
        """Say that an item is recorded. Limits are told of what was decided by them."""
        ours = str(started.id)
        theirs_or_ours = started.client_id or ours
        if item.status is None:
            return cls(
                index=index,
                verdict="replayed" if started.replayed else "admitted",
                request_id=theirs_or_ours,
                id=ours,
                status="pending",
                expires_at=instant(started.expires_at),
                limits=LimitsShown.of(started.limits),
            )
        verdict = "replayed" if started.replayed else "recorded"
        return cls(index=index, verdict=verdict, request_id=theirs_or_ours, id=ours, status=item.status)

    @classmethod
    def of_problem(cls, index: int, error: TollkeeperError, document: bytes, request_id: str | None) -> BatchVerdict:
        """Say that an item is not recorded, and why."""
        return cls(
            index=index,
            verdict=verdict_on(error),
            request_id=UNSET if request_id is None else request_id,
            problem=msgspec.Raw(document),
        )


class BatchTracked(Heard, frozen=True, kw_only=True):
    """The answer to a batch: a verdict on each item, in order, and how many there are of each kind."""

    success: Literal[True] = True
    accepted: int
    refused: int
    invalid: int
    unavailable: int
    results: list[BatchVerdict]

    @classmethod
    def of(cls, results: list[BatchVerdict]) -> BatchTracked:
        """Count the verdicts: `accepted` are `admitted`, `recorded` and `replayed`, `refused` also `key-reused`."""
        counts = Counter(each.verdict for each in results)
        return cls(
            accepted=counts["admitted"] + counts["recorded"] + counts["replayed"],
            refused=counts["refused"] + counts["key-reused"],
            invalid=counts["invalid"],
            unavailable=counts["unavailable"],
            results=results,
        )


def verdict_on(error: TollkeeperError) -> VerdictName:
    """Name the kind of an error."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "unavailable"
    if isinstance(error, KeyReused):
        return "key-reused"
    return "invalid" if isinstance(error, Invalid | NotUnderstood | TooLarge) else "refused"


def _times(
    started: datetime | None, completed: datetime | None, duration: int | None, now: datetime
) -> tuple[datetime, datetime]:
    """Say when it began and ended. What is not told follows from the duration; what has no time at all ended now."""
    took = (duration or 0) * _MILLISECOND
    if started is not None:
        if completed is None and took > now + _AHEAD - started:
            raise Invalid.field("duration", "would let it end in the future")
        return min(started, now), min(completed or started + took, now)
    ended = min(completed or now, now)
    if took > ended - EPOCH:
        raise Invalid.field("duration", "is longer than since 1970")
    return ended - took, ended


def _in_utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


_OF_AN_END: Final[dict[str, tuple[str, Any]]] = {
    field.encode_name: (field.name, field.default)
    for shape, names in ((FinishTracking, ()), (BatchItem, ("started_at", "completed_at")))
    for field in msgspec.structs.fields(shape)
    if (field.name in names if names else field.name not in {"request_id", "status", "model"})
}
"""Fields that only a request that has ended has, and what stands in them when they are absent."""
