"""The built web app: read whole at the start, so that no request ever names a file."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple, Self

from litestar import get

from tollkeeper.errors import NotFound
from tollkeeper.http.exchange import Answer, Exchange, Header
from tollkeeper.http.operation import Operation

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
_REFUSED: Final = re.compile(r"q=0(\.0*)?$")
_FOR_EVER: Final[Header] = (b"cache-control", b"public, max-age=31536000, immutable")
_HTML: Final[Header] = (b"content-type", b"text/html; charset=utf-8")


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
            if _reads(accepted, encoding):
                return Answer(body, headers=(*headers, (b"content-encoding", encoding.encode())))
        return Answer(self.plain, headers=headers)


@dataclass(frozen=True, slots=True)
class Assets:
    """The page of the app, in which a nonce is yet to be written, and all that it loads, by name."""

    index: str
    named: Mapping[str, Asset]

    @classmethod
    def packaged(cls) -> Self | None:
        """Read what is in the package; ``None`` where the app was not built."""
        built = files("tollkeeper") / "web"
        index = built / "index.html"
        return cls(index.read_text(encoding="utf-8"), dict(_read(built / "assets"))) if index.is_file() else None

    def page(self) -> Answer:
        """The app's page. Only what carries this answer's nonce, or comes from here as a file, runs or styles."""
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
            "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )
        text = self.index.replace(_PLACEHOLDER, nonce)
        return Answer(text.encode(), headers=(_HTML, (b"content-security-policy", policy.encode())))


def _read(folder: Traversable) -> Iterator[tuple[str, Asset]]:
    found = {each.name: each.read_bytes() for each in folder.iterdir()}
    for name, plain in found.items():
        kind = _TYPES.get(name.rpartition(".")[2])
        if kind is not None:
            packed = (_Packed(encoding, found[name + end]) for encoding, end in _ENCODINGS if name + end in found)
            yield name, Asset(kind, plain, tuple(packed))


def _reads(accepted: str, encoding: str) -> bool:
    for part in accepted.split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() == encoding:
            return not _REFUSED.match(weight.strip())
    return False


@get("/assets/{name:str}", opt=Operation("public", in_api=False).as_opt())
async def asset(request: Exchange) -> Answer:
    """A file of the web app."""
    found = request.assets and request.assets.named.get(request.scope["path_params"]["name"])
    if not found:
        raise NotFound("there is nothing at this path")
    return found.answer(request.header_text(b"accept-encoding", most=200) or "")
