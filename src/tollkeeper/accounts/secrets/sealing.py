"""Sealing of secrets: AES-256-GCM, bound to the user and the name they were sealed for."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tollkeeper.accounts.secrets.masterkey import derived, fingerprint_of
from tollkeeper.errors import Misconfigured, TollkeeperError, Unavailable

log = logging.getLogger(__name__)

_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16


class SealBroken(TollkeeperError):
    """A sealed value is not what was sealed for this user and name: changed, cut, moved, or under another key."""

    slug = "seal-broken"
    title = "A secret can no longer be read"


@dataclass(frozen=True, slots=True)
class Sealed:
    """Nonce, ciphertext and tag, and the version of the master key that opens them."""

    content: bytes
    version: int


class KeyNotHere(Unavailable):
    """A secret needs a version of the master key that this process does not have, or not yet."""


class Sealer:
    """Seals under one version of the master key and opens under any that it has or finds when it looks again."""

    def __init__(self, keys: Mapping[int, bytes], *, reload: Callable[[], Mapping[int, bytes]] | None = None) -> None:
        """Take the master keys by version; ``reload`` reads them anew."""
        self._reload = reload
        self._ciphers: dict[int, AESGCM] = {}
        self.fingerprints: dict[int, bytes] = {}
        self._complaint = ""
        self._take(keys)

    def refresh(self) -> None:
        """Look for new versions. Those that are here stay, whatever becomes of the file."""
        if self._reload is None:
            return
        try:
            self._take(self._reload())
            self._complaint = ""
        except Misconfigured as error:
            if error.detail != self._complaint:
                log.warning("the master key is not read anew: %s", error.detail)
            self._complaint = error.detail

    def seal(self, secret: str, *, user_id: UUID, key: str, version: int | None = None) -> Sealed:
        """Seal a secret for a user and a variable's name, under the newest version unless one is named."""
        version = max(self._ciphers) if version is None else version
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound_to = _bound_to(user_id, key, version)
        return Sealed(nonce + self._cipher(version, key).encrypt(nonce, secret.encode(), bound_to), version)

    def open(self, sealed: Sealed, *, user_id: UUID, key: str) -> str:
        """Open what was sealed for this user and name; ``SealBroken`` if it is anything else."""
        cipher = self._cipher(sealed.version, key)
        if len(sealed.content) < _NONCE_BYTES + _TAG_BYTES:
            raise SealBroken(f"the secret {key} is damaged")
        nonce, ciphertext = sealed.content[:_NONCE_BYTES], sealed.content[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, ciphertext, _bound_to(user_id, key, sealed.version)).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise SealBroken(f"the secret {key} is damaged, or was sealed for another user or name") from None

    def refuse_unless(self, version: int, fingerprint: bytes) -> None:
        """Refuse to seal under a version that is not here, or that is another than everybody's."""
        if version not in self.fingerprints:
            self.refresh()
        found = self.fingerprints.get(version)
        if found is None or not hmac.compare_digest(found, fingerprint):
            raise KeyNotHere(f"secrets are sealed under version {version} of the master key, which is not here")

    def _cipher(self, version: int, key: str) -> AESGCM:
        if version not in self._ciphers:
            self.refresh()
        if version not in self._ciphers:
            raise KeyNotHere(f"the secret {key} needs version {version} of the master key, which is not here")
        return self._ciphers[version]

    def _take(self, keys: Mapping[int, bytes]) -> None:
        for version in keys.keys() - self._ciphers.keys():
            self._ciphers[version] = AESGCM(derived(keys[version], purpose=b"tollkeeper variables"))
            self.fingerprints[version] = fingerprint_of(keys[version])


def _bound_to(user_id: UUID, key: str, version: int) -> bytes:
    # Parts of fixed length first: so no two bindings read the same.
    return b"variables" + user_id.bytes + version.to_bytes(4, "big") + key.encode()
