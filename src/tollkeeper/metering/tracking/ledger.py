"""The life of chat requests: start, finish, rate, expire. Always in sets; one request is a set of one.

The deciding is done by SQL functions under the locks of the users' usage rows (``store/routines``). Here sets are put
together, and verdicts become answers or errors.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import msgspec

from tollkeeper.errors import Contradiction, Invalid, NotFound, TollkeeperError, Unavailable
from tollkeeper.metering.pricing import document_of
from tollkeeper.metering.tracking import refusals
from tollkeeper.metering.tracking.keeping import Keeping, is_other_policy
from tollkeeper.metering.tracking.lane import OUT_OF_RANGE, Bounds, Lane, Patience
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.metering.tracking.requests import NewRequest, Outcome, Settled, Started
from tollkeeper.store.database import Database, Record, StatementFailed, Statements, Transaction, TryAgain
from tollkeeper.store.queries import column

Done = TypeVar("Done")

# What an item weighs in a lane beside its texts.
_ITEM_BYTES: Final = 500
_ATTEMPTS: Final = 4


class Ledger:
    """Admits and settles. Every answer is given after its commit; an error leaves nothing behind."""

    def __init__(
        self,
        database: Database,
        *,
        pending_for: timedelta,
        bounds: Bounds | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        self._database = database
        self._pending_for = pending_for
        self._keeping = keeping or Keeping()
        lane: Any = {"is_again": _is_again, "find_locked": self._find_locked, "bounds": bounds}
        self.starts = Lane[NewRequest, Record](self._decide_starts, **lane)
        self.finishes = Lane[Outcome, Record](self._decide_finishes, **lane)
        self._lanes = AsyncExitStack()

    @property
    def decided(self) -> int:
        """How many starts and finishes have had their verdict here."""
        return self.starts.decided + self.finishes.decided

    async def __aenter__(self) -> Self:
        await self._lanes.enter_async_context(self.starts)
        await self._lanes.enter_async_context(self.finishes)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._lanes.aclose()

    async def start(self, request: NewRequest) -> Started:
        """Reserve one request of the user's plan and open its record.

        Raises ``LimitReached``, ``NotInPlan``, ``TooManyTokens``, ``UnpricedModel``, ``AccountInactive``, ``KeyReused``
        or ``Unavailable``; a refused request consumes nothing and is not recorded.
        """
        verdict = await _countable(self.starts.put(request, owner=request.user_id, size=_size(request.prompt)), request)
        return _started(request, verdict)

    async def preview(
        self, request: NewRequest, *, newcomer: Callable[[Transaction], Awaitable[UUID]] | None = None
    ) -> Started:
        """Say what ``start`` would do, by doing it and rolling back. ``newcomer`` makes its user, for as long."""

        async def rehearse(tx: Transaction) -> None:
            nonlocal request
            if newcomer is not None:
                request = request.by(await newcomer(tx))
            raise _Rehearsed((await self._start_all(tx, [request]))[0])

        try:
            await _countable(self._in_a_transaction(rehearse), request)
        except _Rehearsed as rehearsed:
            return _started(request, rehearsed.verdict)
        raise AssertionError("a rehearsal ends with its verdict")

    async def finish(self, outcome: Outcome) -> Settled:
        """Settle a pending (or expired) request once, rate a finished one, or fill in its response.

        Raises ``NotFound``, ``AlreadyFinished`` (another outcome is recorded), ``StillPending`` or ``Unavailable``.
        """
        verdict = await _countable(
            self.finishes.put(outcome, owner=outcome.user_id, size=_size(outcome.response)), outcome
        )
        return _settled(outcome, verdict)

    async def record(
        self,
        past: Sequence[tuple[NewRequest, Outcome | None]],
        *,
        newcomers: Callable[[Transaction], Awaitable[Mapping[UUID, UUID]]] | None = None,
    ) -> list[bool]:
        """Book requests that were made elsewhere, at their own times, all or none; says of each whether it is new.

        They are never refused, count in their own days and months, and one that was booked before changes nothing.
        ``newcomers`` makes, together with them, users who were not there, and says by which ids these were called.
        """
        before: Mapping[UUID, UUID] = {}

        async def book(tx: Transaction) -> list[Record]:
            nonlocal before
            ids: Mapping[UUID, UUID] = await newcomers(tx) if newcomers else {}
            for called, user_id in before.items():
                self._keeping.is_now(user_id, ids[called])
            before = ids
            entries = [_by(ids.get(request.user_id, request.user_id), request, outcome) for request, outcome in past]
            verdicts = await self._book(tx, entries)
            for (request, _), verdict in zip(entries, verdicts, strict=True):
                # "again": its twin is in this very set.
                if verdict["verdict"] not in {"admitted", "replayed", "again"}:
                    raise refusals.of_start(request, verdict)
            return verdicts

        verdicts = await _countable(self._in_a_transaction(book), *_counted_of(past))
        return [verdict["verdict"] == "admitted" for verdict in verdicts]

    async def book(
        self, entries: Sequence[tuple[NewRequest, Outcome | None]]
    ) -> list[Started | TollkeeperError | None]:
        """Start the members of a set, or record them whole where an outcome is given; says of each what became of it.

        A past one (with ``started_at``) is never refused. What is refused is told as its error and keeps nobody else
        from being booked. ``None``: its twin is in this very set, so it is to be decided with the next.
        """
        verdicts = await _countable(self._in_a_transaction(lambda tx: self._book(tx, entries)), *_counted_of(entries))
        return [_told(request, verdict) for (request, _), verdict in zip(entries, verdicts, strict=True)]

    async def expire(self, *, most: int = 1000) -> int:
        """Close what is past its deadline, of at most so many users at once; says of how many.

        Whoever is busy is passed over: their own next request closes it, or the next sweep.
        """
        due = [row["user_id"] for row in await self._database.all("users_with_expired", most=most)]
        return len(await self._database.all("bring_free_current", user_ids=due)) if due else 0

    async def bring_current(self, user_ids: Sequence[UUID]) -> None:
        """Roll over what has ended of these users: windows, plans, deadlines."""
        await self._database.value("bring_current", user_ids=list(user_ids))

    async def current(self, database: Statements, statement: str, user_id: UUID, **values: Any) -> Record:
        """Read one row of a user's; where it ``is_due``, what has ended is brought current first.

        What ends while it is read again is not waited for: of a user whose requests expire all the time there is no
        instant at which nothing is due. ``NotFound`` if there is no such user.
        """
        row = await database.one(statement, user_id=user_id, **values)
        if row is not None and row["is_due"]:
            await self.bring_current([user_id])
            row = await database.one(statement, user_id=user_id, **values)
        if row is None:
            raise NotFound("no such user")
        return row

    async def _decide_starts(self, requests: Sequence[NewRequest], patience: Patience) -> Sequence[Record]:
        return await self._start(self._database, requests, patience)

    async def _decide_finishes(self, outcomes: Sequence[Outcome], patience: Patience) -> Sequence[Record]:
        return await self._finish(self._database, outcomes, [None] * len(outcomes), patience, measure=True)

    async def _find_locked(self, users: AbstractSet[Hashable]) -> AbstractSet[Hashable]:
        return {row["user_id"] for row in await self._database.all("locked_users", user_ids=list(users))}

    async def _in_a_transaction(self, act: Callable[[Transaction], Awaitable[Done]]) -> Done:
        """Let all hold or none; anew with other texts when a plan keeps others than those that were sent."""
        for _ in range(_ATTEMPTS):
            with suppress(_OtherTexts):
                async with self._database.transaction() as tx:
                    return await act(tx)
        raise TryAgain("what plans keep of texts kept changing")

    async def _book(self, tx: Transaction, entries: Sequence[tuple[NewRequest, Outcome | None]]) -> list[Record]:
        """Start a set and finish those members that were admitted and have an outcome."""
        verdicts = await self._start_all(tx, [request for request, _ in entries])
        if overdue := {request.user_id for request, _ in entries if request.deadline}:
            await tx.value("bring_current", user_ids=list(overdue))
        ended = [
            (outcome, verdict["id"])
            for (_, outcome), verdict in zip(entries, verdicts, strict=True)
            if outcome and verdict["verdict"] == "admitted"
        ]
        if ended:
            outcomes, ids = zip(*ended, strict=True)
            finished = await self._finish(tx, outcomes, ids, measure=False)
            if any(map(is_other_policy, finished)):
                raise _OtherTexts
            for verdict in finished:
                if verdict["verdict"] not in {"finished", "patched"}:
                    raise Contradiction(f"a new record was {verdict['verdict']} instead of finished")
        return verdicts

    async def _start_all(self, tx: Transaction, requests: Sequence[NewRequest]) -> list[Record]:
        verdicts = await self._start(tx, requests)
        if any(map(is_other_policy, verdicts)):
            raise _OtherTexts
        return verdicts

    async def _start(
        self, database: Statements, requests: Sequence[NewRequest], patience: Patience = "long"
    ) -> list[Record]:
        verdicts = await database.all(
            "start",
            user_ids=[each.user_id for each in requests],
            client_ids=column([each.client_id for each in requests]),
            idempotency_keys=column([each.idempotency_key for each in requests]),
            import_keys=column([each.import_key for each in requests]),
            hashes=column([_hash_if_named(each) for each in requests]),
            started_at=column([each.started_at for each in requests]),
            session_ids=column([each.session_id for each in requests]),
            models=column([each.model for each in requests]),
            request_types=[each.request_type for each in requests],
            categories=column([each.category for each in requests]),
            complexities=column([each.complexity for each in requests]),
            input_tokens=[each.estimated_input_tokens for each in requests],
            max_tokens=column([each.max_tokens for each in requests]),
            rates=column([_rates(each) for each in requests]),
            pending_for=self._pending_for,
            deadlines=column([each.deadline for each in requests]),
            brief=patience == "brief",
            **await self._keeping.starts(database, requests),
        )
        self._keeping.learn(requests, verdicts)
        return verdicts

    async def _finish(
        self,
        database: Statements,
        outcomes: Sequence[Outcome],
        ids: Sequence[UUID | None],
        patience: Patience = "long",
        *,
        measure: bool,
    ) -> list[Record]:
        references = [known or each.request for each, known in zip(outcomes, ids, strict=True)]
        verdicts = await database.all(
            "finish",
            user_ids=[each.user_id for each in outcomes],
            ids=column([each if isinstance(each, UUID) else None for each in references]),
            client_ids=column([None if isinstance(each, UUID) else each for each in references]),
            hashes=column([each.payload_hash() for each in outcomes]),
            statuses=column([each.status for each in outcomes]),
            models=column([each.model for each in outcomes]),
            rates=column([_rates(each) for each in outcomes]),
            tokens_used=column([each.tokens_used for each in outcomes]),
            tokens_input=column([each.tokens_input for each in outcomes]),
            tokens_output=column([each.tokens_output for each in outcomes]),
            tokens_cached=column([each.tokens_cached for each in outcomes]),
            tokens_cache_write=column([each.tokens_cache_write for each in outcomes]),
            tokens_reasoning=column([each.tokens_reasoning for each in outcomes]),
            reported_nanos=column([each.reported_nanos for each in outcomes]),
            durations=column([each.duration_ms for each in outcomes]),
            rated=[each.rated for each in outcomes],
            ratings=column([each.rating for each in outcomes]),
            trusted=[each.trusted for each in outcomes],
            completed_at=column([each.completed_at for each in outcomes]),
            measure=measure,
            refunded=column([each.refunded for each in outcomes]),
            brief=patience == "brief",
            **await self._keeping.finishes(database, outcomes),
        )
        self._keeping.learn(outcomes, verdicts)
        return verdicts


class _OtherTexts(Exception):
    """Nothing was decided: a plan keeps other texts than those that were sent. Which ones is known by now."""


class _Rehearsed(Exception):
    """Carries a verdict out of a transaction that must not commit."""

    def __init__(self, verdict: Record) -> None:
        super().__init__()
        self.verdict = verdict


async def _countable(deciding: Awaitable[Done], *counted: NewRequest | Outcome) -> Done:
    """Tell where a user's numbers end: what one spends fits into 63 bits of nano-USD, nine thousand million dollars.

    Which number went beyond is not known, so all are named that were sent.
    """
    try:
        return await deciding
    except StatementFailed as error:
        if error.sqlstate != OUT_OF_RANGE:
            raise
        message = "would make the user's totals larger than can be counted"
        names = dict.fromkeys(name for each in counted for name in each.counted)
        raise Invalid.several([{"field": name, "message": message} for name in names]) from error


def _counted_of(entries: Sequence[tuple[NewRequest, Outcome | None]]) -> Iterator[NewRequest | Outcome]:
    """Give what says something that is counted: of one that has ended the prompt is not."""
    for request, outcome in entries:
        if outcome is not None:
            yield outcome
        if outcome is None or request.max_tokens is not None:
            yield request


def _by(user_id: UUID, request: NewRequest, outcome: Outcome | None) -> tuple[NewRequest, Outcome | None]:
    if user_id == request.user_id:
        return request, outcome
    return request.by(user_id), outcome and msgspec.structs.replace(outcome, user_id=user_id)


def _rates(priced: NewRequest | Outcome) -> msgspec.Raw | None:
    return document_of(priced.model, priced.priced_at) if priced.model else None


def _hash_if_named(request: NewRequest) -> bytes | None:
    names = (request.client_id, request.idempotency_key, request.import_key)
    return None if names == (None, None, None) else request.payload_hash()


def _size(text: str | None) -> int:
    """What it takes of memory: one emoji makes each character of its text four bytes large."""
    return _ITEM_BYTES + sys.getsizeof(text)


def _is_again(verdict: Record) -> bool:
    return verdict["verdict"] == "again" or is_other_policy(verdict)


def _started(request: NewRequest, verdict: Record) -> Started:
    if verdict["verdict"] not in {"admitted", "replayed"}:
        raise refusals.of_start(request, verdict)
    return Started(
        id=verdict["id"],
        client_id=request.client_id,
        expires_at=verdict["expires_at"],
        limits=Limits.of(verdict["limits"]),
        replayed=verdict["verdict"] == "replayed",
    )


def _told(request: NewRequest, verdict: Record) -> Started | TollkeeperError | None:
    if verdict["verdict"] in {"admitted", "replayed"}:
        return _started(request, verdict)
    return None if _is_again(verdict) else refusals.of_start(request, verdict)


def _settled(outcome: Outcome, verdict: Record) -> Settled:
    if verdict["verdict"] not in {"finished", "patched", "replayed"}:
        raise refusals.of_finish(outcome, verdict)
    if verdict["limits"] is None:
        raise Unavailable("the finish is recorded without its answer")
    return Settled(
        id=verdict["id"],
        client_id=verdict["client_id"],
        status=verdict["status"],
        error_code=verdict["error_code"],
        late=verdict["late"],
        cost_nanos=verdict["cost_nanos"],
        cost_source=verdict["cost_source"],
        tokens_used=verdict["tokens_used"],
        duration_ms=verdict["duration"],
        limits=Limits.of(verdict["limits"]),
    )
