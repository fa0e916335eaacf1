"""What a stranger cannot guess and we cannot read back: 256 random bits, kept only as a hash under the pepper.

A fast hash is right here: nothing can be guessed among 2^256, and it is computed for every request. The pepper, which
is not in the database, keeps a stolen copy of it from confirming a token that was found elsewhere.
"""

from __future__ import annotations

import hmac
import re
import secrets

from tollkeeper.errors import LinkOver, NobodyKnown

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def fresh() -> str:
    """Make a token of 43 characters that may stand in a URL or a cookie."""
    return secrets.token_urlsafe(32)


def hashed(token: str, *, pepper: bytes) -> bytes:
    """Hash a token for looking it up; ``NobodyKnown`` if it cannot be one of ours."""
    if not _TOKEN.fullmatch(token):
        raise NobodyKnown("this is no sign-in of ours")
    return peppered(token, pepper=pepper)


def hashed_of_link(token: str, *, pepper: bytes) -> bytes:
    """Hash the token of a link; ``LinkOver`` if it cannot be one of ours: it works no more than one that is over."""
    if not _TOKEN.fullmatch(token):
        raise LinkOver("this is no link of ours, or not all of one: ask for a new one")
    return peppered(token, pepper=pepper)


def peppered(secret: str, *, pepper: bytes) -> bytes:
    """HMAC-SHA-256 of a secret."""
    return hmac.digest(pepper, secret.encode(), "sha256")
