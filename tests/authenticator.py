"""A device with passkeys, in software: for tests it does what browsers and security keys do (WebAuthn level 3)."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_PRESENT: Final = 0x01
_VERIFIED: Final = 0x04
_MAY_BE_SYNCED: Final = 0x08
_IS_SYNCED: Final = 0x10
_ATTESTED: Final = 0x40


@dataclass(slots=True)
class Key:
    """One passkey, with its secret half."""

    id: bytes
    secret: ec.EllipticCurvePrivateKey
    user: bytes
    count: int = 0


@dataclass(slots=True)
class Authenticator:
    """A device before a page of ``origin``, for the site ``host``.

    ``counts``: its signatures. ``verifies``: asks for a finger or a code. ``synced``: its passkeys are copied.
    """

    origin: str
    host: str
    counts: bool = True
    verifies: bool = True
    synced: bool = False
    keys: list[Key] = field(default_factory=list[Key])

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """Make a passkey, as ``navigator.credentials.create`` does."""
        key = Key(secrets.token_bytes(16), ec.generate_private_key(ec.SECP256R1()), _bytes(options["user"]["id"]))
        self.keys.append(key)
        return self.attest(key, options)

    def attest(self, key: Key, options: dict[str, Any]) -> dict[str, Any]:
        """Show the public half of a passkey."""
        numbers = key.secret.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(key.id).to_bytes(2) + key.id + cbor2.dumps(public)
        told: dict[str, Any] = {"fmt": "none", "attStmt": {}, "authData": self._about(key, _ATTESTED) + attested}
        response = {
            "clientDataJSON": self._client("webauthn.create", options),
            "attestationObject": _text(cbor2.dumps(told)),
            "transports": ["internal", "hybrid"],
        }
        return _credential(key, response)

    def use(self, options: dict[str, Any], key: Key | None = None) -> dict[str, Any]:
        """Sign with the newest passkey or another one, as ``navigator.credentials.get`` does."""
        key = key or self.keys[-1]
        key.count += self.counts
        client, about = self._client("webauthn.get", options), self._about(key)
        signature = key.secret.sign(about + hashlib.sha256(_bytes(client)).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": client,
            "authenticatorData": _text(about),
            "signature": _text(signature),
            "userHandle": _text(key.user),
        }
        return _credential(key, response)

    def _client(self, kind: str, options: dict[str, Any]) -> str:
        told = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return _text(json.dumps(told).encode())

    def _about(self, key: Key, flags: int = 0) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verifies else 0) | (_MAY_BE_SYNCED | _IS_SYNCED if self.synced else 0)
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + key.count.to_bytes(4)


def _credential(key: Key, response: dict[str, Any]) -> dict[str, Any]:
    told = {"id": _text(key.id), "rawId": _text(key.id), "type": "public-key", "response": response}
    return told | {"authenticatorAttachment": "platform", "clientExtensionResults": {}}


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")
