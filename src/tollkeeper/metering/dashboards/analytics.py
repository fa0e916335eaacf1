"""Usage over time, of one user or over all: read from the sums alone, never from the requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final, Literal
from uuid import UUID

from tollkeeper.errors import Invalid
from tollkeeper.metering.dashboards.measures import NOTHING, Measures, Outcome
from tollkeeper.metering.dashboards.ranges import Granularity, Moment, Range, asked_range, oldest_hour
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Record, Statements

__all__ = ["Analytics", "Bucket", "Dimension", "Group", "Question", "TopUser", "of_user", "over_all", "top_users"]

Dimension = Literal["model", "category", "requestType", "complexity", "status", "plan"]
By = Literal["requests", "failed", "tokensUsed", "cost", "unpriced", "averageDuration"]

MOST_GROUPS: Final = 50
_OF_A_USER_ONLY: Final = "complexity is told of one user only: name the user as well"
_OVER_ALL_ONLY: Final = "the plan is told over all users only"
_STATUSES: Final[tuple[Outcome, ...]] = ("completed", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a range, how it is cut, how it is grouped, and what alone counts.

    ``unknown`` (of categories ``uncategorized``) stands for none. A ``plan`` is asked for over all users only.
    """

    granularity: Granularity = "day"
    since: Moment | None = None
    until: Moment | None = None
    group_by: Dimension | None = None
    plan: str | None = None
    model: str | None = None
    category: str | None = None
    request_type: str | None = None
    complexity: str | None = None
    status: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """One stretch of the range."""

    start: datetime
    end: datetime
    measures: Measures


@dataclass(frozen=True, slots=True)
class Group:
    """All that has one key, in the range, before it (None: no longer known), and in each bucket of the range."""

    key: str
    totals: Measures
    before: Measures | None
    buckets: list[Measures]


@dataclass(frozen=True, slots=True)
class Analytics:
    """The answer. ``before`` is None where sums by the hour are no longer kept; groups come largest first."""

    asked: Range
    time_zone: str
    totals: Measures
    before: Measures | None
    buckets: list[Bucket]
    groups: list[Group]
    groups_left_out: int


@dataclass(frozen=True, slots=True)
class TopUser:
    """One of the users who have most of a measure."""

    user_id: UUID
    email: str | None
    name: str | None
    plan: str
    totals: Measures


async def of_user(database: Statements, ledger: Ledger, user_id: UUID, question: Question) -> Analytics:
    """Read one user's usage, in days of their zone. What is due is brought current first, so that it is counted.

    ``NotFound`` if there is no such user; ``Invalid`` names what is wrong with the question.
    """
    _refuse_what_users_lack(question)
    calendar = await ledger.current(database, "calendar_of_user", user_id)
    asked = asked_range(
        question.granularity, question.since, question.until, today=calendar["today"], now=calendar["now"]
    )
    forgets = question.granularity == "hour" and asked.before < oldest_hour(calendar["now"])
    zone = "UTC" if question.granularity == "hour" else calendar["time_zone"]
    return _answer(await _rows(database, user_id, asked, question), asked, question, zone=zone, forgets=forgets)


async def over_all(database: Statements, question: Question) -> Analytics:
    """Read the usage of all users together, in days of UTC; ``Invalid`` names what is wrong with the question."""
    if question.complexity is not None:
        raise Invalid.field("complexity", _OF_A_USER_ONLY)
    if question.group_by == "complexity":
        raise Invalid.field("groupBy", _OF_A_USER_ONLY)
    now: datetime = await database.value("database_instant")
    asked = asked_range(question.granularity, question.since, question.until, today=_day(now), now=now)
    return _answer(await _rows(database, None, asked, question), asked, question, zone="UTC", forgets=False)


async def top_users(
    database: Statements, *, since: Moment | None, until: Moment | None, by: By, limit: int
) -> tuple[Range, list[TopUser]]:
    """List who has most of a measure in a range of days; each user's days are those of their own zone."""
    now: datetime = await database.value("database_instant")
    asked = asked_range("day", since, until, today=_day(now), now=now)
    rows = await database.all("top_users", since=asked.since, until=asked.until, by=by, most=limit)
    return asked, [TopUser(row["user_id"], row["email"], row["name"], row["plan"], Measures.of(row)) for row in rows]


