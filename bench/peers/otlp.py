"""Chat requests as OpenTelemetry spans: one trace of one span each, with OpenInference's attributes, in OTLP protobuf.

Both peers read these attributes: Phoenix by birth, MLflow by translation. Only ids, times and users differ between two
spans of the same recorded request, so that all else is encoded once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bench.bodies import Real, real_requests

_OK: Final = b"\x7a\x02\x18\x01"  # status { code: OK }
_INTERNAL: Final = b"\x30\x01"  # kind


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _attribute(key: str, value: str | int) -> bytes:
    any_value = _field(1, value.encode()) if isinstance(value, str) else b"\x18" + _varint(value)
    return _field(1, key.encode()) + _field(2, any_value)


_RESOURCE: Final = _field(1, _field(1, _attribute("openinference.project.name", "default")))
_SCOPE: Final = _field(1, _field(1, b"bench"))


@dataclass(frozen=True, slots=True)
class Template:
    """A span of one recorded request, all but its ids, times and user."""

    rest: bytes
    duration_ms: int

    def span(self, trace_id: bytes, started_ms: int, user: str) -> bytes:
        """Fill it in, as a field of ScopeSpans."""
        began = (started_ms * 1_000_000).to_bytes(8, "little")
        ended = ((started_ms + self.duration_ms) * 1_000_000).to_bytes(8, "little")
        ids = b"\x0a\x10" + trace_id + b"\x12\x08" + secrets.token_bytes(8)
        whose = _field(9, _attribute("user.id", user))
        return _field(2, ids + b"\x39" + began + b"\x41" + ended + whose + self.rest)


def templates() -> list[Template]:
    """Encode all recorded requests."""
    return [Template(_rest(real), real.duration_ms) for real in real_requests()]


def export(spans: Iterable[bytes]) -> bytes:
    """Make the body of one call."""
    return _field(1, _RESOURCE + _field(2, _SCOPE + b"".join(spans)))


def _rest(real: Real) -> bytes:
    attributes: dict[str, str | int] = {
        "openinference.span.kind": "LLM",
        "llm.model_name": real.model,
        "input.value": real.prompt,
        "output.value": real.response,
        "llm.token_count.prompt": real.tokens_input,
        "llm.token_count.completion": real.tokens_output,
        "llm.token_count.total": real.tokens_input + real.tokens_output,
        "tag.category": real.category,
    }
    if real.session_id:
        attributes["session.id"] = real.session_id
    encoded = b"".join(_field(9, _attribute(key, value)) for key, value in attributes.items())
    return _field(5, b"chat") + _INTERNAL + encoded + _OK
