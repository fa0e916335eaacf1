"""Chat requests: started, finished, rated, and read again."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal
from uuid import UUID

import msgspec

from tollkeeper.accounts import users
from tollkeeper.errors import (
    AccountInactive,
    AlreadyFinished,
    Invalid,
    KeyReused,
    LimitReached,
    NotFound,
    NotInPlan,
    StillPending,
    TollkeeperError,
    TooManyTokens,
    Unavailable,
    UnpricedModel,
)
from tollkeeper.http import problems
from tollkeeper.http.addresses import address_of_client
from tollkeeper.http.body import Fault, invalid
from tollkeeper.http.callers import Callers
from tollkeeper.http.docs import examples
from tollkeeper.http.exchange import Answer, Exchange, idempotency_key, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.routing import get, post, put
from tollkeeper.http.shapes import Said
from tollkeeper.http.tracking.shown import (
    RequestFound,
    RequestShown,
    RequestsPage,
    RequestWhole,
    SessionShown,
    SessionsPage,
)
from tollkeeper.http.tracking.wire import FinishTracking, Rehearsal, StartTracking, TrackingFinished, TrackingStarted
from tollkeeper.http.wire import LimitsShown
from tollkeeper.metering.tracking import records
from tollkeeper.metering.tracking.requests import NewRequest, reference


class StartQuery(Said, frozen=True, kw_only=True):
    """How to start."""

    dry_run: bool = False


class SessionsQuery(PageQuery, frozen=True, kw_only=True):
    """Which conversations: `desc` begins with the one begun last, `asc` with the one begun first."""

    order: Literal["asc", "desc"] = "desc"


START: Final = Operation(
    "track",
    summary="Reserve one request of the user's plan and open its record",
    takes=StartTracking,
    query=StartQuery,
    headers={
        "Idempotency-Key": "Makes the start happen once, however often it is sent: 1 to 255 printable ASCII characters."
    },
    gives={200: Rehearsal, 201: TrackingStarted},
    problems=(LimitReached, NotInPlan, TooManyTokens, UnpricedModel, AccountInactive, KeyReused),
    examples=examples.START,
    takes_room=True,
    creates_user=True,
    checks_user=True,
)
FINISH: Final = Operation(
    "track",
    summary="Finish a request, rate it, or fill in its response",
    takes=FinishTracking,
    gives={200: TrackingFinished},
    problems=(NotFound, AlreadyFinished, StillPending),
    examples=examples.FINISH,
    checks_user=True,
)


@post("/api/chat/track", START)
async def start_tracking(request: Exchange) -> Answer:
    """Decide and record in one transaction; the answer is sent after its commit.

    The same `requestId` (or `Idempotency-Key`) with the same payload is answered with the first answer, byte for byte,
    and the header `Idempotent-Replayed: true`.
    """
    query, said = request.asked(StartQuery), await request.said(StartTracking)
    if not request.caller.is_trusted:
        _refuse_what_only_services_know(said)
    new = said.as_new_request(
        request.caller.user_id,
        at=datetime.now(UTC),
        idempotency_key=idempotency_key(request),
        ip_address=address_of_client(request.call, request.backend.trusted_proxies),
        user_agent=request.user_agent,
    )
    if query.dry_run:
        return Answer.of(await _rehearsal(request, new))
    ledger = request.backend.ledger
    started = await request.the(Callers).acting(request, lambda user_id: ledger.start(new.by(user_id)))
    if started.replayed:
        return Answer.of(TrackingStarted.of(started), headers=((b"idempotent-replayed", b"true"),))
    request.backend.pulse.started()
    return Answer.of(TrackingStarted.of(started), status=201)


@put("/api/chat/track", FINISH)
async def finish_tracking(request: Exchange) -> Answer:
    """Settle a request once: `pending` becomes `completed` or `failed`.

    `{requestId, userRating}` alone rates a finished request at any later time, `{requestId, response}` fills in a
    missing response. The same finish again gets the same answer, a different one 409.
    """
    request.asked(Said)
    said = await request.said(FinishTracking)
    outcome = partial(said.as_outcome, at=datetime.now(UTC), trusted=request.caller.is_trusted)
    ledger = request.backend.ledger
    settled = await request.the(Callers).acting(request, lambda user_id: ledger.finish(outcome(user_id)))
    if said.status is not None:
        request.backend.pulse.finished()
    return Answer.of(TrackingFinished.of(settled))


@get(
    "/api/chat/requests/{reference}",
    Operation(
        "dashboard:read",
        summary="Show one request, by our id or the client's",
        gives={200: RequestFound},
        problems=(NotFound,),
    ),
)
async def show_request(request: Exchange) -> Answer:
    """All that is kept of one request."""
    request.asked(Said)
    named = reference(path_text(request, "reference"))
    found = await records.one(request.texts, request.caller.user_id, named)
    return Answer.of(RequestFound(request=RequestWhole.of(found)))


@get(
    "/api/chat/sessions",
    Operation(
        "dashboard:read",
        summary="List conversations, by when they began",
        query=SessionsQuery,
        gives={200: SessionsPage},
    ),
)
async def list_sessions(request: Exchange) -> Answer:
    """The caller's conversations, each with its sums."""
    query = request.asked(SessionsQuery)
    at, database, user_id = _place_in(query), request.backend.database, request.caller.user_id
    found = (
        await records.newest_sessions(database, user_id, limit=query.limit + 1, before=at)
        if query.order == "desc"
        else await records.oldest_sessions(database, user_id, limit=query.limit + 1, after=at)
    )
    items = found[: query.limit]
    last = items[-1] if len(found) > query.limit else None
    following = last and cursor_at((query.order, last.started_at, last.session_id))
    return Answer.of(SessionsPage(items=[SessionShown.of(each) for each in items], next_cursor=following))


