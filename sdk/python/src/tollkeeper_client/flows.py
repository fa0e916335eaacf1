"""What is said to the service and what its answers mean. How it is said is for those who drive it.

A flow yields calls to be made and pauses to be kept, and is sent the reply to each call, ``None`` if none came.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from tollkeeper_client.errors import LimitReached, Refused, Unavailable

T = TypeVar("T")

TRACK: Final = "/api/chat/track"
BATCH: Final = "/api/chat/track/batch"

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
# What the last call of a start has at least: no pause takes the rest of the patience.
_LAST_CALL: Final = 0.05
_NOT_FOUND: Final = 404
_FIRST_REDIRECT: Final = 300
_FIRST_NO: Final = 400
_FIRST_FAILURE: Final = 500
_TOO_MANY: Final = 429
_TIMED_OUT: Final = 408
# What those on the way say, too: who calls, that it is forbidden or nowhere, who calls them.
_OFTEN_OTHERS: Final = frozenset({401, 403, _NOT_FOUND, 407})
_OURS: Final = "/problems/"
_LIMIT_REACHED: Final = f"{_OURS}limit-reached"


@dataclass(frozen=True, slots=True)
class Ask:
    """One call; ``user`` is whom it is for, if the key acts for many. ``seconds``: nobody waits for it longer."""

    method: str
    path: str
    body: Any
    user: str | None
    seconds: float = math.inf


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; ``retry_after`` in seconds, 0 where it does not say.

    ``body`` is empty where it is no JSON object: then somebody on the way has answered.
    """

    status: int
    body: Mapping[str, Any]
    retry_after: float = 0.0

    @property
    def is_unavailable(self) -> bool:
        """Tell whether the same call may succeed later: nobody answered, or somebody on the way to the service."""
        if self.status < _FIRST_NO:
            return self.status >= _FIRST_REDIRECT or self.body.get("success") is not True
        if self.status == _TOO_MANY:
            return self.body.get("type") != _LIMIT_REACHED
        if self.status in _OFTEN_OTHERS:
            return not str(self.body.get("type")).startswith(_OURS)
        return self.status >= _FIRST_FAILURE or self.status == _TIMED_OUT


@dataclass(frozen=True, slots=True)
class Pause:
    """Some seconds in which nothing is done."""

    seconds: float


Flow: TypeAlias = Generator[Ask | Pause, Reply | None, T]


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that has ended: all that is needed to tell of it, also to a service that never heard of its start.

    ``was_admitted``: the service said yes to the start. Times are RFC 3339.
    """

    user: str | None
    start: Mapping[str, Any]
    finish: Mapping[str, Any]
    started_at: str
    completed_at: str
    was_admitted: bool


def ask_to_start(start: Mapping[str, Any], user: str | None, patience: float) -> Flow[Mapping[str, Any]]:
    """Ask whether a request may go ahead. ``Refused``: no; ``Unavailable``: nobody said so within ``patience``."""
    until = time.monotonic() + patience
    pause = _FIRST_PAUSE
    reply = None
    while (left := until - time.monotonic()) > 0:
        reply = yield Ask("POST", TRACK, start, user, seconds=left)
        if reply is not None and not reply.is_unavailable:
            return _yes(reply)
        if (rest := until - time.monotonic() - _LAST_CALL) <= 0:
            break
        yield Pause(min(rest, max(pause, 0.0 if reply is None else reply.retry_after)))
        pause = min(2 * pause, _LONGEST_PAUSE)
    instead = "nobody answered" if reply is None else f"the last answer was {reply.status}"
    raise Unavailable(f"the service did not say within {patience:g} seconds whether it may go ahead: {instead}")


def tell(entry: Entry) -> Flow[Mapping[str, Any] | None]:
    """Tell how a request ended; ``None`` if nobody heard. However often it is told, it counts once.

    ``Refused``: it is never taken.
    """
    reply = yield Ask("PUT", TRACK, entry.finish, entry.user)
    if reply is None or reply.is_unavailable:
        return None
    if reply.status != _NOT_FOUND or entry.was_admitted:
        return _yes(reply)
    # It never heard of the start, or is not known to: what has ended elsewhere is booked at its own time.
    times = {"startedAt": entry.started_at, "completedAt": entry.completed_at}
    item = {**entry.start, **entry.finish, **times, "user": entry.user}
    reply = yield Ask("POST", BATCH, [item], None)
    if reply is None or reply.is_unavailable:
        return None
    (verdict,) = _yes(reply)["results"]
    problem = verdict.get("problem")
    if verdict["verdict"] == "unavailable":
        return None
    if problem is not None:
        raise Refused(problem["status"], problem)
    return verdict


def _yes(reply: Reply) -> Mapping[str, Any]:
    """Give the body of a yes."""
    if reply.status < _FIRST_NO:
        return reply.body
    raise (LimitReached if reply.status == _TOO_MANY else Refused)(reply.status, reply.body)
