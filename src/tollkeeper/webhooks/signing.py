"""Signatures of Standard Webhooks, and the secrets they are made with: derived, and kept nowhere."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

_PREFIX: Final = "whsec_"
_GENERATION_BYTES: Final = 4


def secret_of(root: bytes, endpoint_id: UUID, generation: int) -> bytes:
    """Derive the secret of an endpoint: 32 bytes, others for each endpoint and each rotation of its secret."""
    return hmac.digest(root, endpoint_id.bytes + generation.to_bytes(_GENERATION_BYTES, "big"), "sha256")


def secrets_of(root: bytes, endpoint_id: UUID, generation: int, *, is_rotating: bool) -> list[bytes]:
    """Derive what signs: the secret, and for as long as receivers may still know it the one before."""
    generations = (generation, generation - 1) if is_rotating else (generation,)
    return [secret_of(root, endpoint_id, each) for each in generations]


def shown(secret: bytes) -> str:
    """Write a secret as receivers configure it."""
    return _PREFIX + base64.b64encode(secret).decode()


def message_id(event_id: UUID) -> str:
    """Name an event to receivers: the same in each try. It has no dot, which parts what is signed."""
    return f"evt_{event_id}"


def headers(name: str, at: datetime, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Sign a message, once with each secret; receivers take it if they know one of them."""
    timestamp = str(int(at.timestamp()))
    signed = b".".join((name.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(each, signed, "sha256")).decode() for each in secrets)
    return {
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }
