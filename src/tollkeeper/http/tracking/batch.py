"""Many chat requests in one call: what a service has served and tells afterwards, and starts to be decided."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast
from uuid import UUID

import msgspec

from tollkeeper.accounts import users
from tollkeeper.errors import LimitReached, NotReadable, NotUnderstood, TollkeeperError, TooLarge, Unavailable
from tollkeeper.http import problems
from tollkeeper.http.addresses import address_of_client
from tollkeeper.http.body import shown
from tollkeeper.http.docs import examples
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.measures import Measures
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import post
from tollkeeper.http.shapes import Said, shaped
from tollkeeper.http.tracking.batch_wire import BatchItem, BatchTracked, BatchVerdict
from tollkeeper.http.tracking.items import MOST_UNPACKED_BYTES, Turns, items_of_array, items_of_lines, unzipped
from tollkeeper.metering.tracking import batch
from tollkeeper.metering.tracking.batch import Entry
from tollkeeper.metering.tracking.requests import Started
from tollkeeper.store.database import Database
from tollkeeper.store.patience import firmly

log = logging.getLogger(__name__)

MOST_ITEMS: Final = 10_000
MOST_AT_ONCE: Final = 2

_FORMATS: Final[dict[bytes, Callable[[bytes], Iterator[Any]]]] = {
    b"application/json": items_of_array,
    b"application/x-ndjson": items_of_lines,
    b"application/jsonl": items_of_lines,
}
_USERS_AT_ONCE: Final = 250

BATCH: Final = Operation(
    "track",
    summary="Record many requests of many users in one call",
    takes=BatchItem,
    takes_many=True,
    takes_room=True,
    headers={"Content-Encoding": "`gzip`, or left out."},
    gives={200: BatchTracked},
    examples=examples.BATCH,
    creates_user=True,
)


@post("/api/chat/track/batch", BATCH)
async def track_batch(request: Exchange) -> Answer:
    """Take a JSON array, or one item on each line, plain or gzip: at most 10,000 items and 64 MiB unpacked.

    An item without `status` is started, and the plan decides it now, as a single start. One with `status` has ended
    elsewhere: it is booked at its own times, counts in its own day and month, and is never refused by a limit. Without
    `startedAt` it began its `duration` before `completedAt`, without either it ended now. Of one user, what has ended
    is booked first, and then starts are decided, each in the order of the batch.

    Each item gets a verdict, in order, and none keeps another from being booked. With a `requestId` an item is booked
    once, however often it is sent: so the whole call may be repeated whenever its answer was lost.
    """
    request.asked(Said)
    if request.only_header(b"idempotency-key") is not None:
        raise NotUnderstood(
            "what is to happen once is said by each item's requestId: leave out the header Idempotency-Key",
            field="Idempotency-Key",
        )
    items_of = _FORMATS.get(request.body_type)
    if items_of is None:
        raise NotReadable("a batch is sent as application/json, application/x-ndjson or application/jsonl")
    raw = await request.raw(most=MOST_UNPACKED_BYTES, gzip=True)
    with _UnderWay.one_more():
        return Answer.of(await _Call(request).tracked(items_of, raw))


class _UnderWay:
    """How many batches this process has in its hands."""

    count = 0

    @classmethod
    @contextmanager
    def one_more(cls) -> Generator[None]:
        if cls.count >= MOST_AT_ONCE:
            raise Unavailable(f"{MOST_AT_ONCE} batches are under way on this node already", retry_after_seconds=2)
        cls.count += 1
        try:
            yield
        finally:
            cls.count -= 1


class _Call:
    """One batch on its way through: items become entries of the ledger, errors become verdicts in their places."""

    def __init__(self, request: Exchange) -> None:
        self._request = request
        self._backend = request.backend
        self._turns = Turns()
        self._addresses: dict[str, str] = {}
        self._address = address_of_client(request.call, request.backend.trusted_proxies)
        self._browser = request.user_agent

    async def tracked(self, items_of: Callable[[bytes], Iterator[Any]], raw: bytes) -> BatchTracked:
        """Read all, then book all, then say what became of each."""
        body = await unzipped(raw, self._turns) if self._request.encoding == b"gzip" else raw
        now: datetime = await self._backend.database.value("database_instant")
        said = await self._read(items_of(body), now)
        places = [place for place, item in enumerate(said) if isinstance(item, BatchItem)]
        entries = await self._entries([cast("BatchItem", said[place]) for place in places], now)
        booked = await batch.book(self._backend.ledger, entries)
        if booked and not any(isinstance(each, Started) for each in booked):
            _refuse_if_away(booked)
        self._count(entries, booked)
        told: list[Started | TollkeeperError | None] = [None] * len(said)
        for place, each in zip(places, booked, strict=True):
            told[place] = each
        return BatchTracked.of([await self._verdict(*each) for each in zip(range(len(said)), said, told, strict=True)])

    def _count(self, entries: Sequence[Entry], booked: Sequence[Started | TollkeeperError]) -> None:
        new = [
            entry
            for entry, told in zip(entries, booked, strict=True)
            if isinstance(told, Started) and not told.replayed
        ]
        self._backend.pulse.started(len(new))
        self._backend.pulse.finished(sum(outcome is not None for _, outcome in new))

    async def _read(self, items: Iterator[Any], now: datetime) -> list[BatchItem | _Unreadable]:
        said: list[BatchItem | _Unreadable] = []
        for item in items:
            if len(said) == MOST_ITEMS:
                raise TooLarge(f"a batch has at most {MOST_ITEMS:,} items", limit=MOST_ITEMS)
            said.append(self._item(item, now))
            await self._turns.pass_on()
        return said

    def _item(self, item: Any, now: datetime) -> BatchItem | _Unreadable:
        try:
            if isinstance(item, TollkeeperError):
                raise item
            said = shaped(item, BatchItem)
            said.refuse_what_cannot_be(now)
            if said.user not in self._addresses:
                self._addresses[said.user] = users.address_of(said.user, field="user")
        except TollkeeperError as error:
            return _Unreadable(error, _named(item))
        return said

    async def _entries(self, items: list[BatchItem], now: datetime) -> list[Entry]:
        user_ids = await _user_ids(self._backend.database, sorted({self._addresses[each.user] for each in items}))
        entries: list[Entry] = []
        for each in items:
            user_id = user_ids[self._addresses[each.user]]
            entries.append(each.as_entry(user_id, now=now, ip_address=self._address, user_agent=self._browser))
            await self._turns.pass_on()
        return entries

    async def _verdict(
        self, index: int, said: BatchItem | _Unreadable, told: Started | TollkeeperError | None
    ) -> BatchVerdict:
        await self._turns.pass_on()
        if isinstance(said, _Unreadable):
            return self._problem(index, said.error, said.request_id)
        if isinstance(told, Started):
            return BatchVerdict.of_started(index, said, told)
        return self._problem(index, told or TollkeeperError(""), said.request_id)

    def _problem(self, index: int, error: TollkeeperError, request_id: str | None) -> BatchVerdict:
        request = self._request
        if isinstance(error, LimitReached):
            request.the(Measures).note_refusal(error.fields["limit"])
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("item %d of a batch (trace %s)", index, request.trace_id, exc_info=error)
        document = problems.document(error, request.path, request.trace_id)
        return BatchVerdict.of_problem(index, error, document, request_id)


class _Unreadable(msgspec.Struct, frozen=True):
    error: TollkeeperError
    request_id: str | None


def _named(item: Any) -> str | None:
    """Give the request id of an item that cannot be read, so that its sender knows it again."""
    named = cast("dict[str, Any]", item).get("requestId") if isinstance(item, dict) else None
    return shown(named) if isinstance(named, str) else None


def _refuse_if_away(booked: list[Started | TollkeeperError]) -> None:
    """Say of the whole that the database is away, if that is why nothing was booked."""
    for each in booked:
        if isinstance(each, Unavailable):
            raise each


async def _user_ids(database: Database, addresses: list[str]) -> dict[str, UUID]:
    """Find the users of these addresses, and make those that there are none of."""
    found: dict[str, UUID] = {}
    for start in range(0, len(addresses), _USERS_AT_ONCE):
        some = addresses[start : start + _USERS_AT_ONCE]
        rows = await database.all("users_of_emails", emails=some)
        known: dict[str, UUID] = {row["email"]: row["user_id"] for row in rows}
        if new := [each for each in some if each not in known]:
            known |= await firmly(partial(users.of_emails_or_new, database, new))
        found |= known
    return found
