"""The first operator: whoever has the console of the server, by a link that works once and only while there is none.

No account, password or key comes along with the service.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tollkeeper import activity
from tollkeeper.accounts import users
from tollkeeper.accounts.sign_in import logins
from tollkeeper.accounts.sign_in.logins import NOWHERE, LoginSession, Visit
from tollkeeper.accounts.tokens import fresh, hashed_of_link, peppered
from tollkeeper.activity import OPERATOR
from tollkeeper.errors import LinkOver
from tollkeeper.store.database import Database, Statements

VALID_FOR: Final = timedelta(hours=24)

_OVER: Final = "this link has been used or has expired, or there is an operator already: a restart tells another if not"


async def make_link(database: Statements, *, pepper: bytes) -> str | None:
    """Make a token that makes somebody the first operator, once; ``None`` where there is one."""
    token = fresh()
    token_hash = peppered(token, pepper=pepper)
    expires_at = await database.value("add_first_operator_link", token_hash=token_hash, valid_for=VALID_FOR)
    return None if expires_at is None else token


async def look_at_link(database: Statements, token: str, *, pepper: bytes) -> None:
    """Raise ``LinkOver`` for a link that works no more."""
    if not await database.value("is_first_operator_link", token_hash=hashed_of_link(token, pepper=pepper)):
        raise LinkOver(_OVER)


async def claim(database: Database, token: str, email: str, *, pepper: bytes, visit: Visit = NOWHERE) -> LoginSession:
    """Make whoever has this address (added, if nobody has it) the first operator, and sign them in.

    ``LinkOver`` for a link that works no more, ``Invalid`` for what is no address. Of many who come at once one
    succeeds, with whichever link; all links are void then.
    """
    token_hash = hashed_of_link(token, pepper=pepper)
    address = users.address_of(email)
    async with database.transaction() as tx:
        await tx.all("hold_first_operator_links")
        if not await tx.value("is_first_operator_link", token_hash=token_hash):
            raise LinkOver(_OVER)
        user_id = await users.of_email_or_new(tx, address)
        await users.change_within(tx, user_id, actor=OPERATOR, admin=True)
        await tx.run("void_first_operator_links")
        await activity.note(tx, user_id=user_id, actor=OPERATOR, action="operator.first")
        return await logins.begin(tx, user_id, by="link", pepper=pepper, visit=visit)
