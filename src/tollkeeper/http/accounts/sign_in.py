"""Signing in: by a mail, by GitHub, and by a link of the operator. Passkeys have a file of their own."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import asks, github, logins
from tollkeeper.accounts.sign_in.github import GitHub
from tollkeeper.accounts.sign_in.signing_up import Policy
from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import (
    CodeOver,
    CodeWrong,
    Contradiction,
    NobodyKnown,
    NotAllowed,
    NotFound,
    TooManyAttempts,
    Unavailable,
)
from tollkeeper.http.accounts.signed_in import (
    Next,
    NextQuery,
    SignedIn,
    answer_signed_in,
    browser_of,
    browser_or_new,
    lead,
    lead_signed_in,
    visit_of,
    within_this_site,
)
from tollkeeper.http.backend import Backend
from tollkeeper.http.callers import Callers, refuse_foreign_page
from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.pages import asset, page
from tollkeeper.http.routing import delete, get, post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant

Email = Annotated[str, Meta(min_length=1, max_length=LONGEST_EMAIL)]

_RECENT_PERSON: Final = Operation("person", recent=True)
_PERSON_ALONE: Final = Operation("person", personal=True)


class AskForMail(Said, frozen=True, kw_only=True):
    """Whose mail it is to be, and where they are going."""

    email: Email
    next: Next = "/"


class TypeCode(Said, frozen=True, kw_only=True):
    """What the mail said, in any case, with or without its dash."""

    email: Email
    code: Annotated[str, Meta(min_length=1, max_length=40)]


class GitHubQuery(NextQuery, frozen=True, kw_only=True):
    """``connect``: let who is signed in sign in by GitHub from now on."""

    connect: bool = False


class FromGitHub(Said, frozen=True, kw_only=True, rename=None):
    """What GitHub lets a browser bring back."""

    state: Annotated[str, Meta(max_length=200)] = ""
    code: Annotated[str, Meta(max_length=500)] | None = None
    error: Annotated[str, Meta(max_length=500)] | None = None
    error_description: Annotated[str, Meta(max_length=2000)] | None = None
    error_uri: Annotated[str, Meta(max_length=2000)] | None = None
    iss: Annotated[str, Meta(max_length=500)] | None = None


class WaysToSignIn(Heard, frozen=True, kw_only=True):
    """What there is to sign in by; ``signUp``: who may have an account that has none yet.

    ``isMailed``: codes come by mail; without a mail server they stand on the console, for whoever runs the service.
    """

    success: Literal[True] = True
    email: Literal[True] = True
    is_mailed: bool
    github: bool
    passkeys: Literal[True] = True
    sign_up: Policy

    @classmethod
    def of(cls, backend: Backend) -> WaysToSignIn:
        """Tell what is set up here."""
        has_github = backend.github is not None
        return cls(is_mailed=backend.has_mail, github=has_github, sign_up=backend.sign_up.policy)


class Disconnected(Heard, frozen=True, kw_only=True):
    """GitHub signs in no more; the e-mail address does, and passkeys do."""

    success: Literal[True] = True


class MailAsked(Heard, frozen=True, kw_only=True):
    """If the address may sign in, a mail is on its way; until then its code and link hold, in this browser."""

    success: Literal[True] = True
    expires_at: Instant


WAYS: Final = Operation("public", summary="List the ways to sign in", query=Said, gives={200: WaysToSignIn})
ASK: Final = Operation(
    "public",
    summary="Ask for a mail to sign in with",
    takes=AskForMail,
    query=Said,
    gives={200: MailAsked},
    problems=(NotAllowed, TooManyAttempts, Unavailable),
    examples={"on the way to the requests": {"email": "ada@example.com", "next": "/requests"}},
)
CODE: Final = Operation(
    "public",
    summary="Sign in with the code of a mail",
    takes=TypeCode,
    query=Said,
    gives={200: SignedIn},
    problems=(CodeWrong, CodeOver, NotAllowed, Unavailable),
    examples={"as the mail says": {"email": "ada@example.com", "code": "WXYZ-2345"}},
)
DISCONNECT: Final = Operation(
    "person",
    summary="Disconnect GitHub",
    query=Said,
    gives={200: Disconnected},
    problems=(NotFound,),
    recent=True,
)
_PAGE: Final = Operation("public", in_api=False)
_BY_LINK: Final = Operation("public", in_api=False, problems=(NobodyKnown, NotAllowed))


@get("/api/sign-in", WAYS)
async def show_ways(request: Exchange) -> Answer:
    """For pages of one's own; the page that is served knows them."""
    request.asked(Said)
    return Answer.of(WaysToSignIn.of(request.backend))


@post("/api/sign-in/email", ASK)
async def ask_for_mail(request: Exchange) -> Answer:
    """The same answer whether anybody has the address. A cookie binds what is mailed to this browser."""
    refuse_foreign_page(request)
    request.asked(Said)
    said = await request.said(AskForMail)
    address = users.address_of(said.email)
    backend = request.backend
    # Before anything is counted, and whoever asks.
    backend.postman.refuse_if_away()
    browser, cookie = browser_or_new(request)
    asked = await asks.ask(
        backend.database,
        address,
        browser=browser,
        leads_to=within_this_site(said.next),
        pepper=backend.pepper,
        visit=visit_of(request),
    )
    backend.postman.take(lambda: asked.letter(backend.database, sign_up=backend.sign_up, site=backend.public_url))
    return Answer.of(MailAsked(expires_at=instant(asked.expires_at)), headers=(cookie,))


