"""Noting which keys are in use: beside the requests, which wait for nothing, and each key at most once a minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from tollkeeper.accounts import keys
from tollkeeper.errors import Unavailable
from tollkeeper.store.database import Database

log = logging.getLogger(__name__)

_GATHER_SECONDS: Final = 1.0


class Uses:
    """Gathers the keys that came for a second, then notes them in one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: set[UUID] = set()
        self._came = asyncio.Event()
        self._noting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._noting = asyncio.create_task(self._note_for_ever(), name="note which keys are in use")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._noting is not None:
            self._noting.cancel()
            with suppress(asyncio.CancelledError):
                await self._noting
        await self._note_waiting()

    def note(self, key_ids: Iterable[UUID]) -> None:
        """Note that keys are in use, soon."""
        self._waiting.update(key_ids)
        if self._waiting:
            self._came.set()

    async def _note_for_ever(self) -> None:
        while True:
            await self._came.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            try:
                await self._note_waiting()
            except Exception:
                # Nobody waits for it, and the next turn may go well.
                log.exception("the use of keys could not be noted")

    async def _note_waiting(self) -> None:
        came, self._waiting = self._waiting, set()
        self._came.clear()
        if came:
            # Whatever is lost here comes again with the next use: nothing has been noted for more than a minute.
            with suppress(Unavailable):
                await keys.note_used(self._database, came)
