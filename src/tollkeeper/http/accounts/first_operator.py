"""Becoming the first operator, by the link that the server's console tells while there is none."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from tollkeeper.accounts.sign_in import first_operator
from tollkeeper.errors import Invalid, NobodyKnown, NotAllowed, NotReadable
from tollkeeper.http.accounts.signed_in import lead_signed_in, visit_of
from tollkeeper.http.callers import refuse_foreign_page
from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.pages import asset, page
from tollkeeper.http.routing import get, post
from tollkeeper.http.shapes import Said

_PATH: Final = "/sign-in/first/{token}"
_BY_LINK: Final = Operation("public", in_api=False, problems=(NobodyKnown, NotAllowed, Invalid), reads_body=True)
_FORM: Final = b"application/x-www-form-urlencoded"
_MOST_BYTES: Final = 4096


@get(_PATH, _BY_LINK)
async def show_first_operator(request: Exchange) -> Answer:
    """Ask for the address of whoever is to run the service."""
    request.asked(Said)
    backend = request.backend
    await first_operator.look_at_link(backend.database, path_text(request, "token"), pepper=backend.pepper)
    script = "" if backend.insecure_cookies else asset("sign_in.js")
    return page("The first operator", asset("first_operator.html"), styles=("welcome.css",), script=script)


@post(_PATH, _BY_LINK)
async def become_first_operator(request: Exchange) -> Answer:
    """Make them the first operator, and sign them in."""
    refuse_foreign_page(request)
    request.asked(Said)
    backend, token = request.backend, path_text(request, "token")
    await first_operator.look_at_link(backend.database, token, pepper=backend.pepper)
    session = await first_operator.claim(
        backend.database,
        token,
        await _email(request),
        pepper=backend.pepper,
        visit=visit_of(request),
    )
    return lead_signed_in(request, session, leads_to="/admin")


async def _email(request: Exchange) -> str:
    """Read the page's form, which has one field."""
    if request.body_type != _FORM:
        raise NotReadable("the page sends a form")
    try:
        fields = parse_qsl((await request.raw(most=_MOST_BYTES)).decode(), strict_parsing=True, errors="strict")
    except ValueError:
        fields = []
    given = [value for name, value in fields if name == "email"]
    if len(given) != len(fields) or len(given) != 1:
        raise Invalid.field("email", "must be an e-mail address, and nothing else is sent")
    return given[0]
