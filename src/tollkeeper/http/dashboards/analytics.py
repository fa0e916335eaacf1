"""Usage over time: the caller's own, or for operators that of all users or of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta, field

from tollkeeper.accounts import users
from tollkeeper.bounds import LONGEST_EMAIL
from tollkeeper.errors import NotFound
from tollkeeper.http.body import Fault
from tollkeeper.http.dashboards.analytics_shown import AnalyticsAnswer, TopUsersAnswer
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.moments import MomentText, faults_of_moments, moment
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Name
from tollkeeper.metering.dashboards import analytics
from tollkeeper.metering.dashboards.analytics import By, Dimension, Question
from tollkeeper.metering.dashboards.ranges import Granularity


class RangeQuery(Said, frozen=True, kw_only=True):
    """From when, and until just before when."""

    from_: MomentText | None = field(default=None, name="from")
    to: MomentText | None = None

    def faults(self) -> Iterator[Fault]:
        """Name what is no date and no instant."""
        yield from faults_of_moments(from_=self.from_, to=self.to)


class UsageQuery(RangeQuery, frozen=True, kw_only=True):
    """Which time, cut how, and what alone counts; `unknown` and `uncategorized` stand for none."""

    granularity: Granularity = "day"
    model: Name | None = None
    category: Name | None = None
    request_type: Name | None = None
    complexity: Literal["low", "medium", "high", "unknown"] | None = None
    status: Literal["completed", "failed"] | None = None

    def as_question(self, *, group_by: Dimension | None, plan: str | None = None) -> Question:
        """Say the same inside."""
        return Question(
            granularity=self.granularity,
            since=moment(self.from_),
            until=moment(self.to),
            group_by=group_by,
            plan=plan,
            model=self.model,
            category=self.category,
            request_type=self.request_type,
            complexity=self.complexity,
            status=self.status,
        )


class AnalyticsQuery(UsageQuery, frozen=True, kw_only=True):
    """Grouped by what."""

    group_by: Literal["model", "category", "requestType", "complexity", "status"] | None = None


class OverallQuery(UsageQuery, frozen=True, kw_only=True):
    """The same over all users; of one, by e-mail address or id; of those who had a plan at the time."""

    group_by: Dimension | None = None
    user: Annotated[str, Meta(min_length=1, max_length=LONGEST_EMAIL)] | None = None
    plan: Annotated[str, Meta(min_length=1, max_length=50)] | None = None


class TopUsersQuery(RangeQuery, frozen=True, kw_only=True):
    """Which days, by what, and how many users."""

    by: By = "requests"
    limit: Annotated[int, Meta(ge=1, le=100)] = 10


OF_CALLER: Final = Operation(
    "dashboard:read",
    summary="Show the user's usage over time",
    query=AnalyticsQuery,
    gives={200: AnalyticsAnswer},
    problems=(NotFound,),
)
OVER_ALL: Final = Operation(
    "admin",
    summary="Show usage over time: of all users, or of one",
    query=OverallQuery,
    gives={200: AnalyticsAnswer},
    problems=(NotFound,),
)
TOP: Final = Operation("admin", summary="List who used most", query=TopUsersQuery, gives={200: TopUsersAnswer})


@get("/api/user/analytics", OF_CALLER)
async def show_analytics(request: Exchange) -> Answer:
    """What has finished between `from` and `to`, by days of the user's zone or hours of UTC.

    Without `from` and `to`: the last 30 days, today among them. Weeks begin on Mondays; the first and the last bucket
    may be cut. Hours are kept for 60 days, and known by model alone. Where the sums cannot tell something apart by
    status, it is null.
    """
    query, backend = request.asked(AnalyticsQuery), request.backend
    question = query.as_question(group_by=query.group_by)
    told = await analytics.of_user(request.wide, backend.ledger, request.caller.user_id, question)
    return Answer.of(AnalyticsAnswer.of(told, query.group_by))


@get("/api/admin/analytics", OVER_ALL)
async def show_overall_analytics(request: Exchange) -> Answer:
    """The same over all users, by days of UTC; with `user` that user's own, by days of their zone.

    The plan is the one that a request was admitted under, and is known over all users only; the complexity is known
    of one user only.
    """
    query, backend = request.asked(OverallQuery), request.backend
    question = query.as_question(group_by=query.group_by, plan=query.plan)
    if query.user is None:
        told = await analytics.over_all(request.wide, question)
    else:
        told = await analytics.of_user(request.wide, backend.ledger, await _user(request, query.user), question)
    return Answer.of(AnalyticsAnswer.of(told, query.group_by))


@get("/api/admin/analytics/users", TOP)
async def list_top_users(request: Exchange) -> Answer:
    """Who has most of one measure; each user's days are those of their own zone."""
    query = request.asked(TopUsersQuery)
    asked, found = await analytics.top_users(
        request.wide, since=moment(query.from_), until=moment(query.to), by=query.by, limit=query.limit
    )
    return Answer.of(TopUsersAnswer.of(asked, found))


async def _user(request: Exchange, named: str) -> UUID:
    try:
        return UUID(named)
    except ValueError:
        user_id = await users.of_email(request.backend.database, named)
    if user_id is None:
        raise NotFound("no such user")
    return user_id
