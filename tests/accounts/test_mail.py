"""Mails arrive, and a mail server that is down, slow or mad holds up nobody."""

from __future__ import annotations

import asyncio
import errno
import html
import io
import os
import sys
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.mailbox import Behave, Mailbox, listening, mailbox
from tollkeeper.accounts.mails import courier, letters
from tollkeeper.accounts.mails.courier import Console, NotDelivered, NotNow, Refused, Smtp
from tollkeeper.accounts.mails.letters import Letter, NoLetter
from tollkeeper.accounts.mails.postman import Postman
from tollkeeper.errors import Unavailable

NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)
SITE = "https://usage.example"


# More than any address may hold.
HOSTILE = "a&b'<img/src=//evil.example><b>$site</b>\r\n@example.com"


def a_letter(to: str = "ada@example.com") -> Letter:
    return letters.sign_in(to, code="WXYZ-2345", token="t" * 43, written_at=NOW, expires_at=NOW, site=SITE)


def smtp(port: int) -> Smtp:
    return Smtp("127.0.0.1", port, "if-offered", "no-reply@usage.example")


@pytest.fixture
async def box() -> AsyncGenerator[Mailbox]:
    async with mailbox() as box:
        yield box


async def test_a_mail_arrives_as_text_and_as_html(box: Mailbox) -> None:
    await smtp(box.port).deliver(a_letter())
    got = await box.next("ada@example.com")
    told = got.message
    assert told["From"] == "tollkeeper <no-reply@usage.example>"
    assert (told["To"], told["Date"]) == ("ada@example.com", "Sun, 10 May 2026 12:00:00 +0000")
    assert told["Message-ID"].endswith("@usage.example>")
    assert told["Auto-Submitted"] == "auto-generated"
    assert "WXYZ-2345" in told["Subject"]
    assert (got.code, got.link) == ("WXYZ-2345", f"{SITE}/sign-in/email/{'t' * 43}")
    assert "WXYZ-2345" in got.part("html")
    assert "<script" not in got.part("html")
    assert "http" not in got.part("html").replace(SITE, "")  # nothing is loaded from anywhere


async def test_an_invitation_is_written_to_who_is_invited(box: Mailbox) -> None:
    await smtp(box.port).deliver(letters.invitation("ada@example.com", written_at=NOW, expires_at=NOW, site=SITE))
    got = await box.next("ada@example.com")
    for kind in ("plain", "html"):
        assert SITE in got.part(kind)
        assert "ada@example.com" in got.part(kind)


async def test_what_could_be_markup_is_text() -> None:
    letter = letters.invitation("a&b'<i>@example.com", written_at=NOW, expires_at=NOW, site=SITE)
    assert "a&amp;b&#x27;&lt;i&gt;@example.com" in letter.html
    assert "<i>" not in letter.html


