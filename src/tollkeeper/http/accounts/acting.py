"""Acting as a user, and stopping it."""

from __future__ import annotations

from typing import Final, Literal

from tollkeeper.accounts.sign_in import acting, logins
from tollkeeper.errors import Contradiction, NobodyKnown, NotFound
from tollkeeper.http.accounts.signed_in import login_cookie
from tollkeeper.http.callers import Callers
from tollkeeper.http.exchange import Answer, Exchange, path_id
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant


class Acting(Heard, frozen=True, kw_only=True):
    """The browser is that user's now, until then."""

    success: Literal[True] = True
    user_id: str
    expires_at: Instant


class StoppedActing(Heard, frozen=True, kw_only=True):
    """The browser is the operator's own again."""

    success: Literal[True] = True


ACT: Final = Operation(
    "admin",
    summary="Act as a user",
    query=Said,
    gives={200: Acting},
    problems=(NotFound, Contradiction),
    recent=True,
)
STOP: Final = Operation(
    "person",
    summary="Stop acting as a user",
    query=Said,
    gives={200: StoppedActing},
    problems=(Contradiction, NobodyKnown),
)


@post("/api/admin/users/{user}/act", ACT)
async def act(request: Exchange) -> Answer:
    """For half an hour this browser is the user's: it sees what they see, and may do what they may.

    How they sign in, their keys and secrets, export and deleting the account are the user's alone. Whatever is done is
    noted as the operator's. Nobody acts as an operator.
    """
    request.asked(Said)
    backend, caller = request.backend, request.caller
    session = await acting.begin(
        backend.database,
        path_id(request, "user"),
        operator_id=caller.user_id,
        session_id=caller.credential,
        pepper=backend.pepper,
        actor=request.actor,
    )
    cookie = login_cookie(request, session.token, max_age=int(acting.LASTS.total_seconds()))
    answer = Acting(user_id=str(session.user_id), expires_at=instant(session.expires_at))
    return Answer.of(answer, headers=(cookie,))


@post("/api/account/stop-acting", STOP)
async def stop_acting(request: Exchange) -> Answer:
    """The operator goes on in the sign-in from which they began."""
    request.asked(Said)
    backend, caller = request.backend, request.caller
    if caller.acted_by is None:
        raise Contradiction("you are yourself")
    session = await acting.stop(
        backend.database,
        caller.user_id,
        operator_id=caller.acted_by,
        session_id=caller.credential,
        pepper=backend.pepper,
        actor=request.actor,
    )
    request.the(Callers).forget_login(request)
    cookie = login_cookie(request, session.token, max_age=int(logins.LASTS.total_seconds()))
    return Answer.of(StoppedActing(), headers=(cookie,))
