"""Signing in by GitHub. Who comes back is known by GitHub's number of them, never by a name or an address.

An address alone opens no account that is there already: whoever made that may be somebody else. Its person signs in to
it first, and connects GitHub then.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts import tokens, users
from tollkeeper.accounts.networks import network_of
from tollkeeper.accounts.sign_in import allowances, logins, signing_up
from tollkeeper.accounts.sign_in.allowances import Allowance
from tollkeeper.accounts.sign_in.asks import Arrived
from tollkeeper.accounts.sign_in.logins import Visit
from tollkeeper.accounts.sign_in.signing_up import SignUp
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, LinkOver, NotAllowed, NotFound, SignInFirst
from tollkeeper.store.database import Database, Transaction

if TYPE_CHECKING:
    from tollkeeper.accounts.sign_in.oauth import App, Person

VALID_FOR: Final = timedelta(minutes=10)

_GITHUB: Final = "https://github.com"
_FROM_NETWORK: Final = (60, timedelta(seconds=5))
_OF_ALL: Final = (600, timedelta(seconds=0.5))


@dataclass(frozen=True, slots=True)
class GitHub:
    """Our OAuth app: at github.com, or at a GitHub Enterprise Server."""

    client_id: str
    client_secret: str
    url: str
    public_url: str

    @property
    def app(self) -> App:
        """Where everything is. Loaded when somebody signs in by it: the library takes most of a second."""
        from tollkeeper.accounts.sign_in.oauth import App  # noqa: PLC0415

        return App(
            self.client_id,
            self.client_secret,
            authorize_url=f"{self.url}/login/oauth/authorize",
            token_url=f"{self.url}/login/oauth/access_token",
            api_url="https://api.github.com" if self.url == _GITHUB else f"{self.url}/api/v3",
            redirect_uri=f"{self.public_url}/sign-in/github/callback",
        )


@dataclass(frozen=True, slots=True)
class Gone:
    """Somebody who went to GitHub from this browser: to sign in, or to connect it with their account."""

    leads_to: str
    user_id: UUID | None


async def leave(
    database: Database,
    github: GitHub,
    *,
    browser: bytes,
    leads_to: str,
    pepper: bytes,
    visit: Visit,
    user_id: UUID | None = None,
) -> str:
    """Say where to send a browser that goes to GitHub; ``TooManyAttempts`` if that was too often."""
    from tollkeeper.accounts.sign_in.oauth import where_to  # noqa: PLC0415

    state = tokens.fresh()
    wanted = [
        Allowance(f"github from {network_of(visit.ip_address) or 'nowhere'}", *_FROM_NETWORK),
        Allowance("github", *_OF_ALL),
    ]
    async with allowances.taking(database) as tx:
        await allowances.take(tx, wanted, pepper=pepper, detail="too many went to GitHub: try again later")
        await tx.run(
            "add_github_ask",
            state_hash=tokens.peppered(state, pepper=pepper),
            browser_hash=browser,
            leads_to=leads_to,
            user_id=user_id,
            valid_for=VALID_FOR,
        )
    return where_to(github.app, state=state, verifier=_verifier(state, pepper))


async def take_back(database: Database, state: str, *, browser: bytes | None, pepper: bytes) -> Gone:
    """Find who went to GitHub with this state, once, and only in the browser that went: else ``LinkOver``."""
    row = await database.one("use_github_state", state_hash=tokens.hashed(state, pepper=pepper), browser_hash=browser)
    if row is None:
        raise LinkOver("this did not begin in this browser, or too long ago: sign in again")
    return Gone(row["leads_to"], row["user_id"])


async def who_came(github: GitHub, *, code: str, state: str, pepper: bytes) -> Person:
    """Ask GitHub who came back."""
    from tollkeeper.accounts.sign_in import oauth  # noqa: PLC0415

    return await oauth.who_came(github.app, code=code, verifier=_verifier(state, pepper))


async def sign_in(
    database: Database, person: Person, gone: Gone, *, pepper: bytes, sign_up: SignUp, visit: Visit
) -> Arrived:
    """Sign in who came back, or sign them up with their verified address. All of it or nothing.

    ``SignInFirst`` if the address has an account already, ``NotAllowed`` if they may not sign up.
    """
    async with database.transaction() as tx:
        user_id = await tx.value("user_of_github", github_id=str(person.id))
        if user_id is None:
            user_id = await _sign_up(tx, person, sign_up=sign_up, visit=visit)
        return Arrived(await logins.begin(tx, user_id, by="github", pepper=pepper, visit=visit), gone.leads_to)


async def connect(database: Database, user_id: UUID, person: Person, *, actor: Actor) -> None:
    """Let a signed-in user sign in by this GitHub account from now on.

    ``Contradiction`` if either is connected with another already.
    """
    async with database.transaction() as tx:
        known = await tx.value("user_of_github", github_id=str(person.id))
        if known == user_id:
            return
        if known is not None:
            raise Contradiction("this GitHub account is connected with another account here")
        await _connect(tx, user_id, person, actor=actor)


async def disconnect(database: Database, user_id: UUID, *, actor: Actor) -> None:
    """Let a user sign in by their GitHub account no more; ``NotFound`` if none is connected.

    They keep their address, by which they can always sign in. Sessions that GitHub began go on until they are ended.
    """
    async with database.transaction() as tx:
        github_id = await tx.value("disconnect_github", user_id=user_id)
        if github_id is None:
            raise NotFound("no GitHub account is connected")
        await activity.note(
            tx, user_id=user_id, actor=actor, action="github.disconnected", detail={"github_id": int(github_id)}
        )


async def _sign_up(tx: Transaction, person: Person, *, sign_up: SignUp, visit: Visit) -> UUID:
    address = _address(person)
    if await tx.value("user_of_email", email=address) is not None:
        raise SignInFirst("there is an account with your address already: sign in to it by e-mail, then connect GitHub")
    user_id = await signing_up.user_of(tx, address, by="github", sign_up=sign_up, visit=visit)
    if user_id is None:
        raise NotAllowed("only who is invited may sign up here: ask whoever runs this service")
    if not await tx.value("user_is_new", user_id=user_id):
        # Somebody else has just made it.
        raise SignInFirst("there is an account with your address already: sign in to it by e-mail, then connect GitHub")
    await _connect(tx, user_id, person, actor=Actor(str(user_id), visit.ip_address, visit.user_agent))
    return user_id


async def _connect(tx: Transaction, user_id: UUID, person: Person, *, actor: Actor) -> None:
    if await tx.value("connect_github", user_id=user_id, github_id=str(person.id)) is None:
        raise Contradiction("another GitHub account is connected with this account")
    await activity.note(tx, user_id=user_id, actor=actor, action="github.connected", detail={"github_id": person.id})


def _address(person: Person) -> str:
    if person.email is None:
        raise NotAllowed("GitHub knows no verified primary address of yours: verify one there, or sign in by e-mail")
    try:
        return users.address_of(person.email)
    except Invalid as error:
        raise NotAllowed("your primary address at GitHub is none that we can use: sign in by e-mail") from error


def _verifier(state: str, pepper: bytes) -> str:
    """Derive what proves to GitHub that the code was asked for here: so nothing of it needs to be kept."""
    return base64.urlsafe_b64encode(tokens.peppered(f"pkce {state}", pepper=pepper)).decode().rstrip("=")
