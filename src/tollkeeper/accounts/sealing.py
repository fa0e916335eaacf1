"""Sealing of secrets: AES-256-GCM, bound to the user and the name they were sealed for."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tollkeeper.accounts.masterkey import derived
from tollkeeper.errors import Misconfigured, TollkeeperError

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


class Sealer:
    """Seals under the current version of the master key and opens under any that it is given."""

    def __init__(self, keys: Mapping[int, bytes], *, current: int | None = None) -> None:
        """Take the master keys by version; the newest is current unless another is named."""
        self._current = max(keys) if current is None else current
        if self._current not in keys:
            raise Misconfigured(f"the master key has no version {self._current}")
        self._ciphers = {
            version: AESGCM(derived(key, purpose=b"tollkeeper variables")) for version, key in keys.items()
        }

    @property
    def versions(self) -> frozenset[int]:
        """Which versions can be opened."""
        return frozenset(self._ciphers)

    def seal(self, secret: str, *, user_id: UUID, key: str) -> Sealed:
        """Seal a secret for a user and a variable's name."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound_to = _bound_to(user_id, key, self._current)
        return Sealed(nonce + self._ciphers[self._current].encrypt(nonce, secret.encode(), bound_to), self._current)

    def open(self, sealed: Sealed, *, user_id: UUID, key: str) -> str:
        """Open what was sealed for this user and name; ``SealBroken`` if it is anything else."""
        cipher = self._ciphers.get(sealed.version)
        if cipher is None:
            raise SealBroken(
                f"the secret {key} is sealed under version {sealed.version} of the master key, which is not here"
            )
        if len(sealed.content) < _NONCE_BYTES + _TAG_BYTES:
            raise SealBroken(f"the secret {key} is damaged")
        nonce, ciphertext = sealed.content[:_NONCE_BYTES], sealed.content[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, ciphertext, _bound_to(user_id, key, sealed.version)).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise SealBroken(f"the secret {key} is damaged, or was sealed for another user or name") from None


def _bound_to(user_id: UUID, key: str, version: int) -> bytes:
    # Parts of fixed length first: so no two bindings read the same.
    return b"variables" + user_id.bytes + version.to_bytes(4, "big") + key.encode()
