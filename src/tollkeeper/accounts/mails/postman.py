"""Mails are delivered behind the scenes: no answer waits for a mail server, or tells by its time who is known."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from tollkeeper.accounts.mails.courier import Courier, NotDelivered, NotNow, Refused
from tollkeeper.accounts.mails.letters import Letter, NoLetter
from tollkeeper.errors import Unavailable

log = logging.getLogger(__name__)

Write = Callable[[], Awaitable[Letter | NoLetter]]

_WORKERS: Final = 4
_MOST_WAITING: Final = 1_000
_MOST_RESTING: Final = 1_000
# Until then whoever asked has given up.
_PAUSES_SECONDS: Final = (1.0, 4.0, 15.0, 60.0)
_MOST_FAILURES: Final = 3
_AWAY_SECONDS: Final = 20.0
_LAST_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Carried:
    """A letter on its way, and how often it rested."""

    write: Write
    rests: int = 0


class Postman:
    """Has letters written and delivers them, one after the other in each of a few hands.

    After three failures in a row the server counts as away for twenty seconds at a time, and new letters are refused at
    once: better than to promise a mail that does not come. What the server says of one address is no such failure:
    whoever asks for mail to addresses that take none keeps nobody else from theirs. A letter rests in no hand before it
    is tried again. A letter to nobody makes the same way to the server, so that who is known cannot be told by that
    either.
    """

    def __init__(self, courier: Courier, *, pauses_seconds: tuple[float, ...] = _PAUSES_SECONDS) -> None:
        self._courier = courier
        self._pauses_seconds = pauses_seconds
        self._waiting: asyncio.Queue[_Carried] = asyncio.Queue(_MOST_WAITING)
        self._workers: list[asyncio.Task[None]] = []
        self._resting: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._away_until = 0.0

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work()) for _ in range(_WORKERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.idle(), _LAST_SECONDS)
        tasks = [*self._workers, *self._resting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def refuse_if_away(self) -> None:
        """Raise ``Unavailable`` while mails do not get through, whoever asks."""
        if time.monotonic() < self._away_until or self._waiting.full():
            raise Unavailable("mails cannot be sent right now: try again soon", retry_after_seconds=int(_AWAY_SECONDS))

    def take(self, write: Write) -> None:
        """Take a letter, which is written behind the scenes too. A crash loses it: whoever waits for it asks again."""
        self.refuse_if_away()
        self._waiting.put_nowait(_Carried(write))

    async def idle(self) -> None:
        """Wait until all that was taken is delivered or given up."""
        await self._waiting.join()

    async def _work(self) -> None:
        while True:
            carried = await self._waiting.get()
            pause = None
            try:
                pause = await self._bring(carried)
            except Exception:
                # A worker outlives whatever one letter brings.
                log.exception("a mail could not be written")
            if pause is None:
                self._waiting.task_done()
            else:
                resting = asyncio.create_task(self._rest(carried, pause))
                self._resting.add(resting)
                resting.add_done_callback(self._resting.discard)

    async def _bring(self, carried: _Carried) -> float | None:
        """Deliver a letter; or say how long it is to rest before it is tried again."""
        try:
            await self._courier.deliver(await carried.write())
        except Refused as error:
            log.warning("%s", error)
            self._is_there()
            return None
        except NotNow as error:
            self._is_there()
            return self._pause(carried, str(error))
        except NotDelivered as error:
            self._failed()
            return self._pause(carried, str(error))
        except Unavailable as error:
            return self._pause(carried, error.detail)
        self._is_there()
        return None

    def _pause(self, carried: _Carried, why: str) -> float | None:
        if carried.rests == len(self._pauses_seconds) or len(self._resting) >= _MOST_RESTING:
            log.error("%s; it is given up", why)
            return None
        pause = self._pauses_seconds[carried.rests]
        log.warning("%s; trying again in %g seconds", why, pause)
        return pause

    async def _rest(self, carried: _Carried, pause: float) -> None:
        await asyncio.sleep(pause)
        carried.rests += 1
        await self._waiting.put(carried)
        # Only now, so that it counted as on its way all the time.
        self._waiting.task_done()

    def _is_there(self) -> None:
        self._failures, self._away_until = 0, 0.0

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= _MOST_FAILURES:
            self._away_until = time.monotonic() + _AWAY_SECONDS
