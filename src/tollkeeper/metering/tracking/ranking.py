"""A user's newest requests in the order of what they cost, used or took: a bounded walk, and what comes first of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Literal, Protocol
from uuid import UUID

from tollkeeper.metering.tracking import searching
from tollkeeper.metering.tracking.records import MOST_BYTES, ChatRequest, Page
from tollkeeper.metering.tracking.searching import Match, Wanted
from tollkeeper.store.database import Record, Statements

Figure = Literal["cost", "tokens_used", "duration"]

_LAST_ID: Final = 2**128 - 1


@dataclass(frozen=True, slots=True)
class RankedPlace:
    """Where a page of a ranking ends, and what is ranked: what began from ``oldest`` (None: ever) to ``newest``."""

    figure: int | None
    id: UUID
    newest: UUID
    oldest: UUID | None
    searched_to: datetime | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """Some requests in the order of a figure; those of which it is not known come last.

    ``searched_to`` is told where there are too many to rank them all: these are of what began after that instant.
    """

    items: list[ChatRequest]
    matches: dict[UUID, Match]
    go_on: RankedPlace | None
    searched_to: datetime | None


class _Placed(Protocol):
    @property
    def id(self) -> UUID: ...
    @property
    def figure(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class _Entry:
    id: UUID
    figure: int | None
    place: int


_Key = Callable[[_Placed], tuple[bool, int, int]]


def _highest(entry: _Placed) -> tuple[bool, int, int]:
    return entry.figure is None, -(entry.figure or 0), -entry.id.int


def _lowest(entry: _Placed) -> tuple[bool, int, int]:
    return entry.figure is None, entry.figure or 0, -entry.id.int


@dataclass(slots=True)
class _Ranking:
    """What is ranked so far: of it what comes next, at most so much."""

    key: _Key
    most: int
    after: RankedPlace | None
    newest: UUID | None = None
    oldest: UUID | None = None
    searched_to: datetime | None = None
    best: list[_Entry] = field(default_factory=list[_Entry])

    def __post_init__(self) -> None:
        if self.after is not None:
            self.newest, self.oldest, self.searched_to = self.after.newest, self.after.oldest, self.after.searched_to

    def take(self, part: Record) -> None:
        """Rank what a part of the walk has found, too."""
        found = zip(part["ranked"] or (), part["ranks"] or (), part["ranked_places"] or (), strict=True)
        entries = [_Entry(*each) for each in found]
        self.newest = self.newest or max((each.id for each in entries), default=None)
        self.best = sorted([*self.best, *filter(self._comes, entries)], key=self.key)[: self.most]

    def _comes(self, entry: _Entry) -> bool:
        if self.after is None:
            return True
        return self.key(entry) > self.key(self.after) and (self.oldest is None or entry.id >= self.oldest)

    def place_of(self, entry: _Entry) -> RankedPlace:
        """Say where a page ends with one."""
        return RankedPlace(entry.figure, entry.id, self.newest or entry.id, self.oldest, self.searched_to)


async def rank(
    database: Statements,
    user_id: UUID,
    wanted: Wanted,
    figure: Figure,
    *,
    limit: int,
    after: RankedPlace | None = None,
    lowest_first: bool = False,
) -> Ranked:
    """Rank the newest 20,000 requests, or fewer where 0.3 s are over before, and find at most ``limit`` that fit.

    A page after the first ranks what the first one did. It ends by bytes as a list does.
    """
    ranking = _Ranking(_lowest if lowest_first else _highest, limit + 1, after)
    await _walk(partial(searching.step, database, user_id, wanted, rank=figure, most=0, most_bytes=0), ranking)
    chosen = {each.id: each for each in ranking.best[:limit]}
    rows = await database.all("requests_in_order", user_id=user_id, ids=list(chosen), most_bytes=MOST_BYTES)
    page = Page(rows)
    goes_on = page.goes_on or len(ranking.best) > limit
    return Ranked(
        page,
        searching.matches_of(page, [chosen[each.id].place for each in page], wanted.text),
        ranking.place_of(chosen[page[-1].id]) if page and goes_on else None,
        ranking.searched_to,
    )


async def _walk(walk_by: Callable[..., Awaitable[Record]], ranking: _Ranking) -> None:
    """Walk what is to be ranked: as much as there was time for, or as the page before says."""
    began = time.monotonic()
    after = ranking.after
    beyond: UUID | None = after and UUID(int=min(after.newest.int + 1, _LAST_ID))
    walked, walk = 0, max(searching.SHORTEST_WALK, ranking.most)
    while True:
        part = await walk_by(beyond=beyond, walk=walk)
        ranking.take(part)
        if part["walked"] < walk:
            return
        last: UUID = part["last_id"]
        beyond, walked = last, walked + walk
        if after is not None and (walked >= _MOST_AGAIN or (after.oldest is not None and last <= after.oldest)):
            return
        if after is None and (walked >= searching.MOST_WALKED or time.monotonic() - began > searching.MOST_SECONDS):
            ranking.oldest, ranking.searched_to = beyond, part["last_at"]
            return
        walk = min(4 * walk, searching.LONGEST_WALK)


# The parts of a later page begin and end elsewhere than those of the first.
_MOST_AGAIN: Final = searching.MOST_WALKED + searching.LONGEST_WALK
