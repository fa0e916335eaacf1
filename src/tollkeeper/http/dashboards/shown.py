"""The dashboard, as the outside sees it."""

from __future__ import annotations

from typing import Any

from tollkeeper.http.tracking.shown import RequestShown
from tollkeeper.http.wire import Cents, Heard, Instant, LimitsShown, encode, instant
from tollkeeper.metering.dashboards.dashboard import Dashboard
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.upkeep.verify import Difference

_UNDER = b',"dashboard":'


class UserShown(Heard, frozen=True, kw_only=True):
    """The user of a dashboard."""

    id: str
    email: str | None
    name: str | None
    plan: str
    plan_expires_at: Instant | None
    time_zone: str
    requests_used: int
    requests_limit: int | None


class MetricsShown(Heard, frozen=True, kw_only=True):
    """Sums since the beginning, unless named otherwise. Requests count from their start, all else from their finish."""

    total_requests: int
    completed_requests: int
    failed_requests: int
    pending_requests: int
    total_tokens_used: int
    total_cost: Cents
    total_cost_nanos: int
    unpriced_requests: int
    average_response_time: int | None
    requests_this_month: int
    requests_today: int


class PerformanceShown(Heard, frozen=True, kw_only=True):
    """How fast, how well, how liked. Times in ms; percentiles within 2 %."""

    average_response_time: int | None
    success_rate: float | None
    average_rating: float | None
    total_requests: int
    rated_requests: int
    unpriced_requests: int
    p50: float | None
    p95: float | None
    p99: float | None


class DayShown(Heard, frozen=True, kw_only=True):
    """One day in the user's zone."""

    date: str
    requests: int
    failed: int
    tokens_used: int
    cost: Cents
    cost_nanos: int


class DashboardShown(Heard, frozen=True, kw_only=True):
    """Everything that a user's dashboard shows; of prompts and responses the first 200 characters."""

    user: UserShown
    metrics: MetricsShown
    limits: LimitsShown
    performance: PerformanceShown
    recent_requests: list[RequestShown]
    requests_by_category: dict[str, int]
    requests_by_model: dict[str, int]
    requests_by_type: dict[str, int]
    series: list[DayShown]
    last_calculated_at: Instant | None

    @classmethod
    def of(cls, dashboard: Dashboard) -> DashboardShown:
        """Show a dashboard."""
        return cls(
            user=_user(dashboard),
            metrics=_metrics(dashboard),
            limits=LimitsShown.of(dashboard.limits),
            performance=_performance(dashboard),
            recent_requests=[RequestShown.of(each) for each in dashboard.recent],
            requests_by_category=dashboard.by_category,
            requests_by_model=dashboard.by_model,
            requests_by_type=dashboard.by_type,
            series=[
                DayShown(
                    date=day.on.isoformat(),
                    requests=day.requests,
                    failed=day.failed,
                    tokens_used=day.tokens_used,
                    cost=cents_of(day.cost_nanos),
                    cost_nanos=day.cost_nanos,
                )
                for day in dashboard.series
            ],
            last_calculated_at=dashboard.calculated_at and instant(dashboard.calculated_at),
        )


class DashboardAnswer(DashboardShown, frozen=True, kw_only=True):
    """The dashboard's fields, and the same once more under ``dashboard``, as the seed's example reads it."""

    dashboard: DashboardShown


class DifferenceShown(Heard, frozen=True, kw_only=True):
    """One number that was not what the rows say."""

    place: str
    key: dict[str, Any]
    field: str
    was: int
    now: int

    @classmethod
    def of(cls, difference: Difference) -> DifferenceShown:
        """Show what was mended."""
        return cls(
            place=difference.place,
            key=difference.key,
            field=difference.field,
            was=difference.stored,
            now=difference.actual,
        )


class RebuiltDashboard(DashboardAnswer, frozen=True, kw_only=True):
    """The dashboard after it was computed anew, and what that changed: normally nothing."""

    changed: list[DifferenceShown]


def _user(dashboard: Dashboard) -> UserShown:
    return UserShown(
        id=str(dashboard.user_id),
        email=dashboard.email,
        name=dashboard.name,
        plan=dashboard.limits.plan_name,
        plan_expires_at=dashboard.plan_expires_at and instant(dashboard.plan_expires_at),
        time_zone=dashboard.time_zone,
        requests_used=dashboard.limits.monthly_used,
        requests_limit=dashboard.limits.monthly_limit,
    )


def _metrics(dashboard: Dashboard) -> MetricsShown:
    return MetricsShown(
        total_requests=dashboard.total_requests,
        completed_requests=dashboard.completed,
        failed_requests=dashboard.failed,
        pending_requests=dashboard.pending,
        total_tokens_used=dashboard.total_tokens_used,
        total_cost=cents_of(dashboard.total_cost_nanos),
        total_cost_nanos=dashboard.total_cost_nanos,
        unpriced_requests=dashboard.unpriced,
        average_response_time=dashboard.average_response_ms,
        requests_this_month=dashboard.requests_this_month,
        requests_today=dashboard.requests_today,
    )


def _performance(dashboard: Dashboard) -> PerformanceShown:
    return PerformanceShown(
        average_response_time=dashboard.average_response_ms,
        success_rate=dashboard.success_rate,
        average_rating=dashboard.average_rating,
        total_requests=dashboard.total_requests,
        rated_requests=dashboard.rated,
        unpriced_requests=dashboard.unpriced,
        p50=dashboard.p50,
        p95=dashboard.p95,
        p99=dashboard.p99,
    )


def enveloped(shown: DashboardShown, *, changed: list[DifferenceShown] | None = None) -> bytes:
    """Encode the dashboard once, and put it under ``dashboard`` as well as beside it: the ``DashboardAnswer``."""
    once = encode(shown)
    more = b"" if changed is None else b',"changed":' + encode(changed)
    return once[:-1] + _UNDER + once + more + b"}"


def within(envelope: bytes) -> bytes:
    """Take the dashboard out of its envelope, in which it stands twice and nothing else does."""
    size = (len(envelope) - len(_UNDER)) // 2
    return envelope[-size - 1 : -1]
