"""Changes of plan: by which rules, previewed as they are carried out, exact whatever else happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import Clock, a_plan, a_user, outcomes_of, started
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, LimitReached, NeedsCheckout, NotFound
from tollkeeper.metering.plans import catalogue, changes, migrating, own_plan, terms
from tollkeeper.metering.plans.changes import Changed, Wish
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.selling import providing
from tollkeeper.selling.providing import Held
from tollkeeper.store.database import Database

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
ME = Actor("test")
CATALOGUE = """
[plans.free]
rank = 0
daily_requests = 2
[plans.basic]
rank = 10
daily_requests = 3
price_per_month = 500
self_service = true
trial_days = 14
[plans.team]
rank = 20
daily_requests = 5
price_per_month = 900
price_per_year = 9000
"""


@pytest.fixture(autouse=True)
async def _verified(db: Database, clock: Clock) -> AsyncGenerator[None]:
    await clock.hold(AT)
    await catalogue.apply(db, catalogue.parse(CATALOGUE + "[plans.pro]\nrank=30\n[plans.enterprise]\nrank=40"))
    yield
    assert (await verify(db)).differences == []


async def change(db: Database, user: UUID, plan: str, *, alone: bool = False, **wish: Any) -> Changed:
    """Preview a change and make it: both say the same."""
    wanted = Wish(plan, **wish)
    told = await changes.preview(db, user, wanted, actor=ME, by_themselves=alone)
    made = await changes.change(db, user, wanted, actor=ME, by_themselves=alone)
    assert told == made
    return made


async def plan_of(db: Database, ledger: Ledger, user: UUID) -> str:
    return (await own_plan.read(db, ledger, user)).plan.name


async def test_an_upgrade_holds_at_once_and_what_is_used_stays_used(ledger: Ledger, db: Database) -> None:
    user = await a_user(db, "free")
    for _ in range(2):
        await started(ledger, user)
    with pytest.raises(LimitReached):
        await started(ledger, user)
    made = await change(db, user, "team")
    assert (made.decision.kind, made.decision.is_at_once, made.price) == ("upgraded", True, 900)
    assert (made.own.limits.daily_used, made.own.limits.daily_limit) == (2, 5)
    assert (await started(ledger, user)).limits.daily_used == 3


async def test_a_downgrade_waits_for_the_end_of_what_is_paid_and_can_be_taken_back(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    user = await a_user(db, "free")
    await change(db, user, "team")
    made = await change(db, user, "basic")
    # Paid on the 31st of January: February has no such day.
    end = datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert (made.decision.kind, made.decision.takes_effect_at, made.own.plan.name) == ("downgraded", end, "team")
    with pytest.raises(Contradiction):
        await changes.change(db, user, Wish("basic"), actor=ME, by_themselves=False)
    back = await change(db, user, "team")
    assert (back.decision.kind, back.own.expires_at, back.own.next_plan) == ("resumed", None, None)
    with pytest.raises(Contradiction):
        await changes.change(db, user, Wish("team"), actor=ME, by_themselves=False)
    await change(db, user, "basic")
    await clock.hold(end - INSTANT)
    assert await plan_of(db, ledger, user) == "team"
    await clock.hold(end)
    assert await plan_of(db, ledger, user) == "basic"


async def test_a_year_that_is_paid_has_months_of_limits_and_ends_after_twelve(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    user = await a_user(db, "free")
    made = await change(db, user, "team", billing_cycle="yearly")
    assert (made.price, made.decision.cycle) == (9000, "yearly")
    assert made.own.limits.month_ends_at == datetime(2026, 2, 1, tzinfo=UTC)
    cancelled = await change(db, user, "free")
    assert (cancelled.decision.kind, cancelled.decision.takes_effect_at) == ("cancelled", AT.replace(year=2027))
    await change(db, user, "team")
    monthly = await change(db, user, "team", billing_cycle="monthly")
    assert (monthly.decision.kind, monthly.decision.is_at_once) == ("renewed", False)
    await clock.hold(AT.replace(year=2027))
    own = await own_plan.read(db, ledger, user)
    assert (own.plan.name, own.plan.billing_cycle, own.expires_at) == ("team", "monthly", None)
    with pytest.raises(Invalid, match="billingCycle"):
        await changes.change(db, user, Wish("pro", "yearly"), actor=ME, by_themselves=False)


# Zone, how it is paid, when it was taken, when what is paid for ends.
PAID = [
    ("UTC", "yearly", "2028-02-29T10:00", "2029-02-28T10:00"),
    ("UTC", "yearly", "2027-02-28T10:00", "2028-02-28T10:00"),
    ("UTC", "monthly", "2028-01-31T10:00", "2028-02-29T10:00"),
    ("UTC", "monthly", "2026-08-31T00:00", "2026-09-30T00:00"),
    ("America/New_York", "monthly", "2026-02-08T07:30", "2026-03-08T07:30"),  # 02:30, which clocks leave out
    ("America/New_York", "yearly", "2025-11-02T05:30", "2026-11-02T06:30"),  # 01:30, which they had shown twice
    ("Asia/Kathmandu", "monthly", "2026-01-30T18:15", "2026-02-27T18:15"),  # midnight of the 31st
    ("Pacific/Kiritimati", "yearly", "2028-02-28T10:00", "2029-02-27T10:00"),  # of a 29th
]


@pytest.mark.parametrize("paid", PAID)
async def test_a_second_before_what_is_paid_for_ends_it_holds_and_then_what_follows_does(
    ledger: Ledger, db: Database, clock: Clock, paid: tuple[str, str, str, str]
) -> None:
    zone, cycle, *instants = paid
    taken_at, ends_at = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in instants)
    await clock.hold(taken_at - timedelta(seconds=1))
    user, unseen = [await a_user(db, "free", zone=zone, email=f"{n}@example.com") for n in range(2)]
    await clock.hold(taken_at)
    for each in (user, unseen):
        await change(db, each, "team", billing_cycle=cycle)
        assert (await change(db, each, "free")).decision.takes_effect_at == ends_at
    await clock.hold(ends_at - timedelta(seconds=1))
    assert await plan_of(db, ledger, user) == "team"
    await clock.hold(ends_at)
    assert await plan_of(db, ledger, user) == "free"
    await clock.hold(ends_at + timedelta(days=40))
    assert await plan_of(db, ledger, unseen) == "free"
    now_has, had, _ = await own_plan.history(db, unseen, limit=3, after=None)
    assert (now_has.starts_at, had.ended_at) == (ends_at, ends_at)


async def test_a_trial_is_had_once_and_ends_by_itself_unless_it_is_kept(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    user = await a_user(db, "free")
    made = await change(db, user, "basic", alone=True, trial=True)
    assert (made.own.is_trial, made.own.expires_at) == (True, AT + timedelta(days=14))
    await clock.hold(AT + timedelta(days=14))
    assert await plan_of(db, ledger, user) == "free"
    with pytest.raises(Contradiction):
        await changes.change(db, user, Wish("basic", trial=True), actor=ME, by_themselves=True)
    with pytest.raises(Invalid, match="trial"):
        await changes.change(db, user, Wish("team", trial=True), actor=ME, by_themselves=False)
    other = await a_user(db, "free", email="b@example.com")
    await change(db, other, "basic", alone=True, trial=True)
    kept = await change(db, other, "basic", alone=True)
    assert (kept.own.is_trial, kept.own.expires_at) == (False, None)


async def test_users_take_by_themselves_only_what_they_may(ledger: Ledger, db: Database) -> None:
    user = await a_user(db, "free")
    with pytest.raises(NeedsCheckout):
        await changes.preview(db, user, Wish("team"), actor=ME, by_themselves=True)
    with pytest.raises(NeedsCheckout):
        await changes.change(db, user, Wish("team"), actor=ME, by_themselves=True)
    assert await plan_of(db, ledger, user) == "free"
    await change(db, user, "basic", alone=True)
    await change(db, user, "team")
    assert (await change(db, user, "basic", alone=True)).decision.kind == "downgraded"
    assert (await change(db, user, "free", alone=True)).decision.kind == "cancelled"
    with pytest.raises(NotFound):
        await changes.change(db, user, Wish("gold"), actor=ME, by_themselves=True)


async def test_nobody_pays_by_the_year_by_themselves_where_the_plan_is_not_for_taking(db: Database) -> None:
    user = await a_user(db, "team")
    with pytest.raises(NeedsCheckout):
        await changes.change(db, user, Wish("team", "yearly"), actor=ME, by_themselves=True)
    await change(db, user, "team", billing_cycle="yearly")
    # Less than one has is always to be had.
    assert not (await change(db, user, "team", billing_cycle="monthly", alone=True)).decision.is_at_once


async def test_a_trial_that_was_cancelled_is_taken_back_and_costs_nothing(db: Database) -> None:
    user = await a_user(db, "free")
    tried = await change(db, user, "basic", alone=True, trial=True)
    await change(db, user, "free", alone=True)
    back = await change(db, user, "basic", alone=True)
    assert (back.decision.kind, back.own.is_trial, back.own.next_plan) == ("resumed", True, None)
    assert back.own.expires_at == tried.own.expires_at


async def test_what_was_given_for_a_time_ends_then_at_the_latest(ledger: Ledger, db: Database, clock: Clock) -> None:
    user = await a_user(db, "free")
    until = AT + timedelta(days=3)
    await terms.set_plan(db, user, "team", actor=ME, expires_at=until)
    assert (await change(db, user, "basic")).decision.takes_effect_at == until
    assert (await change(db, user, "team")).own.expires_at == until
    await clock.hold(until)
    assert await plan_of(db, ledger, user) == "free"


@pytest.mark.parametrize(
    ("given", "cycle", "wish"),
    [
        ("team", "yearly", Wish("team", "monthly")),
        ("enterprise", None, Wish("team")),
        ("enterprise", None, Wish("pro")),
    ],
)
async def test_nobody_keeps_by_themselves_what_was_given_for_a_time(
    *, ledger: Ledger, db: Database, clock: Clock, given: str, cycle: Any, wish: Wish
) -> None:
    user = await a_user(db, "free")
    until = AT + timedelta(days=3)
    known = await providing.by_name(db)
    async with db.transaction() as tx:
        now = await tx.value("bring_current", user_ids=[user])
        await providing.hold(tx, user, Held(given, cycle, until=until), known, now=now, actor=ME, reference=None)
    with pytest.raises(NeedsCheckout):
        await changes.change(db, user, wish, actor=ME, by_themselves=True)
    # What is for taking may follow, and free.
    assert (await change(db, user, "basic", alone=True)).own.next_plan == "basic"
    assert (await change(db, user, "free", alone=True)).own.next_plan == "free"
    await clock.hold(until)
    assert await plan_of(db, ledger, user) == "free"


async def test_a_change_that_is_asked_for_twice_does_not_undo_itself(db: Database) -> None:
    user = await a_user(db, "free")
    await change(db, user, "team", billing_cycle="yearly")
    await change(db, user, "team", billing_cycle="monthly")
    with pytest.raises(Contradiction, match="paid monthly, already"):
        await changes.change(db, user, Wish("team", "monthly"), actor=ME, by_themselves=False)
    # Who has cancelled and would rather pay by the month does not get the year back.
    await change(db, user, "free")
    made = await change(db, user, "team", billing_cycle="monthly")
    assert (made.decision.kind, made.own.next_plan, made.own.next_cycle) == ("renewed", "team", "monthly")
    back = await change(db, user, "team")
    assert (back.decision.kind, back.own.plan.billing_cycle, back.own.next_plan) == ("resumed", "yearly", None)


async def test_the_history_says_how_one_came_to_each_plan(db: Database, clock: Clock) -> None:
    user = await a_user(db, "free")
    later = AT + timedelta(seconds=1)
    await clock.hold(later)
    await change(db, user, "team")
    await change(db, user, "free")
    await clock.hold(datetime(2026, 3, 1, tzinfo=UTC))
    had = await own_plan.history(db, user, limit=2, after=None)
    assert [(each.plan_name, each.kind, each.is_in_force) for each in had] == [
        ("free", "cancelled", True),
        ("team", "upgraded", False),
    ]
    (first,) = await own_plan.history(db, user, limit=2, after=had[-1].id)
    assert (first.kind, first.ended_at) == ("given", later)


async def test_old_subscribers_keep_their_terms_until_they_are_moved(ledger: Ledger, db: Database) -> None:
    old = [await a_user(db, "team", email=f"{n}@example.com") for n in range(3)]
    await change(db, old[0], "basic")
    await catalogue.apply(db, catalogue.parse("[plans.team]\nrank = 20\ndaily_requests = 4\nprice_per_month = 1100"))
    new = await a_user(db, "team", email="new@example.com")
    assert [(await started(ledger, each)).limits.daily_limit for each in (*old, new)] == [5, 5, 5, 4]
    (found,) = await migrating.outdated(db, "team", "team")
    fields = {each.field: (each.old, each.new) for each in found.changes}
    assert found.users == 3
    assert fields["daily_requests"] == (5, 4)
    assert [moved async for moved in migrating.migrate(db, "team", "team", actor=ME)] == [3]
    assert [(await started(ledger, each)).limits.daily_limit for each in (*old, new)] == [4, 4, 4, 4]
    assert (await own_plan.read(db, ledger, old[0])).next_plan == "basic"
    assert await migrating.outdated(db, "team", "team") == []
    assert [moved async for moved in migrating.migrate(db, "team", "team", actor=ME)] == []


async def test_who_is_moved_keeps_what_follows_even_if_it_is_where_they_were_moved_to(
    ledger: Ledger, db: Database, clock: Clock
) -> None:
    going, monthly = [await a_user(db, "free", email=f"{n}@example.com") for n in range(2)]
    await change(db, going, "pro")
    await change(db, going, "team")
    await change(db, monthly, "team", billing_cycle="yearly")
    await change(db, monthly, "team", billing_cycle="monthly")
    await catalogue.apply(db, catalogue.parse("[plans.team]\nrank = 20\ndaily_requests = 4\nprice_per_month = 1100"))
    assert [moved async for moved in migrating.migrate(db, "pro", "team", actor=ME)] == [1]
    assert [moved async for moved in migrating.migrate(db, "team", "team", actor=ME)] == [1]
    await clock.hold(AT.replace(year=2027))
    for user in (going, monthly):
        own = await own_plan.read(db, ledger, user)
        assert (own.plan.name, own.plan.billing_cycle, own.expires_at) == ("team", "monthly", None)


async def test_moving_stops_when_its_time_is_over_and_goes_on_when_called_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "_A_SET", 2)
    for n in range(5):
        await a_user(db, "team", email=f"{n}@example.com")
    await catalogue.apply(db, catalogue.parse("[plans.team]\nrank = 20\ndaily_requests = 4"))
    for left in (3, 1):
        moved = await migrating.migrate_for(db, "team", "team", actor=ME, seconds=0)
        assert moved == migrating.Moved(2, is_complete=False)
        assert [each.users for each in await migrating.outdated(db, "team", "team")] == [left]
    moved = await migrating.migrate_for(db, "team", "team", actor=ME, seconds=60)
    assert moved == migrating.Moved(1, is_complete=True)


async def test_months_begin_on_the_day_on_which_the_plan_was_taken_where_it_says_so(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, clock: Clock
) -> None:
    user = await a_user(db, "free")
    await started(ledger, user)
    await change(db, user, await a_plan(owner, "yours", monthly_requests=9, period="anniversary"))
    limits = (await started(ledger, user)).limits
    # The month under way is not made shorter, and what was used of it stays.
    assert (limits.monthly_used, limits.month_ends_at) == (2, datetime(2026, 2, 28, 12, tzinfo=UTC))
    for end in (datetime(2026, 3, 31, 12), datetime(2026, 4, 30, 12), datetime(2026, 5, 31, 12)):  # noqa: DTZ001
        await clock.hold(limits.month_ends_at)
        limits = (await started(ledger, user)).limits
        assert (limits.monthly_used, limits.month_ends_at) == (1, end.replace(tzinfo=UTC))
    await change(db, user, "free")
    await clock.hold(datetime(2026, 5, 31, 12, tzinfo=UTC))
    limits = (await started(ledger, user)).limits
    assert (limits.plan_name, limits.month_ends_at) == ("free", datetime(2026, 6, 1, tzinfo=UTC))


PERIODS = [
    # anchor, months, an instant, and the period around it
    ("2024-02-29 10:00+00", 12, "2025-06-01 00:00+00", "2025-02-28 10:00+00", "2026-02-28 10:00+00"),
    ("2024-02-29 10:00+00", 12, "2028-02-29 10:00+00", "2028-02-29 10:00+00", "2029-02-28 10:00+00"),
    ("2026-01-31 12:00+00", 1, "2026-02-28 11:59+00", "2026-01-31 12:00+00", "2026-02-28 12:00+00"),
    ("2026-01-31 12:00+00", 1, "2026-03-30 00:00+00", "2026-02-28 12:00+00", "2026-03-31 12:00+00"),
    ("2026-05-15 00:00+00", 1, "2026-05-01 00:00+00", "2026-04-15 00:00+00", "2026-05-15 00:00+00"),
]


@pytest.mark.parametrize("period", PERIODS)
async def test_a_period_is_counted_from_its_anchor(
    owner: asyncpg.Connection, period: tuple[str, int, str, str, str]
) -> None:
    found = await owner.fetchrow(
        "SELECT p.starts_at = $4::text::timestamptz AS begins, p.ends_at = $5::text::timestamptz AS ends "
        "FROM tk_period_of($1::text::timestamptz, $2, 'UTC', $3::text::timestamptz) AS p",
        *period,
    )
    assert found is not None
    assert tuple(found) == (True, True)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"])
async def test_periods_follow_each_other_without_gap_or_overlap(owner: asyncpg.Connection, zone: str) -> None:
    broken = await owner.fetchval(
        "SELECT count(*) FROM generate_series(timestamptz '2024-01-01 03:17+00', '2028-03-01', '17:13:00') AS t (at) "
        "CROSS JOIN (VALUES (timestamptz '2024-01-31 02:30+00'), ('2024-02-29 23:59+00'), ('2025-03-09 07:30+00')) "
        "AS a (anchor) CROSS JOIN (VALUES (1), (12)) AS m (months) "
        "CROSS JOIN LATERAL tk_period_of(a.anchor, m.months, $1, t.at) AS p "
        "CROSS JOIN LATERAL tk_period_of(a.anchor, m.months, $1, p.ends_at) AS n "
        "WHERE NOT (p.starts_at <= t.at AND t.at < p.ends_at AND n.starts_at = p.ends_at)",
        zone,
    )
    assert broken == 0


async def test_changes_of_plan_amid_starts_let_nobody_pass_a_limit(ledger: Ledger, db: Database) -> None:
    user = await a_user(db, "free")

    async def moves() -> None:
        for plan in ("team", "basic", "team", "free", "pro"):
            try:
                await changes.change(db, user, Wish(plan), actor=ME, by_themselves=False)
            except Contradiction:
                continue
            await asyncio.sleep(0)

    found, _ = await asyncio.gather(outcomes_of([started(ledger, user) for _ in range(60)]), moves())
    told: list[Limits] = [each.fields["limits"] if isinstance(each, LimitReached) else each.limits for each in found]
    by_version = sorted(told, key=lambda limits: limits.version)
    assert all(limits.daily_limit is None or limits.daily_used <= limits.daily_limit for limits in by_version)
    assert [limits.daily_used for limits in by_version] == sorted(limits.daily_used for limits in by_version)
