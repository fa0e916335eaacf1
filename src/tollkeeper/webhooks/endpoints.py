"""Endpoints: where events are sent. They are the operators', and at most ten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, NotFound
from tollkeeper.store.database import Database, Record, Statements
from tollkeeper.webhooks import signing
from tollkeeper.webhooks.guard import Forbidden, Guard, Unknown
from tollkeeper.webhooks.messages import KINDS, TEST, Outcome, body_of

if TYPE_CHECKING:
    from tollkeeper.webhooks.transport import Sender

MOST: Final = 10
OVERLAP: Final = timedelta(hours=24)
LONGEST_DESCRIPTION: Final = 500
_AT_ONCE: Final = 5_000
_LOOK_UP_SECONDS: Final = 5.0


@dataclass(slots=True)
class Webhooks:
    """What sending needs: where it may go, what secrets are derived from, and what we call ourselves."""

    guard: Guard
    root: bytes
    agent: str
    _sender: Sender | None = None

    @property
    def sender(self) -> Sender:
        """Who posts. The HTTP library is loaded when something is sent first."""
        if self._sender is None:
            from tollkeeper.webhooks.transport import Sender  # noqa: PLC0415

            self._sender = Sender(self.guard, self.agent)
        return self._sender


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are sent, and how it does. No ``kinds``: all.

    Of ``waiting`` and ``failed`` at most 10,000 are counted. ``disabled_for``: by an operator, as gone, or as failing
    for days. ``resting_until``: spared until then.
    """

    id: UUID
    url: str
    description: str
    kinds: list[str]
    is_active: bool
    disabled_at: datetime | None
    disabled_for: Literal["operator", "gone", "failing"] | None
    generation: int
    rotated_at: datetime | None
    old_secret_until: datetime | None
    failures: int
    failing_since: datetime | None
    resting_until: datetime | None
    created_at: datetime
    updated_at: datetime
    as_of: datetime
    waiting: int
    failed: int


async def listed(database: Statements) -> list[Endpoint]:
    """List all, the oldest first."""
    return [Endpoint(**row) for row in await _read(database, None)]


async def one(database: Statements, endpoint_id: UUID) -> Endpoint:
    """Find one; ``NotFound`` if there is none."""
    for row in await _read(database, endpoint_id):
        return Endpoint(**row)
    raise _no_such()


async def add(
    database: Database, webhooks: Webhooks, url: str, *, description: str = "", kinds: Sequence[str] = (), actor: Actor
) -> Endpoint:
    """Add one, which is told of what happens from now on.

    ``Invalid`` names what is wrong with it, ``Contradiction`` says that there are ten already.
    """
    _refuse_unfit(description, kinds)
    await _refuse_forbidden(webhooks.guard, url)
    async with database.transaction() as tx:
        await tx.run("hold_webhook_endpoints")
        if await tx.value("count_webhook_endpoints") >= MOST:
            raise Contradiction(f"there are {MOST} webhook endpoints already: remove one first")
        endpoint_id = await tx.value("add_webhook_endpoint", url=url, description=description, kinds=_in_order(kinds))
        await _note(tx, endpoint_id, "webhook.added", actor, host=_host(url))
        return await one(tx, endpoint_id)


async def change(
    database: Database,
    webhooks: Webhooks,
    endpoint_id: UUID,
    *,
    url: str | None = None,
    description: str | None = None,
    kinds: Sequence[str] | None = None,
    is_active: bool | None = None,
    actor: Actor,
) -> Endpoint:
    """Change what is given. Errors as of ``add``, and ``NotFound``.

    Switched on again, or sent elsewhere, it begins anew: what waits for it is sent, whatever failed before.
    """
    _refuse_unfit(description or "", kinds or ())
    if url is not None:
        await _refuse_forbidden(webhooks.guard, url)
    changed = {"url": url, "description": description, "kinds": kinds, "is_active": is_active}
    async with database.transaction() as tx:
        named = None if kinds is None else _in_order(kinds)
        if await tx.value("change_webhook_endpoint", endpoint_id=endpoint_id, **changed | {"kinds": named}) is None:
            raise _no_such()
        what = [name for name, value in changed.items() if value is not None]
        more: dict[str, Any] = {} if url is None else {"host": _host(url)}
        await _note(tx, endpoint_id, "webhook.changed", actor, changed=what, **more)
        after = await one(tx, endpoint_id)
    if is_active or url is not None:
        waiting = {"endpoint_id": endpoint_id, "since": after.created_at, "most": _AT_ONCE}
        while await database.value("replay_waiting_webhooks", **waiting) == _AT_ONCE:
            pass
    return after


