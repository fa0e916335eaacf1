"""Serving the application over HTTP: one process, or several on one port below a parent that keeps them running.

The parent has the embedded PostgreSQL, the migrations and the jobs; a worker gets its settings and addresses through
its standard input, and stops when that closes: so none outlives a parent that was killed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from tollkeeper.app import Application, first_operator_url, prepared, public_url_of, running, working
from tollkeeper.errors import Misconfigured
from tollkeeper.http.siblings import Siblings
from tollkeeper.location import exposed_by, forgotten_at, told_where
from tollkeeper.logs import start_logging, tell_of_the_unnoticed
from tollkeeper.server import Server
from tollkeeper.settings import Settings
from tollkeeper.store.embedded import Addresses

log = logging.getLogger(__name__)

_BACKLOG: Final = 2048
_FEW_CONNECTIONS: Final = 200
_PAUSE_BEFORE_RESTART_SECONDS: Final = 1.0
_GRACE_SECONDS: Final = 5.0
_GARBAGE_THRESHOLDS: Final = (20_000, 10, 10)
_MOST_TOLD_BYTES: Final = 2**16
_IS_READY: Final = b"ready\n"

Ready = Callable[[str], None]


class _BrokenOff(Exception):
    """It was told to stop before it had begun."""


class Stop:
    """Told to stop. ``politely``: there may be a balancer that should notice first."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        self._at_once = asyncio.Event()
        self._beginning: asyncio.Task[Any] | None = None

    @property
    def politely(self) -> bool:
        """Whether it was told once, and that a balancer should notice."""
        return self._told.is_set() and not self._at_once.is_set()

    def tell(self, *, politely: bool) -> None:
        """Begin to stop; told twice, wait for no balancer."""
        if self._told.is_set() or not politely:
            self._at_once.set()
        if self._beginning is not None and not self._told.is_set():
            self._beginning.cancel()
        self._told.set()

    @contextmanager
    def breaking_off(self) -> Generator[None]:
        """Break off the block when told: a start may wait for others, or for a recovery, for minutes."""
        self._beginning = task = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            if task is None or not self._told.is_set():
                raise
            task.uncancel()
            raise _BrokenOff from None
        finally:
            self._beginning = None

    async def let_notice(self, seconds: float) -> None:
        """Give a balancer that should notice so many seconds, or until told that none is waited for."""
        if self.politely:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._at_once.wait(), seconds)

    async def wait(self) -> None:
        """Wait until told."""
        await self._told.wait()


class Orders(msgspec.Struct):
    """What a worker is told by its parent."""

    settings: Settings
    addresses: Addresses
    socket: int
    numbers: str


def run(settings: Settings, *, ready: Ready = lambda _: None, welcome: Ready | None = None) -> None:
    """Serve until a signal says to stop; ``ready`` is called with the address as soon as requests are answered.

    ``welcome`` is called before that with the link of the first operator, if there is none.
    """
    _in_loop(serve(settings, ready=ready, welcome=welcome))


async def serve(settings: Settings, *, ready: Ready = lambda _: None, welcome: Ready | None = None) -> None:
    """Serve until a signal says to stop: SIGTERM lets balancers notice first, SIGINT does not wait for them."""
    _begin_to_log(settings)
    stop = Stop()
    with _signals_tell(stop), listening(settings) as listener, suppress(_BrokenOff):
        settings = replace(settings, public_url=settings.public_url or address_of(listener))
        for told in (forgotten_at(public_url_of(settings), settings), exposed_by(settings)):
            if told:
                log.warning("%s", told)
        async with AsyncExitStack() as held:
            with stop.breaking_off():
                addresses = await held.enter_async_context(prepared(settings))
                if welcome is not None and (url := await first_operator_url(settings, addresses)):
                    welcome(url)
            held.enter_context(told_where(settings, public_url_of(settings)))
            if settings.workers > 1:
                await _serve_with_workers(settings, addresses, listener, stop, ready)
            else:
                await _serve_alone(settings, addresses, listener, stop, ready)


@asynccontextmanager
async def serving(
    settings: Settings, application: Application, listener: socket.socket, stop: Stop
) -> AsyncGenerator[str]:
    """Answer requests for as long as the block lasts; at its end those in flight are finished. Gives the address."""
    held = application.backend.held
    if held.most < _FEW_CONNECTIONS:
        log.warning("at most %d connections of clients are held: the limit on open files is low (ulimit -n)", held.most)
    async with Server(application.front, held).accepting(listener, finish_seconds=settings.finish_seconds):
        try:
            yield address_of(listener)
        finally:
            application.readiness.is_stopping = True
            await stop.let_notice(settings.drain_seconds)


@contextmanager
def listening(settings: Settings) -> Any:
    """Take the port."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except (OSError, TypeError) as error:  # the latter for what no host can be called
            why = error.strerror if isinstance(error, OSError) else error
            raise Misconfigured(f"cannot listen on {settings.host}:{settings.port}: {why}") from error
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - that is how a socket is told
        yield listener
    finally:
        listener.close()


def address_of(listener: socket.socket) -> str:
    """Write the address that a person opens. ``localhost`` is secure enough for browsers to keep our cookies."""
    host, port, *_ = listener.getsockname()
    if host in {"127.0.0.1", "0.0.0.0", "::1", "::"}:  # noqa: S104 - it is compared, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def keep_what_is_loaded() -> None:
    """Spare the garbage collector the code and the price list, which stay until the end, turn after turn.

    What a set holds while it is decided is young and soon gone: looking for cycles in it every 700 objects found none.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


