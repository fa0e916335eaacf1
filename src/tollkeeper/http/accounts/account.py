"""Who one is, what one looks like to others, and signing out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from tollkeeper.accounts import pictures, users
from tollkeeper.accounts.sign_in import logins, passkeys
from tollkeeper.accounts.users import LONGEST_NAME, User
from tollkeeper.errors import NotFound
from tollkeeper.http.accounts.signed_in import login_cookie
from tollkeeper.http.body import Fault
from tollkeeper.http.caller import Caller
from tollkeeper.http.callers import Callers
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get, patch, post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant
from tollkeeper.store.database import Statements


class ChangeAccount(Said, frozen=True, kw_only=True):
    """What is to be changed; null takes it away."""

    name: Annotated[str, Meta(max_length=LONGEST_NAME)] | UnsetType | None = UNSET
    image: Annotated[str, Meta(max_length=pictures.LONGEST)] | UnsetType | None = UNSET

    def contradictions(self) -> Iterator[Fault]:
        """Nothing at all is no change."""
        if self.name is UNSET and self.image is UNSET:
            yield Fault("body", "changes nothing: give name or image")


class AccountShown(Heard, frozen=True, kw_only=True):
    """Who one is: a picture as a ``data:`` URL, how many ``passkeys`` there are, whether GitHub is connected."""

    id: str
    email: str
    name: str | None
    image: str | None
    role: Literal["user", "admin"]
    plan: str
    plan_expires_at: Instant | None
    requests_used: int
    requests_limit: int | None
    time_zone: str
    passkeys: Annotated[int, Meta(ge=0)]
    has_github: bool
    last_login_at: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, user: User, *, passkeys: int) -> AccountShown:
        """Show a user to themselves."""
        return cls(
            id=str(user.id),
            email=user.email,
            name=user.name,
            image=user.image,
            role=user.role,
            plan=user.plan,
            plan_expires_at=user.plan_expires_at and instant(user.plan_expires_at),
            requests_used=user.requests_used,
            requests_limit=user.requests_limit,
            time_zone=user.time_zone,
            passkeys=passkeys,
            has_github=user.has_github,
            last_login_at=user.last_login_at and instant(user.last_login_at),
            created_at=instant(user.created_at),
        )


class ActingAs(Heard, frozen=True, kw_only=True):
    """It is an operator, who sees what the user sees."""

    by: str


class AccountFound(Heard, frozen=True, kw_only=True):
    """Who calls, by what, and what it allows."""

    success: Literal[True] = True
    account: AccountShown
    caller: Literal["person", "user_key", "service_key"]
    scopes: list[str]
    acting_as: ActingAs | None


class SignedOut(Heard, frozen=True, kw_only=True):
    """The sign-in is over."""

    success: Literal[True] = True


WHO: Final = Operation("signed-in", summary="Say who calls", query=Said, gives={200: AccountFound})
CHANGE: Final = Operation(
    "person",
    summary="Change one's name or picture",
    takes=ChangeAccount,
    query=Said,
    gives={200: AccountFound},
    problems=(NotFound,),
    examples={"A name": {"name": "Ada Lovelace"}, "No picture": {"image": None}},
)
SIGN_OUT: Final = Operation(
    "person", summary="Sign out of this browser", query=Said, gives={200: SignedOut}, problems=(NotFound,)
)


@get("/api/account", WHO)
async def who_am_i(request: Exchange) -> Answer:
    """The user as whom the caller acts, and what the caller may."""
    request.asked(Said)
    user = await users.show(request.backend.database, request.caller.user_id)
    return await _about(request, user)


@post("/api/account/sign-out", SIGN_OUT)
async def sign_out(request: Exchange) -> Answer:
    """Ends the session everywhere within a second, and takes the cookie away."""
    request.asked(Said)
    caller = request.caller
    await logins.end(request.backend.database, caller.user_id, caller.credential, actor=request.actor)
    request.the(Callers).forget_login(request)
    return Answer.of(SignedOut(), headers=(login_cookie(request, "", max_age=0),))


@patch("/api/account", CHANGE)
async def change_account(request: Exchange) -> Answer:
    """What is left out stays as it is. A picture is a `data:` URL: pages show none from elsewhere."""
    request.asked(Said)
    said = await request.said(ChangeAccount)
    database = request.backend.database
    changed = await users.change(
        database,
        request.caller.user_id,
        actor=request.actor,
        name=None if said.name is UNSET else said.name or "",
        image=None if said.image is UNSET else said.image or "",
    )
    return await _about(request, changed)


async def _about(request: Exchange, user: User) -> Answer:
    caller, count = request.caller, await passkeys.count(request.backend.database, user.id)
    shown = AccountShown.of(user, passkeys=count)
    found = AccountFound(
        account=shown,
        caller=caller.kind,
        scopes=sorted(caller.scopes),
        acting_as=await acting_as(request.backend.database, caller),
    )
    return Answer.of(found)


async def acting_as(database: Statements, caller: Caller) -> ActingAs | None:
    """Name the operator who comes as the user, if it is one."""
    if caller.acted_by is None:
        return None
    return ActingAs(by=(await users.show(database, caller.acted_by)).email)
