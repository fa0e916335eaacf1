"""Where one is signed in, and ending it."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta

from tollkeeper.accounts.devices import device_of
from tollkeeper.accounts.sign_in import logins
from tollkeeper.accounts.sign_in.logins import KeptLogin, Way
from tollkeeper.errors import NotFound
from tollkeeper.http.accounts.signed_in import login_cookie
from tollkeeper.http.call import Header
from tollkeeper.http.callers import Callers
from tollkeeper.http.exchange import Answer, Exchange, path_id
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.routing import delete, get
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant

_PATH: Final = "/api/account/sessions"


class EndQuery(Said, frozen=True, kw_only=True):
    """Which session goes on: that of this browser, or none."""

    but: Literal["current", "none"] = "current"


class LoginSessionShown(Heard, frozen=True, kw_only=True):
    """One sign-in of a browser. ``lastSeenAt`` is right within five minutes.

    It ends at ``expiresAt``, or 14 days after it was seen last if that comes first.
    """

    id: str
    is_current: bool
    device: str
    ip_address: str | None
    user_agent: str | None
    signed_in_by: Way
    created_at: Instant
    last_seen_at: Instant
    expires_at: Instant

    @classmethod
    def of(cls, login: KeptLogin, *, current: UUID) -> LoginSessionShown:
        """Show a sign-in to its owner, who comes with the session ``current``."""
        return cls(
            id=str(login.id),
            is_current=login.id == current,
            device=device_of(login.user_agent),
            ip_address=login.ip_address,
            user_agent=login.user_agent,
            signed_in_by=login.signed_in_by,
            created_at=instant(login.created_at),
            last_seen_at=instant(login.last_seen_at),
            expires_at=instant(login.expires_at),
        )


class LoginSessionsPage(Heard, frozen=True, kw_only=True):
    """Some sign-ins, the newest first; ``nextCursor`` leads on, null where nothing follows."""

    success: Literal[True] = True
    items: list[LoginSessionShown]
    next_cursor: str | None


class LoginSessionsEnded(Heard, frozen=True, kw_only=True):
    """How many sign-ins are over now that were not before."""

    success: Literal[True] = True
    ended: Annotated[int, Meta(ge=0)]


LIST: Final = Operation(
    "person", summary="List where one is signed in", query=PageQuery, gives={200: LoginSessionsPage}
)
END: Final = Operation(
    "person",
    summary="End one sign-in",
    query=Said,
    gives={200: LoginSessionsEnded},
    problems=(NotFound,),
    personal=True,
)
END_ALL: Final = Operation(
    "person", summary="End all sign-ins, or all others", query=EndQuery, gives={200: LoginSessionsEnded}, personal=True
)


@get(_PATH, LIST)
async def list_logins(request: Exchange) -> Answer:
    """Browsers that are signed in now, this one marked as the current."""
    query = request.asked(PageQuery)
    caller = request.caller
    found = await logins.listed(
        request.backend.database, caller.user_id, limit=query.limit + 1, before=position(query, UUID)
    )
    items = found[: query.limit]
    following = cursor_at(items[-1].id) if len(found) > query.limit else None
    shown = [LoginSessionShown.of(each, current=caller.credential) for each in items]
    return Answer.of(LoginSessionsPage(items=shown, next_cursor=following))


@delete(_PATH + "/{session}", END)
async def end_login(request: Exchange) -> Answer:
    """It is over on every node within a second, and so are the streams that it opened."""
    request.asked(Said)
    caller, session_id = request.caller, path_id(request, "session")
    await logins.end(request.backend.database, caller.user_id, session_id, actor=request.actor)
    return _answer(request, ended=1, itself=session_id == caller.credential)


@delete(_PATH, END_ALL)
async def end_logins(request: Exchange) -> Answer:
    """With `?but=none` this browser is signed out too. Open sign-in links and codes are void."""
    query = request.asked(EndQuery)
    caller, itself = request.caller, query.but == "none"
    ended = await logins.end_all(
        request.backend.database, caller.user_id, actor=request.actor, but=None if itself else caller.credential
    )
    return _answer(request, ended=ended, itself=itself)


def _answer(request: Exchange, *, ended: int, itself: bool) -> Answer:
    headers: tuple[Header, ...] = ()
    if itself:
        request.the(Callers).forget_login(request)
        headers = (login_cookie(request, "", max_age=0),)
    return Answer.of(LoginSessionsEnded(ended=ended), headers=headers)
