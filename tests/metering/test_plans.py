from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.accounts.clock import set_clock
from tollkeeper.accounts import users
from tollkeeper.activity import OPERATOR
from tollkeeper.errors import Invalid, NotFound
from tollkeeper.metering.plans import catalogue, migrating, terms
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.requests import NewRequest
from tollkeeper.store.database import Database

TINY = """
[plans.tiny]
rank = 5
daily_requests = 10          # left out = unlimited, 0 = none
monthly_requests = 100
max_tokens_per_request = 4000
monthly_tokens = 1_000_000
monthly_cost_cents = 500
features = ["chat", "code_generation"]
price_per_month = 900        # cents
billing_cycle = "monthly"
"""


def test_a_file_says_all_of_a_plan() -> None:
    assert catalogue.parse(TINY) == [
        catalogue.Plan("tiny", 5, 10, 100, 4000, 1_000_000, 5_000_000_000, ("chat", "code_generation"), 900, "monthly")
    ]


def test_what_is_left_out_or_minus_one_is_unlimited_and_zero_is_none() -> None:
    open_plan, closed = catalogue.parse(
        "[plans.open]\nrank = 1\ndaily_requests = -1\nmonthly_cost_cents = -1\n"
        "[plans.closed]\nrank = 2\ndaily_requests = 0\nmonthly_cost_cents = 0.5\nfeatures = []\n"
        "billing_cycle = 'yearly'"
    )
    assert open_plan == catalogue.Plan("open", 1, None, None, None, None, None, ("*",), 0, "monthly")
    assert (closed.daily_requests, closed.monthly_cost_nanos, closed.features) == (0, 5_000_000, ())