class _Markup(HTMLParser):
    """What a page is made of: its tags, where its links lead, and all else that it asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.asks_for: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "href":
                self.links.add(value or "")
            elif name in {"src", "srcset", "background", "poster", "action"} or "url(" in (value or ""):
                self.asks_for.append(f"{name}={value}")


@pytest.mark.parametrize(
    ("letter", "links"),
    [
        (a_letter(HOSTILE), {SITE, f"{SITE}/sign-in/email/{'t' * 43}"}),
        (letters.invitation(HOSTILE, written_at=NOW, expires_at=NOW, site=SITE), {SITE}),
    ],
    ids=["sign-in", "invitation"],
)
def test_every_letter_is_whole_whatever_the_address_and_loads_nothing(letter: Letter, links: set[str]) -> None:
    found = _Markup(letter.html)
    assert (found.links, found.asks_for) == (links, [])
    assert not found.tags & {"img", "script", "link", "iframe", "form", "i", "b"}
    assert all(link in letter.text for link in links)
    assert "$" not in (letter.text + letter.html).replace(HOSTILE, "").replace(html.escape(HOSTILE), "")


async def test_an_address_with_a_line_break_becomes_no_header(box: Mailbox) -> None:
    for address in ("ada@example.com\r\nBcc: evil@example.com", "ada\nSubject: x@example.com"):
        with pytest.raises((NotDelivered, Refused)):
            await smtp(box.port).deliver(a_letter(address))
    assert not box.got


async def test_domains_in_other_scripts_are_written_as_mail_servers_read_them(box: Mailbox) -> None:
    for domain in ("bücher.example", "BÜCHER.example"):
        await smtp(box.port).deliver(a_letter(f"ada@{domain}"))
        assert await box.next("ada@xn--bcher-kva.example")
    await smtp(box.port).deliver(a_letter("ada@straße.example"))
    assert await box.next("ada@xn--strae-oqa.example")
    await smtp(box.port).deliver(a_letter("ädä@example.com"))
    assert await box.next("ädä@example.com")


async def test_an_address_that_cannot_be_mailed_is_refused_for_good(box: Mailbox) -> None:
    with pytest.raises(Refused):
        await smtp(box.port).deliver(a_letter("ada@" + "ü" * 64 + ".example"))
    assert not box.got


async def test_refused_for_good_and_for_now_are_told_apart(box: Mailbox) -> None:
    box.refuses = "550 no such user"
    with pytest.raises(Refused, match="550"):
        await smtp(box.port).deliver(a_letter())
    box.refuses = "450 come back later, ada@example.com"
    with pytest.raises(NotNow, match="450") as told:
        await smtp(box.port).deliver(a_letter())
    assert "ada@example.com" not in str(told.value)


@pytest.mark.parametrize(
    ("odd", "is_away"),
    [
        ({"RCPT": "451 greylisted"}, False),
        ({"DATA": "452 mailbox full"}, False),
        ({"RCPT": "421 closing"}, True),
        ({"DATA": "421 closing"}, True),
        ({"MAIL": "451 not now"}, True),
        ({"MAIL": "550 not from you"}, True),
        ({"EHLO": "554 no", "HELO": "554 no"}, True),
    ],
)
async def test_what_is_said_of_one_letter_does_not_mean_that_the_server_is_away(
    odd: dict[str, str], is_away: bool
) -> None:
    async with listening(_but_for(odd)) as port:
        with pytest.raises(NotDelivered) as told:
            await smtp(port).deliver(a_letter())
        assert isinstance(told.value, NotNow) != is_away


async def test_nobodys_letter_goes_to_the_server_and_leaves_nothing_there(box: Mailbox) -> None:
    await smtp(box.port).deliver(NoLetter("nobody@example.com"))
    assert not box.got
    with pytest.raises(NotDelivered):
        await smtp(1).deliver(NoLetter("nobody@example.com"))


async def _hang(reader: Any, _writer: Any) -> None:
    await reader.read()


async def _say(writer: Any, said: bytes, times: int) -> None:
    for _ in range(times):
        writer.write(said)
        await writer.drain()


def _says(said: bytes, times: int = 1) -> Behave:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _say(writer, said, times)
        await reader.read()

    return behave


def _but_for(odd: dict[str, str], *, scans_for: float = 0) -> Behave:
    """Take every mail, after some seconds, but answer some commands as is said, or not at all."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = "220 hello"
        while said:
            await _say(writer, f"{said}\r\n".encode(), 1)
            command = (await reader.readline())[:4].decode()
            said = odd.get(command, "354 go on" if command == "DATA" else "250 fine")
            if said.startswith("354"):
                await _say(writer, f"{said}\r\n".encode(), 1)
                await reader.readuntil(b"\r\n.\r\n")
                await asyncio.sleep(scans_for)
                said = "250 taken"
        await reader.read()

    return behave


BAD = {
    "hangs": _hang,
    "hangs up": _says(b"", 0),
    "refuses": _says(b"554 go away\r\n"),
    "fails": _says(b"220 hello\r\n500 what\r\n"),
    "is no SMTP server": _says(b"\x00\xff garbage\r\n"),
    "never ends its line": _says(b"2" * 65_536, 1_600),
    "never ends its answer": _says(b"220-and more\r\n" * 4_096, 1_600),
}


@pytest.mark.parametrize("how", BAD)
async def test_a_bad_server_is_given_up_within_seconds(how: str) -> None:
    async with listening(BAD[how]) as port:
        began = time.monotonic()
        with pytest.raises(NotDelivered):
            await smtp(port).deliver(a_letter())
        assert time.monotonic() - began < 12


async def test_a_server_that_takes_its_time_with_a_mail_gets_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that looks for viruses before it answers."""
    monkeypatch.setattr(courier, "_ANSWER_SECONDS", 0.3)
    async with listening(_but_for({}, scans_for=1)) as port:
        await smtp(port).deliver(a_letter())


@pytest.mark.parametrize("farewell", ["554 no", "2 2", "421 closing", ""])
async def test_a_mail_is_taken_whatever_is_said_at_the_farewell(monkeypatch: pytest.MonkeyPatch, farewell: str) -> None:
    monkeypatch.setattr(courier, "_DELIVERY_SECONDS", 1.0)
    async with listening(_but_for({"QUIT": farewell})) as port:
        await smtp(port).deliver(a_letter())


async def test_a_server_that_is_not_on_this_machine_must_encrypt(box: Mailbox) -> None:
    far = Smtp("127.0.0.1", box.port, "starttls", "no-reply@usage.example")
    with pytest.raises(NotDelivered):
        await far.deliver(a_letter())
    with pytest.raises(NotDelivered):
        await Smtp("127.0.0.1", box.port, "tls", "no-reply@usage.example").deliver(a_letter())
    assert not box.got


async def test_without_a_server_the_console_tells_and_says_who_is_not_known(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    await Console().deliver(a_letter())
    await Console().deliver(NoLetter("new@example.com"))
    told = capsys.readouterr().out
    assert "ada@example.com: WXYZ-2345" in told
    assert f"{SITE}/sign-in/email/{'t' * 43}" in told
    assert "tollkeeper user invite new@example.com" in told
    assert not caplog.records


class FullConsole(io.StringIO):
    """A console on a disk without room."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_console_that_cannot_be_written_has_delivered_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", FullConsole())
    with pytest.raises(NotDelivered, match="No space left"):
        await Console().deliver(a_letter())


