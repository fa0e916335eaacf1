"""Signing in by link, signing out, and who one is."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from litestar import get, post
from msgspec import Meta

from tollkeeper.accounts import logins, users
from tollkeeper.accounts.users import User
from tollkeeper.errors import NobodyKnown, NotAllowed
from tollkeeper.http.addresses import address_of_client
from tollkeeper.http.caller import COOKIE, INSECURE_COOKIE, refuse_foreign_page
from tollkeeper.http.exchange import Answer, Exchange, Header, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.pages import asset, page
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant

# A path of this site and nothing that a browser could take for another one.
_RELATIVE: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_LONGEST_USER_AGENT: Final = 1000


class SignInQuery(Said, frozen=True, kw_only=True):
    """Where to go after signing in: a path of this site."""

    next: Annotated[str, Meta(max_length=500)] = "/"


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
    return Answer.of(SignedOut(), headers=(_cookie(request, "", max_age=0),))


@get("/sign-in/{token:str}", opt=Operation("public", in_api=False).as_opt())
async def show_sign_in(request: Exchange) -> Answer:
    """Ask first: mail scanners open links, and this one works once."""
    _next(request)
    # Where the operator lets cookies go over plain HTTP there is nothing to warn of.
    script = "" if request.backend.insecure_cookies else asset("sign_in.js")
    return page("Sign in", asset("sign_in.html"), script=script)


@post("/sign-in/{token:str}", opt=Operation("public", in_api=False, problems=(NobodyKnown, NotAllowed)).as_opt())
async def sign_in(request: Exchange) -> Answer:
    """Turn the link into a session of this browser."""
    refuse_foreign_page(request)
    leads_to = _next(request)
    backend = request.backend
    session = await logins.redeem(
        backend.database,
        path_text(request, "token"),
        pepper=backend.pepper,
        ip_address=address_of_client(request, backend.trusted_proxies),
        user_agent=request.header_text(b"user-agent", most=_LONGEST_USER_AGENT),
    )
    cookie = _cookie(request, session.token, max_age=int(logins.LASTS.total_seconds()))
    return Answer(b"", status=303, headers=((b"location", leads_to.encode()), cookie))


def _next(request: Exchange) -> str:
    leads_to = request.asked(SignInQuery).next
    return leads_to if _RELATIVE.fullmatch(leads_to) else "/"


def _cookie(request: Exchange, token: str, *, max_age: int) -> Header:
    insecure = request.backend.insecure_cookies
    name, secure = (INSECURE_COOKIE, "") if insecure else (COOKIE, "; Secure")
    return b"set-cookie", f"{name}={token}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}".encode()
