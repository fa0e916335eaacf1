"""One request of an app's user: what is said of it when it starts, and when it ends."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypedDict, Unpack

from tollkeeper_client.flows import Entry

_LONGEST_TEXT_BYTES: Final = 2**20
_LONGEST_ERROR_BYTES: Final = 2**14
_DECIMALS_OF_COST: Final = 9
_NOT_IN_NAMES: Final = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
_NO_CHARACTERS: Final = re.compile("[\0\ud800-\udfff]")


class About(TypedDict, total=False):
    """What may be said of a request when it starts (``POST /api/chat/track``).

    ``max_tokens``: how long the answer may be, in tokens; they are reserved until the request ends.
    """

    request_id: str
    model: str
    session_id: str
    request_type: str
    category: str
    complexity: Literal["low", "medium", "high"]
    max_tokens: int
    metadata: Mapping[str, Any]
    ip_address: str
    user_agent: str


class Outcome(TypedDict, total=False):
    """What may be said of a request when it ends (``PUT /api/chat/track``). ``cost`` in US cents; rating 1 to 5."""

    model: str
    tokens_used: int
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    tokens_cache_write: int
    tokens_reasoning: int
    cost: float | Decimal
    user_rating: int


class Request:
    """A request and its times. ``limits``: of its user, as the service told them; ``None``: it was not asked."""

    def __init__(self, prompt: str, user: str | None, about: About) -> None:
        if user is not None and _NOT_IN_NAMES.search(user):
            raise ValueError("the name of a user has characters that cannot be told")
        self.id: Final = about.get("request_id") or f"c-{uuid.uuid4().hex}"
        self.start: Final = {"prompt": _kept(prompt, _LONGEST_TEXT_BYTES), **_in_json(about), "requestId": self.id}
        self.user: Final = user
        self.limits: Mapping[str, Any] | None = None
        self.is_finished = False
        self._began_at = datetime.now(UTC)
        self._began = time.monotonic()

    def goes_ahead(self, told: Mapping[str, Any] | None) -> None:
        """Begin to count its time, with what the service said if it did."""
        self.limits = None if told is None else told["limits"]
        self._began_at = datetime.now(UTC)
        self._began = time.monotonic()

    def completed(self, response: str | None, **told: Unpack[Outcome]) -> Entry:
        """Say that it succeeded."""
        text = None if response is None else _kept(response, _LONGEST_TEXT_BYTES)
        return self._ended("completed", {"response": text, **_in_json(told)})

    def failed(self, error: str | BaseException, **told: Unpack[Outcome]) -> Entry:
        """Say that it failed. Of an exception its kind is told, for its words may be anybody's."""
        message = error if isinstance(error, str) else type(error).__name__
        return self._ended("failed", {"errorMessage": _kept(message, _LONGEST_ERROR_BYTES), **_in_json(told)})

    def _ended(self, status: str, told: Mapping[str, Any]) -> Entry:
        self.is_finished = True
        lasted = time.monotonic() - self._began
        given = {name: value for name, value in told.items() if value is not None}
        if "cost" in given:
            # 3 * 0.1 has dust behind it, which the service would refuse; a Decimal has no word in JSON.
            given["cost"] = round(float(given["cost"]), _DECIMALS_OF_COST)
        return Entry(
            user=self.user,
            start=self.start,
            finish={"requestId": self.id, "status": status, "duration": round(1_000 * lasted), **given},
            started_at=self._began_at.isoformat(),
            # Not what the clock says by now: one that was set back meanwhile would let it end before it began.
            completed_at=(self._began_at + timedelta(seconds=lasted)).isoformat(),
            was_admitted=self.limits is not None,
        )


def _kept(text: str, most_bytes: int) -> str:
    """Give what can be kept of a text: characters, and so many bytes of them."""
    return _NO_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text).encode()[:most_bytes].decode(errors="ignore")


def _in_json(told: Mapping[str, Any]) -> dict[str, Any]:
    """Name each as JSON does: ``tokens_input`` is ``tokensInput``."""
    return {_camel(name): value for name, value in told.items() if value is not None}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
