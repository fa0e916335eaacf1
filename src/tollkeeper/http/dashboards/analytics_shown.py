"""Usage over time, as the outside sees it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import field

from tollkeeper.http.wire import Cents, Heard, cents
from tollkeeper.metering.dashboards.analytics import Analytics, Bucket, Dimension, Group, TopUser
from tollkeeper.metering.dashboards.measures import Measures
from tollkeeper.metering.dashboards.ranges import Granularity, Range


class FewMeasuresShown(Heard, frozen=True, kw_only=True):
    """Some figures of one bucket of a group."""

    start: str
    requests: int
    failed: int
    tokens_used: int | None
    cost: Cents | None
    cost_nanos: int | None

    @classmethod
    def of(cls, start: str, measures: Measures) -> FewMeasuresShown:
        """Show them."""
        return cls(
            start=start,
            requests=measures.requests,
            failed=measures.failed,
            tokens_used=measures.tokens_used,
            cost=cents(measures.cost_nanos),
            cost_nanos=measures.cost_nanos,
        )


class MeasuresShown(Heard, frozen=True, kw_only=True):
    """What has finished. Durations in ms and of completed requests; percentiles within 2 %. Null: cannot be told."""

    requests: int
    completed: int
    failed: int
    success_rate: float | None
    tokens_used: int | None
    tokens_input: int | None
    tokens_output: int | None
    tokens_cached: int | None
    tokens_cache_write: int | None
    tokens_reasoning: int | None
    cost: Cents | None
    cost_nanos: int | None
    unpriced: int | None
    average_duration: int | None
    p50: float | None
    p95: float | None
    p99: float | None
    average_rating: float | None
    rated_requests: int | None

    @classmethod
    def of(cls, measures: Measures) -> MeasuresShown:
        """Show them."""
        return cls(**_shown(measures))


class BucketShown(MeasuresShown, frozen=True, kw_only=True):
    """One bucket: days as dates, ``end`` being the day after the last; hours as instants."""

    start: str
    end: str


class GroupShown(Heard, frozen=True, kw_only=True):
    """What has one key, and some of its figures in every bucket of the range."""

    key: str
    totals: MeasuresShown
    before: MeasuresShown | None
    buckets: list[FewMeasuresShown]


class AnalyticsAnswer(Heard, frozen=True, kw_only=True):
    """Usage over time. ``before``: the time of the same length right before, null where its hours are forgotten."""

    success: Literal[True] = True
    from_: str = field(name="from")
    to: str
    time_zone: str
    granularity: Granularity
    group_by: Dimension | None
    totals: MeasuresShown
    before: MeasuresShown | None
    buckets: list[BucketShown]
    groups: list[GroupShown]
    groups_left_out: int

    @classmethod
    def of(cls, told: Analytics, group_by: Dimension | None) -> AnalyticsAnswer:
        """Show it."""
        granularity = told.asked.granularity
        starts = [edge(granularity, each.start) for each in told.buckets]
        return cls(
            from_=edge(granularity, told.asked.since),
            to=edge(granularity, told.asked.until),
            time_zone=told.time_zone,
            granularity=granularity,
            group_by=group_by,
            totals=MeasuresShown.of(told.totals),
            before=told.before and MeasuresShown.of(told.before),
            buckets=[_bucket(granularity, each) for each in told.buckets],
            groups=[_group(starts, each) for each in told.groups],
            groups_left_out=told.groups_left_out,
        )


class UserNamed(Heard, frozen=True, kw_only=True):
    """Who it is."""

    id: str
    email: str | None
    name: str | None
    plan: str


class TopUserShown(Heard, frozen=True, kw_only=True):
    """One of the users who have most."""

    user: UserNamed
    totals: MeasuresShown


class TopUsersAnswer(Heard, frozen=True, kw_only=True):
    """Who has most of a measure, the first one first."""

    success: Literal[True] = True
    from_: str = field(name="from")
    to: str
    items: list[TopUserShown]

    @classmethod
    def of(cls, asked: Range, found: list[TopUser]) -> TopUsersAnswer:
        """Show them."""
        return cls(
            from_=edge("day", asked.since),
            to=edge("day", asked.until),
            items=[
                TopUserShown(
                    user=UserNamed(id=str(each.user_id), email=each.email, name=each.name, plan=each.plan),
                    totals=MeasuresShown.of(each.totals),
                )
                for each in found
            ],
        )


def edge(granularity: Granularity, at: datetime) -> str:
    """Write where a bucket begins or ends: an hour of UTC as an instant, anything longer as a date."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if granularity == "hour" else f"{at:%Y-%m-%d}"


def _bucket(granularity: Granularity, bucket: Bucket) -> BucketShown:
    start, end = edge(granularity, bucket.start), edge(granularity, bucket.end)
    return BucketShown(start=start, end=end, **_shown(bucket.measures))


def _group(starts: list[str], group: Group) -> GroupShown:
    return GroupShown(
        key=group.key,
        totals=MeasuresShown.of(group.totals),
        before=group.before and MeasuresShown.of(group.before),
        buckets=[FewMeasuresShown.of(*each) for each in zip(starts, group.buckets, strict=True)],
    )


def _shown(measures: Measures) -> dict[str, Any]:
    return {
        "requests": measures.requests,
        "completed": measures.completed,
        "failed": measures.failed,
        "success_rate": measures.success_rate,
        "tokens_used": measures.tokens_used,
        "tokens_input": measures.tokens_input,
        "tokens_output": measures.tokens_output,
        "tokens_cached": measures.tokens_cached,
        "tokens_cache_write": measures.tokens_cache_write,
        "tokens_reasoning": measures.tokens_reasoning,
        "cost": cents(measures.cost_nanos),
        "cost_nanos": measures.cost_nanos,
        "unpriced": measures.unpriced,
        "average_duration": measures.average_duration,
        "p50": measures.p50,
        "p95": measures.p95,
        "p99": measures.p99,
        "average_rating": measures.average_rating,
        "rated_requests": measures.rated,
    }