class Flaky:
    """Fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.delivered: list[Letter | NoLetter] = []

    async def deliver(self, letter: Letter | NoLetter) -> None:
        if self.failures:
            self.failures -= 1
            raise NotDelivered("away")
        self.delivered.append(letter)


async def _until(holds: Any) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


def _write(letter: Letter | NoLetter) -> Any:
    async def write() -> Letter | NoLetter:
        return letter

    return write


async def test_a_mail_that_does_not_pass_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    courier = Flaky(2)
    async with Postman(courier, pauses_seconds=(0.01, 0.01)) as postman:
        postman.take(_write(a_letter()))
        await _until(lambda: courier.delivered)
        postman.refuse_if_away()
    assert not [record for record in caplog.records if "ada@" in record.getMessage()]


@pytest.mark.parametrize("letter", [a_letter(), NoLetter("nobody@example.com")], ids=["known", "unknown"])
async def test_while_the_server_is_away_nobody_is_promised_a_mail_known_or_not(letter: Letter | NoLetter) -> None:
    courier = Flaky(3)
    async with Postman(courier, pauses_seconds=(0.01, 0.01, 0.2)) as postman:
        postman.take(_write(letter))
        await _until(lambda: not courier.failures)
        with pytest.raises(Unavailable) as told:
            postman.take(_write(letter))
        assert told.value.retry_after_seconds == 20
        await _until(lambda: courier.delivered)
        postman.take(_write(letter))


async def test_silence_about_an_address_is_of_that_address() -> None:
    async with listening(_but_for({"RCPT": ""})) as port:
        with pytest.raises(NotNow):
            await smtp(port).deliver(a_letter())
    async with listening(_but_for({"MAIL": ""})) as port:
        with pytest.raises(NotDelivered) as told:
            await smtp(port).deliver(a_letter())
        assert not isinstance(told.value, NotNow)


async def test_an_address_that_is_put_off_keeps_no_other_waiting(box: Mailbox) -> None:
    box.refuses, box.refuses_of = "450 greylisted", "@greylisting.example"
    async with Postman(smtp(box.port), pauses_seconds=(3, 3)) as postman:
        for each in range(12):
            postman.take(_write(a_letter(f"u{each}@greylisting.example")))
        postman.take(_write(a_letter()))
        began = time.monotonic()
        await box.next("ada@example.com")
        assert time.monotonic() - began < 2.5
        postman.refuse_if_away()
        # And when the pause is over it is tried again.
        box.refuses = None
        await asyncio.gather(*(box.next(f"u{each}@greylisting.example") for each in range(12)))


async def test_no_more_rest_than_may_and_what_is_put_off_besides_is_given_up() -> None:
    class PuttingOff:
        async def deliver(self, letter: Letter | NoLetter) -> None:
            raise NotNow(f"no {type(letter).__name__} now")

    async with Postman(PuttingOff(), pauses_seconds=(3,)) as postman:
        for _ in range(3):
            for _ in range(500):
                postman.take(_write(a_letter()))
            await _until(postman._waiting.empty)
        assert len(postman._resting) == 1_000
        postman.refuse_if_away()
        await postman.idle()
        assert not postman._resting


async def test_no_more_wait_than_may_and_whoever_waits_at_the_end_is_served() -> None:
    courier = Flaky(0)
    postman = Postman(courier)
    for _ in range(1_000):
        postman.take(_write(a_letter()))
    with pytest.raises(Unavailable):
        postman.take(_write(a_letter()))
    async with postman:
        pass
    assert len(courier.delivered) == 1_000


async def test_one_letter_that_cannot_be_written_stops_no_other() -> None:
    async def broken() -> Letter:
        raise RuntimeError

    courier = Flaky(0)
    async with Postman(courier, pauses_seconds=()) as postman:
        for _ in range(8):
            postman.take(broken)
        postman.take(_write(a_letter()))
        await _until(lambda: courier.delivered)
