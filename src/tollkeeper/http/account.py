"""Who one is, and signing out."""

from __future__ import annotations

from typing import Final, Literal

from litestar import get, post

from tollkeeper.accounts import logins, users
from tollkeeper.accounts.users import User
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.shapes import Said
from tollkeeper.http.signed_in import login_cookie
from tollkeeper.http.wire import Heard, Instant, instant


class AccountShown(Heard, frozen=True, kw_only=True):
    """Who one is."""

    id: str
    email: str
    name: str | None
    role: Literal["user", "admin"]
    plan: str
    plan_expires_at: Instant | None
    requests_used: int
    requests_limit: int | None
    time_zone: str
    created_at: Instant

    @classmethod
    def of(cls, user: User) -> AccountShown:
        """Show a user to themselves."""
        return cls(
            id=str(user.id),
            email=user.email,
            name=user.name,
            role=user.role,
            plan=user.plan,
            plan_expires_at=user.plan_expires_at and instant(user.plan_expires_at),
            requests_used=user.requests_used,
            requests_limit=user.requests_limit,
            time_zone=user.time_zone,
            created_at=instant(user.created_at),
        )


class AccountFound(Heard, frozen=True, kw_only=True):
    """Who calls, by what, and what it allows."""

    success: Literal[True] = True
    account: AccountShown
    caller: Literal["person", "user_key", "service_key"]
    scopes: list[str]


class SignedOut(Heard, frozen=True, kw_only=True):
    """The sign-in is over."""

    success: Literal[True] = True


WHO: Final = Operation("signed-in", summary="Say who calls", query=Said, gives={200: AccountFound})
SIGN_OUT: Final = Operation("person", summary="Sign out of this browser", query=Said, gives={200: SignedOut})


@get("/api/account", opt=WHO.as_opt())
async def who_am_i(request: Exchange) -> Answer:
    """The user as whom the caller acts, and what the caller may."""
    request.asked(Said)
    caller = request.caller
    user = await users.show(request.backend.database, caller.user_id)
    return Answer.of(AccountFound(account=AccountShown.of(user), caller=caller.kind, scopes=sorted(caller.scopes)))


@post("/api/account/sign-out", opt=SIGN_OUT.as_opt(), status_code=200)
async def sign_out(request: Exchange) -> Answer:
    """Ends the session everywhere within a second, and takes the cookie away."""
    request.asked(Said)
    caller = request.caller
    await logins.end(request.backend.database, caller.user_id, caller.credential, actor=request.actor)
    request.callers.forget_login(request)
    return Answer.of(SignedOut(), headers=(login_cookie(request, "", max_age=0),))
