"""The two clients: ``Tollkeeper`` for threads, ``AsyncTollkeeper`` for a loop. They say the same."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, Unpack

import httpx2

from tollkeeper_client.delivery import Deliverer
from tollkeeper_client.errors import Refused, Unavailable
from tollkeeper_client.flows import Entry, Flow, ask_to_start, tell
from tollkeeper_client.journal import Journal
from tollkeeper_client.request import About, Outcome, Request
from tollkeeper_client.wire import drive, drive_in_loop, settings_of

log = logging.getLogger(__name__)

WhenUnavailable = Literal["closed", "open"]
Answer: TypeAlias = Mapping[str, Any] | None
"""What the service said of a finish; ``None``: it could not be told yet, and will be."""

_OF_SERVICES: Final = "tk_service_"
_moving: Final = threading.Lock()


class _Client(ABC):
    """What both clients have: what to do without an answer, and a journal of what is not told yet.

    ``key``: a service's, or a user's, for whom alone it asks then. ``journal``: a directory, for any number of
    processes; without it what was not told yet ends with the process. ``when_unavailable``: whether a request may go
    ahead when the service does not say so within ``patience`` seconds, which is all that a start takes, however often
    it has to be asked for. ``timeout``: of one call, in seconds.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        journal: str | Path | None = None,
        when_unavailable: WhenUnavailable = "closed",
        patience: float = 2.0,
        timeout: float = 5.0,
    ) -> None:
        if when_unavailable == "open" and not key.startswith(_OF_SERVICES):
            raise ValueError("when_unavailable='open' needs a service key: others cannot book what has ended")
        self._goes_ahead: Final = when_unavailable == "open"
        self._patience: Final = patience
        self._settings: Final[dict[str, Any]] = settings_of(url, key, timeout)
        # Wherever the process goes later.
        self._directory: Final = None if journal is None else Path(journal).absolute()
        self._move_in()

    @abstractmethod
    def _connect(self) -> None: ...

    def _move_in(self) -> None:
        """Have what each process has for itself: connections, a journal, and a thread that tells what is in it."""
        self._journal = Journal(self._directory)
        self._deliverer = Deliverer(self._journal, httpx2.Client(**self._settings))
        if self._directory is not None:
            self._deliverer.start()
        self._connect()
        self._process = os.getpid()

    def _be_here(self) -> None:
        """Move in anew after a fork: what is here then is the parent's, who goes on with it."""
        if self._process != os.getpid():
            with _moving:
                if self._process != os.getpid():
                    self._journal.leave()
                    self._move_in()

    def _begin(self, request: Request) -> Flow[None]:
        try:
            told = yield from ask_to_start(request.start, request.user, self._patience)
        except Unavailable:
            if not self._goes_ahead:
                raise
            told = None
        request.goes_ahead(told)

    def _finish(self, entry: Entry) -> Flow[Answer]:
        number = self._journal.write(entry)
        try:
            told = yield from tell(entry)
        except Refused as error:
            # For a key that is not taken any more, as after a rotation, it waits for the right one.
            if error.is_of_key:
                self._keep(number)
            else:
                self._journal.done(number)
            raise
        except BaseException:
            self._keep(number)
            raise
        if told is None:
            self._keep(number)
        else:
            self._journal.done(number)
        return told

    def _keep(self, number: int) -> None:
        self._journal.keep(number)
        self._deliverer.start()

    def _end(self) -> None:
        self._deliverer.close()
        self._journal.close()


class Tollkeeper(_Client):
    """Asks and tells with calls that block. Threads may share it, and processes that were forked.

    ``with tollkeeper.track("...", user="ada@example.com") as request:`` asks whether the request may go ahead, and
    ``request.complete(...)`` tells how it went.
    """

    def track(self, prompt: str, *, user: str | None = None, **about: Unpack[About]) -> Tracked:
        """Track one request. Entering the block raises ``Refused`` where the plan says no, or ``Unavailable``.

        A block that ends without a word of the outcome has completed it; one that raises has failed it.
        """
        request = Request(prompt, user, about)
        return Tracked(
            request,
            begin=lambda: drive(self._begin(request), self._calls),
            finish=lambda entry: drive(self._finish(entry), self._calls),
        )

    def flush(self, seconds: float = 10.0) -> int:
        """Wait until all that could not be told at once is told; says how many requests still wait then."""
        self._be_here()
        return self._deliverer.flush(seconds)

    def close(self, *, flush_seconds: float = 2.0) -> None:
        """Tell what can be told soon. The rest stays in the journal for whoever comes next."""
        self.flush(flush_seconds)
        self._end()
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self) -> None:
        self._connected = httpx2.Client(**self._settings)

    @property
    def _calls(self) -> httpx2.Client:
        self._be_here()
        return self._connected


