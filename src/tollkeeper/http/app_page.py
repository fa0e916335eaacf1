"""The web app's page: for the signed-in the app, with what is known of them; for everyone else what this is."""

from __future__ import annotations

from string import Template
from typing import Final

from tollkeeper.accounts import preferences, users
from tollkeeper.accounts.sign_in import passkeys
from tollkeeper.errors import NobodyKnown, NotAllowed, NotFound, NotUnderstood
from tollkeeper.http.accounts.account import AccountShown, ActingAs, acting_as
from tollkeeper.http.accounts.preferences import SettingsShown
from tollkeeper.http.accounts.sign_in import WaysToSignIn
from tollkeeper.http.assets import Assets
from tollkeeper.http.caller import Caller
from tollkeeper.http.callers import Callers
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.pages import asset, page
from tollkeeper.http.routing import get
from tollkeeper.http.wire import Heard, encode

_SIGNED_IN: Final = Operation("signed-in")

# Every page of the web app; which of them it shows, it knows itself.
APP_PATHS: Final = [
    "/",
    "/requests",
    "/sessions",
    "/sessions/{session}",
    "/plan",
    "/alerts",
    "/variables",
    "/settings",
    "/settings/security",
    "/settings/keys",
    "/settings/activity",
    "/settings/data",
    "/admin",
    "/admin/users",
    "/admin/users/{user}",
    "/admin/users/{user}/plan",
    "/admin/invitations",
    "/admin/plans",
    "/admin/models",
    "/admin/keys",
    "/admin/alerts",
    "/admin/webhooks",
    "/admin/webhooks/{webhook}",
    "/admin/activity",
    "/admin/system",
]


class Known(Heard, frozen=True, kw_only=True):
    """What the page brings along, in the shapes of the API, so that its scripts need not wait for it."""

    account: AccountShown
    acting_as: ActingAs | None
    settings: SettingsShown
    ways: WaysToSignIn


@get(APP_PATHS, Operation("public", in_api=False))
async def app(request: Exchange) -> Answer:
    """The web app for whoever is signed in; for everyone else what this is, and how to come back to this path."""
    caller = await _signed_in(request)
    if caller is None:
        return _welcome(request)
    assets = request.parts.any(Assets)
    if assets is None:
        return page("tollkeeper", asset("not_built.html"))
    return await _page(request, caller, assets)


async def nowhere(request: Exchange) -> Answer | None:
    """The app at a path where nothing is, for the signed-in: it says so, with a way back. For others ``None``."""
    assets = request.parts.any(Assets)
    if assets is None or (caller := await _signed_in(request)) is None:
        return None
    return await _page(request, caller, assets)


async def _page(request: Exchange, caller: Caller, assets: Assets) -> Answer:
    database = request.backend.database
    settings = SettingsShown.of(await preferences.show(database, caller.user_id))
    user = await users.show(database, caller.user_id)
    held = await passkeys.count(database, caller.user_id)
    account = AccountShown.of(user, passkeys=held)
    acting = await acting_as(database, caller)
    known = encode(Known(account=account, acting_as=acting, settings=settings, ways=WaysToSignIn.of(request.backend)))
    return assets.page(request.template, asked=request.path, role=user.role, known=known)


def _welcome(request: Exchange) -> Answer:
    """Offer the ways to sign in that are set up here."""
    backend = request.backend
    # `plain`: cookies may go over plain HTTP, so there is nothing to warn of.
    ways = {"github": backend.github is not None, "mail": backend.has_mail, "plain": backend.insecure_cookies}
    body = Template(asset("welcome.html")).substitute({way: str(there).lower() for way, there in ways.items()})
    return page("Sign in to tollkeeper", body, styles=("welcome.css",), script=asset("welcome.js"))


async def _signed_in(request: Exchange) -> Caller | None:
    try:
        caller = await request.the(Callers).identify(request, _SIGNED_IN)
    except (NobodyKnown, NotAllowed, NotFound, NotUnderstood):
        return None
    return caller if caller.kind == "person" else None
