"""Asking GitHub who somebody is: a code, with PKCE, for a token, and that for an id and an address; then it is dropped.

Whatever GitHub answers is untrusted: bounded in size and time, and read by its shape. Only here is the OAuth library
known.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import httpx2
import msgspec
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError
from msgspec import Meta

from tollkeeper.accounts.outside import Bounded
from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import NobodyKnown, Unavailable

Answer = TypeVar("Answer")

_ANSWER_SECONDS: Final = 5.0
_ALL_SECONDS: Final = 10.0
_MOST_AT_ONCE: Final = 20
_RETRY_SECONDS: Final = 10
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class App:
    """Our OAuth app at a GitHub, and where that is."""

    client_id: str
    client_secret: str
    authorize_url: str
    token_url: str
    api_url: str
    redirect_uri: str


class Known(msgspec.Struct, frozen=True):
    """Somebody by the number that never changes, whatever they call themselves."""

    id: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Mailbox(msgspec.Struct, frozen=True):
    """One of their addresses."""

    email: Annotated[str, Meta(max_length=LONGEST_EMAIL)]
    primary: bool
    verified: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Who came back from GitHub; ``email`` is their primary address if GitHub has verified it."""

    id: int
    email: str | None


_asking = asyncio.Semaphore(_MOST_AT_ONCE)


def where_to(app: App, *, state: str, verifier: str) -> str:
    """Say where to send a browser, so that it comes back with a code and this state."""
    url, _ = _client(app).create_authorization_url(app.authorize_url, state=state, code_verifier=verifier)
    return url


async def who_came(app: App, *, code: str, verifier: str) -> Person:
    """Ask who came back with a code; ``NobodyKnown`` if GitHub does not confirm it, ``Unavailable`` if it is away."""
    if _asking.locked():
        raise Unavailable("too many come back from GitHub at once: try again", retry_after_seconds=_RETRY_SECONDS)
    try:
        async with _asking, asyncio.timeout(_ALL_SECONDS), _client(app) as client:
            # The token stays with this client, and goes with it.
            await client.fetch_token(app.token_url, code=code, code_verifier=verifier)
            known = await _read(client, f"{app.api_url}/user", Known)
            mailboxes = await _read(client, f"{app.api_url}/user/emails", list[Mailbox])
    except OAuthError as error:
        raise NobodyKnown("GitHub does not confirm this: sign in again") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, KeyError) as error:
        raise Unavailable(
            "GitHub gives no proper answer right now: try again, or sign in by e-mail",
            retry_after_seconds=_RETRY_SECONDS,
        ) from error
    return Person(known.id, next((each.email for each in mailboxes if each.primary and each.verified), None))


async def _read(client: AsyncOAuth2Client, url: str, kind: type[Answer]) -> Answer:
    answer = await client.get(url, headers={"Accept": "application/vnd.github+json"})
    if answer.status_code != _OK:
        raise httpx2.ReadError(f"status {answer.status_code}")
    return msgspec.json.decode(answer.content, type=kind)


def _client(app: App) -> AsyncOAuth2Client:
    return AsyncOAuth2Client(
        app.client_id,
        app.client_secret,
        "client_secret_post",
        scope="user:email",
        redirect_uri=app.redirect_uri,
        code_challenge_method="S256",
        transport=Bounded(),
        timeout=_ANSWER_SECONDS,
        headers={"Accept-Encoding": "identity", "User-Agent": "tollkeeper"},
    )