async def remove(database: Database, endpoint_id: UUID, *, actor: Actor) -> None:
    """Remove one, with all that was and would be delivered to it; ``NotFound`` if there is none."""
    async with database.transaction() as tx:
        url = await tx.value("remove_webhook_endpoint", endpoint_id=endpoint_id)
        if url is None:
            raise _no_such()
        await _note(tx, endpoint_id, "webhook.removed", actor, host=_host(url))
    # Nothing shows or sends them from here on. In sets, for there may be many.
    while await database.value("forget_webhook_deliveries", endpoint_id=endpoint_id, most=_AT_ONCE) == _AT_ONCE:
        pass


async def secret(database: Database, webhooks: Webhooks, endpoint_id: UUID, *, actor: Actor) -> str:
    """Reveal what its messages are signed with, and note that; ``NotFound`` if there is no such endpoint."""
    async with database.transaction() as tx:
        found = await one(tx, endpoint_id)
        await _note(tx, endpoint_id, "webhook.revealed", actor)
    return secret_of(webhooks, found)


async def rotate(database: Database, webhooks: Webhooks, endpoint_id: UUID, *, actor: Actor) -> tuple[Endpoint, str]:
    """Give it another secret; for a day the one before signs along. One that was before that ends at once."""
    async with database.transaction() as tx:
        if await tx.value("rotate_webhook_secret", endpoint_id=endpoint_id) is None:
            raise _no_such()
        await _note(tx, endpoint_id, "webhook.rotated", actor)
        found = await one(tx, endpoint_id)
    return found, secret_of(webhooks, found)


async def test(database: Database, webhooks: Webhooks, endpoint_id: UUID, *, actor: Actor) -> Outcome:
    """Send a message of the kind ``webhook.test`` now, also to one that is switched off, and say what came back."""
    async with database.transaction() as tx:
        found = await one(tx, endpoint_id)
        await _note(tx, endpoint_id, "webhook.tested", actor)
    name = signing.message_id(uuid4())
    body = body_of(TEST, found.as_of, msgspec.json.encode({"endpoint": str(found.id)}))
    secrets = signing.secrets_of(
        webhooks.root, found.id, found.generation, is_rotating=found.old_secret_until is not None
    )
    return await webhooks.sender.post(found.url, body, signing.headers(name, found.as_of, body, secrets))


def secret_of(webhooks: Webhooks, endpoint: Endpoint) -> str:
    """Write the secret of an endpoint as its receiver configures it."""
    return signing.shown(signing.secret_of(webhooks.root, endpoint.id, endpoint.generation))


async def _read(database: Statements, endpoint_id: UUID | None) -> list[Record]:
    return await database.all("webhook_endpoints", endpoint_id=endpoint_id, overlap=OVERLAP)


async def _note(tx: Statements, endpoint_id: UUID, action: str, actor: Actor, **more: Any) -> None:
    detail = {"endpoint": str(endpoint_id)} | more
    await activity.note(tx, user_id=None, actor=actor, action=action, detail=detail)


async def _refuse_forbidden(guard: Guard, url: str) -> None:
    try:
        async with asyncio.timeout(_LOOK_UP_SECONDS):
            await guard.addresses(url)
    except TimeoutError:
        raise Invalid.field("url", "has a name that could not be looked up in time") from None
    except (Forbidden, Unknown) as error:
        raise Invalid.field("url", str(error)) from error


def _refuse_unfit(description: str, kinds: Sequence[str]) -> None:
    if len(description) > LONGEST_DESCRIPTION or "\0" in description:
        raise Invalid.field("description", f"must have at most {LONGEST_DESCRIPTION} characters")
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise Invalid.field("kinds", f"{unknown[0]!r} is none of {', '.join(KINDS)}")


def _in_order(kinds: Sequence[str]) -> list[str]:
    return [each for each in KINDS if each in kinds]


def _host(url: str) -> str:
    # Not the whole URL: it may hold what only the receiver should know, and what is noted outlives the endpoint.
    return urlsplit(url).hostname or ""


def _no_such() -> NotFound:
    return NotFound("no such webhook endpoint")
