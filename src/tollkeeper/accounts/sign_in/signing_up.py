"""Signing up: who may have an account that has none yet. They have shown that the address is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from tollkeeper import activity
from tollkeeper.accounts.sign_in.logins import Visit, Way
from tollkeeper.activity import Actor
from tollkeeper.store.database import Statements, Transaction

Policy = Literal["open", "invited", "domains"]


@dataclass(frozen=True, slots=True)
class SignUp:
    """Who may sign up: everybody, only who is invited, or also whose address is of one of these domains."""

    policy: Policy
    domains: frozenset[str] = frozenset()

    @classmethod
    def of(cls, setting: str) -> SignUp:
        """Read the setting: ``open``, ``invited``, or domains parted by commas."""
        if setting in {"open", "invited"}:
            return cls("open" if setting == "open" else "invited")
        return cls("domains", frozenset(setting.split(",")))

    def admits(self, address: str) -> bool:
        """Whether an address may sign up without an invitation. A domain does not stand for those below it."""
        return self.policy == "open" or address.rpartition("@")[2].lower() in self.domains


async def may_have_mail(database: Statements, address: str, *, sign_up: SignUp) -> str | None:
    """Give the address that mail for somebody goes to; ``None`` if they have no account and may not sign up.

    Who has an account gets it where the account says, and who is invited where the invitation went, not where somebody
    writes it: what is the same to us but for case may be two mailboxes to others.
    """
    known = await database.value("mail_address", address=address)
    return known or (address if sign_up.admits(address) else None)


async def user_of(tx: Transaction, address: str, *, by: Way, sign_up: SignUp, visit: Visit) -> UUID | None:
    """Find the user of an address that has shown to be theirs, or sign them up; ``None`` if they may not."""
    known = await tx.value("user_of_email", email=address)
    if known is not None:
        return known
    invited = await tx.one("accept_invitation", address=address)
    if invited is None and not sign_up.admits(address):
        return None
    plan, own = (invited["plan"], invited["address"]) if invited else ("free", address)
    user_id: UUID = await tx.value("find_or_add_user", email=own, plan=plan, time_zone="UTC")
    if await tx.value("user_is_new", user_id=user_id):
        detail = {"by": by, "plan": plan} | ({"invitation": str(invited["id"])} if invited else {})
        actor = Actor(str(user_id), visit.ip_address, visit.user_agent)
        await activity.note(tx, user_id=user_id, actor=actor, action="user.signed_up", detail=detail)
    return user_id
