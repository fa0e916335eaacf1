"""Finding a user's requests by what they are and say: walked by age, a bounded part for each answer."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal
from uuid import UUID

from tollkeeper.instants import EPOCH, LAST_YEAR
from tollkeeper.metering.tracking.records import MOST_BYTES, ChatRequest
from tollkeeper.metering.tracking.requests import Complexity
from tollkeeper.store.database import Record, Statements
from tollkeeper.store.patience import patiently

__all__ = ["Found", "Match", "Wanted", "every", "matches_of", "search", "step"]

MOST_WALKED: Final = 20_000
MOST_SECONDS: Final = 0.3

SHORTEST_WALK: Final = 100
LONGEST_WALK: Final = 2000
# Of a download: so many requests are held at once, and none behind that whose texts reach so many bytes.
_HELD: Final = 50
_HELD_BYTES: Final = 2**20
# So many letters stand around what is found, but for words that would be cut; a text without spaces is cut anywhere.
_BEFORE: Final = 40
_AFTER: Final = 120
_BEGUN_WORD: Final = re.compile(r"\A\S*\s")
_CUT_WORD: Final = re.compile(r"\s\S*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a request must be; ``None`` is whatever it may be.

    ``text`` stands in the prompt or the response, in small letters or capitals. ``unknown`` (of categories
    ``uncategorized``) stands for none. Money in nano-USD; a request of unknown cost or duration lies in no range of it.
    """

    text: str | None = None
    model: str | None = None
    category: str | None = None
    request_type: str | None = None
    complexity: Complexity | Literal["unknown"] | None = None
    status: Literal["pending", "completed", "failed"] | None = None
    rating: Literal["1", "2", "3", "4", "5", "none", "any"] | None = None
    session_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    least_nanos: int | None = None
    most_nanos: int | None = None
    least_ms: int | None = None
    most_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """Where the text that was looked for stands first in a request, as it is written there, and the words around it."""

    within: Literal["prompt", "response"]
    before: str
    found: str
    after: str


@dataclass(frozen=True, slots=True)
class Found:
    """Some requests that fit, by age, and where each has the text that was looked for, if one was.

    Beyond ``go_on_beyond`` there may be more (None: nothing is left). ``searched_to`` is told where the search was cut
    before there was enough: all that began on this side of that instant has been looked at.
    """

    items: list[ChatRequest]
    matches: dict[UUID, Match]
    go_on_beyond: UUID | None
    searched_to: datetime | None = None


async def search(
    database: Statements,
    user_id: UUID,
    wanted: Wanted,
    *,
    limit: int,
    beyond: UUID | None = None,
    oldest_first: bool = False,
) -> Found:
    """Find at most ``limit`` requests beyond an id, and none behind that whose texts reach ``MOST_BYTES``.

    No answer looks at more than 20,000, or for much more than 0.3 s.
    """
    began = time.monotonic()
    walk_by = partial(step, database, user_id, wanted, oldest_first=oldest_first)
    found: list[ChatRequest] = []
    matches: dict[UUID, Match] = {}
    walked, walk, bytes_left = 0, max(SHORTEST_WALK, limit + 1), MOST_BYTES
    while True:
        part = await walk_by(beyond=beyond, walk=walk, most=limit - len(found), most_bytes=bytes_left)
        fitting = _found(part)
        found += fitting
        matches |= matches_of(fitting, part["places"], wanted.text)
        bytes_left -= part["bytes"]
        if part["goes_on"]:
            return Found(found, matches, found[-1].id)
        if part["walked"] < walk:
            return Found(found, matches, None)
        beyond, walked = part["last_id"], walked + walk
        if walked >= MOST_WALKED or time.monotonic() - began > MOST_SECONDS:
            return Found(found, matches, beyond, part["last_at"])
        walk = min(4 * walk, LONGEST_WALK)


async def every(
    database: Statements, user_id: UUID, wanted: Wanted, *, oldest_first: bool = False
) -> AsyncGenerator[list[ChatRequest]]:
    """Give all requests that fit, some at a time, by age. Newest first, what starts meanwhile is not among them.

    No connection is held while somebody reads what was given. While the database is away or busy it is waited for.
    """
    beyond: UUID | None = None
    walk = _HELD
    walk_by = partial(step, database, user_id, wanted, oldest_first=oldest_first, most=_HELD, most_bytes=_HELD_BYTES)
    while True:
        part = await patiently(partial(walk_by, beyond=beyond, walk=walk))
        found = _found(part)
        is_all, goes_on = part["walked"] < walk, part["goes_on"]
        if goes_on:
            # What was walked beyond these is walked again: where texts are long, not far.
            beyond, walk = found[-1].id, min(2 * len(found), _HELD)
        else:
            beyond, walk = part["last_id"], min(4 * walk, LONGEST_WALK)
        del part
        if found:
            yield found
        if is_all and not goes_on:
            return


async def step(
    database: Statements,
    user_id: UUID,
    wanted: Wanted,
    *,
    oldest_first: bool = False,
    rank: str | None = None,
    **bounds: Any,
) -> Record:
    """Walk a part: from ``beyond`` on at most ``walk`` requests, of which at most so many that fit are read.

    Newest first, the ids of all that fit can be told with a figure by which to ``rank`` them.
    """
    values: dict[str, Any] = asdict(wanted)
    for name in ("since", "until"):
        values[name] = values[name] and min(max(values[name], EPOCH), LAST_YEAR)
    statement = "search_requests_upwards" if oldest_first else "search_requests"
    if not oldest_first:
        values["rank"] = rank
    row = await database.one(statement, user_id=user_id, **bounds, **values)
    assert row is not None  # noqa: S101 - it always answers one row
    return row


def _found(part: Record) -> list[ChatRequest]:
    return [ChatRequest.of(each) for each in part["found"]]


def matches_of(found: list[ChatRequest], places: list[int], text: str | None) -> dict[UUID, Match]:
    """Say where requests have a text, by where the database has found it."""
    if text is None:
        return {}
    found_at = zip(found, places, strict=True)
    matches = {request.id: _match(request, place, text) for request, place in found_at}
    return {id_: match for id_, match in matches.items() if match is not None}


def _match(request: ChatRequest, place: int, text: str) -> Match | None:
    within = "prompt" if place > 0 else "response"
    # Where it is read after the walk it may have been cleared since.
    whole: str = getattr(request, within) or ""
    begin = abs(place) - 1
    end = begin + len(text)
    # Where small letters are more than their capital (İ in some locales), the place is one of another text.
    if not _same(whole[begin:end], text):
        return None
    before, after = whole[max(begin - _BEFORE, 0) : begin], whole[end : end + _AFTER]
    if begin > _BEFORE:
        before = _BEGUN_WORD.sub("", before)
    if end + _AFTER < len(whole):
        after = _CUT_WORD.sub("", after)
    return Match(within, before, whole[begin:end], after)


def _same(one: str, other: str) -> bool:
    """Whether texts are alike but for capitals, letter by letter, as the database compares them."""
    return len(one) == len(other) and all(a.lower()[0] == b.lower()[0] for a, b in zip(one, other, strict=True))
