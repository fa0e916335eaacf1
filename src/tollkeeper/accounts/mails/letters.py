"""What is written to people by mail, from the templates beside it, as text and as HTML."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from string import Template


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail; ``told`` is what the console says where no mail server is set."""

    to: str
    subject: str
    text: str
    html: str
    told: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class NoLetter:
    """Somebody who is not known here, and may not sign up, asked for a mail: they get none."""

    address: str


def sign_in(to: str, *, code: str, token: str, written_at: datetime, expires_at: datetime, site: str) -> Letter:
    """Write the code and the link that sign somebody in."""
    link = f"{site}/sign-in/email/{token}"
    words = {"code": code, "link": link, "site": site, "until": _told_at(expires_at)}
    text, hypertext = _written("sign_in", subject := f"{code} is your code to sign in to tollkeeper", words)
    told = f"Sign-in code for {to}: {code}\n  or in the browser that asked: {link}"
    return Letter(to, subject, text, hypertext, told, written_at)


def invitation(to: str, *, written_at: datetime, expires_at: datetime, site: str) -> Letter:
    """Invite somebody. It holds no secret: whoever reads it can sign in only with the mailbox."""
    words = {"address": to, "site": site, "until": _told_at(expires_at)}
    text, hypertext = _written("invitation", subject := "You are invited to tollkeeper", words)
    return Letter(to, subject, text, hypertext, f"{to} is invited: they sign in at {site}", written_at)


def alert(to: str, *, what: str, rest: str, at: str, by_whom: str, written_at: datetime, site: str) -> Letter:
    """Tell somebody what was done with their account: ``rest`` says more of it, ``at`` when, ``by_whom`` from where."""
    link = f"{site}/settings/security"
    words = {"what": what, "rest": rest, "at": at, "by_whom": by_whom, "link": link, "site": site}
    text, hypertext = _written("alert", subject := f"tollkeeper: {what}", words)
    return Letter(to, subject, text, hypertext, f"{to}: {what}", written_at)


def notice(to: str, *, what: str, rest: str, written_at: datetime, site: str) -> Letter:
    """Tell somebody of their plan or their limits: ``rest`` says more of it."""
    words = {"what": what, "rest": rest, "link": f"{site}/plan", "site": site}
    text, hypertext = _written("notice", subject := f"tollkeeper: {what}", words)
    return Letter(to, subject, text, hypertext, f"{to}: {what}", written_at)


def alarm(to: str, *, what: str, rest: str, written_at: datetime, site: str) -> Letter:
    """Tell an operator what is wrong with the service: ``rest`` says more of it."""
    words = {"what": what, "rest": rest, "link": f"{site}/admin/system", "site": site}
    text, hypertext = _written("alarm", subject := f"tollkeeper: {what}", words)
    return Letter(to, subject, text, hypertext, f"{to}: {what}", written_at)


def _written(name: str, subject: str, words: dict[str, str]) -> tuple[str, str]:
    escaped = {each: html.escape(word) for each, word in words.items()}
    body = _template(f"{name}.html").substitute(escaped)
    framed = _template("frame.html").substitute(subject=html.escape(subject), body=body)
    return _template(f"{name}.txt").substitute(words), framed


@cache
def _template(name: str) -> Template:
    return Template((files("tollkeeper.accounts.mails") / "templates" / name).read_text(encoding="utf-8"))


def _told_at(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M} UTC on {at.astimezone(UTC):%-d %B %Y}"