@pytest.mark.parametrize(
    ("toml", "field"),
    [
        ("", "plans"),
        ("plans = 1", "plans"),
        ("[plans", "plans"),
        ("[plan.tiny]\nrank = 1", "plan"),
        ("[plans.Tiny]\nrank = 1", "plans.Tiny"),
        ("[plans.tiny]", "plans.tiny.rank"),
        ("[plans.tiny]\nrank = 1\ndailyRequests = 1", "plans.tiny.dailyRequests"),
        ("[plans.tiny]\nrank = true", "plans.tiny.rank"),
        ("[plans.tiny]\nrank = -1", "plans.tiny.rank"),
        ("[plans.a]\nrank = 1\n[plans.b]\nrank = 1", "plans.b.rank"),
        ("[plans.tiny]\nrank = 1\ndaily_requests = -2", "plans.tiny.daily_requests"),
        ("[plans.tiny]\nrank = 1\ndaily_requests = 1.5", "plans.tiny.daily_requests"),
        ("[plans.tiny]\nrank = 1\nmonthly_tokens = 1_000_000_000_001", "plans.tiny.monthly_tokens"),
        ("[plans.tiny]\nrank = 1\nmonthly_cost_cents = nan", "plans.tiny.monthly_cost_cents"),
        ("[plans.tiny]\nrank = 1\nmonthly_cost_cents = '5'", "plans.tiny.monthly_cost_cents"),
        ("[plans.tiny]\nrank = 1\nfeatures = 'chat'", "plans.tiny.features"),
        ("[plans.tiny]\nrank = 1\nfeatures = ['chat', 1]", "plans.tiny.features"),
        ("[plans.tiny]\nrank = 1\nfeatures = ['chat', 'chat']", "plans.tiny.features"),
        ("[plans.tiny]\nrank = 1\nprice_per_month = -1", "plans.tiny.price_per_month"),
        ("[plans.tiny]\nrank = 1\nbilling_cycle = 'weekly'", "plans.tiny.billing_cycle"),
        ("[plans.tiny]\nrank = 1\ntext_policy = 'some'", "plans.tiny.text_policy"),
        ("[plans.tiny]\nrank = 1\ntext_policy = true", "plans.tiny.text_policy"),
        ("[plans.tiny]\nrank = 1\nretain_text_days = 0", "plans.tiny.retain_text_days"),
        ("[plans.tiny]\nrank = 1\nretain_text_days = 1.5", "plans.tiny.retain_text_days"),
        ("[plans.tiny]\nrank = 1\nretain_text_days = 36_501", "plans.tiny.retain_text_days"),
        ("[plans.tiny]\nrank = 1\nentitlements = {projects = nan}", "plans.tiny.entitlements.projects"),
        ("[plans.tiny]\nrank = 1\nmonthly_cost_cents = 1e99999999999999999999", "plans"),
        ("[plans.tiny]\nrank = 1\nmonthly_cost_cents = " + 5000 * "9", "plans"),
        ("[plans.tiny]\nrank = 1\nentitlements = {projects = 1e999999999}", "plans.tiny.entitlements.projects"),
        ("[plans.tiny]\nrank = 1\nentitlements = {projects = inf}", "plans.tiny.entitlements.projects"),
        ("[plans.tiny]\nrank = 1\nentitlements = {projects = -inf}", "plans.tiny.entitlements.projects"),
        ("[plans]\ntiny = 1", "plans.tiny"),
    ],
)
def test_a_faulty_field_is_named_with_its_plan(toml: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        catalogue.parse(toml)
    assert [each["field"] for each in refused.value.fields["errors"]] == [field]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        catalogue.parse(
            "[plans.a]\nrank = -1\nrefund = 1\n[plans.b]\nrank = 2\n[plans.c]\nrank = 2\n[plans.D]\nrank = 3"
        )
    fields = ["plans.a.rank", "plans.a.refund", "plans.D", "plans.c.rank"]
    assert [each["field"] for each in refused.value.fields["errors"]] == fields
    assert all(field in refused.value.detail for field in fields)


async def test_the_catalogue_begins_with_three_plans(db: Database) -> None:
    assert [(each.name, each.daily_requests, each.monthly_requests) for each in await catalogue.all_plans(db)] == [
        ("free", 10, 100),
        ("pro", 50, 1000),
        ("enterprise", None, None),
    ]


async def test_the_difference_is_told_before_anything_changes_and_the_same_is_applied(db: Database) -> None:
    file = catalogue.parse(
        TINY + "[plans.free]\nrank = 0\ndaily_requests = 10\nmonthly_requests = 50\nmonthly_cost_cents = 0.5"
    )
    before = await catalogue.all_plans(db)
    told = {each.name: each for each in await catalogue.difference(db, file)}
    assert await catalogue.all_plans(db) == before
    assert {name: each.kind for name, each in told.items()} == {
        "tiny": "added",
        "free": "changed",
        "pro": "absent",
        "enterprise": "absent",
    }
    assert told["free"].changes == (
        catalogue.FieldChange("monthly_requests", 100, 50),
        catalogue.FieldChange("max_tokens_per_request", 8000, None),
        catalogue.FieldChange("monthly_cost_cents", None, Decimal("0.5")),
        catalogue.FieldChange("features", ["chat", "code_generation", "analysis"], ["*"]),
    )
    assert await catalogue.apply(db, file) == list(told.values())
    assert [each.name for each in await catalogue.all_plans(db)] == ["free", "tiny", "pro", "enterprise"]
    assert {each.kind for each in await catalogue.difference(db, file)} == {"same", "absent"}


async def test_what_is_kept_of_texts_is_part_of_a_plan(db: Database) -> None:
    (tiny,) = catalogue.parse(TINY + "text_policy = 'none'\nretain_text_days = 30")
    assert (tiny.text_policy, tiny.retain_text_days) == ("none", 30)
    await catalogue.apply(db, [tiny])
    assert tiny in await catalogue.all_plans(db)
    told = {each.name: each for each in await catalogue.difference(db, catalogue.parse(TINY + "retain_text_days = -1"))}
    assert told["tiny"].changes == (
        catalogue.FieldChange("text_policy", "none", "all"),
        catalogue.FieldChange("retain_text_days", 30, None),
    )


async def test_plans_may_swap_ranks_but_not_take_that_of_an_absent_one(db: Database) -> None:
    await catalogue.apply(db, catalogue.parse("[plans.pro]\nrank = 0\n[plans.free]\nrank = 10"))
    assert [each.name for each in await catalogue.all_plans(db)] == ["pro", "free", "enterprise"]
    before = await catalogue.all_plans(db)
    with pytest.raises(Invalid, match=r"plans\.tiny\.rank: is the rank of the plan enterprise"):
        await catalogue.apply(db, catalogue.parse("[plans.tiny]\nrank = 20"))
    assert await catalogue.all_plans(db) == before


async def test_operators_who_apply_together_leave_one_of_their_catalogues(db: Database) -> None:
    files = [catalogue.parse(f"[plans.a]\nrank = {n}\n[plans.b]\nrank = {n + 1}") for n in range(30, 40)]
    verdicts = await asyncio.gather(*(catalogue.apply(db, file) for file in files), return_exceptions=True)
    assert any(isinstance(each, list) for each in verdicts)
    a, b = [each for each in await catalogue.all_plans(db) if each.name in {"a", "b"}]
    assert b.rank == a.rank + 1


async def test_a_user_moves_to_another_plan_and_what_is_used_stays_used(db: Database, owner: Any) -> None:
    user = await users.add(db, "a@example.com")
    await _start(db, user, 3)
    version = await owner.fetchval("SELECT version FROM usage")
    given = await terms.set_plan(db, user.id, "pro", actor=OPERATOR)
    assert (given.plan_name, given.expires_at) == ("pro", None)
    shown = await users.show(db, user.id)
    assert (shown.plan, shown.requests_used, shown.requests_limit) == ("pro", 3, 1000)
    usage = await owner.fetchrow("SELECT * FROM usage")
    assert (usage["day_requests"], usage["version"], usage["plan_terms_id"]) == (3, version + 1, given.id)
    active = await owner.fetch("SELECT plan_name FROM user_plans WHERE is_active")
    assert [row["plan_name"] for row in active] == ["pro"]
    noted = await owner.fetchval("SELECT detail::text FROM activity WHERE action = 'plan.set'")
    assert '"pro"' in noted


async def test_a_changed_catalogue_changes_nobodys_terms(db: Database, owner: Any) -> None:
    user = await users.add(db, "a@example.com", plan="pro")
    agreed = "SELECT * FROM plan_terms"
    usage = "SELECT plan_name, daily_requests, monthly_requests, features, version FROM usage"
    before = [await owner.fetch(agreed), await owner.fetch(usage)]
    await catalogue.apply(db, catalogue.parse("[plans.pro]\nrank = 11\ndaily_requests = 1\nmonthly_requests = 1"))
    await _start(db, user, 2)
    assert await owner.fetch(agreed) == before[0]
    assert (await users.show(db, user.id)).requests_limit == 1000
    await terms.set_plan(db, user.id, "pro", actor=OPERATOR)
    assert (await users.show(db, user.id)).requests_limit == 1


async def test_a_plan_ends_when_it_was_told_to_and_free_follows(db: Database, owner: Any) -> None:
    now = datetime(2026, 5, 10, 12, tzinfo=UTC)
    await set_clock(owner, now)
    user = await users.add(db, "a@example.com")
    ends_at = now + timedelta(hours=1)
    await terms.set_plan(db, user.id, "enterprise", expires_at=ends_at, actor=OPERATOR)
    await _start(db, user, 30)
    await set_clock(owner, ends_at)
    with pytest.raises(Exception, match=r"requests of the day|limit"):
        await _start(db, user, 1)
    rows = await owner.fetch("SELECT plan_name, starts_at, expires_at, ended_at FROM plan_terms ORDER BY starts_at, id")
    assert ("free", ends_at, None, None) in [tuple(row) for row in rows]


async def test_whose_plan_has_ended_is_not_to_be_moved_to_newer_terms_of_it(db: Database, owner: Any) -> None:
    now = datetime(2026, 5, 10, 12, tzinfo=UTC)
    await set_clock(owner, now)
    user = await users.add(db, "a@example.com")
    await terms.set_plan(db, user.id, "pro", expires_at=now + timedelta(hours=1), actor=OPERATOR)
    await catalogue.apply(db, catalogue.parse("[plans.pro]\nrank = 11\ndaily_requests = 1"))
    assert [each.users for each in await migrating.outdated(db, "pro", "pro")] == [1]
    await set_clock(owner, now + timedelta(hours=1))
    assert await migrating.outdated(db, "pro", "pro") == []


async def test_an_unknown_plan_or_user_or_a_past_end_changes_nothing(db: Database, owner: Any) -> None:
    user = await users.add(db, "a@example.com")
    before = [await owner.fetch("SELECT * FROM plan_terms"), await owner.fetch("SELECT * FROM usage")]
    with pytest.raises(NotFound):
        await terms.set_plan(db, user.id, "gold", actor=OPERATOR)
    with pytest.raises(NotFound):
        await terms.set_plan(db, uuid4(), "pro", actor=OPERATOR)
    for end in (datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1)):  # noqa: DTZ001 - without a zone: refused
        with pytest.raises(Invalid, match=r"^expiresAt: "):
            await terms.set_plan(db, user.id, "pro", expires_at=end, actor=OPERATOR)
    assert [await owner.fetch("SELECT * FROM plan_terms"), await owner.fetch("SELECT * FROM usage")] == before


async def test_many_changes_of_plan_at_once_leave_one_active(db: Database, owner: Any) -> None:
    user = await users.add(db, "a@example.com")
    names = ["free", "pro", "enterprise"] * 7
    await asyncio.gather(*(terms.set_plan(db, user.id, name, actor=OPERATOR) for name in names))
    assert await owner.fetchval("SELECT count(*) FROM user_plans WHERE is_active") == 1
    assert await owner.fetchval("SELECT count(*) FROM plan_terms") == 1 + len(names)
    assert await owner.fetchval(
        "SELECT u.plan_name = t.plan_name FROM usage AS u JOIN plan_terms AS t ON t.id = u.plan_terms_id"
    )


async def _start(db: Database, user: users.User, times: int) -> None:
    async with Ledger(db, pending_for=timedelta(minutes=15)) as ledger:
        await asyncio.gather(
            *(ledger.start(NewRequest(user.id, "hello", datetime(2026, 5, 10, tzinfo=UTC))) for _ in range(times))
        )
