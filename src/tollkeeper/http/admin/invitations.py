"""Invitations: whom operators let sign up."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta

from tollkeeper.accounts.mails import letters
from tollkeeper.accounts.mails.letters import Letter
from tollkeeper.accounts.sign_in import invitations
from tollkeeper.accounts.sign_in.invitations import Invitation
from tollkeeper.errors import Contradiction, NotFound, NotUnderstood
from tollkeeper.http.accounts.sign_in import Email
from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.routing import delete, get, post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant

_PATH: Final = "/api/admin/invitations"


class Invite(Said, frozen=True, kw_only=True):
    """Whom to invite, and the plan that they begin on."""

    email: Email
    plan: Annotated[str, Meta(min_length=1, max_length=50)] = "free"


class InvitationShown(Heard, frozen=True, kw_only=True):
    """An address that may sign up while it is ``open``; ``used``: it has. What is over is seen for 30 days."""

    id: str
    email: str
    plan: str
    created_at: Instant
    status: Literal["open", "used", "expired", "revoked"]
    expires_at: Instant

    @classmethod
    def of(cls, invitation: Invitation) -> InvitationShown:
        """Show one."""
        return cls(
            id=str(invitation.id),
            email=invitation.address,
            plan=invitation.plan,
            created_at=instant(invitation.created_at),
            expires_at=instant(invitation.expires_at),
            status=invitation.status,
        )


class InvitationsFound(Heard, frozen=True, kw_only=True):
    """Some invitations, the newest first. ``url``: where they sign in; ``isMailed``: a mail tells them so."""

    success: Literal[True] = True
    items: list[InvitationShown]
    next_cursor: str | None
    url: str
    is_mailed: bool


class Invited(Heard, frozen=True, kw_only=True):
    """The invitation. ``url``: where they sign in; ``isMailed``: a mail that tells them so is on its way."""

    success: Literal[True] = True
    invitation: InvitationShown
    url: str
    is_mailed: bool


class Withdrawn(Heard, frozen=True, kw_only=True):
    """The address may no longer sign up by it."""

    success: Literal[True] = True


LIST: Final = Operation("admin", summary="List invitations", query=PageQuery, gives={200: InvitationsFound})
INVITE: Final = Operation(
    "admin",
    summary="Invite an address, anew if it was invited before",
    takes=Invite,
    query=Said,
    gives={201: Invited},
    problems=(NotFound, Contradiction),
    examples={"onto pro": {"email": "ada@example.com", "plan": "pro"}},
    recent=True,
)
WITHDRAW: Final = Operation(
    "admin", summary="Withdraw an invitation", query=Said, gives={200: Withdrawn}, problems=(NotFound,)
)


@get(_PATH, LIST)
async def list_invitations(request: Exchange) -> Answer:
    """Open ones, and for 30 days more those that were used, have expired, or were revoked."""
    query, backend = request.asked(PageQuery), request.backend
    found = await invitations.listed(backend.database, limit=query.limit + 1, after=position(query, UUID))
    items = [InvitationShown.of(each) for each in found[: query.limit]]
    following = cursor_at(found[query.limit - 1].id) if len(found) > query.limit else None
    answer = InvitationsFound(items=items, next_cursor=following, url=backend.public_url, is_mailed=backend.has_mail)
    return Answer.of(answer)


@post(_PATH, INVITE)
async def invite(request: Exchange) -> Answer:
    """They sign in with a code like everybody: what they are mailed is no secret, and holds for 14 days."""
    request.asked(Said)
    said = await request.said(Invite)
    backend = request.backend
    made = await invitations.invite(backend.database, said.email, plan=said.plan, actor=request.actor)

    async def letter() -> Letter:
        return letters.invitation(
            made.address, written_at=made.created_at, expires_at=made.expires_at, site=backend.public_url
        )

    backend.postman.take(letter)
    shown = InvitationShown.of(made)
    answer = Invited(invitation=shown, url=backend.public_url, is_mailed=backend.has_mail)
    return Answer.of(answer, status=201)


@delete(_PATH + "/{invitation}", WITHDRAW)
async def withdraw(request: Exchange) -> Answer:
    """Whoever has signed up by then stays."""
    request.asked(Said)
    try:
        invitation_id = UUID(path_text(request, "invitation"))
    except ValueError:
        raise NotUnderstood("an invitation's id is a UUID", field="invitation") from None
    await invitations.withdraw(request.backend.database, invitation_id, actor=request.actor)
    return Answer.of(Withdrawn())
