"""All users: listed, shown, noted on, moved to another plan, switched off; and what one of them sees."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.http.accounts.leaving import PATIENCE_SECONDS, Left
from tollkeeper.http.body import Fault
from tollkeeper.http.dashboards.kept import Dashboards
from tollkeeper.http.dashboards.shown import DashboardAnswer
from tollkeeper.http.download import CONTENT_TYPES
from tollkeeper.http.exchange import Answer, Exchange, path_id, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.routing import delete, get, put
from tollkeeper.http.shapes import Said
from tollkeeper.http.tracking.listing import RequestsFound, RequestsQuery, page_of
from tollkeeper.http.tracking.shown import RequestFound, RequestWhole
from tollkeeper.http.wire import Cents, Heard, Instant, Moment, instant
from tollkeeper.metering.admin import directory
from tollkeeper.metering.admin.directory import Change, Entry, Found, Order, Sort, Wanted
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.tracking import records
from tollkeeper.metering.tracking.requests import reference
from tollkeeper.metering.upkeep import leaving

_PATH: Final = "/api/admin/users"
_ONE: Final = _PATH + "/{user}"


class UsersQuery(PageQuery, frozen=True, kw_only=True):
    """Whom to list, and in which order."""

    q: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    plan: Annotated[str, Meta(max_length=50)] | None = None
    is_active: bool | None = None
    sort: Sort = "createdAt"
    order: Order | None = None

    @property
    def direction(self) -> Order:
        """Without a word addresses ascend, and of all else the newest or most comes first."""
        return self.order or ("asc" if self.sort == "email" else "desc")


class ChangeUser(Said, frozen=True, kw_only=True):
    """What to change of a user. What is left out stays; ``null`` takes a note or an expiry away.

    `noteSeen`: the note that one has seen. Where it is another by now, that is a conflict and nothing changes.
    """

    note: Annotated[str, Meta(max_length=4000)] | UnsetType | None = UNSET
    note_seen: Annotated[str, Meta(max_length=4000)] | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET
    plan: Annotated[str, Meta(min_length=1, max_length=50)] | UnsetType = UNSET
    plan_expires_at: Moment | UnsetType | None = UNSET

    def contradictions(self) -> list[Fault]:
        """A body that changes nothing is a mistake."""
        if all(each is UNSET for each in (self.note, self.is_active, self.plan, self.plan_expires_at)):
            return [Fault("body", "changes nothing: send note, isActive, plan or planExpiresAt")]
        if self.note is UNSET and self.note_seen is not UNSET:
            return [Fault("noteSeen", "goes with a note")]
        return []

    def as_change(self) -> Change:
        """Say the same inside; an empty note is none."""
        return Change(
            note=_note(self.note),
            note_seen=_note(self.note_seen),
            is_active=self.is_active,
            plan=self.plan,
            plan_expires_at=self.plan_expires_at,
        )


def _note(said: str | UnsetType | None) -> str | UnsetType | None:
    return said.strip() or None if isinstance(said, str) else said


class DirectoryEntry(Heard, frozen=True, kw_only=True):
    """A user as operators see them. A limit of null is none at all; ``unpricedRequests`` cost nothing that is known."""

    id: str
    email: str | None
    name: str | None
    plan: str
    plan_expires_at: Instant | None
    is_active: bool
    role: Literal["user", "admin"]
    time_zone: str
    created_at: Instant
    last_active_at: Instant | None
    requests_today: int
    requests_this_month: int
    monthly_limit: int | None
    daily_limit: int | None
    total_requests: int
    total_tokens_used: int
    total_cost: Cents
    total_cost_nanos: int
    unpriced_requests: int
    note: str | None

    @classmethod
    def of(cls, entry: Entry) -> DirectoryEntry:
        """Show a user."""
        return cls(
            id=str(entry.id),
            email=entry.email,
            name=entry.name,
            plan=entry.plan,
            plan_expires_at=entry.plan_expires_at and instant(entry.plan_expires_at),
            is_active=entry.is_active,
            role=entry.role,
            time_zone=entry.time_zone,
            created_at=instant(entry.created_at),
            last_active_at=entry.last_active_at and instant(entry.last_active_at),
            requests_today=entry.requests_today,
            requests_this_month=entry.requests_this_month,
            monthly_limit=entry.monthly_limit,
            daily_limit=entry.daily_limit,
            total_requests=entry.total_requests,
            total_tokens_used=entry.total_tokens_used,
            total_cost=cents_of(entry.total_cost_nanos),
            total_cost_nanos=entry.total_cost_nanos,
            unpriced_requests=entry.total_unpriced,
            note=entry.note,
        )


class DirectoryPage(Heard, frozen=True, kw_only=True):
    """Some users; ``nextCursor`` leads on, null where nothing follows."""

    success: Literal[True] = True
    items: list[DirectoryEntry]
    next_cursor: str | None


class DirectoryFound(Heard, frozen=True, kw_only=True):
    """The answer about one user."""

    success: Literal[True] = True
    user: DirectoryEntry


class _Place(msgspec.Struct, array_like=True, frozen=True):
    """Where a page ends: in which order, and the last one's key and id."""

    sort: str
    order: str
    key: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | str
    user_id: UUID