async def _rows(database: Statements, user_id: UUID | None, asked: Range, question: Question) -> list[Record]:
    return await database.all(
        "analytics",
        user_id=user_id,
        period="hour" if asked.granularity == "hour" else "day",
        granularity=asked.granularity,
        before=asked.before,
        since=asked.since,
        until=asked.until,
        group_by=None if question.group_by == "status" else question.group_by,
        plan=question.plan,
        model=question.model,
        category=question.category,
        request_type=question.request_type,
        complexity=question.complexity,
        status=question.status,
        most_groups=MOST_GROUPS,
    )


def _answer(rows: list[Record], asked: Range, question: Question, *, zone: str, forgets: bool) -> Analytics:
    whole = _read((row for row in rows if not row["of_group"]), lambda row: (row["is_before"], row["bucket"]))
    buckets = [Bucket(*span, whole.get((False, span[0]), NOTHING)) for span in asked.buckets()]
    everything = Analytics(
        asked=asked,
        time_zone=zone,
        totals=whole.get((False, None), NOTHING),
        before=None if forgets else whole.get((True, None), NOTHING),
        buckets=buckets,
        groups=[],
        groups_left_out=0,
    )
    groups = _by_status(everything) if question.group_by == "status" else _groups(rows, everything, question)
    return _only(replace(everything, groups=groups), question.status)


def _groups(rows: list[Record], everything: Analytics, question: Question) -> list[Group]:
    if question.group_by is None:
        return []
    found = _read((row for row in rows if row["of_group"]), lambda row: (row["key"], row["is_before"], row["bucket"]))
    return [
        Group(
            key=key,
            totals=found.get((key, False, None), NOTHING),
            before=None if everything.before is None else found.get((key, True, None), NOTHING),
            buckets=[found.get((key, False, each.start), NOTHING) for each in everything.buckets],
        )
        for key in {key for key, _, _ in found}
    ]


def _by_status(everything: Analytics) -> list[Group]:
    return [
        Group(
            key=status,
            totals=everything.totals.only(status),
            before=everything.before and everything.before.only(status),
            buckets=[each.measures.only(status) for each in everything.buckets],
        )
        for status in _STATUSES
    ]


def _only(told: Analytics, status: Outcome | None) -> Analytics:
    """Leave out what ended otherwise; then put the groups into their order, and leave out those with nothing."""
    groups = [
        Group(
            key=each.key,
            totals=each.totals.only(status),
            before=each.before and each.before.only(status),
            buckets=[one.only(status) for one in each.buckets],
        )
        for each in told.groups
    ]
    ordered = sorted((each for each in groups if _requests(each) != (0, 0)), key=lambda each: (*_rank(each), each.key))
    return replace(
        told,
        totals=told.totals.only(status),
        before=told.before and told.before.only(status),
        buckets=[replace(each, measures=each.measures.only(status)) for each in told.buckets],
        groups=ordered[:MOST_GROUPS],
        groups_left_out=max(0, len(ordered) - MOST_GROUPS),
    )


def _requests(group: Group) -> tuple[int, int]:
    return group.totals.requests, group.before.requests if group.before else 0


def _rank(group: Group) -> tuple[int, int]:
    now, before = _requests(group)
    return -now, -(now + before)


def _read(rows: Iterable[Record], key_of: Callable[[Record], Any]) -> dict[Any, Measures]:
    return {key_of(row): Measures.of(row) for row in rows}


def _refuse_what_users_lack(question: Question) -> None:
    if question.plan is not None:
        raise Invalid.field("plan", _OVER_ALL_ONLY)
    if question.group_by == "plan":
        raise Invalid.field("groupBy", _OVER_ALL_ONLY)
    if question.granularity != "hour":
        return
    if question.group_by not in {None, "model"}:
        raise Invalid.field("groupBy", "must be model where hours are asked for, or left out")
    others = {
        "category": question.category,
        "requestType": question.request_type,
        "complexity": question.complexity,
        "status": question.status,
    }
    for field, value in others.items():
        if value is not None:
            raise Invalid.field(field, "is not known by the hour: ask for days, or filter by model alone")


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
