"""The list of chat requests: the caller's own, or those of a user whom an operator looks at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct, field

from tollkeeper.errors import Invalid
from tollkeeper.http.body import Fault
from tollkeeper.http.download import CONTENT_TYPES, as_download
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.moments import MomentText, contradictions_of_range, faults_of_moments, start_of
from tollkeeper.http.operation import Operation
from tollkeeper.http.paging import PageQuery, cursor_at, position
from tollkeeper.http.routing import get
from tollkeeper.http.tracking.shown import RequestShown, RequestsPage
from tollkeeper.http.tracking.wire import Count
from tollkeeper.http.wire import Heard, Instant, Name, instant
from tollkeeper.metering.money import nanos_of_cents
from tollkeeper.metering.tracking import ranking, records, searching
from tollkeeper.metering.tracking.ranking import Figure, RankedPlace
from tollkeeper.metering.tracking.searching import Match, Wanted

CentsText = Annotated[str, Meta(max_length=21)]

_CENTS: Final = re.compile(r"\d{1,10}(\.\d{1,9})?", re.ASCII)


class RequestsQuery(PageQuery, frozen=True, kw_only=True):
    """Which requests, and in what form; `unknown` and `uncategorized` stand for none. Costs in cents."""

    q: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    model: Name | None = None
    category: Name | None = None
    request_type: Name | None = None
    complexity: Literal["low", "medium", "high", "unknown"] | None = None
    status: Literal["pending", "completed", "failed"] | None = None
    rating: Literal["1", "2", "3", "4", "5", "none", "any"] | None = None
    session_id: Name | None = None
    from_: MomentText | None = field(default=None, name="from")
    to: MomentText | None = None
    min_cost: CentsText | None = None
    max_cost: CentsText | None = None
    min_duration: Count | None = None
    max_duration: Count | None = None
    sort: Literal["startedAt", "cost", "tokensUsed", "duration"] = "startedAt"
    order: Literal["desc", "asc"] = "desc"
    format_: Literal["json", "csv", "jsonl"] = field(default="json", name="format")

    def faults(self) -> Iterator[Fault]:
        """Name what is no instant and no cost."""
        yield from faults_of_moments(from_=self.from_, to=self.to)
        for name, text in (("minCost", self.min_cost), ("maxCost", self.max_cost)):
            try:
                _nanos(text, name)
            except Invalid as error:
                yield Fault(name, error.fields["errors"][0]["message"])

    def contradictions(self) -> Iterator[Fault]:
        """A file has no pages, and what ends does not end before it begins."""
        yield from contradictions_of_range(from_=self.from_, to=self.to)
        costs = [Decimal(text) for text in (self.min_cost, self.max_cost) if text and _CENTS.fullmatch(text)]
        if costs != sorted(costs):
            yield Fault("maxCost", "must not be less than minCost")
        if self.min_duration is not None and self.max_duration is not None and self.max_duration < self.min_duration:
            yield Fault("maxDuration", "must not be less than minDuration")
        if self.format_ != "json" and self.cursor is not None:
            yield Fault("cursor", "leads through pages, and a file has none")
        if self.format_ != "json" and self.sort != "startedAt":
            yield Fault("sort", "is of pages; a file goes by startedAt")

    def as_wanted(self) -> Wanted:
        """Say the same inside."""
        return Wanted(
            text=self.q,
            model=self.model,
            category=self.category,
            request_type=self.request_type,
            complexity=self.complexity,
            status=self.status,
            rating=self.rating,
            session_id=self.session_id,
            since=start_of(self.from_),
            until=start_of(self.to),
            least_nanos=_nanos(self.min_cost, "minCost"),
            most_nanos=_nanos(self.max_cost, "maxCost"),
            least_ms=self.min_duration,
            most_ms=self.max_duration,
        )


class MatchShown(Heard, frozen=True, kw_only=True):
    """Where `q` stands first in a request: as it is written there, with the words around it."""

    in_: Literal["prompt", "response"] = field(name="in")
    before: str
    found: str
    after: str

    @classmethod
    def of(cls, match: Match) -> MatchShown:
        """Show a match."""
        return cls(in_=match.within, before=match.before, found=match.found, after=match.after)


class RequestsFound(RequestsPage, frozen=True, kw_only=True):
    """Some requests. ``searchedTo``: the search was cut there, and goes on with ``nextCursor``.

    Sorted by anything else than `startedAt`, these are of those that began after ``searchedTo``; null: of all.
    ``matches`` says of each by its `id` where `q` stands; one of which that cannot be said for sure is left out.
    """

    searched_to: Instant | None = None
    matches: dict[str, MatchShown] = field(default_factory=dict[str, MatchShown])


LIST: Final = Operation(
    "dashboard:read",
    summary="List requests, newest first or as asked",
    query=RequestsQuery,
    gives={200: RequestsFound},
    files=tuple(CONTENT_TYPES.values()),
)


@get("/api/chat/requests", LIST)
async def list_requests(request: Exchange) -> Answer:
    """The caller's requests, page by page. What starts while one turns the pages comes before the first.

    A page has at most `limit` requests, and ends early where their texts have reached 4 MiB; `nextCursor` leads on.
    `q` is looked for in prompts and responses, and `matches` says where it stands. `from` and `to` are instants or
    dates of UTC. A search through much is cut: then `searchedTo` says how far it has come, and `nextCursor` goes on
    there. With `format` `csv` or `jsonl` all that match come as one file.

    `order=asc` begins with the oldest. With `sort` the most expensive (tokens, duration: the longest) of the newest
    20,000 come first, or of fewer where that takes too long: `searchedTo` says since when; what has no cost comes last.
    """
    return await page_of(request, request.caller.user_id)


async def page_of(request: Exchange, user_id: UUID) -> Answer:
    """Answer what the query asks for of one user's requests: a page, or a file of all."""
    query = request.asked(RequestsQuery)
    wanted = query.as_wanted()
    if query.format_ != "json":
        pages = searching.every(request.wide, user_id, wanted, oldest_first=query.order == "asc")
        return await as_download(request, pages, form=query.format_, name="tollkeeper-requests", kind=RequestShown)
    if query.sort != "startedAt":
        return Answer.of(await _ranked(request, user_id, query, _FIGURES[query.sort]))
    beyond = _beyond(query)
    if wanted == _ALL:
        return Answer.of(await _by_age(request, user_id, query, beyond))
    found = await searching.search(
        request.wide, user_id, wanted, limit=query.limit, beyond=beyond, oldest_first=query.order == "asc"
    )
    return Answer.of(
        RequestsFound(
            items=[RequestShown.of(each) for each in found.items],
            next_cursor=found.go_on_beyond and _cursor_by_age(query, found.go_on_beyond),
            searched_to=found.searched_to and instant(found.searched_to),
            matches=_shown(found.matches),
        )
    )


