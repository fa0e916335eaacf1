"""Flows over HTTP: how calls and replies are put to the library, with and without a loop."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, TypeGuard, TypeVar

import httpx2

from tollkeeper_client.flows import Ask, Flow, Pause, Reply

T = TypeVar("T")

# What may be raised where no answer came, or none that is one.
_NO_ANSWER: Final = (httpx2.HTTPError, OSError)
_LONGEST_ADVICE: Final = 60.0


def headers_of(key: str) -> dict[str, str]:
    """Say who calls."""
    return {"Authorization": f"Bearer {key}", "User-Agent": "tollkeeper-client/0.1.0"}


def drive(flow: Flow[T], client: httpx2.Client) -> T:
    """Let a flow have its way, with calls that block."""
    reply: Reply | None = None
    try:
        while True:
            wanted = flow.send(reply)
            reply = None
            with _failing(flow):
                if isinstance(wanted, Pause):
                    time.sleep(wanted.seconds)
                else:
                    reply = _heard(client.request(**_asked(wanted)))
    except StopIteration as end:
        return end.value


async def drive_in_loop(flow: Flow[T], client: httpx2.AsyncClient) -> T:
    """Let a flow have its way, within a loop."""
    reply: Reply | None = None
    try:
        while True:
            wanted = flow.send(reply)
            reply = None
            with _failing(flow):
                if isinstance(wanted, Pause):
                    await asyncio.sleep(wanted.seconds)
                else:
                    reply = _heard(await client.request(**_asked(wanted)))
    except StopIteration as end:
        return end.value


@contextmanager
def _failing(flow: Flow[Any]) -> Generator[None]:
    """Take a call without an answer for none. Whatever else breaks it off, the flow hears of first."""
    try:
        yield
    except _NO_ANSWER:
        pass
    except BaseException as error:
        flow.throw(error)
        raise


def _asked(ask: Ask) -> dict[str, Any]:
    # As bytes, for the library takes only ASCII in words.
    headers = {} if ask.user is None else {b"Tollkeeper-User": ask.user.encode()}
    return {"method": ask.method, "url": ask.path, "json": ask.body, "headers": headers}


def _heard(response: httpx2.Response) -> Reply:
    try:
        body: Any = json.loads(response.content)
    except ValueError:
        body = None
    advice = response.headers.get("Retry-After", "")
    retry_after = min(float(advice), _LONGEST_ADVICE) if advice.isdecimal() else 0.0
    return Reply(response.status_code, body if _is_object(body) else {}, retry_after)


def _is_object(body: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(body, dict)
