"""Leaving: deleting one's account with all that is in it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from tollkeeper.accounts import users
from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.http.accounts.signed_in import login_cookie
from tollkeeper.http.callers import Callers
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import delete
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard
from tollkeeper.metering.upkeep import leaving

# Shorter than any proxy waits for an answer.
PATIENCE_SECONDS: Final = 20.0


class DeleteAccount(Said, frozen=True, kw_only=True):
    """That it is meant: one's own e-mail address."""

    confirm: Annotated[str, Meta(max_length=LONGEST_EMAIL)]


class Left(Heard, frozen=True, kw_only=True):
    """The account is nobody's any more. Not ``isComplete``: the last of a long history is still going, for minutes."""

    success: Literal[True] = True
    is_complete: bool


DELETE: Final = Operation(
    "person",
    summary="Delete one's account",
    takes=DeleteAccount,
    query=Said,
    gives={200: Left},
    problems=(NotFound, Contradiction),
    examples={"confirmed": {"confirm": "alice@example.com"}},
    recent=True,
)


@delete("/api/account", DELETE)
async def delete_account(request: Exchange) -> Answer:
    """Address, sessions, keys, variables, requests with their texts and sums: all of it goes, and nothing comes back.

    Sums over all users stay, as nobody's. From the first instant on nobody can sign in as, track for or see the user;
    who names the address later is somebody new. Backups keep what they have.
    """
    request.asked(Said)
    said = await request.said(DeleteAccount)
    backend, caller = request.backend, request.caller
    own = (await users.show(backend.database, caller.user_id)).email
    if said.confirm.strip().lower() != own.lower():
        raise Invalid.field("confirm", "must be your own e-mail address")
    is_complete = await leaving.leave(
        backend.database,
        backend.patient,
        caller.user_id,
        actor=request.actor,
        may_be_last=False,
        seconds=PATIENCE_SECONDS,
    )
    request.the(Callers).forget_login(request)
    return Answer.of(Left(is_complete=is_complete), headers=(login_cookie(request, "", max_age=0),))
