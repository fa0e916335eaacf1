"""Asking for a mail to sign in with: a code or a link, good once, for ten minutes, in the asking browser alone.

An ask is the same row, answer and time whether anybody has the address. Who has it is looked up behind the scenes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tollkeeper.accounts import tokens
from tollkeeper.accounts.mails import letters
from tollkeeper.accounts.mails.letters import Letter, NoLetter
from tollkeeper.accounts.networks import network_of
from tollkeeper.accounts.sign_in import allowances, logins, signing_up
from tollkeeper.accounts.sign_in.allowances import Allowance
from tollkeeper.accounts.sign_in.logins import LoginSession, Visit
from tollkeeper.accounts.sign_in.signing_up import SignUp
from tollkeeper.errors import AskedElsewhere, CodeOver, CodeWrong, LinkOver
from tollkeeper.store.database import Database, Statements, Transaction

VALID_FOR: Final = timedelta(minutes=10)
TRIES: Final = 5

# Nothing that is taken for something else, and no vowels: no words. 28^8 are 38 bits.
_LETTERS: Final = "BCDFGHJKMNPQRSTVWXYZ23456789"
_HALF: Final = 4

# From one place for one address; for one address from all places that its user is not known at; from one network;
# and from everybody. A person asks twice or three times.
_OF_ONE: Final = (5, timedelta(minutes=3))
_FOR_ADDRESS: Final = (10, timedelta(minutes=10))
_FROM_NETWORK: Final = (20, timedelta(seconds=30))
_OF_ALL: Final = (300, timedelta(seconds=1))
_TOO_OFTEN: Final = "too many mails to sign in with were asked for: try again later"


@dataclass(frozen=True, slots=True)
class Ask:
    """What the mail must carry, known to nobody else."""

    address: str
    code: str
    token: str
    asked_at: datetime
    expires_at: datetime

    async def letter(self, database: Statements, *, sign_up: SignUp, site: str) -> Letter | NoLetter:
        """Write the mail; there is none for whom nobody knows and who may not sign up."""
        to = await signing_up.may_have_mail(database, self.address, sign_up=sign_up)
        if to is None:
            return NoLetter(self.address)
        return letters.sign_in(
            to, code=self.code, token=self.token, written_at=self.asked_at, expires_at=self.expires_at, site=site
        )


@dataclass(frozen=True, slots=True)
class Arrived:
    """A sign-in, and where its person was going."""

    session: LoginSession
    leads_to: str


async def ask(database: Database, address: str, *, browser: bytes, leads_to: str, pepper: bytes, visit: Visit) -> Ask:
    """Ask for a mail to an address, in place of what this browser asked for before.

    ``TooManyAttempts`` where that was too often. From a browser or network where the user of the address has signed in
    before, what strangers do does not count: nobody can keep another from signing in by asking in their name.
    """
    code, token = _code(), tokens.fresh()
    async with allowances.taking(database) as tx:
        wanted = await _allowances(tx, address, browser=browser, visit=visit)
        await allowances.take(tx, wanted, pepper=pepper, detail=_TOO_OFTEN)
        row = await tx.one(
            "put_ask",
            browser_hash=browser,
            address=address,
            code_hash=tokens.peppered(code, pepper=pepper),
            token_hash=tokens.peppered(token, pepper=pepper),
            leads_to=leads_to,
            valid_for=VALID_FOR,
        )
    return Ask(address, code, token, **row or {})


async def redeem_code(
    database: Database, address: str, code: str, *, browser: bytes | None, pepper: bytes, sign_up: SignUp, visit: Visit
) -> Arrived:
    """Turn a code into a sign-in. ``CodeWrong`` says how many tries are left; after five the code is over."""
    typed = "".join(each for each in code.upper() if each in _LETTERS)
    async with database.transaction() as tx:
        row = await tx.one(
            "try_code",
            browser_hash=browser,
            address=address,
            code_hash=tokens.peppered(f"{typed[:_HALF]}-{typed[_HALF:]}", pepper=pepper),
            tries=TRIES,
        )
        if row is not None and row["fits"]:
            await tx.run("end_ask", browser_hash=browser)
            return await _arrive(tx, row["address"], row["leads_to"], pepper=pepper, sign_up=sign_up, visit=visit)
    # Only now, for a wrong code must stay counted.
    if row is None or not row["tries_left"]:
        raise CodeOver("there is no code for this address here, or it is used up: ask for a new one")
    raise CodeWrong("this is not the code that we sent", triesLeft=row["tries_left"])


async def redeem_link(
    database: Database, token: str, *, browser: bytes | None, pepper: bytes, sign_up: SignUp, visit: Visit
) -> Arrived:
    """Turn a link into a sign-in, in the browser that asked; elsewhere it stays whole: ``AskedElsewhere``."""
    token_hash = tokens.hashed_of_link(token, pepper=pepper)
    async with database.transaction() as tx:
        row = await tx.one("use_ask_link", token_hash=token_hash, browser_hash=browser, tries=TRIES)
        if row is not None:
            return await _arrive(tx, row["address"], row["leads_to"], pepper=pepper, sign_up=sign_up, visit=visit)
    await look_at_link(database, token, browser=browser, pepper=pepper)
    raise LinkOver("this link has just been used")


async def look_at_link(database: Statements, token: str, *, browser: bytes | None, pepper: bytes) -> None:
    """Say whether a link would work in this browser: ``AskedElsewhere``, or ``LinkOver`` where it works nowhere."""
    token_hash = tokens.hashed_of_link(token, pepper=pepper)
    is_own = await database.value("is_own_ask", token_hash=token_hash, browser_hash=browser, tries=TRIES)
    if is_own is None:
        raise LinkOver("this link has been used or has expired: ask for a new one")
    if not is_own:
        raise AskedElsewhere(
            "this link works only in the browser where you asked for it: open it there, or type there the code that"
            " came with it"
        )


async def forget(database: Statements) -> None:
    """Delete asks, visits to GitHub and allowances that are over, and invitations that have been for 30 days."""
    await database.run("forget_asks")


async def _arrive(
    tx: Transaction, address: str, leads_to: str, *, pepper: bytes, sign_up: SignUp, visit: Visit
) -> Arrived:
    user_id = await signing_up.user_of(tx, address, by="email", sign_up=sign_up, visit=visit)
    if user_id is None:
        raise CodeOver("this address may no longer sign up here")
    return Arrived(await logins.begin(tx, user_id, by="email", pepper=pepper, visit=visit), leads_to)


async def _allowances(tx: Transaction, address: str, *, browser: bytes, visit: Visit) -> Sequence[Allowance]:
    network, whose = network_of(visit.ip_address) or "nowhere", address.casefold()
    place = await tx.value("knows_place", address=address, browser_hash=browser, network=network)
    here = browser.hex() if place == "browser" else network
    own = Allowance(f"ask {whose} from {here}", *_OF_ONE)
    if place is not None:
        return [own]
    return [
        own,
        Allowance(f"ask {whose}", *_FOR_ADDRESS),
        Allowance(f"ask from {network}", *_FROM_NETWORK),
        Allowance("ask", *_OF_ALL),
    ]


def _code() -> str:
    first, last = ("".join(secrets.choice(_LETTERS) for _ in range(_HALF)) for _ in range(2))
    return f"{first}-{last}"
