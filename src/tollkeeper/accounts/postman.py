"""Mails are delivered behind the scenes: no answer waits for a mail server, or tells by its time who is known."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Self

from tollkeeper.accounts.letters import Letter, NoLetter
from tollkeeper.accounts.mail import Courier, NotDelivered, Refused
from tollkeeper.errors import Unavailable

log = logging.getLogger(__name__)

Write = Callable[[], Awaitable[Letter | NoLetter]]

_WORKERS: Final = 4
_MOST_WAITING: Final = 1_000
# Until then whoever asked has given up.
_PAUSES_SECONDS: Final = (1.0, 4.0, 15.0, 60.0)
_MOST_FAILURES: Final = 3
_AWAY_SECONDS: Final = 20.0
_LAST_SECONDS: Final = 5.0


class Postman:
    """Has letters written and delivers them, one after the other in each of a few hands.

    After three failures in a row the server counts as away for twenty seconds at a time, and new letters are refused at
    once: better than to promise a mail that does not come. A letter to nobody makes the same way to the server, so that
    who is known cannot be told by that either.
    """

    def __init__(self, courier: Courier, *, pauses_seconds: tuple[float, ...] = _PAUSES_SECONDS) -> None:
        self._courier = courier
        self._pauses_seconds = pauses_seconds
        self._waiting: asyncio.Queue[Write] = asyncio.Queue(_MOST_WAITING)
        self._workers: list[asyncio.Task[None]] = []
        self._failures = 0
        self._away_until = 0.0

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work()) for _ in range(_WORKERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.idle(), _LAST_SECONDS)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def refuse_if_away(self) -> None:
        """Raise ``Unavailable`` while mails do not get through, whoever asks."""
        if time.monotonic() < self._away_until or self._waiting.full():
            raise Unavailable("mails cannot be sent right now: try again soon", retry_after_seconds=int(_AWAY_SECONDS))

    def take(self, write: Write) -> None:
        """Take a letter, which is written behind the scenes too. A crash loses it: whoever waits for it asks again."""
        self.refuse_if_away()
        self._waiting.put_nowait(write)

    async def idle(self) -> None:
        """Wait until all that was taken is delivered or given up."""
        await self._waiting.join()

    async def _work(self) -> None:
        while True:
            write = await self._waiting.get()
            try:
                await self._bring(write)
            except Exception:
                # A worker outlives whatever one letter brings.
                log.exception("a mail could not be written")
            finally:
                self._waiting.task_done()

    async def _bring(self, write: Write) -> None:
        for pause in (*self._pauses_seconds, None):
            try:
                await self._courier.deliver(await write())
            except Refused as error:
                log.warning("%s", error)
                return
            except NotDelivered as error:
                self._failed()
                if pause is None:
                    log.error("%s; it is given up", error)  # noqa: TRY400 - the reason is told, and its trace is no use
                    return
                log.warning("%s; trying again in %g seconds", error, pause)
            except Unavailable as error:
                if pause is None:
                    raise
                log.warning("%s; trying again in %g seconds", error.detail, pause)
            else:
                self._failures, self._away_until = 0, 0.0
                return
            await asyncio.sleep(pause)

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= _MOST_FAILURES:
            self._away_until = time.monotonic() + _AWAY_SECONDS
