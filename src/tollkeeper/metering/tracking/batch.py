"""Many requests at once: starts that are decided now, and requests that began and ended elsewhere.

They are booked in sets, each a transaction, by the statements that book a single one. A set holds as few users as
possible: what is kept for each user is then written once for many items, and few others wait. Of one user, what has
ended is booked first and then starts are decided, each in the order in which they came; the items of different users do
not know of each other, so two sets are under way at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from tollkeeper.errors import TollkeeperError, Unavailable
from tollkeeper.metering.tracking.lane import LOCKED, ONE_MAY_BE_TO_BLAME
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import NewRequest, Outcome, Started
from tollkeeper.store.database import TryAgain
from tollkeeper.store.patience import firmly

SET_ITEMS: Final = 256
SET_BYTES: Final = 8 * 2**20

_AT_ONCE: Final = 2

Entry: TypeAlias = tuple[NewRequest, Outcome | None]
"""A request, and how it ended if it did."""


class PastRequest(NewRequest, frozen=True, kw_only=True, gc=False):
    """A request that began and ended elsewhere.

    It is known again by all that was said of it: its end (``outcome``) too, and the times that its teller gave
    (``said``), not those that follow from the clock.
    """

    outcome: Outcome
    said: tuple[datetime | None, datetime | None]

    @classmethod
    def of(
        cls,
        new: NewRequest,
        outcome: Outcome,
        *,
        started_at: datetime,
        said: tuple[datetime | None, datetime | None],
    ) -> PastRequest:
        """Make it of what would have been started then."""
        given = msgspec.structs.asdict(new)
        given["started_at"] = started_at
        return cls(**given, outcome=outcome, said=said)

    def payload_hash(self) -> bytes:
        """Tell this request from another under the same id (a digest of 16 bytes)."""
        payload = (
            self.client_id, self.prompt, self.session_id, self.model, self.request_type, self.category, self.complexity,
            self.max_tokens, self.metadata, self.said, self.outcome.payload_hash(), *self.told(),
        )  # fmt: skip
        return hashlib.blake2b(msgspec.json.encode(payload, order="sorted"), digest_size=16).digest()


async def book(ledger: Ledger, entries: Sequence[Entry]) -> list[Started | TollkeeperError]:
    """Book them all and say of each what became of it. What is answered as started is committed.

    When the database goes away, what is not decided by then is told as ``Unavailable``.
    """
    booking = _Booking(ledger, entries)
    await asyncio.gather(*(booking.work(share) for share in _shares(entries)))
    return booking.told


def _shares(entries: Sequence[Entry]) -> list[deque[int]]:
    """Put the places of all entries into shares of about the same length, each user's into one and side by side."""
    of_users: dict[UUID, list[int]] = {}
    for place, (request, _) in enumerate(entries):
        of_users.setdefault(request.user_id, []).append(place)
    shares: list[list[int]] = [[] for _ in range(_AT_ONCE)]
    for _, places in sorted(of_users.items()):
        min(shares, key=len).extend(places)
    # What has ended came before what starts now, and a start is decided by what it left.
    return [deque(sorted(share, key=lambda place: entries[place][1] is None)) for share in shares]


class _Booking:
    """One batch under way: what is told of its entries, by their places."""

    def __init__(self, ledger: Ledger, entries: Sequence[Entry]) -> None:
        self._ledger = ledger
        self._entries = entries
        # Stands wherever nothing else was told.
        self._away: TollkeeperError = Unavailable("nothing is known to have happened: try again")
        self._is_away = False
        self._told: list[Started | TollkeeperError | None] = [None] * len(entries)

    @property
    def told(self) -> list[Started | TollkeeperError]:
        """What became of each."""
        return [self._away if each is None else each for each in self._told]

    async def work(self, waiting: deque[int]) -> None:
        """Decide a share, set by set, until it is empty or the database is away."""
        while waiting and not self._is_away:
            again = await self._settle(self._next_set(waiting))
            waiting.extendleft(reversed(again))

    def _next_set(self, waiting: deque[int]) -> list[int]:
        """Take a set, of starts or of what has ended: in one transaction, all starts are decided before any end."""
        places: list[int] = []
        are_starts = self._is_start(waiting[0])
        room = SET_BYTES
        while waiting and len(places) < SET_ITEMS and room > 0 and self._is_start(waiting[0]) == are_starts:
            place = waiting.popleft()
            room -= _size(self._entries[place])
            places.append(place)
        return places

    def _is_start(self, place: int) -> bool:
        return self._entries[place][1] is None

    async def _settle(self, places: Sequence[int]) -> list[int]:
        """Decide a set; gives those that are to be decided again. One that fails is decided in parts."""
        try:
            told = await firmly(partial(self._ledger.book, [self._entries[place] for place in places]))
        except Exception as error:  # noqa: BLE001 - whatever one set brings, others may have been committed
            return await self._settle_apart(places, _worded(error))
        self._tell(places, told)
        return [place for place, each in zip(places, told, strict=True) if each is None]

    async def _settle_apart(self, places: Sequence[int], error: TollkeeperError) -> list[int]:
        if _is_away(error):
            self._is_away, self._away = True, error
        again: list[int] = []
        parts = self._parts(places, error)
        for part in parts:
            if not self._is_away:
                again += await self._settle(part)
        if not parts:
            self._tell(places, [error] * len(places))
        return again

    def _parts(self, places: Sequence[int], error: TollkeeperError) -> list[Sequence[int]]:
        """Part a set so that in the end only the one to blame stands alone; none if it does."""
        if error.fields.get("sqlstate") == LOCKED:
            # Whoever holds a user's lock holds it for all of their items: nobody should wait for each of them in turn.
            of_users: dict[UUID, list[int]] = {}
            for place in places:
                of_users.setdefault(self._entries[place][0].user_id, []).append(place)
            return list(of_users.values()) if len(of_users) > 1 else []
        middle = len(places) // 2
        return [places[:middle], places[middle:]] if middle else []

    def _tell(self, places: Iterable[int], told: Iterable[Started | TollkeeperError | None]) -> None:
        for place, each in zip(places, told, strict=True):
            self._told[place] = each


def _is_away(error: TollkeeperError) -> bool:
    one_may_be_to_blame = isinstance(error, TryAgain) or error.fields.get("sqlstate") in ONE_MAY_BE_TO_BLAME
    return isinstance(error, Unavailable) and not one_may_be_to_blame


def _worded(error: Exception) -> TollkeeperError:
    if isinstance(error, TollkeeperError):
        return error
    unforeseen = TollkeeperError("")
    unforeseen.__cause__ = error
    return unforeseen


def _size(entry: Entry) -> int:
    request, outcome = entry
    return len(request.prompt) + len((outcome and outcome.response) or "")
