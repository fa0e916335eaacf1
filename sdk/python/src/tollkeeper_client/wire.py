"""Flows over HTTP: how calls and replies are put to the library, with and without a loop."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Final, TypeGuard, TypeVar

import httpx2

from tollkeeper_client.flows import Ask, Flow, Pause, Reply

T = TypeVar("T")

# What may be raised where no answer came, or none that is one.
_NO_ANSWER: Final = (httpx2.HTTPError, OSError)
_LONGEST_ADVICE: Final = 60.0
_KEY: Final = re.compile("[!-~]+")


def settings_of(url: str, key: str, timeout: float) -> dict[str, Any]:
    """Say whom to call and who calls. ``ValueError``: nobody could; it would look as if the service were away."""
    place = httpx2.URL(url)
    if place.scheme not in {"http", "https"} or not place.host or place.userinfo or place.query or place.fragment:
        raise ValueError("the service is at http:// or https://, a host and maybe a path; nothing else")
    if not _KEY.fullmatch(key.strip()):
        raise ValueError("a key is one word of ASCII")
    headers = {
        "Authorization": f"Bearer {key.strip()}",
        "Content-Type": "application/json",
        "User-Agent": "tollkeeper-client/0.1.0",
    }
    # To read whom to trust takes a while: once is enough.
    return {"base_url": place, "headers": headers, "timeout": timeout, "verify": httpx2.create_ssl_context()}


def drive(flow: Flow[T], client: httpx2.Client) -> T:
    """Let a flow have its way, with calls that block."""
    # A flow that is broken off hears of it.
    with closing(flow):
        reply = None
        try:
            while True:
                reply = _done(flow.send(reply), client)
        except StopIteration as end:
            return end.value


async def drive_in_loop(flow: Flow[T], client: httpx2.AsyncClient) -> T:
    """Let a flow have its way, within a loop."""
    with closing(flow):
        reply = None
        try:
            while True:
                reply = await _done_in_loop(flow.send(reply), client)
        except StopIteration as end:
            return end.value


def _done(wanted: Ask | Pause, client: httpx2.Client) -> Reply | None:
    if isinstance(wanted, Pause):
        time.sleep(wanted.seconds)
        return None
    with suppress(*_NO_ANSWER):
        seconds = _seconds(wanted, client)
        # Who waits no longer hangs up, so that the service does not decide for nobody.
        return heard(_within(seconds, partial(client.request, timeout=seconds, **_asked(wanted))))
    return None


async def _done_in_loop(wanted: Ask | Pause, client: httpx2.AsyncClient) -> Reply | None:
    if isinstance(wanted, Pause):
        await asyncio.sleep(wanted.seconds)
        return None
    with suppress(*_NO_ANSWER):
        async with asyncio.timeout(_seconds(wanted, client)):
            return heard(await client.request(**_asked(wanted)))
    return None


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Wait for a call so long and no longer, whatever it does: looking up a name heeds no timeout, nor a trickle."""
    heard: Future[T] = Future()

    def make() -> None:
        try:
            heard.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            heard.set_exception(error)

    try:
        # In the caller's context, for whoever traces calls.
        threading.Thread(target=copy_context().run, args=(make,), name="tollkeeper-client-call", daemon=True).start()
    except RuntimeError:
        # There are no more threads, or none any more for Python is about to end.
        make()
    return heard.result(seconds)


def _seconds(ask: Ask, client: httpx2.Client | httpx2.AsyncClient) -> float:
    return min(ask.seconds, client.timeout.read or threading.TIMEOUT_MAX)


def _asked(ask: Ask) -> dict[str, Any]:
    # As bytes, for the library takes only ASCII in words.
    headers = {} if ask.user is None else {b"Tollkeeper-User": ask.user.encode()}
    # Half a surrogate pair is written as JSON escapes it, for the service to refuse.
    said = json.dumps(ask.body, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace")
    return {"method": ask.method, "url": ask.path, "content": said, "headers": headers}


def heard(response: httpx2.Response) -> Reply:
    """Read an answer, whoever gave it."""
    try:
        body: Any = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    advice = response.headers.get("Retry-After", "")
    retry_after = min(float(advice), _LONGEST_ADVICE) if advice.isdecimal() else 0.0
    return Reply(response.status_code, body if _is_object(body) else {}, retry_after)


def _is_object(body: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(body, dict)
