"""Passkeys: making and keeping them, and signing in with one."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta

from tollkeeper.accounts import tokens
from tollkeeper.accounts.sign_in import passkeys
from tollkeeper.accounts.sign_in.passkeys import LONGEST_NAME, Ceremony, Passkey
from tollkeeper.accounts.sign_in.relying_party import RelyingParty
from tollkeeper.errors import (
    AccountInactive,
    Contradiction,
    NotAllowed,
    NotFound,
    PasskeyRefused,
    TooManyAttempts,
    Unavailable,
)
from tollkeeper.http.accounts.signed_in import Next, SignedIn, answer_signed_in, browser_of, browser_or_new, visit_of
from tollkeeper.http.callers import refuse_foreign_page
from tollkeeper.http.exchange import Answer, Exchange, path_id
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import delete, get, patch, post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant

_PATH: Final = "/api/account/passkeys"
_ONE: Final = _PATH + "/{passkey}"
_ENTER: Final = "/api/sign-in/passkey"
# Devices say a few hundred bytes, and some add a certificate or two.
_MOST_BYTES: Final = 2**16

CeremonyName: TypeAlias = Annotated[str, Meta(min_length=43, max_length=43)]
PasskeyName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Credential: TypeAlias = Annotated[
    dict[str, Any], Meta(description="As `PublicKeyCredential.toJSON()` gives it; what is not known of it is not read.")
]


class KeepPasskey(Said, frozen=True, kw_only=True):
    """The passkey that a browser has made, and what to call it."""

    ceremony: CeremonyName
    credential: Credential
    name: PasskeyName


class UsePasskey(Said, frozen=True, kw_only=True):
    """What a browser has signed with a passkey, and where to go then: a path of this site."""

    ceremony: CeremonyName
    credential: Credential
    next: Next = "/"


class RenamePasskey(Said, frozen=True, kw_only=True):
    """What to call a passkey from now on."""

    name: PasskeyName


class PasskeyShown(Heard, frozen=True, kw_only=True):
    """A passkey. ``isSynced``: the maker of its device copies it to the owner's other devices."""

    id: str
    name: str
    created_at: Instant
    last_used_at: Instant | None
    is_synced: bool
    transports: list[str]

    @classmethod
    def of(cls, passkey: Passkey) -> PasskeyShown:
        """Show a passkey to its owner."""
        return cls(
            id=str(passkey.id),
            name=passkey.name,
            created_at=instant(passkey.created_at),
            last_used_at=passkey.last_used_at and instant(passkey.last_used_at),
            is_synced=passkey.is_synced,
            transports=list(passkey.transports),
        )


class PasskeysFound(Heard, frozen=True, kw_only=True):
    """All passkeys, the newest first: they are so few that nothing follows."""

    success: Literal[True] = True
    items: list[PasskeyShown]
    next_cursor: None = None


class PasskeyFound(Heard, frozen=True, kw_only=True):
    """The answer about one passkey."""

    success: Literal[True] = True
    passkey: PasskeyShown


class PasskeyRemoved(Heard, frozen=True, kw_only=True):
    """It signs in no more."""

    success: Literal[True] = True


class CeremonyBegun(Heard, frozen=True, kw_only=True):
    """For the browser: `options` as WebAuthn has them in JSON, and the `ceremony` to come back with in five minutes."""

    success: Literal[True] = True
    options: dict[str, Any]
    ceremony: str

    @classmethod
    def of(cls, ceremony: Ceremony) -> CeremonyBegun:
        """Tell a browser what to sign."""
        return cls(options=ceremony.options, ceremony=ceremony.name)


LIST: Final = Operation("person", summary="List one's passkeys", query=Said, gives={200: PasskeysFound})
PREPARE: Final = Operation(
    "person",
    summary="Begin to make a passkey",
    query=Said,
    gives={200: CeremonyBegun},
    problems=(NotFound,),
    recent=True,
)
ADD: Final = Operation(
    "person",
    summary="Keep a new passkey",
    takes=KeepPasskey,
    query=Said,
    gives={201: PasskeyFound},
    problems=(NotFound, Contradiction),
    recent=True,
)
RENAME: Final = Operation(
    "person",
    summary="Rename a passkey",
    takes=RenamePasskey,
    query=Said,
    gives={200: PasskeyFound},
    problems=(NotFound,),
    examples={"by where it is": {"name": "My phone"}},
    personal=True,
)
REMOVE: Final = Operation(
    "person", summary="Remove a passkey", query=Said, gives={200: PasskeyRemoved}, problems=(NotFound,), recent=True
)
ASK: Final = Operation(
    "public",
    summary="Begin to sign in with a passkey",
    query=Said,
    gives={200: CeremonyBegun},
    problems=(NotAllowed, TooManyAttempts, Unavailable),
)
ENTER: Final = Operation(
    "public",
    summary="Sign in with a passkey",
    takes=UsePasskey,
    query=Said,
    gives={200: SignedIn},
    problems=(PasskeyRefused, AccountInactive, NotAllowed, Unavailable),
)