async def _by_age(request: Exchange, user_id: UUID, query: RequestsQuery, beyond: UUID | None) -> RequestsFound:
    found = (
        await records.newest(request.texts, user_id, limit=query.limit, before=beyond)
        if query.order == "desc"
        else await records.oldest(request.texts, user_id, limit=query.limit, after=beyond)
    )
    following = _cursor_by_age(query, found[-1].id) if found.goes_on else None
    return RequestsFound(items=[RequestShown.of(each) for each in found], next_cursor=following)


async def _ranked(request: Exchange, user_id: UUID, query: RequestsQuery, figure: Figure) -> RequestsFound:
    place = position(query, _RankedCursor)
    if place is not None and (place.sort, place.order) != (query.sort, query.order):
        raise Invalid.field("cursor", "belongs to another order of this list")
    found = await ranking.rank(
        request.wide,
        user_id,
        query.as_wanted(),
        figure,
        limit=query.limit,
        after=place and RankedPlace(place.figure, place.id, place.newest, place.oldest, place.searched_to),
        lowest_first=query.order == "asc",
    )
    following = found.go_on and cursor_at(_RankedCursor(sort=query.sort, order=query.order, **asdict(found.go_on)))
    return RequestsFound(
        items=[RequestShown.of(each) for each in found.items],
        next_cursor=following,
        searched_to=found.searched_to and instant(found.searched_to),
        matches=_shown(found.matches),
    )


class _RankedCursor(Struct, frozen=True, array_like=True):
    sort: str
    order: str
    figure: int | None
    id: UUID
    newest: UUID
    oldest: UUID | None
    searched_to: datetime | None


def _beyond(query: RequestsQuery) -> UUID | None:
    if query.order == "desc":
        return position(query, UUID)
    place = position(query, tuple[Literal["asc"], UUID])
    return place and place[1]


def _cursor_by_age(query: RequestsQuery, id_: UUID) -> str:
    return cursor_at(id_ if query.order == "desc" else (query.order, id_))


def _shown(matches: dict[UUID, Match]) -> dict[str, MatchShown]:
    return {str(id_): MatchShown.of(match) for id_, match in matches.items()}


def _nanos(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not _CENTS.fullmatch(text):
        raise Invalid.field(name, "must be a number of cents with at most 9 decimals")
    return nanos_of_cents(Decimal(text), field=name)


_ALL: Final = Wanted()
_FIGURES: Final[dict[str, Figure]] = {"cost": "cost", "tokensUsed": "tokens_used", "duration": "duration"}
