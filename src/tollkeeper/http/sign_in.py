"""Signing in: by a link of the operator."""

from __future__ import annotations

from litestar import get, post

from tollkeeper.accounts import logins
from tollkeeper.errors import NobodyKnown, NotAllowed
from tollkeeper.http.caller import refuse_foreign_page
from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.pages import asset, page
from tollkeeper.http.signed_in import NextQuery, lead_signed_in, visit_of


@get("/sign-in/{token:str}", opt=Operation("public", in_api=False).as_opt())
async def show_sign_in(request: Exchange) -> Answer:
    """Ask first: mail scanners open links, and this one works once."""
    request.asked(NextQuery)
    # Where the operator lets cookies go over plain HTTP there is nothing to warn of.
    script = "" if request.backend.insecure_cookies else asset("sign_in.js")
    return page("Sign in", asset("sign_in.html"), script=script)


@post("/sign-in/{token:str}", opt=Operation("public", in_api=False, problems=(NobodyKnown, NotAllowed)).as_opt())
async def sign_in(request: Exchange) -> Answer:
    """Turn the link into a session of this browser."""
    refuse_foreign_page(request)
    leads_to = request.asked(NextQuery).next
    backend = request.backend
    session = await logins.redeem(
        backend.database, path_text(request, "token"), pepper=backend.pepper, visit=visit_of(request)
    )
    return lead_signed_in(request, session, leads_to=leads_to)
