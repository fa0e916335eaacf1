"""The built web app: read whole at the start, so that no request ever names a file."""

from __future__ import annotations

import html
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, Literal, NamedTuple, Self

import msgspec

from tollkeeper.errors import NotFound
from tollkeeper.http.call import Header
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.packing import reads
from tollkeeper.http.routing import PARAMETER, get

# What the build writes in place of a nonce.
_PLACEHOLDER: Final = "__NONCE__"
_TYPES: Final = {
    "js": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "svg": b"image/svg+xml",
    "json": b"application/json",
    "png": b"image/png",
}
# The best first.
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_FOR_EVER: Final[Header] = (b"cache-control", b"public, max-age=31536000, immutable")
_HTML: Final[Header] = (b"content-type", b"text/html; charset=utf-8")
# Where in the page is written what is known before a script runs.
_EARLY, _NAVIGATION, _HEAD, _KNOWN = (f"<!--{name}-->" for name in ("early", "navigation", "head", "known"))


class _Packed(NamedTuple):
    encoding: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is and as the build compressed it. Its name tells its content, so it never changes."""

    kind: bytes
    plain: bytes
    packed: tuple[_Packed, ...]

    def answer(self, accepted: str) -> Answer:
        """Answer with what is smallest of what the caller reads."""
        headers = [(b"content-type", self.kind), _FOR_EVER, (b"vary", b"accept-encoding")]
        for encoding, body in self.packed:
            if reads(accepted, encoding):
                return Answer(body, headers=(*headers, (b"content-encoding", encoding.encode())))
        return Answer(self.plain, headers=headers)


class Place(msgspec.Struct, frozen=True):
    """A page of the app: what it is called and about, and what it loads beside what all do."""

    title: str
    about: str
    scripts: Sequence[str]
    styles: Sequence[str]


# What stands at every address of operators for somebody who is none, be there a page or not, as the app itself says it.
_FOR_OPERATORS: Final = Place("For operators", "", (), ())
_NOT_FOUND: Final = Place("Not found", "", (), ())


class Places(msgspec.Struct, frozen=True):
    """All pages by their path, and the navigation to them, as the build wrote them."""

    navigation: Mapping[Literal["user", "admin"], Sequence[str]]
    pages: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class Assets:
    """The page of the app, in which is yet to be written whose it is, and all that it loads, by name."""

    index: str
    places: Places
    named: Mapping[str, Asset]

    @classmethod
    def packaged(cls) -> Self | None:
        """Read what is in the package; ``None`` where the app was not built."""
        built = files("tollkeeper") / "web"
        index = built / "index.html"
        if not index.is_file():
            return None
        places = msgspec.json.decode((built / "pages.json").read_bytes(), type=Places)
        return cls(index.read_text(encoding="utf-8"), places, dict(_read(built / "assets")))

    def page(self, path: str | None, *, asked: str, role: Literal["user", "admin"], known: bytes) -> Answer:
        """The app's page. Only what carries this answer's nonce, or comes from here as a file, runs or styles.

        ``path`` is that of the route (None: there is nothing), ``asked`` as the client wrote it; of pages of operators
        others are not told which it is. ``known`` is JSON that the scripts need not ask for.
        """
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
            "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )
        place = self._place(path, asked, role)
        text = (
            self.index.replace(_EARLY, "".join(_links(place)))
            .replace(_NAVIGATION, "".join(_navigation(self.places.navigation[role], path or "")))
            .replace(_HEAD, _head(place))
            .replace(_PLACEHOLDER, nonce)
            # Last, and what a user wrote is looked for nothing more.
            .replace(_KNOWN, _data(known, nonce))
        )
        status = HTTPStatus.NOT_FOUND if path is None else HTTPStatus.OK
        return Answer(text.encode(), status=status, headers=(_HTML, (b"content-security-policy", policy.encode())))

    def _place(self, path: str | None, asked: str, role: Literal["user", "admin"]) -> Place:
        if role != "admin" and (asked + "/").startswith("/admin/"):
            return _FOR_OPERATORS
        return _NOT_FOUND if path is None else self.places.pages[PARAMETER.sub(r"$\1", path)]


def _links(place: Place) -> Iterator[str]:
    """Name what the page loads, so that the browser need not wait for the script that says so."""
    for script in place.scripts:
        yield f'<link rel="modulepreload" crossorigin href="{script}" nonce="{_PLACEHOLDER}">'
    for style in place.styles:
        yield f'<link rel="stylesheet" crossorigin href="{style}" nonce="{_PLACEHOLDER}">'


def _navigation(lists: Sequence[str], path: str) -> Iterator[str]:
    titles = ("Your account", "Operator") if len(lists) > 1 else ("",)
    for title, places in zip(titles, lists, strict=True):
        if title:
            yield f'<p class="frame-group">{title}</p>'
        chosen = places.replace(f'href="{path}"', f'href="{path}" aria-current="page"')
        yield f'<ul class="frame-places">{chosen}</ul>'


def _head(place: Place) -> str:
    about = f"<p>{html.escape(place.about)}</p>" if place.about else ""
    return f"<h1>{html.escape(place.title)}</h1>{about}" if place.title else ""


def _data(known: bytes, nonce: str) -> str:
    """Write JSON into a page: no text in it can end the element that it stands in, or begin another."""
    text = known.decode().replace("<", r"\u003c")
    return f'<script type="application/json" id="known" nonce="{nonce}">{text}</script>'


def _read(folder: Traversable) -> Iterator[tuple[str, Asset]]:
    found = {each.name: each.read_bytes() for each in folder.iterdir()}
    for name, plain in found.items():
        kind = _TYPES.get(name.rpartition(".")[2])
        if kind is not None:
            packed = (_Packed(encoding, found[name + end]) for encoding, end in _ENCODINGS if name + end in found)
            yield name, Asset(kind, plain, tuple(packed))


@get("/assets/{name}", Operation("public", in_api=False))
async def asset(request: Exchange) -> Answer:
    """A file of the web app."""
    assets = request.parts.any(Assets)
    found = assets and assets.named.get(request.part("name"))
    if not found:
        raise NotFound("there is nothing at this path")
    return found.answer(request.header_text(b"accept-encoding", most=200) or "")
