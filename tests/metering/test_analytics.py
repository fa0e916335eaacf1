"""Usage over time equals the rows: of each bucket, of each group, and of the time before, in whatever zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.metering.facts import Fact, a_past, agree, by_key, facts_of, within
from tests.metering.making import NOON, OWN_MODEL, Clock, a_request, a_user, an_outcome, started
from tollkeeper.activity import Actor
from tollkeeper.errors import Invalid, NotFound
from tollkeeper.metering.dashboards import analytics
from tollkeeper.metering.dashboards.analytics import Analytics, Dimension, Question
from tollkeeper.metering.dashboards.measures import NOTHING
from tollkeeper.metering.dashboards.ranges import Granularity
from tollkeeper.metering.plans import terms
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.store.database import Database

KEYS: dict[str, str] = {
    "model": "model_key",
    "category": "category_key",
    "requestType": "request_type",
    "complexity": "complexity_key",
    "plan": "plan_name",
}
# Zones whose clocks change within the range, at night or at midnight itself, and some that stand apart.
ZONES = ("Europe/Berlin", "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "UTC")
SINCE, UNTIL = date(2025, 3, 5), date(2025, 4, 2)
LONG_AGO = Question(since=SINCE, until=UNTIL)

pytestmark = pytest.mark.usefixtures("own_model")


def agrees(told: Analytics, facts: list[Fact], question: Question) -> None:
    """Hold every figure of an answer against the rows."""
    asked = told.asked
    now = within(facts, asked.since, asked.until)
    before = within(facts, asked.before, asked.since)
    agree(told.totals, now)
    agree(told.before, before)
    assert [(each.start, each.end) for each in told.buckets] == list(asked.buckets())
    for bucket in told.buckets:
        agree(bucket.measures, within(now, bucket.start, bucket.end))
    if question.group_by is None:
        assert told.groups == []
        return
    key = KEYS[question.group_by]
    ours, theirs = by_key(now, lambda fact: fact[key]), by_key(before, lambda fact: fact[key])
    assert {group.key for group in told.groups} == ours.keys() | theirs.keys()
    sizes = [group.totals.requests for group in told.groups]
    assert sizes == sorted(sizes, reverse=True)
    for group in told.groups:
        mine = ours.get(group.key, [])
        agree(group.totals, mine)
        agree(group.before, theirs.get(group.key, []))
        for bucket, measures in zip(told.buckets, group.buckets, strict=True):
            facts = within(mine, bucket.start, bucket.end)
            assert (measures.requests, measures.cost_nanos) == (len(facts), sum(fact["cost_nanos"] for fact in facts))


@pytest.mark.parametrize("zone", ZONES)
async def test_every_figure_of_a_users_days_weeks_and_months_equals_the_rows(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, zone: str
) -> None:
    user = await a_user(db, "enterprise", zone=zone)
    await a_past(
        ledger, user, since=datetime(2025, 2, 1, tzinfo=UTC), until=datetime(2025, 4, 5, tzinfo=UTC), requests=600
    )
    facts = await facts_of(owner, user, zone)
    dimensions: tuple[Dimension | None, ...] = (None, "model", "category", "requestType", "complexity")
    granularities: tuple[Granularity, ...] = ("day", "week", "month")
    for group_by, granularity in zip(dimensions, (*granularities, "day", "week"), strict=True):
        question = replace(LONG_AGO, group_by=group_by, granularity=granularity)
        told = await analytics.of_user(db, ledger, user, question)
        assert told.time_zone == zone
        agrees(told, facts, question)
        starts = {each.start.weekday() for each in told.buckets[1:]}
        assert granularity != "week" or starts == {0}


async def test_filters_count_alone_what_they_name(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    user = await a_user(db, "enterprise")
    await a_past(
        ledger, user, since=datetime(2025, 3, 1, tzinfo=UTC), until=datetime(2025, 4, 2, tzinfo=UTC), requests=400
    )
    facts = await facts_of(owner, user, "UTC")
    filters: tuple[dict[str, Any], ...] = (
        {"model": OWN_MODEL},
        {"model": "unknown", "category": "nft"},
        {"category": "uncategorized"},
        {"request_type": "analysis", "complexity": "high"},
        {"complexity": "unknown"},
        {"model": "never seen"},
    )
    columns = {"model": "model_key", "category": "category_key", "complexity": "complexity_key"}
    for named in filters:
        question = replace(LONG_AGO, group_by="category", **named)
        kept = [fact for fact in facts if all(fact[columns.get(name, name)] == value for name, value in named.items())]
        agrees(await analytics.of_user(db, ledger, user, question), kept, question)


async def test_by_status_only_what_the_sums_know_is_told(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, "enterprise")
    await a_past(
        ledger, user, since=datetime(2025, 3, 6, tzinfo=UTC), until=datetime(2025, 4, 2, tzinfo=UTC), requests=200
    )
    facts = await facts_of(owner, user, "UTC")
    whole = await analytics.of_user(db, ledger, user, LONG_AGO)
    grouped = await analytics.of_user(db, ledger, user, replace(LONG_AGO, group_by="status"))
    assert grouped.totals == whole.totals
    assert [group.key for group in grouped.groups] == ["completed", "failed"]
    for group in grouped.groups:
        alone = await analytics.of_user(
            db,
            ledger,
            user,
            replace(LONG_AGO, status=group.key, group_by="model"),
        )
        assert (alone.totals, alone.before) == (group.totals, group.before)
        assert [each.measures for each in alone.buckets] == group.buckets
        count = sum(fact["status"] == group.key for fact in facts)
        assert (alone.totals.requests, getattr(alone.totals, group.key)) == (count, count)
        told = alone.totals
        unknown = (told.tokens_used, told.cost_nanos, told.unpriced, told.rated, told.success_rate, told.average_rating)
        assert set(unknown) == {None}
        sizes = [each.totals.requests for each in alone.groups]
        assert sum(sizes) == count
        assert sizes == sorted(sizes, reverse=True)
    completed, failed = grouped.groups
    assert (completed.totals.p95, completed.totals.average_duration) == (
        whole.totals.p95,
        whole.totals.average_duration,
    )
    assert (failed.totals.p95, failed.totals.average_duration) == (None, None)


async def test_hours_equal_the_rows_and_forget_what_lies_before_them(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, "enterprise", zone="Asia/Kathmandu")
    now = await db.value("database_instant")
    await a_past(ledger, user, since=now - timedelta(days=4), until=now - timedelta(minutes=1), requests=300)
    facts = await facts_of(owner, user, "UTC")
    recent = Question(granularity="hour", since=now - timedelta(hours=40), until=now, group_by="model")
    told = await analytics.of_user(db, ledger, user, recent)
    assert told.time_zone == "UTC"
    assert len(told.buckets) in {40, 41}
    agrees(told, facts, recent)
    filtered = replace(recent, model=OWN_MODEL, group_by=None)
    agrees(
        await analytics.of_user(db, ledger, user, filtered),
        [fact for fact in facts if fact["model"] == OWN_MODEL],
        filtered,
    )
    usual = await analytics.of_user(db, ledger, user, Question(granularity="hour"))
    assert (len(usual.buckets), usual.before) == (720, NOTHING)
    early = Question(granularity="hour", since=now - timedelta(days=45), group_by="model")
    told = await analytics.of_user(db, ledger, user, early)
    assert (told.before, {group.before for group in told.groups}) == (None, {None})


async def test_over_all_users_days_are_days_of_utc(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    for place, zone in enumerate(("Europe/Berlin", "Pacific/Apia", "UTC")):
        user = await a_user(db, "enterprise" if place else "pro", zone=zone, email=f"user-{place}@example.com")
        await a_past(
            ledger, user, since=datetime(2025, 2, 1, tzinfo=UTC), until=datetime(2025, 4, 5, tzinfo=UTC), requests=200
        )
    facts = await facts_of(owner, None, "UTC")
    dimensions: tuple[Dimension | None, ...] = (None, "model", "category", "requestType", "plan")
    for group_by in dimensions:
        question = replace(LONG_AGO, group_by=group_by, granularity="week")
        agrees(await analytics.over_all(db, question), facts, question)
    question = replace(LONG_AGO, plan="pro", category="nft", group_by="model")
    kept = [fact for fact in facts if (fact["plan_name"], fact["category"]) == ("pro", "nft")]
    agrees(await analytics.over_all(db, question), kept, question)


@pytest.mark.parametrize("by", get_args(analytics.By))
async def test_who_has_most_of_a_measure_comes_first(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, by: analytics.By
) -> None:
    zones: dict[UUID, str] = {}
    for place, zone in enumerate(("Europe/Berlin", "Pacific/Apia", "UTC", "America/Havana")):
        user = await a_user(db, "enterprise", zone=zone, email=f"user-{place}@example.com")
        zones[user] = zone
        await a_past(
            ledger,
            user,
            since=datetime(2025, 3, 1, tzinfo=UTC),
            until=datetime(2025, 4, 5, tzinfo=UTC),
            requests=40 + 13 * place,
        )
    await a_user(db, email="idle@example.com")
    asked, found = await analytics.top_users(db, since=SINCE, until=UNTIL, by=by, limit=3)
    assert len(found) == 3
    for each in found:
        facts = within(await facts_of(owner, each.user_id, zones[each.user_id]), asked.since, asked.until)
        agree(each.totals, facts)
    _, everybody = await analytics.top_users(db, since=SINCE, until=UNTIL, by=by, limit=100)
    assert [each.user_id for each in everybody[:3]] == [each.user_id for each in found]
    assert {each.user_id for each in everybody} == zones.keys()
    measured = [_measure(each, by) for each in everybody]
    assert measured == sorted(measured, reverse=True)


def _measure(user: analytics.TopUser, by: analytics.By) -> float:
    name = {"tokensUsed": "tokens_used", "cost": "cost_nanos", "averageDuration": "average_duration"}.get(by, by)
    return getattr(user.totals, name) or 0


async def test_where_nothing_happened_there_are_empty_buckets(ledger: Ledger, db: Database, user: UUID) -> None:
    told = await analytics.of_user(db, ledger, user, Question(group_by="model"))
    assert (told.totals, told.before, told.groups, len(told.buckets)) == (NOTHING, NOTHING, [], 30)
    assert {each.measures for each in told.buckets} == {NOTHING}
    over_all = await analytics.over_all(db, Question(granularity="month"))
    assert (over_all.totals, len(over_all.buckets)) == (NOTHING, 2 if over_all.buckets[0].start.day != 1 else 1)
    with pytest.raises(NotFound):
        await analytics.of_user(db, ledger, uuid4(), Question())


async def test_today_is_the_users_own_and_what_is_abandoned_counts_as_failed(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    await clock.hold(datetime(2026, 5, 13, 23, 30, tzinfo=UTC))
    user = await a_user(db, "enterprise", zone="Europe/Berlin")
    await started(ledger, user)
    told = await analytics.of_user(db, ledger, user, Question())
    assert (told.totals, told.buckets[-1].start) == (NOTHING, datetime(2026, 5, 14))  # noqa: DTZ001
    await clock.step(timedelta(days=1))
    told = await analytics.of_user(db, ledger, user, Question())
    assert told.buckets[-1].start == datetime(2026, 5, 15)  # noqa: DTZ001
    assert (told.buckets[-2].measures.failed, told.totals.requests) == (1, 1)


async def test_of_who_used_most_the_plan_of_now_is_told_though_nobody_met_the_end_of_another(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    await clock.hold(NOON)
    user = await a_user(db)
    await terms.set_plan(db, user, "enterprise", actor=Actor("test"), expires_at=NOON + timedelta(hours=1))
    request = await started(ledger, user)
    await ledger.finish(an_outcome(user, request.id))
    await clock.hold(NOON + timedelta(hours=1))
    _, (first,) = await analytics.top_users(db, since=None, until=None, by="requests", limit=10)
    assert (first.user_id, first.plan) == (user, "free")


async def test_only_the_largest_groups_are_listed(ledger: Ledger, db: Database, user: UUID) -> None:
    at = datetime(2025, 3, 20, tzinfo=UTC)
    past: list[Any] = []
    for model in range(60):
        for n in range(1 + model // 20):
            request = a_request(user, import_key=f"{model}-{n}", started_at=at, model=f"model-{model:02}")
            past.append((request, an_outcome(user, "", completed_at=at, tokens_input=1, tokens_output=1)))
    await ledger.record(past)
    told = await analytics.of_user(db, ledger, user, replace(LONG_AGO, group_by="model"))
    assert (len(told.groups), told.groups_left_out) == (analytics.MOST_GROUPS, 10)
    assert [group.key for group in told.groups] == [
        f"model-{n:02}" for n in (*range(40, 60), *range(20, 40), *range(10))
    ]
    assert all(sum(each.requests for each in group.buckets) == group.totals.requests for group in told.groups)


@pytest.mark.parametrize(
    ("faulty", "given"),
    [
        ("from", {"since": datetime(2025, 3, 5, tzinfo=UTC)}),
        ("to", {"until": datetime(2025, 3, 5, tzinfo=UTC)}),
        ("from", {"since": date(1969, 12, 31)}),
        ("from", {"since": date(1, 1, 1)}),
        ("to", {"until": date(1, 1, 1)}),
        ("to", {"until": date(9999, 12, 31)}),
        ("to", {"since": date(2025, 3, 5), "until": date(2025, 3, 5)}),
        ("from", {"since": date(2100, 1, 1)}),
        ("from", {"since": date(2023, 1, 1), "until": date(2025, 1, 1)}),
        ("from", {"since": date(2010, 1, 1), "until": date(2025, 1, 1), "granularity": "week"}),
        ("from", {"since": date(2025, 1, 1), "until": date(2025, 1, 2), "granularity": "hour"}),
        ("to", {"until": date(2025, 1, 2), "granularity": "hour"}),
        ("groupBy", {"granularity": "hour", "group_by": "category"}),
        ("groupBy", {"granularity": "hour", "group_by": "status"}),
        ("category", {"granularity": "hour", "category": "nft"}),
        ("requestType", {"granularity": "hour", "request_type": "chat"}),
        ("complexity", {"granularity": "hour", "complexity": "low"}),
        ("status", {"granularity": "hour", "status": "failed"}),
        ("plan", {"plan": "pro"}),
        ("groupBy", {"group_by": "plan"}),
    ],
)
async def test_what_cannot_be_told_is_refused_by_its_field(
    ledger: Ledger, db: Database, user: UUID, faulty: str, given: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as refused:
        await analytics.of_user(db, ledger, user, Question(**given))
    assert [each["field"] for each in refused.value.fields["errors"]] == [faulty]


@pytest.mark.parametrize(
    ("faulty", "given"), [("complexity", {"complexity": "low"}), ("groupBy", {"group_by": "complexity"})]
)
async def test_over_all_users_complexity_is_not_known(db: Database, faulty: str, given: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        await analytics.over_all(db, Question(**given))
    assert [each["field"] for each in refused.value.fields["errors"]] == [faulty]
