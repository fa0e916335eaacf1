"""The few pages that the service serves itself: a nonce for what is inline, and nothing from elsewhere."""

from __future__ import annotations

import html
import secrets
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from tollkeeper.errors import NotFound, TollkeeperError
from tollkeeper.http.call import Header
from tollkeeper.http.exchange import Answer, Exchange, path_text
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get

_HTML: Final[Header] = (b"content-type", b"text/html; charset=utf-8")


def page(
    title: str,
    body: str,
    *,
    styles: tuple[str, ...] = (),
    script: str = "",
    status: int = 200,
    headers: Iterable[Header] = (),
) -> Answer:
    """Wrap a page's body. Only what carries this answer's nonce runs or styles; it talks to this site alone."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    css = "".join(asset(name) for name in ("style.css", *styles))
    js = f'<script nonce="{nonce}">\n{script}</script>\n' if script else ""
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f'<style nonce="{nonce}">\n{css}</style>\n</head>\n<body>\n{body}{js}</body>\n</html>\n'
    )
    own = (_HTML, (b"content-security-policy", policy.encode()), *headers)
    return Answer(text.encode(), status=status, headers=own)


@cache
def asset(name: str) -> str:
    """Read a file of this package; the name never comes from outside."""
    return (files("tollkeeper.http") / "assets" / name).read_text(encoding="utf-8")


def problem_page(error: TollkeeperError, detail: str, *, headers: Iterable[Header] = ()) -> Answer:
    """Tell a person what a program hears as a problem document."""
    body = (
        f'<main class="narrow"><h1>{html.escape(error.title)}</h1><p>{html.escape(_sentence(detail))}</p>'
        '<p><a href="/">To the start</a></p></main>\n'
    )
    return page(error.title, body, status=int(error.status), headers=headers)


def kinds() -> dict[str, type[TollkeeperError]]:
    """Every kind of problem, by its slug."""
    return {kind.slug: kind for kind in _descendants(TollkeeperError) if "slug" in vars(kind)}


@get("/problems/{slug}", Operation("public", in_api=False))
async def problem(request: Exchange) -> Answer:
    """What a kind of problem means: where its `type` leads."""
    kind = kinds().get(path_text(request, "slug"))
    if kind is None:
        raise NotFound("there is no such kind of problem")
    means = html.escape(" ".join((kind.__doc__ or "").split()).replace("``", ""))
    body = f"<h1>{html.escape(kind.title)}</h1>\n<p>{means}</p>\n<p>HTTP status {int(kind.status)}</p>"
    return page(kind.title, f'<main class="narrow">{body}</main>\n')


def _sentence(detail: str) -> str:
    """Write as a sentence what problem documents tell as a clause."""
    return detail[:1].upper() + detail[1:] + "."


def _descendants(kind: type[TollkeeperError]) -> Iterator[type[TollkeeperError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _descendants(each)
