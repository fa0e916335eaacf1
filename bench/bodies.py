"""What the load says: the texts, models and tokens of real requests, encoded before anything is measured.

They are those of the package's sample data (src/tollkeeper/traces/sample) that have a prompt and a response: calls to
OpenAI, Anthropic, Groq and others that the tests of OpenLLMetry recorded. A user keeps to one model and category, as
people do, so that a user's rollups are few; bigger groups get more users.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import msgspec

from tollkeeper.metering.pricing import rates_for
from tollkeeper.traces.sample import sample

_ENDING_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DURATION_MS: Final = 1000  # where the recording lacks one


@dataclass(frozen=True, slots=True)
class Real:
    """What one recorded request said and used."""

    prompt: str
    response: str
    session_id: str | None
    model: str
    category: str
    tokens_input: int
    tokens_output: int
    duration_ms: int

    @property
    def text_bytes(self) -> int:
        """How long prompt and response are in UTF-8."""
        return len(self.prompt.encode()) + len(self.response.encode())

    def started(self) -> dict[str, Any]:
        """Say the body of a start."""
        body = {"prompt": self.prompt, "model": self.model, "category": self.category}
        return body | ({"sessionId": self.session_id} if self.session_id else {})

    def finished(self) -> dict[str, Any]:
        """Say the body of a finish, all but its request's id."""
        return {
            "status": "completed",
            "response": self.response,
            "tokensInput": self.tokens_input,
            "tokensOutput": self.tokens_output,
            "duration": self.duration_ms,
        }


@cache
def real_requests() -> tuple[Real, ...]:
    """Give the recorded requests with texts, those of a model and category side by side."""
    found = [
        Real(
            each.prompt, each.response, each.session_id, each.model or "", each.category or "",
            each.input_tokens or 0, each.output_tokens or 0, each.duration_ms or _DURATION_MS,
        )
        for _, _, each in sample(_ENDING_AT)
        if each.prompt and each.response and each.model and each.category and each.status == "completed"
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda real: (real.model, real.category)))


@cache
def groups() -> tuple[tuple[int, int], ...]:
    """Give the first place and the number of the requests of each model and category, biggest first."""
    places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, real in enumerate(real_requests()):
        places[real.model, real.category].append(place)
    return tuple(sorted(((held[0], len(held)) for held in places.values()), key=lambda group: -group[1]))


def group_of(user: int, users: int) -> tuple[int, int]:
    """Tell from which requests a user's are chosen, the users counted from 0."""
    real = real_requests()
    place = user * len(real) // users
    return next((first, size) for first, size in groups() if first <= place < first + size)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bodies of one recorded request as bytes; a request's id goes between ``finish_head`` and ``finish_tail``."""

    start: bytes
    finish_head: bytes
    finish_tail: bytes


def encoded(characters: int | None = None) -> list[Encoded]:
    """Encode all recorded requests, or as many with so many characters of text each."""
    return [
        Encoded(
            msgspec.json.encode(real.started()),
            b'{"requestId":"',
            b'",' + msgspec.json.encode(real.finished())[1:],
        )
        for real in (real_requests() if characters is None else _of_length(characters))
    ]


def _of_length(characters: int) -> list[Real]:
    """Cut the real texts, one behind the other, into prompts and responses that have so many characters together."""
    texts = "\n".join(f"{real.prompt}\n{real.response}" for real in real_requests())
    half = characters // 2
    return [
        replace(real, prompt=texts[at : at + half], response=texts[at + half : at + characters])
        for at, real in zip(range(0, len(texts) - characters, characters), real_requests(), strict=False)
    ]


def mean_text_bytes(requests: Sequence[Real]) -> float:
    """How long prompt and response are together, on average."""
    return sum(real.text_bytes for real in requests) / len(requests)


def described() -> dict[str, Any]:
    """Say what the bodies are, for the page."""
    requests = real_requests()
    sizes = sorted(real.text_bytes for real in requests)
    return {
        "requests": len(requests),
        "groups": len(groups()),
        "meanTextBytes": round(mean_text_bytes(requests)),
        "medianTextBytes": sizes[len(sizes) // 2],
        "largestTextBytes": sizes[-1],
    }


def table_rows() -> list[tuple[Any, ...]]:
    """Give the rows of ``bench_bodies`` (see sql/prepare.sql), from which pgbench takes what it writes."""
    return [
        (
            place, real.prompt, real.response, real.session_id, real.model, real.category, real.tokens_input,
            real.tokens_output, real.duration_ms, math.ceil(len(real.prompt.encode()) / 4), _rates(real.model),
        )
        for place, real in enumerate(real_requests(), 1)
    ]  # fmt: skip


def _rates(model: str) -> str | None:
    rates = rates_for(model, datetime.now(UTC))
    return None if rates is None else msgspec.json.encode(rates.as_json()).decode()