class AsyncTollkeeper(_Client):
    """The same for a loop: ``async with tollkeeper.track(...) as request:``, ``await request.complete(...)``.

    Loops may share it, also one after the other, as where each call has one of its own.
    """

    def track(self, prompt: str, *, user: str | None = None, **about: Unpack[About]) -> AsyncTracked:
        """Track one request, as ``Tollkeeper.track`` does."""
        request = Request(prompt, user, about)
        return AsyncTracked(
            request,
            begin=lambda: drive_in_loop(self._begin(request), self._calls),
            finish=lambda entry: drive_in_loop(self._finish(entry), self._calls),
        )

    async def flush(self, seconds: float = 10.0) -> int:
        """Wait until all that could not be told at once is told; says how many requests still wait then."""
        self._be_here()
        return await asyncio.to_thread(self._deliverer.flush, seconds)

    async def close(self, *, flush_seconds: float = 2.0) -> None:
        """Tell what can be told soon. The rest stays in the journal for whoever comes next."""
        await self.flush(flush_seconds)
        await asyncio.to_thread(self._end)
        if (calls := self._of_loops.pop(asyncio.get_running_loop(), None)) is not None:
            await calls.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _connect(self) -> None:
        self._of_loops: dict[asyncio.AbstractEventLoop, httpx2.AsyncClient] = {}

    @property
    def _calls(self) -> httpx2.AsyncClient:
        """Those of the loop that runs: a connection is of no use in another."""
        self._be_here()
        loop = asyncio.get_running_loop()
        if (calls := self._of_loops.get(loop)) is None:
            calls = httpx2.AsyncClient(**self._settings)
            self._of_loops = {each: its for each, its in self._of_loops.items() if not each.is_closed()} | {loop: calls}
        return calls


class _Tracked:
    def __init__(self, request: Request) -> None:
        self._request = request

    @property
    def id(self) -> str:
        """The id of the request, yours or one that was made."""
        return self._request.id

    @property
    def limits(self) -> Mapping[str, Any] | None:
        """What the plan allows and what of it was used, with this one; ``None``: it went ahead without an answer."""
        return self._request.limits


class Tracked(_Tracked):
    """One request, from when it may go ahead until it has ended."""

    def __init__(self, request: Request, *, begin: Callable[[], None], finish: Callable[[Entry], Answer]) -> None:
        super().__init__(request)
        self._begin = begin
        self._finish = finish

    def complete(self, response: str | None = None, **outcome: Unpack[Outcome]) -> Answer:
        """Tell that it succeeded. ``Refused``: the service does not take it, which telling later would not mend."""
        return self._finish(self._request.completed(response, **outcome))

    def fail(self, error: str | BaseException, **outcome: Unpack[Outcome]) -> Answer:
        """Tell that it failed; of an exception its kind is told."""
        return self._finish(self._request.failed(error, **outcome))

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._request.is_finished:
            return
        if error is None:
            self.complete()
            return
        try:
            self.fail(error)
        except Refused as refused:
            # What the block has raised is what its caller is to hear of.
            log.warning("request %s has failed, and that is not taken: %s", self.id, refused)


class AsyncTracked(_Tracked):
    """One request, from when it may go ahead until it has ended."""

    def __init__(
        self, request: Request, *, begin: Callable[[], Awaitable[None]], finish: Callable[[Entry], Awaitable[Answer]]
    ) -> None:
        super().__init__(request)
        self._begin = begin
        self._finish = finish

    async def complete(self, response: str | None = None, **outcome: Unpack[Outcome]) -> Answer:
        """Tell that it succeeded. ``Refused``: the service does not take it, which telling later would not mend."""
        return await self._finish(self._request.completed(response, **outcome))

    async def fail(self, error: str | BaseException, **outcome: Unpack[Outcome]) -> Answer:
        """Tell that it failed; of an exception its kind is told."""
        return await self._finish(self._request.failed(error, **outcome))

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._request.is_finished:
            return
        if error is None:
            await self.complete()
            return
        try:
            await self.fail(error)
        except Refused as refused:
            # What the block has raised is what its caller is to hear of.
            log.warning("request %s has failed, and that is not taken: %s", self.id, refused)
