"""What every way of signing in shares: where a browser comes from, the cookie that it gets, where it goes next."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

from tollkeeper.accounts import tokens
from tollkeeper.accounts.sign_in import logins
from tollkeeper.accounts.sign_in.logins import LoginSession, Visit
from tollkeeper.errors import NobodyKnown
from tollkeeper.http.addresses import address_of_client
from tollkeeper.http.call import Header
from tollkeeper.http.callers import COOKIE, INSECURE_COOKIE, Callers
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard

Next: TypeAlias = Annotated[str, Meta(max_length=500)]
"""Where to go after signing in: a path of this site, see ``within_this_site``."""

# A path of this site and nothing that a browser could take for another one.
_RELATIVE: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")
# As long as browsers keep any: a browser that signs in again is known by it.
_BROWSER_SECONDS: Final = 400 * 86_400


class NextQuery(Said, frozen=True, kw_only=True):
    """Where to go after signing in: a path of this site."""

    next: Next = "/"


class SignedIn(Heard, frozen=True, kw_only=True):
    """The browser is signed in, by the cookie of this answer; ``next`` is where it was going."""

    success: Literal[True] = True
    next: str


def within_this_site(leads_to: str) -> str:
    """Take the start for whatever could lead to another site."""
    return leads_to if _RELATIVE.fullmatch(leads_to) else "/"


def visit_of(request: Exchange) -> Visit:
    """Say where the browser comes from, and which session it has so far: that one ends when another begins."""
    backend = request.backend
    return Visit(
        address_of_client(request.call, backend.trusted_proxies),
        request.user_agent,
        browser_of(request),
        _hash(request, request.the(Callers).cookie(request)),
    )


def browser_of(request: Exchange) -> bytes | None:
    """What a browser is known by while it signs in, as a hash; ``None`` of one that never tried."""
    return _hash(request, request.cookie(_browser_cookie(request)))


def browser_or_new(request: Exchange) -> tuple[bytes, Header]:
    """Know the browser from now on, by the cookie of this answer."""
    name = _browser_cookie(request)
    token = request.cookie(name)
    known = _hash(request, token)
    if token is None or known is None:
        token = tokens.fresh()
        known = tokens.hashed(token, pepper=request.backend.pepper)
    return known, host_cookie(request, name, token, max_age=_BROWSER_SECONDS)


def answer_signed_in(request: Exchange, session: LoginSession, *, leads_to: str = "/") -> Answer:
    """Answer a script whose person is signed in now."""
    return Answer.of(SignedIn(next=within_this_site(leads_to)), headers=(_begun(request, session),))


def lead_signed_in(request: Exchange, session: LoginSession, *, leads_to: str = "/") -> Answer:
    """Lead a person who is signed in now to where they were going."""
    return lead(within_this_site(leads_to), _begun(request, session))


def lead(to: str, *headers: Header) -> Answer:
    """Send a browser on."""
    return Answer(b"", status=303, headers=((b"location", to.encode()), *headers))


def login_cookie(request: Exchange, token: str, *, max_age: int) -> Header:
    """Write the cookie of a login session; an age of 0 takes it away."""
    name = INSECURE_COOKIE if request.backend.insecure_cookies else COOKIE
    return host_cookie(request, name, token, max_age=max_age)


def host_cookie(request: Exchange, name: str, value: str, *, max_age: int) -> Header:
    """Write a cookie of this host alone, out of reach of scripts and of other sites' requests."""
    secure = "" if request.backend.insecure_cookies else "; Secure"
    return b"set-cookie", f"{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}".encode()


def _begun(request: Exchange, session: LoginSession) -> Header:
    request.the(Callers).forget_login(request)
    return login_cookie(request, session.token, max_age=int(logins.LASTS.total_seconds()))


def _browser_cookie(request: Exchange) -> str:
    return f"{INSECURE_COOKIE}-browser" if request.backend.insecure_cookies else f"{COOKIE}-browser"


def _hash(request: Exchange, token: str | None) -> bytes | None:
    try:
        return tokens.hashed(token or "", pepper=request.backend.pepper)
    except NobodyKnown:
        return None
