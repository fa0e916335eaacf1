"""A real SMTP server that keeps what it gets, or behaves as badly as it is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.ports import free_port

_LINK = re.compile(r"https?://\S+/sign-in/email/[\w-]{43}")
_CODE = re.compile(r"\b[B-Z2-9]{4}-[B-Z2-9]{4}\b")
_TICK = 0.02


@dataclass(frozen=True, slots=True)
class Got:
    """One mail, as it came over the wire."""

    to: str
    message: EmailMessage

    def part(self, kind: str) -> str:
        """The text or the HTML of it."""
        body = self.message.get_body((kind,))
        assert body is not None
        return body.get_content()

    @property
    def code(self) -> str:
        """The code to sign in with."""
        found = _CODE.search(self.part("plain"))
        assert found
        return found[0]

    @property
    def link(self) -> str:
        """The link to sign in with."""
        found = _LINK.search(self.part("plain"))
        assert found
        return found[0]


@dataclass(slots=True)
class Mailbox:
    """The server and all that it got.

    ``refuses``: the answer to every recipient whose address ends in ``refuses_of``, instead of taking the mail.
    """

    port: int = 0
    got: list[Got] = field(default_factory=list[Got])
    refuses: str | None = None
    refuses_of: str = ""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def next(self, to: str, *, seconds: float = 10) -> Got:
        """Wait for the next mail to somebody, and take it out."""
        async with asyncio.timeout(seconds):
            while (found := next((each for each in self.got if each.to == to), None)) is None:  # noqa: ASYNC110 - it comes in another thread
                await asyncio.sleep(_TICK)
        self.got.remove(found)
        return found

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        """Called by the server."""
        if self.refuses and address.endswith(self.refuses_of):
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Called by the server."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.got += [Got(to, message) for to in envelope.rcpt_tos]
        return "250 OK"


@asynccontextmanager
async def mailbox() -> AsyncGenerator[Mailbox]:
    """Take mail on a free port, in a thread of its own."""
    box = Mailbox(port=free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(behave: Behave) -> AsyncGenerator[int]:
    """Listen on a free port and do to everybody who connects what the test says; gives the port."""

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