@post("/api/sign-in/code", CODE)
async def redeem_code(request: Exchange) -> Answer:
    """In the browser that asked. Signs up who has no account, where they may."""
    refuse_foreign_page(request)
    request.asked(Said)
    said = await request.said(TypeCode)
    backend = request.backend
    arrived = await asks.redeem_code(
        backend.database,
        users.address_of(said.email),
        said.code,
        browser=browser_of(request),
        pepper=backend.pepper,
        sign_up=backend.sign_up,
        visit=visit_of(request),
    )
    return answer_signed_in(request, arrived.session, leads_to=arrived.leads_to)


@get("/sign-in/email/{token}", _BY_LINK)
async def show_link_of_mail(request: Exchange) -> Answer:
    """Ask first, for mail scanners open links; and say where the link works, if that is not here."""
    request.asked(Said)
    backend = request.backend
    token, browser = path_text(request, "token"), browser_of(request)
    await asks.look_at_link(backend.database, token, browser=browser, pepper=backend.pepper)
    return _button(request)


@post("/sign-in/email/{token}", _BY_LINK)
async def sign_in_by_mail(request: Exchange) -> Answer:
    """Turn the link into a session of the browser that asked for it."""
    refuse_foreign_page(request)
    request.asked(Said)
    backend = request.backend
    arrived = await asks.redeem_link(
        backend.database,
        path_text(request, "token"),
        browser=browser_of(request),
        pepper=backend.pepper,
        sign_up=backend.sign_up,
        visit=visit_of(request),
    )
    return lead_signed_in(request, arrived.session, leads_to=arrived.leads_to)


@get("/sign-in/github", _BY_LINK)
async def go_to_github(request: Exchange) -> Answer:
    """Send the browser to GitHub, to come back with an answer that only it can use."""
    query = request.asked(GitHubQuery)
    backend, there = request.backend, _github(request)
    user_id = (await request.the(Callers).identify(request, _RECENT_PERSON)).user_id if query.connect else None
    browser, cookie = browser_or_new(request)
    url = await github.leave(
        backend.database,
        there,
        browser=browser,
        leads_to=within_this_site(query.next),
        pepper=backend.pepper,
        visit=visit_of(request),
        user_id=user_id,
    )
    return lead(url, cookie)


@get("/sign-in/github/callback", _BY_LINK)
async def come_from_github(request: Exchange) -> Answer:
    """Take the browser back that went to GitHub: sign in, sign up, or connect GitHub with who is signed in."""
    said = request.asked(FromGitHub)
    backend, there = request.backend, _github(request)
    gone = await github.take_back(backend.database, said.state, browser=browser_of(request), pepper=backend.pepper)
    if said.code is None:
        # They would rather not.
        return lead(gone.leads_to)
    person = await github.who_came(there, code=said.code, state=said.state, pepper=backend.pepper)
    if gone.user_id is not None:
        request.known = caller = await request.the(Callers).identify(request, _PERSON_ALONE)
        if caller.user_id != gone.user_id:
            raise Contradiction("somebody else is signed in here by now")
        await github.connect(backend.database, gone.user_id, person, actor=request.actor)
        return lead(gone.leads_to)
    arrived = await github.sign_in(
        backend.database, person, gone, pepper=backend.pepper, sign_up=backend.sign_up, visit=visit_of(request)
    )
    return lead_signed_in(request, arrived.session, leads_to=arrived.leads_to)


@delete("/api/account/github", DISCONNECT)
async def disconnect_github(request: Exchange) -> Answer:
    """It signs in no more until it is connected again. Sessions that it began go on until they are ended.

    The e-mail address always signs in. Without a mail server its codes stand on the service's console.
    """
    request.asked(Said)
    await github.disconnect(request.backend.database, request.caller.user_id, actor=request.actor)
    return Answer.of(Disconnected())


@get("/sign-in/{token}", _PAGE)
async def show_sign_in(request: Exchange) -> Answer:
    """Ask first: mail scanners open links, and this one works once."""
    request.asked(NextQuery)
    return _button(request)


@post("/sign-in/{token}", _BY_LINK)
async def sign_in(request: Exchange) -> Answer:
    """Turn an operator's link into a session of this browser."""
    refuse_foreign_page(request)
    leads_to = request.asked(NextQuery).next
    backend = request.backend
    session = await logins.redeem(
        backend.database, path_text(request, "token"), pepper=backend.pepper, visit=visit_of(request)
    )
    return lead_signed_in(request, session, leads_to=leads_to)


def _button(request: Exchange) -> Answer:
    # Where the operator lets cookies go over plain HTTP there is nothing to warn of.
    script = "" if request.backend.insecure_cookies else asset("sign_in.js")
    return page("Sign in", asset("sign_in.html"), styles=("welcome.css",), script=script)


def _github(request: Exchange) -> GitHub:
    if request.backend.github is None:
        raise NotFound("signing in by GitHub is not set up here")
    return request.backend.github
