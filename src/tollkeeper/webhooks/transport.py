"""Posting to where the guard lets us, and nowhere else. Of what comes back only the status counts.

The connection goes to the very address that was checked, and to a name's certificate; no proxy is asked, no redirect
is followed, and no connection is used twice. What receivers answer is untrusted: bounded in time and size, and thrown
away. Only here is the HTTP library known.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx2

from tollkeeper.webhooks.guard import Address, Forbidden, Guard, Place, Unknown
from tollkeeper.webhooks.messages import Outcome

ALL_SECONDS: Final = 5.0
MOST_BYTES: Final = 64 * 2**10
_CONNECT_SECONDS: Final = 2.0
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_BUSY: Final = frozenset({429, 503})


@dataclass(slots=True)
class Sender:
    """Posts messages within the rules of a guard; ``agent`` is what we call ourselves, ``tls`` says whom to trust."""

    guard: Guard
    agent: str
    tls: ssl.SSLContext | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Post once, within five seconds in all, whatever the receiver does."""
        loop, tls = asyncio.get_running_loop(), await self._trusted()
        began = loop.time()
        heard, error = _Heard(), None
        try:
            async with asyncio.timeout(ALL_SECONDS):
                place, addresses = await self.guard.addresses(url)
                requests = [_request(self.agent, url, place, each, body=body, headers=headers) for each in addresses]
                await _reach(requests, tls, heard)
        except TimeoutError:
            error = f"no whole answer within {ALL_SECONDS:g} seconds"
        except (Forbidden, Unknown) as refusal:
            error = str(refusal)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as failure:
            # What it says is left out: the receiver may have written it.
            error = _WORDS.get(type(failure), f"the connection failed ({type(failure).__name__})")
        return Outcome(heard.status, error, round((loop.time() - began) * 1000), heard.retry_after_seconds)

    async def _trusted(self) -> ssl.SSLContext:
        """Read whom to trust, once: that takes a while, in which others go on."""
        async with self._reading:
            if self.tls is None:
                self.tls = await asyncio.to_thread(httpx2.create_ssl_context, trust_env=False)
        return self.tls


@dataclass(slots=True)
class _Heard:
    """What was heard of an answer until it ended, or was cut."""

    status: int | None = None
    retry_after_seconds: int | None = None

    def take(self, answer: httpx2.Response) -> None:
        """Note its head."""
        self.status = answer.status_code
        asked = answer.headers.get("retry-after", "")
        if answer.status_code in _BUSY and _SECONDS.fullmatch(asked):
            self.retry_after_seconds = int(asked)


def _request(
    agent: str, url: str, place: Place, address: Address, *, body: bytes, headers: Mapping[str, str]
) -> httpx2.Request:
    """Address a message to where a name was found, and by its name."""
    to = httpx2.URL(url)
    said = {"content-type": "application/json", "user-agent": agent, "accept-encoding": "identity"}
    return httpx2.Request(
        "POST",
        to.copy_with(host=str(address), port=place.port),
        headers={"host": to.netloc.decode("ascii"), "connection": "close", **said, **headers},
        content=body,
        # The certificate is to be that of the name.
        extensions={"sni_hostname": place.host, "timeout": _TIMEOUT.as_dict()},
    )


async def _reach(requests: Sequence[httpx2.Request], tls: ssl.SSLContext, heard: _Heard) -> None:
    """Ask one address after the other until one can be connected to."""
    for left, request in zip(range(len(requests) - 1, -1, -1), requests, strict=True):
        try:
            await _ask(request, tls, heard)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            if not left:
                raise
        else:
            return


async def _ask(request: httpx2.Request, tls: ssl.SSLContext, heard: _Heard) -> None:
    async with httpx2.AsyncHTTPTransport(verify=tls, trust_env=False) as transport:
        answer = await transport.handle_async_request(request)
        try:
            heard.take(answer)
            await _drain(answer)
        finally:
            await answer.aclose()


async def _drain(answer: httpx2.Response) -> None:
    """Read what there is, but not more than a bounded part of it."""
    size = 0
    async for chunk in answer.aiter_raw():
        size += len(chunk)
        if size >= MOST_BYTES:
            return


_TIMEOUT: Final = httpx2.Timeout(ALL_SECONDS, connect=_CONNECT_SECONDS)
_WORDS: Final[Mapping[type[Exception], str]] = {
    httpx2.ConnectError: "no connection: it was refused, or its certificate is not good",
    httpx2.ConnectTimeout: f"no connection within {_CONNECT_SECONDS:g} seconds",
    httpx2.RemoteProtocolError: "the answer is not HTTP, or was cut off",
    httpx2.ReadError: "the answer was cut off",
    httpx2.WriteError: "the connection was closed before all was sent",
}
