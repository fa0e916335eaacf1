"""What a reader of foreign records gives, said to the ledger."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from tollkeeper.errors import Invalid
from tollkeeper.metering.pricing import rates_for
from tollkeeper.metering.tracking.requests import NewRequest, Outcome, reference
from tollkeeper.metering.upkeep.importing import Past
from tollkeeper.traces import PastRequest

__all__ = ["Assignment", "past", "size_of"]

_LONGEST_SLUG: Final = 40
_DIGEST_CHARACTERS: Final = 10
_EXPIRED: Final = "expired"
# A top-level domain that nobody can ever have (RFC 2606).
_DOMAIN: Final = "import.invalid"


@dataclass(frozen=True, slots=True)
class Assignment:
    """Whose the requests of a file are: one user's, one user's for each session or model, or whom the rows name."""

    user: str | None = None
    users_by: Literal["session", "model"] | None = None

    def email(self, row: PastRequest) -> str:
        """Name the user of a row."""
        if self.user is not None:
            return self.user
        if self.users_by is not None:
            name = row.session_id if self.users_by == "session" else row.model
            return f"{self.users_by}-{_slug(name)}@{_DOMAIN}" if name else f"no-{self.users_by}@{_DOMAIN}"
        if row.user is None:
            raise Invalid.field("user", "is not told: give --user or --users-by")
        return row.user


def past(row: PastRequest, user_id: UUID, *, now: datetime, own_models: Collection[str] = ()) -> Past:
    """Say one past request to the ledger; ``Invalid`` if its end is still to come.

    ``now`` is an instant of the database's clock, ``own_models`` have prices of the operator's own here.
    """
    if row.status != "pending" and _ended_at(row) > now:
        raise Invalid.field("completedAt" if row.completed_at else "duration", "ends in the future")
    request = NewRequest(
        user_id=user_id,
        prompt=row.prompt,
        priced_at=row.started_at,
        session_id=row.session_id,
        model=row.model,
        request_type=row.request_type,
        category=row.category,
        complexity=row.complexity,
        metadata=None if row.metadata is None else dict(row.metadata),
        client_id=_client_id(row.request_id),
        import_key=row.fingerprint.hex(),
        ip_address=row.ip_address,
        user_agent=row.user_agent,
        started_at=row.started_at,
        deadline=_ended_at(row) if row.error_code == _EXPIRED or row.late else None,
    )
    return Past(row.row, request, _outcome(row, user_id, own_models), row.id)


def size_of(row: PastRequest) -> int:
    """How much text a row has, in characters."""
    return len(row.prompt) + len(row.response or "")


def _outcome(row: PastRequest, user_id: UUID, own_models: Collection[str]) -> Outcome | None:
    """Say how it ended, if somebody said so. Nobody did of what expired, but it may be rated or filled in."""
    if row.error_code == _EXPIRED and not row.late:
        return _added(row, user_id) if row.rating is not None or row.response is not None else None
    if row.status == "pending":
        return None if row.response is None else _added(row, user_id)
    return _finish(row, user_id, own_models)


def _added(row: PastRequest, user_id: UUID) -> Outcome:
    return Outcome(
        user_id=user_id,
        request=row.request_id or "",
        priced_at=row.started_at,
        response=row.response,
        rated=row.rating is not None,
        rating=row.rating,
    )


def _finish(row: PastRequest, user_id: UUID, own_models: Collection[str]) -> Outcome:
    reported, trusted = _reported(row, own_models)
    return Outcome(
        user_id=user_id,
        request=row.request_id or "",  # the ledger knows its own id of what it has just started
        priced_at=row.started_at,
        trusted=trusted,
        status="completed" if row.status == "completed" else "failed",
        response=row.response,
        error_message=row.error_message,
        tokens_used=_tokens_used(row),
        tokens_input=row.input_tokens,
        tokens_output=row.output_tokens,
        tokens_cached=row.cached_tokens,
        tokens_cache_write=row.cache_write_tokens,
        tokens_reasoning=row.reasoning_tokens,
        reported_nanos=reported,
        duration_ms=row.duration_ms,
        rated=row.rating is not None,
        rating=row.rating,
        completed_at=_ended_at(row),
        refunded=row.refunded,
    )


def _reported(row: PastRequest, own_models: Collection[str]) -> tuple[int | None, bool]:
    """Tell which cost to report and whether it counts: what a request has cost stays what it cost.

    A cost that was computed is computed again where that gives the same, and else counts as it was.
    """
    if row.cost_source != "computed":
        return (row.reported_cost_nanos if row.cost_nanos is None else row.cost_nanos), True
    if row.model is None or row.model in own_models or not _rates_are_the_same(row):
        return row.cost_nanos, True
    return row.reported_cost_nanos, False


def _rates_are_the_same(row: PastRequest) -> bool:
    rates = rates_for(row.model, row.started_at) if row.model else None
    return row.unit_prices is not None and rates is not None and rates.as_json() == dict(row.unit_prices)


def _tokens_used(row: PastRequest) -> int | None:
    if row.input_tokens is None and row.output_tokens is None:
        return row.tokens_used
    return (row.input_tokens or 0) + (row.output_tokens or 0)


def _ended_at(row: PastRequest) -> datetime:
    if row.completed_at is not None:
        return row.completed_at
    try:
        return row.started_at + timedelta(milliseconds=row.duration_ms or 0)
    except OverflowError:
        return row.started_at


def _client_id(request_id: str | None) -> str | None:
    """Keep an id that a client gave; one shaped like ours was another server's own."""
    known = None if request_id is None else reference(request_id)
    return None if isinstance(known, UUID) else known


def _slug(name: str) -> str:
    """Write a name as it can stand in an address; a digest keeps apart what would look alike."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip(".-_")[:_LONGEST_SLUG].rstrip(".-_")
    if slug == name:
        return slug
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{slug}-{digest}" if slug else digest