@get(_PATH, LIST)
async def list_passkeys(request: Exchange) -> Answer:
    """At most 20."""
    request.asked(Said)
    found = await passkeys.listed(request.backend.database, request.caller.user_id)
    return Answer.of(PasskeysFound(items=[PasskeyShown.of(each) for each in found]))


@post(_PATH + "/options", PREPARE)
async def prepare_passkey(request: Exchange) -> Answer:
    """Hand `options` to `navigator.credentials.create()`, through `PublicKeyCredential.parseCreationOptionsFromJSON()`.

    For who signed in within the last 15 minutes. A ceremony is over when its session begins another.
    """
    request.asked(Said)
    backend = request.backend
    begun = await passkeys.prepare(
        backend.database, _party(request), request.caller.user_id, browser=_session(request), pepper=backend.pepper
    )
    return Answer.of(CeremonyBegun.of(begun))


@post(_PATH, ADD)
async def add_passkey(request: Exchange) -> Answer:
    """From then on it signs in, on this and (if it is synced) on other devices."""
    request.asked(Said)
    said = await request.said(KeepPasskey, most=_MOST_BYTES)
    backend = request.backend
    added = await passkeys.add(
        backend.database,
        _party(request),
        request.caller.user_id,
        ceremony=said.ceremony,
        credential=said.credential,
        name=said.name,
        browser=_session(request),
        pepper=backend.pepper,
        actor=request.actor,
    )
    return Answer.of(PasskeyFound(passkey=PasskeyShown.of(added)), status=201)


@patch(_ONE, RENAME)
async def rename_passkey(request: Exchange) -> Answer:
    """Its name is for its owner alone; devices go on to show their own."""
    request.asked(Said)
    said, passkey_id = await request.said(RenamePasskey), path_id(request, "passkey")
    user_id = request.caller.user_id
    renamed = await passkeys.rename(request.backend.database, user_id, passkey_id, said.name, actor=request.actor)
    return Answer.of(PasskeyFound(passkey=PasskeyShown.of(renamed)))


@delete(_ONE, REMOVE)
async def remove_passkey(request: Exchange) -> Answer:
    """Sessions that it began go on until they are ended."""
    request.asked(Said)
    passkey_id = path_id(request, "passkey")
    await passkeys.remove(request.backend.database, request.caller.user_id, passkey_id, actor=request.actor)
    return Answer.of(PasskeyRemoved())


@post(_ENTER + "/options", ASK)
async def ask_for_passkey(request: Exchange) -> Answer:
    """Hand `options` to `navigator.credentials.get()`, through `PublicKeyCredential.parseRequestOptionsFromJSON()`.

    Nobody need say who they are: the device knows its passkeys of this site. A cookie binds this to the browser.
    """
    request.asked(Said)
    refuse_foreign_page(request)
    backend = request.backend
    browser, cookie = browser_or_new(request)
    begun = await passkeys.ask(
        backend.database, _party(request), browser=browser, pepper=backend.pepper, visit=visit_of(request)
    )
    return Answer.of(CeremonyBegun.of(begun), headers=(cookie,))


@post(_ENTER, ENTER)
async def enter_by_passkey(request: Exchange) -> Answer:
    """Signs in the browser that asked, by a cookie; a session that it had is over."""
    request.asked(Said)
    refuse_foreign_page(request)
    said = await request.said(UsePasskey)
    backend = request.backend
    session = await passkeys.sign_in(
        backend.database,
        _party(request),
        ceremony=said.ceremony,
        credential=said.credential,
        browser=browser_of(request),
        pepper=backend.pepper,
        visit=visit_of(request),
    )
    return answer_signed_in(request, session, leads_to=said.next)


def _session(request: Exchange) -> bytes:
    """What a signed-in browser is known by: a passkey is made within one session."""
    return tokens.peppered(str(request.caller.credential), pepper=request.backend.pepper)


def _party(request: Exchange) -> RelyingParty:
    return RelyingParty.at(request.backend.public_url)