@get(
    "/api/chat/sessions/{session}",
    Operation(
        "dashboard:read",
        summary="List the requests of one conversation, in order",
        query=PageQuery,
        gives={200: RequestsPage},
        problems=(NotFound,),
    ),
)
async def list_session_requests(request: Exchange) -> Answer:
    """The requests of one conversation, the first one first. A page ends early where their texts have reached 4 MiB.

    One called `.` or `..` is `~.` or `~..` in the path.
    """
    query = request.asked(PageQuery)
    found = await records.in_session(
        request.texts,
        request.caller.user_id,
        path_text(request, "session"),
        limit=query.limit,
        after=position(query, UUID),
    )
    if not found and query.cursor is None:
        raise NotFound("no such conversation")
    following = cursor_at(found[-1].id) if found.goes_on else None
    return Answer.of(RequestsPage(items=[RequestShown.of(each) for each in found], next_cursor=following))


def _place_in(query: SessionsQuery) -> tuple[datetime, str] | None:
    place = position(query, tuple[Literal["asc", "desc"], datetime, str])
    if place is None:
        return None
    order, at, session_id = place
    if order != query.order:
        raise Invalid.field("cursor", "belongs to another order of this list")
    return at, session_id


async def _rehearsal(request: Exchange, new: NewRequest) -> Rehearsal:
    """Say what a start would meet, which somebody new would too. What is refused is the answer here, and no error."""
    ledger = request.backend.ledger
    try:
        rehearsed = await request.the(Callers).acting(
            request,
            lambda user_id: ledger.preview(new.by(user_id)),
            act_for_nobody=lambda email: ledger.preview(new, newcomer=lambda tx: users.of_email_or_new(tx, email)),
        )
    except (Unavailable, NotFound):
        raise
    except TollkeeperError as refusal:
        limits = refusal.fields.get("limits")
        told = msgspec.Raw(problems.document(refusal, request.path, request.trace_id))
        return Rehearsal(admitted=False, limits=LimitsShown.of(limits) if limits else None, problem=told)
    return Rehearsal(admitted=True, limits=LimitsShown.of(rehearsed.limits))


def _refuse_what_only_services_know(said: StartTracking) -> None:
    given = {"ipAddress": said.ip_address, "userAgent": said.user_agent}
    if faults := [
        Fault(name, "is accepted from service keys only") for name, value in given.items() if value is not None
    ]:
        raise invalid(faults)