@contextmanager
def _signals_tell(stop: Stop) -> Any:
    loop = asyncio.get_running_loop()
    told = {signal.SIGTERM: True, signal.SIGINT: False}
    # Of a terminal that is closed, unless `nohup` said that it is nothing to us.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        told[signal.SIGHUP] = True
    for number, politely in told.items():
        loop.add_signal_handler(number, partial(stop.tell, politely=politely))
    try:
        yield
    finally:
        for number in told:
            loop.remove_signal_handler(number)


async def _serve_alone(
    settings: Settings, addresses: Addresses, listener: socket.socket, stop: Stop, ready: Ready
) -> None:
    async with (
        running(settings, addresses) as application,
        working(settings, addresses),
        serving(settings, application, listener, stop) as url,
    ):
        keep_what_is_loaded()
        ready(url)
        await stop.wait()


async def _serve_with_workers(
    settings: Settings, addresses: Addresses, listener: socket.socket, stop: Stop, ready: Ready
) -> None:
    with TemporaryDirectory(prefix="tollkeeper-numbers-") as numbers:
        told = Orders(settings, replace(addresses, admin=None), listener.fileno(), numbers)
        orders = json.dumps(msgspec.to_builtins(told)).encode()  # in which the bytes of paths have their place
        workers = [_Worker(orders, listener.fileno(), stop) for _ in range(settings.workers)]
        async with working(settings, addresses):
            keeping = [asyncio.create_task(worker.keep_running()) for worker in workers]
            waiting = asyncio.create_task(stop.wait())
            all_ready = asyncio.create_task(_all_ready(workers))
            await asyncio.wait([all_ready, waiting, *keeping], return_when=asyncio.FIRST_COMPLETED)
            if all_ready.done():
                ready(address_of(listener))
            await asyncio.wait([waiting, *keeping], return_when=asyncio.FIRST_COMPLETED)
            all_ready.cancel()
            if not waiting.done():
                stop.tell(politely=False)
            ending = asyncio.gather(*(worker.end(settings) for worker in workers))
            await asyncio.sleep(0)  # so that none is started again
            listener.close()  # else those would connect whom no worker takes any more
            await ending
            await asyncio.gather(*keeping)


async def _all_ready(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        await worker.is_ready.wait()


class _Worker:
    """One process that serves; started again if it dies."""

    def __init__(self, orders: bytes, descriptor: int, stop: Stop) -> None:
        self._orders = orders
        self._descriptor = descriptor
        self._stop = stop
        self._process: asyncio.subprocess.Process | None = None
        self._is_ending = False
        self.is_ready = asyncio.Event()

    async def keep_running(self) -> None:
        """Start it, and again whenever it ends by itself; ``Misconfigured`` if it cannot even start."""
        while not self._is_ending:
            code = await self._run_once()
            if self._is_ending:
                return
            if not self.is_ready.is_set():
                raise Misconfigured(f"a worker could not start (exit code {code}); the log says why")
            log.error("a worker ended with exit code %s; starting another", code)
            await asyncio.sleep(_PAUSE_BEFORE_RESTART_SECONDS)

    async def end(self, settings: Settings) -> None:
        """Let it finish what it has begun, and kill it if that takes too long."""
        self._is_ending = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)  # which ends without a word what has only begun to start
            await self._stop.let_notice(settings.drain_seconds)
            if not self._stop.politely:
                process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), settings.finish_seconds + _GRACE_SECONDS)
            except TimeoutError:
                log.warning("a worker did not end in time and is killed")
                process.kill()

    async def _run_once(self) -> int:
        pipe = asyncio.subprocess.PIPE
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tollkeeper.serving", stdin=pipe, stdout=pipe, pass_fds=[self._descriptor]
        )
        if self._is_ending:  # it was asked for before, and there only now
            process.kill()
        assert process.stdin is not None  # noqa: S101 - it was asked for
        assert process.stdout is not None  # noqa: S101
        with suppress(ConnectionError):
            process.stdin.write(self._orders + b"\n")
            await process.stdin.drain()
        if await process.stdout.readline() == _IS_READY:
            self.is_ready.set()
        while told := await process.stdout.read(_MOST_TOLD_BYTES):
            # What a worker tells the console, as codes to sign in with where there is no mail server.
            try:
                sys.stdout.buffer.write(told)
                sys.stdout.buffer.flush()
            except OSError as error:
                log.warning("the console cannot be written: %s", error.strerror)
        return await process.wait()


async def _work() -> None:
    """Be a worker."""
    orders, parent = await _orders()
    _begin_to_log(orders.settings)
    listener = socket.socket(fileno=orders.socket)
    stop = Stop()
    leaving = asyncio.create_task(_stop_with(parent, stop))
    with _signals_tell(stop):
        async with (
            running(orders.settings, orders.addresses, Siblings(Path(orders.numbers))) as application,
            serving(orders.settings, application, listener, stop),
        ):
            keep_what_is_loaded()
            # A parent that was killed meanwhile hears nothing any more, and its end tells us to stop.
            with suppress(BrokenPipeError):
                os.write(sys.stdout.fileno(), _IS_READY)
            await stop.wait()
    leaving.cancel()


async def _orders() -> tuple[Orders, asyncio.StreamReader]:
    reader = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return msgspec.convert(json.loads(await reader.readline()), Orders), reader


async def _stop_with(parent: asyncio.StreamReader, stop: Stop) -> None:
    await parent.read()
    stop.tell(politely=False)


def _begin_to_log(settings: Settings) -> None:
    start_logging(settings.log_level, settings.log_format)
    asyncio.get_running_loop().set_exception_handler(tell_of_the_unnoticed)


def _in_loop(work: Awaitable[None]) -> None:
    loop_factory: Any = None
    if sys.platform != "win32":
        import uvloop  # noqa: PLC0415 - there is none for Windows

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_awaited(work))


async def _awaited(work: Awaitable[None]) -> None:
    await work


if __name__ == "__main__":
    _in_loop(_work())
