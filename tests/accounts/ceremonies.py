"""Making passkeys and signing in with them, as browsers do."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from tests.authenticator import Authenticator, Key
from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import passkeys
from tollkeeper.accounts.sign_in.logins import LoginSession, Visit
from tollkeeper.accounts.sign_in.passkeys import Ceremony, Passkey, RelyingParty
from tollkeeper.activity import Actor
from tollkeeper.store.database import Database

PEPPER = bytes(range(32))
NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)
PARTY = RelyingParty("usage.example.com", "https://usage.example.com")
BROWSER = secrets.token_bytes(32)
HERE = Visit("192.0.2.1")


async def make(
    db: Database, user: users.User, device: Authenticator, name: str = "My phone", browser: bytes = BROWSER
) -> Passkey:
    """Make a passkey of a user."""
    ceremony = await passkeys.prepare(db, PARTY, user.id, browser=BROWSER, pepper=PEPPER)
    return await keep(db, user, ceremony.name, device.make(ceremony.options), name=name, browser=browser)


async def keep(
    db: Database, user: users.User, ceremony: str, credential: Any, *, name: str = "x", browser: bytes = BROWSER
) -> Passkey:
    """Hand over the passkey that a browser has made."""
    return await passkeys.add(
        db,
        PARTY,
        user.id,
        ceremony=ceremony,
        credential=credential,
        name=name,
        browser=browser,
        pepper=PEPPER,
        actor=Actor(str(user.id)),
    )


async def ask(db: Database, browser: bytes = BROWSER) -> Ceremony:
    """Begin to sign in."""
    return await passkeys.ask(db, PARTY, browser=browser, pepper=PEPPER, visit=HERE)


async def enter(db: Database, ceremony: str, credential: Any, browser: bytes = BROWSER) -> LoginSession:
    """Hand over what a browser has signed."""
    return await passkeys.sign_in(
        db, PARTY, ceremony=ceremony, credential=credential, browser=browser, pepper=PEPPER, visit=HERE
    )


async def use(db: Database, device: Authenticator, key: Key | None = None) -> LoginSession:
    """Sign in with a passkey."""
    ceremony = await ask(db)
    return await enter(db, ceremony.name, device.use(ceremony.options, key))
