"""Booking requests that were made elsewhere, in sets: a set that is refused is halved until its bad row stands alone.

A set is one transaction and each row is known again by its import key, so whoever is interrupted begins anew: what was
booked is skipped, nothing is booked twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeAlias, TypeVar
from uuid import UUID

from tollkeeper.errors import Invalid, KeyReused, TollkeeperError, Unavailable
from tollkeeper.instants import EPOCH
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import NewRequest, Outcome
from tollkeeper.metering.upkeep.retention import retained
from tollkeeper.store.database import Statements, Transaction
from tollkeeper.store.patience import patiently

__all__ = ["Booked", "Importer", "Past", "Refused", "in_sets"]

Row = TypeVar("Row")
Done = TypeVar("Done")
Welcome: TypeAlias = Callable[[Transaction, Sequence[str]], Awaitable[Mapping[str, UUID]]]
"""Finds or makes the users of canonical addresses."""

SET_ROWS: Final = 500
SET_BYTES: Final = 8 * 2**20

# A server that is restarted is back by then.


@dataclass(frozen=True, slots=True)
class Past:
    """One row of a foreign record. Without ``outcome`` it is still pending.

    ``id`` is what the request was called where it was recorded, which may be here. ``newcomer`` is the address of a
    user who is not there yet, and for whom the user's id in ``request`` stands in.
    """

    row: int
    request: NewRequest
    outcome: Outcome | None
    id: UUID | None = None
    newcomer: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that could not be booked, and why."""

    row: int
    error: TollkeeperError


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of some rows. Skipped ones had been booked before."""

    imported: int = 0
    skipped: int = 0
    refused: tuple[Refused, ...] = ()

    def __add__(self, other: Booked) -> Booked:
        return Booked(self.imported + other.imported, self.skipped + other.skipped, self.refused + other.refused)


class Importer:
    """Books rows through the ledger. ``owner`` is the database as its owner, who alone may make partitions.

    Of pruned requests only names are left, where they had any. So what began before rows were pruned and has no name
    that is known is refused, as it may be counted already, unless ``counts_pruned`` says that it is not.
    ``welcome`` makes newcomers, in the transaction in which their first rows are booked.
    """

    def __init__(
        self, ledger: Ledger, owner: Statements, *, counts_pruned: bool = False, welcome: Welcome | None = None
    ) -> None:
        self._ledger = ledger
        self._owner = owner
        self._counts_pruned = counts_pruned
        self._welcome = welcome
        self._months = set[datetime]()

    async def book(self, rows: Sequence[Past]) -> Booked:
        """Book a set. ``Unavailable`` when the database stays away; all other errors are told of their rows."""
        refused = [Refused(each.row, _BEFORE_TIME) for each in rows if _started_at(each) < EPOCH]
        fit = [each for each in rows if _started_at(each) >= EPOCH]
        are_booked = await self._are_booked(fit)
        # In this order: of what is pruned meanwhile we know either the request or that it is gone.
        pruned_before = None if self._counts_pruned else (await patiently(partial(retained, self._owner))).rows_from
        new: list[Past] = []
        for each, is_booked in zip(fit, are_booked, strict=True):
            if is_booked is None and pruned_before is not None and _started_at(each) < pruned_before:
                refused.append(Refused(each.row, _maybe_counted(pruned_before)))
            elif not is_booked:
                new.append(each)
        await self._have_partitions(new)
        return Booked(skipped=sum(map(bool, are_booked)), refused=tuple(refused)) + await self._book(new)

    async def _are_booked(self, rows: Sequence[Past]) -> list[bool | None]:
        """Say of each whether it was made or imported here: ``False`` if only its client's name is known."""
        known = await patiently(
            partial(
                self._owner.all,
                "rows_known",
                user_ids=[each.request.user_id for each in rows],
                ids=[each.id for each in rows],
                client_ids=[each.request.client_id for each in rows],
                import_keys=[each.request.import_key for each in rows],
            )
        )
        told: list[bool | None] = [None] * len(rows)
        for row in known:
            told[row["place"]] = row["is_booked"]
        return told

    async def _book(self, rows: Sequence[Past]) -> Booked:
        if not rows:
            return Booked()
        entries = [(each.request, each.outcome) for each in rows]
        newcomers = partial(self._newcomers, rows)
        try:
            are_new = await patiently(partial(self._ledger.record, entries, newcomers=newcomers))
        except Unavailable:
            raise
        except TollkeeperError as error:
            if len(rows) == 1:
                return _told(rows[0], error)
            middle = len(rows) // 2
            return await self._book(rows[:middle]) + await self._book(rows[middle:])
        return Booked(imported=sum(are_new), skipped=len(rows) - sum(are_new))

    async def _newcomers(self, rows: Sequence[Past], tx: Transaction) -> dict[UUID, UUID]:
        stand_ins = {each.newcomer: each.request.user_id for each in rows if each.newcomer is not None}
        if not stand_ins or self._welcome is None:
            return {}
        return {stand_ins[email]: user_id for email, user_id in (await self._welcome(tx, list(stand_ins))).items()}

    async def _have_partitions(self, rows: Sequence[Past]) -> None:
        """Give the months of past requests their partitions before rows of theirs fall into the default one."""
        months = {_month(_started_at(each)) for each in rows} - self._months
        for month in sorted(months):
            await patiently(partial(self._owner.value, "ensure_partitions", since=month, until=month))
        self._months |= months


def in_sets(rows: Iterable[Row], size_of: Callable[[Row], int]) -> Iterator[list[Row]]:
    """Put rows into sets of bounded length and size. What the rows raise comes after what they gave before."""
    collected: list[Row] = []
    size = 0
    try:
        for row in rows:
            if collected and (len(collected) == SET_ROWS or size + size_of(row) > SET_BYTES):
                yield collected
                collected, size = [], 0
            collected.append(row)
            size += size_of(row)
    except TollkeeperError:
        if collected:
            yield collected
        raise
    if collected:
        yield collected


def _told(row: Past, error: TollkeeperError) -> Booked:
    # Its import key is the only one that a row without an id of its client has: it was booked before, at another time.
    if isinstance(error, KeyReused) and row.request.client_id is None:
        return Booked(skipped=1)
    return Booked(refused=(Refused(row.row, error),))


def _started_at(row: Past) -> datetime:
    return row.request.started_at or row.request.priced_at


def _month(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _maybe_counted(pruned_before: datetime) -> Invalid:
    message = f"lies before {pruned_before:%Y-%m-%d}, and what began before that was pruned: it may be counted already"
    return Invalid.field("startedAt", f"{message} (--count-pruned says that it is not)")


_BEFORE_TIME: Final = Invalid.field("startedAt", "lies before 1970")
