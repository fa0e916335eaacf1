"""The site that passkeys are for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The site to which browsers bind passkeys: its host, and the origin of the pages that may ask for them."""

    host: str
    origin: str

    @classmethod
    def at(cls, public_url: str) -> RelyingParty:
        """The site at the address where people reach it."""
        parts = urlsplit(public_url)
        # Browsers leave out the port that goes without saying.
        usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
        return cls(parts.hostname or "", f"{parts.scheme}://{parts.netloc.removesuffix(usual)}")
