"""Delivering: a node takes what is due for half a minute, sends it, and notes what became of it.

One that stops in between leaves it to others, so a message may come twice, under one id, and does not get lost; what a
node has to say after another took its deliveries counts for nothing. Each endpoint is worked on by itself, with a few
messages at a time: one that is slow or gone holds up no other. Messages come in no promised order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self
from uuid import UUID

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import Unavailable
from tollkeeper.store.database import Database, Record, Statements
from tollkeeper.webhooks import signing
from tollkeeper.webhooks.endpoints import OVERLAP, Webhooks
from tollkeeper.webhooks.messages import LONGEST_PAUSE, Outcome, body_of, pause_after

log = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=30)
# Longer than a try takes, so that what is begun within it ends within the lease.
_TRY: Final = timedelta(seconds=8)
AT_ONCE: Final = 4
# The circuit breaker: so many failures in a row, and an endpoint rests, longer each time; then one message tries it.
ENOUGH: Final = 5
_REST: Final = timedelta(seconds=15)
_LONGEST_REST: Final = timedelta(minutes=5)
# An endpoint that fails everything for so long is switched off.
PATIENCE: Final = timedelta(days=5)
_ACTOR: Final = Actor("webhooks")


@dataclass(frozen=True, slots=True)
class _Tried:
    """One delivery that was taken, and what came of it."""

    row: Record
    outcome: Outcome


class Messenger:
    """Sends what is due, of each endpoint by itself, behind the scenes."""

    def __init__(self, database: Database, webhooks: Webhooks) -> None:
        self._database = database
        self._webhooks = webhooks
        self._at_work: dict[UUID, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop at once: what is under way is another's when its lease has ended."""
        for task in self._at_work.values():
            task.cancel()
        await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def look(self) -> None:
        """Begin to work on endpoints that something is due for; waits for none of them."""
        for row in await self._database.all("webhooks_due"):
            if row["id"] not in self._at_work:
                task = asyncio.create_task(self._work_off(row["id"]))
                self._at_work[row["id"]] = task
                task.add_done_callback(lambda _, endpoint_id=row["id"]: self._at_work.pop(endpoint_id))

    async def idle(self) -> None:
        """Wait until all that is being worked on is done."""
        while self._at_work:
            await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def _work_off(self, endpoint_id: UUID) -> None:
        try:
            while await self._some(endpoint_id):
                pass
        except Unavailable as error:
            log.warning("webhooks: %s; what was taken is tried again", error.detail)
        except Exception:
            # What was taken comes back, and other endpoints go on.
            log.exception("webhooks to %s failed", endpoint_id)

    async def _some(self, endpoint_id: UUID) -> int:
        """Take some deliveries, send them, and note how it went. Says how many."""
        loop = asyncio.get_running_loop()
        # Before they are taken: what counts is that our lease ends no later than the database says.
        until = loop.time() + (LEASE - _TRY).total_seconds()
        rows = await self._database.all(
            "take_webhooks", endpoint_id=endpoint_id, lease=LEASE, most=AT_ONCE, enough=ENOUGH, overlap=OVERLAP
        )
        if rows:
            tried = await asyncio.gather(*(self._send(row, until) for row in rows))
            if done := [each for each in tried if each is not None]:
                await self._note(endpoint_id, done)
        return len(rows)

    async def _send(self, row: Record, until: float) -> _Tried | None:
        """Try one; not if this process slept meanwhile, and it may be another's by now."""
        if asyncio.get_running_loop().time() > until:
            return None
        body = body_of(row["kind"], row["created_at"], row["content"].encode())
        secrets = signing.secrets_of(
            self._webhooks.root, row["endpoint_id"], row["generation"], is_rotating=row["is_rotating"]
        )
        headers = signing.headers(signing.message_id(row["event_id"]), row["now"], body, secrets)
        return _Tried(row, await self._webhooks.sender.post(row["url"], body, headers))

    async def _note(self, endpoint_id: UUID, tried: Sequence[_Tried]) -> None:
        async with self._database.transaction() as tx:
            noted = await tx.all("note_webhooks", endpoint_id=endpoint_id, **_columns(tried))
            counted = {(each["user_id"], each["event_id"]) for each in noted}
            outcomes = [each.outcome for each in tried if (each.row["user_id"], each.row["event_id"]) in counted]
            disabled_for = await _note_health(tx, endpoint_id, outcomes) if outcomes else None
            if disabled_for is not None:
                detail = {"endpoint": str(endpoint_id), "reason": disabled_for}
                await activity.note(tx, user_id=None, actor=_ACTOR, action="webhook.disabled", detail=detail)
        if disabled_for is not None:
            log.warning("the webhook endpoint %s is switched off (%s)", endpoint_id, disabled_for)


async def _note_health(tx: Statements, endpoint_id: UUID, outcomes: Sequence[Outcome]) -> str | None:
    """Note how the endpoint does; says why it is switched off, if it is just now."""
    succeeded = sum(each.is_delivered for each in outcomes)
    return await tx.value(
        "note_webhook_health",
        endpoint_id=endpoint_id,
        succeeded=succeeded,
        failed=len(outcomes) - succeeded,
        is_gone=any(each.is_gone for each in outcomes),
        asked_pause=max((each.asked_pause for each in outcomes if each.asked_pause is not None), default=None),
        patience=PATIENCE,
        enough=ENOUGH,
        rest=_REST,
        longest_rest=_LONGEST_REST,
        longest_gap=LONGEST_PAUSE + LEASE + _LONGEST_REST,
    )


def _state_after(tried: _Tried) -> tuple[str, timedelta | None]:
    """Say what becomes of a delivery, and after which pause it is tried again."""
    if tried.outcome.is_delivered:
        return "delivered", None
    pause = pause_after(tried.row["tries"], tried.outcome)
    return ("failed", None) if pause is None else ("waiting", pause)


def _columns(tried: Sequence[_Tried]) -> dict[str, list[Any]]:
    states = [_state_after(each) for each in tried]
    return {
        "user_ids": [each.row["user_id"] for each in tried],
        "event_ids": [each.row["event_id"] for each in tried],
        "taken": [each.row["taken"] for each in tried],
        "states": [state for state, _ in states],
        "pauses": [pause for _, pause in states],
        "attempts": [each.outcome.as_attempt() for each in tried],
    }
