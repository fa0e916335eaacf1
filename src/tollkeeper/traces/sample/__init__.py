"""Real requests for the demo: what others recorded, given to made-up users and moved so that it ends now."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from tollkeeper.traces import PastRequest, read

__all__ = ["SAMPLE_NOTE", "SAMPLE_PRICES", "SampleRequest", "SampleUser", "sample", "sample_users"]

SAMPLE_NOTE: Final = """\
The demo shows real requests. Who made them is made up, and when is moved:
- 419 calls to OpenAI, Anthropic, Groq and others with their texts, which the tests of OpenLLMetry recorded on 55 days
  from 2024 to 2026. The days without a recording are left out.
- 400 requests to ChatGPT and GPT-4 on a campus, 17 of them failed (BurstGPT). The trace has no texts.
- 1,107 questions to a university's assistant: the 156 longest conversations of a week (RAGPulse). The trace has neither
  texts nor a model, so they have no price.
Each of the three is moved as a whole, so that its last answer comes now. ChatGPT is priced as gpt-3.5-turbo.
"""

SAMPLE_PRICES: Final = """\
# BurstGPT calls GPT-3.5 by the name of its product.
[prices."ChatGPT"]
input = 0.50
output = 1.50
"""
"""A price file for the name that only BurstGPT gives a model."""

_HERE: Final = Path(__file__).parent
_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)
_SHORTEST_CONVERSATION: Final = 5
# Requests in any day and any 30 days: a little less than the plans allow, so that everybody has some left.
_ROOM: Final[Mapping[str, tuple[int, int] | None]] = {"free": (8, 90), "pro": (45, 900), "enterprise": None}


@dataclass(frozen=True, slots=True)
class SampleUser:
    """A made-up person and the plan that they are on."""

    email: str
    plan: str


class SampleRequest(NamedTuple):
    """A real request and the user that it is given to."""

    email: str
    plan: str
    request: PastRequest


_CALLERS: Final = (
    SampleUser("ada@example.com", "pro"),
    SampleUser("linus@example.com", "free"),
    SampleUser("grace@example.com", "enterprise"),
)
_CAMPUS: Final = (SampleUser("alan@example.com", "enterprise"),)
_STUDENTS: Final = (
    SampleUser("katherine@example.com", "pro"),
    SampleUser("tim@example.com", "free"),
    SampleUser("margaret@example.com", "pro"),
    SampleUser("dennis@example.com", "free"),
    SampleUser("barbara@example.com", "enterprise"),
)


def sample_users() -> tuple[SampleUser, ...]:
    """List everybody who gets requests."""
    return _CALLERS + _CAMPUS + _STUDENTS


def sample(ending_at: datetime) -> list[SampleRequest]:
    """Give the sample in the order of time, its last answer at ``ending_at``."""
    given = [
        *_given(_moved(_without_idle_days(_recorded("tollkeeper", "openllmetry.jsonl.gz")), ending_at), _CALLERS),
        *_given(_moved(_recorded("burstgpt", "burstgpt_1_first400.csv"), ending_at), _CAMPUS),
        *_given(_moved(_conversations(_recorded("ragpulse", "ragpulse_trace.jsonl.gz")), ending_at), _STUDENTS),
    ]
    return sorted(given, key=lambda each: each.request.started_at)


def _recorded(format: str, name: str) -> list[PastRequest]:  # noqa: A002
    return sorted(read(format, _HERE / name), key=lambda request: (request.started_at, request.row))


def _without_idle_days(requests: list[PastRequest]) -> list[PastRequest]:
    days = sorted({request.started_at.date() for request in requests})
    idle = {day: days[-1] - day - place * _DAY for place, day in enumerate(reversed(days))}
    return [replace(request, started_at=request.started_at + idle[request.started_at.date()]) for request in requests]


def _conversations(requests: list[PastRequest]) -> list[PastRequest]:
    turns = Counter(request.session_id for request in requests)
    return [request for request in requests if turns[request.session_id] >= _SHORTEST_CONVERSATION]


def _moved(requests: list[PastRequest], ending_at: datetime) -> list[PastRequest]:
    last = max(request.started_at + timedelta(milliseconds=request.duration_ms or 0) for request in requests)
    return [replace(request, started_at=request.started_at + (ending_at - last)) for request in requests]


def _given(requests: list[PastRequest], users: tuple[SampleUser, ...]) -> Iterator[SampleRequest]:
    """Give each conversation to the first user who has room for it, beginning with one that its name points to."""
    conversations: defaultdict[str, list[PastRequest]] = defaultdict(list)
    for request in requests:
        conversations[request.session_id or f"row {request.row}"].append(request)
    taken: dict[SampleUser, list[datetime]] = {user: [] for user in users}
    for name, turns in conversations.items():
        first = zlib.crc32(name.encode()) % len(users)
        starts = [turn.started_at for turn in turns]
        user = next(user for user in users[first:] + users[:first] if _has_room(user, [*taken[user], *starts]))
        taken[user] += starts
        yield from (SampleRequest(user.email, user.plan, turn) for turn in turns)


def _has_room(user: SampleUser, starts: list[datetime]) -> bool:
    room = _ROOM[user.plan]
    return room is None or (_most_within(_DAY, starts) <= room[0] and _most_within(_MONTH, starts) <= room[1])


def _most_within(span: timedelta, starts: Iterable[datetime]) -> int:
    window: deque[datetime] = deque()
    most = 0
    for start in sorted(starts):
        window.append(start)
        while window[0] <= start - span:
            window.popleft()
        most = max(most, len(window))
    return most