LIST: Final = Operation("admin", summary="List users", query=UsersQuery, gives={200: DirectoryPage})
SHOW: Final = Operation("admin", summary="Show one user", query=Said, gives={200: DirectoryFound}, problems=(NotFound,))
CHANGE: Final = Operation(
    "admin",
    summary="Change a user's plan, note, or whether they may use anything",
    takes=ChangeUser,
    query=Said,
    gives={200: DirectoryFound},
    problems=(NotFound, Contradiction),
    examples={"a month of pro": {"plan": "pro", "planExpiresAt": "2027-01-01T00:00:00Z", "note": "trial"}},
)
DELETE: Final = Operation(
    "admin",
    summary="Delete a user",
    query=Said,
    gives={200: Left},
    problems=(NotFound, Contradiction),
    recent=True,
)


@get(_PATH, LIST)
async def list_users(request: Exchange) -> Answer:
    """Searched in address and name (or by id), by plan, active or not.

    By `email` and `createdAt` pages stand still; by what people use (`lastActiveAt`, `requests`, `tokensUsed`, `cost`)
    they overtake each other while one turns the pages.
    """
    query = request.asked(UsersQuery)
    wanted = Wanted(query.q, query.plan, query.is_active)
    backend = request.backend
    # What has to look at all users shall keep no connection from those who track.
    looks_at_all = not wanted.is_anybody or query.sort not in {"email", "createdAt"}
    found = await directory.listed(
        backend.patient if looks_at_all else backend.database,
        wanted,
        sort=query.sort,
        order=query.direction,
        limit=query.limit + 1,
        after=_after(query),
    )
    items = found[: query.limit]
    following = _cursor(query, items[-1]) if len(found) > query.limit else None
    return Answer.of(DirectoryPage(items=[DirectoryEntry.of(each.entry) for each in items], next_cursor=following))


@get(_ONE, SHOW)
async def show_user(request: Exchange) -> Answer:
    """By their id."""
    request.asked(Said)
    return Answer.of(
        DirectoryFound(user=DirectoryEntry.of(await directory.one(request.backend.database, path_id(request, "user"))))
    )


@put(_ONE, CHANGE)
async def change_user(request: Exchange) -> Answer:
    """All of it or nothing. Who is switched off is refused by their very next start; nobody switches themselves off."""
    request.asked(Said)
    user_id = path_id(request, "user")
    said = await request.said(ChangeUser)
    if said.is_active is False and user_id == request.caller.user_id:
        raise Contradiction("you would lock yourself out: another operator may switch you off")
    changed = await directory.change(request.backend.database, user_id, said.as_change(), actor=request.actor)
    return Answer.of(DirectoryFound(user=DirectoryEntry.of(changed)))


@delete(_ONE, DELETE)
async def delete_user(request: Exchange) -> Answer:
    """All that is theirs goes, and nothing comes back; sums over all users stay, as nobody's."""
    request.asked(Said)
    user_id, backend = path_id(request, "user"), request.backend
    if user_id == request.caller.user_id:
        raise Contradiction("this is you: delete your own account where your own settings are")
    is_complete = await leaving.leave(
        backend.database, backend.patient, user_id, actor=request.actor, may_be_last=False, seconds=PATIENCE_SECONDS
    )
    return Answer.of(Left(is_complete=is_complete))


@get(
    _ONE + "/dashboard",
    Operation(
        "admin", summary="Read a user's dashboard", query=Said, gives={200: DashboardAnswer}, problems=(NotFound,)
    ),
)
async def show_users_dashboard(request: Exchange) -> Answer:
    """The same object as the user sees, at the top and under `dashboard`."""
    request.asked(Said)
    return Answer(await request.the(Dashboards).of(path_id(request, "user")))


@get(
    _ONE + "/requests",
    Operation(
        "admin",
        summary="List a user's requests, newest first",
        query=RequestsQuery,
        gives={200: RequestsFound},
        files=tuple(CONTENT_TYPES.values()),
        problems=(NotFound,),
    ),
)
async def list_users_requests(request: Exchange) -> Answer:
    """As the user's own list: searched, filtered, page by page or as a file."""
    user_id = path_id(request, "user")
    await directory.one(request.backend.database, user_id)
    return await page_of(request, user_id)


@get(
    _ONE + "/requests/{reference}",
    Operation(
        "admin",
        summary="Show one request of a user, by our id or the client's",
        query=Said,
        gives={200: RequestFound},
        problems=(NotFound,),
    ),
)
async def show_users_request(request: Exchange) -> Answer:
    """All that is kept of it."""
    request.asked(Said)
    named = reference(path_text(request, "reference"))
    found = await records.one(request.texts, path_id(request, "user"), named)
    return Answer.of(RequestFound(request=RequestWhole.of(found)))


def _after(query: UsersQuery) -> tuple[Any, UUID] | None:
    place = position(query, _Place)
    if place is None:
        return None
    if (place.sort, place.order) != (query.sort, query.direction) or isinstance(place.key, str) != (
        query.sort == "email"
    ):
        raise Invalid.field("cursor", "belongs to another order of this list")
    return place.key, place.user_id


def _cursor(query: UsersQuery, last: Found) -> str:
    return cursor_at(_Place(query.sort, query.direction, last.key, last.entry.id))
