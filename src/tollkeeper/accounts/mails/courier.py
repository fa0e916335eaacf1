"""Handing mails to an SMTP server, or to the console where none is set. Only here is the SMTP library known."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any, Final, Literal, Protocol

import aiosmtplib
import idna

from tollkeeper.accounts.mails.letters import Letter, NoLetter

Security = Literal["tls", "starttls", "if-offered"]

_ANSWER_SECONDS: Final = 5.0
# Some servers look through a mail before they say that they have it; who did not wait would send it again.
_TAKING_SECONDS: Final = 30.0
_DELIVERY_SECONDS: Final = 45.0
_CLOSING: Final = 421
_FIRST_LASTING: Final = 500


class NotDelivered(Exception):
    """The server is away, slow, or says something that is no SMTP: the same mail may pass later."""


class NotNow(NotDelivered):
    """The server is there, and takes this one mail later or never: others may pass."""


class Refused(Exception):
    """The server takes no mail for this address, and would not later."""


class Courier(Protocol):
    """Takes mails away."""

    async def deliver(self, letter: Letter | NoLetter) -> None:
        """Take one away; for nobody's letter the same way is made with empty hands."""
        ...


@dataclass(frozen=True, slots=True)
class Smtp:
    """An SMTP server. ``if-offered``: encrypted where the server can, for one on this very machine."""

    host: str
    port: int
    security: Security
    sender: str
    user: str | None = None
    password: str | None = None

    async def deliver(self, letter: Letter | NoLetter) -> None:
        """Hand it over: each answer within five seconds, that it has the mail within thirty, all within forty-five.

        What is said at the farewell does not matter any more.
        """
        has_it = False
        try:
            async with asyncio.timeout(_DELIVERY_SECONDS), self._server() as server:
                if isinstance(letter, Letter):
                    await _send(server, letter, self.sender)
                has_it = True
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            if not has_it:
                # What it said is left out: it may repeat an address.
                raise NotDelivered(f"the mail server did not take a mail ({type(error).__name__})") from error

    def _server(self) -> _Server:
        is_near = self.security == "if-offered"
        return _Server(
            hostname=self.host,
            port=self.port,
            timeout=_ANSWER_SECONDS,
            use_tls=self.security == "tls",
            start_tls=None if is_near else self.security == "starttls",
            validate_certs=not is_near,
            username=self.user,
            password=self.password,
        )


@dataclass(frozen=True, slots=True)
class Console:
    """The server's own console: whoever runs the service reads there what would have been mailed, and nobody else."""

    async def deliver(self, letter: Letter | NoLetter) -> None:
        """Print it, never into the log."""
        if isinstance(letter, Letter):
            told = letter.told
        else:
            told = f"{letter.address} asked to sign in and is not known here: tollkeeper user invite {letter.address}"
        try:
            await asyncio.to_thread(print, f"\n{told}\n", file=sys.stdout, flush=True)
        except OSError as error:
            raise NotDelivered(f"the console cannot be written: {error.strerror}") from error


class _Server(aiosmtplib.SMTP):
    """Waits for some answers in other ways than the library."""

    async def rcpt(self, recipient: str, /, **more: Any) -> aiosmtplib.SMTPResponse:
        """Name who is to get a mail. Some servers ask its own server first, so silence about one is of that one."""
        try:
            return await super().rcpt(recipient, **more)
        except aiosmtplib.SMTPReadTimeoutError as error:
            self.close()
            raise NotNow("the mail server says nothing of an address") from error

    async def data(self, message: str | bytes, /, **_: Any) -> aiosmtplib.SMTPResponse:
        """Hand over the mail itself."""
        return await super().data(message, timeout=_TAKING_SECONDS)


async def _send(server: aiosmtplib.SMTP, letter: Letter, sender: str) -> None:
    try:
        await server.send_message(_message(letter, sender))
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _of_this_mail(error.recipients[0]) from error
    except aiosmtplib.SMTPDataError as error:
        raise _of_this_mail(error) from error
    except (aiosmtplib.SMTPNotSupported, UnicodeError) as error:
        raise Refused("the mail server cannot be told an address that is not ASCII") from error


def _of_this_mail(said: aiosmtplib.SMTPResponseException) -> Exception:
    """Tell what the server says of one address or mail from what it says of itself: that it closes."""
    if said.code == _CLOSING:
        return said
    if said.code >= _FIRST_LASTING and isinstance(said, aiosmtplib.SMTPRecipientRefused):
        return Refused(f"the mail server refuses an address ({said.code})")
    return NotNow(f"the mail server did not take one mail ({said.code})")


def _message(letter: Letter, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = Address("tollkeeper", addr_spec=sender)
    user, _, domain = letter.to.rpartition("@")
    message["To"] = Address(
        username=user, domain=domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    )
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(letter.written_at)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message
