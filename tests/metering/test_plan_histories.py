"""Whatever happens to a user's plan, grants and overrides: what the oracle says, and the same with and without a job.

Two users live the same history. One is brought current by a job at every step of the clock, of the other nobody takes
care. With TORTURE=1 in the environment the runs are longer and many more.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.metering.house import House, a_house, read_by_sql
from tests.metering.making import a_request, a_user, an_outcome, differences_of, usage_of
from tests.metering.plan_oracle import FOR_EVER, Grant, Override, Plan, PlanOracle, Request, Unit, period_end
from tests.metering.plans_on_sale import NAMES, NEW_TEAM, PLANS, TEAM, Catalogue, as_in_file
from tollkeeper.activity import Actor
from tollkeeper.errors import Contradiction, Invalid, LimitReached
from tollkeeper.metering.plans import catalogue, changes, exceptions, own_plan, terms
from tollkeeper.metering.plans.changes import Changed, Wish
from tollkeeper.metering.plans.plan_file import Cycle
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.store.embedded import Addresses

T = TypeVar("T")

ME = Actor("machine")
ZONES = ["UTC", "Asia/Kathmandu", "Pacific/Kiritimati", "America/New_York", "Pacific/Honolulu"]
# The 31st, a leap day, nights whose hours are 23 and 25, shortly before the end of a month and of a year.
BEGINNINGS = [
    datetime(2026, 1, 31, 12, 0, 17, tzinfo=UTC),
    datetime(2028, 2, 28, 23, 50, 17, tzinfo=UTC),
    datetime(2028, 2, 29, 9, 59, 17, tzinfo=UTC),
    datetime(2026, 3, 8, 4, 50, 17, tzinfo=UTC),
    datetime(2026, 10, 31, 9, 50, 17, tzinfo=UTC),
    datetime(2026, 12, 31, 18, 10, 17, tzinfo=UTC),
]
STEPS = [
    *(timedelta(minutes=minutes) for minutes in (0.02, 1, 5, 20, 60, 300)),
    *(timedelta(days=days) for days in (0.96, 1, 9, 31, 400)),
]
BACK = timedelta(minutes=10)
# So that no two things end at once, and nothing that is made then is over already where the clock went back.
ENDS = [timedelta(hours=2), timedelta(days=1), timedelta(days=20), timedelta(days=45)]
GIVEN: list[tuple[Unit, int]] = [("requests", 1), ("requests", 3), ("requests", 6), ("tokens", 7), ("tokens", 80)]


class PlanMachine(RuleBasedStateMachine):
    """Two users, swept and not, beside one oracle."""

    house: ClassVar[House]

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.house.run(coroutine)

    @initialize(
        now=st.sampled_from(BEGINNINGS),
        zone=st.sampled_from(ZONES),
        plan=st.sampled_from(NAMES),
        hops=st.lists(st.sampled_from(ZONES), max_size=2),
    )
    def sign_up(self, now: datetime, zone: str, plan: str, hops: list[str]) -> None:
        self.on_sale = Catalogue()
        self.wait(catalogue.apply(self.house.db, [as_in_file(each) for each in PLANS]))
        self.wait(self.house.clock.hold(now))
        # What was sold in other histories was sold before this one.
        self.wait(self.house.owner.execute("UPDATE plan_versions SET created_at = '-infinity'"))
        self.users = list[UUID]()
        for _ in range(2):
            email = f"{next(self.house.numbers)}@example.com"
            self.users.append(self.wait(a_user(self.house.db, plan, zone=zone, email=email)))
        self.oracle = PlanOracle(self.on_sale.now(plan), zone, now)
        self.latest = now
        self.ids = list[list[UUID]]()
        self.grant_ids = list[tuple[Grant, list[UUID]]]()
        self.override_ids = list[tuple[Override, list[UUID]]]()
        self.tried = set[str]()
        # The first is in force a day later, the second has to wait for another month.
        for hop in hops:
            self.move(hop)
            self.let_time_pass(timedelta(days=1))

    # Time.

    @rule(step=st.sampled_from(STEPS))
    def let_time_pass(self, step: timedelta) -> None:
        for _ in range(4):
            self._go_on(step / 4)
            self.wait(self.house.ledger.bring_current(self.users[:1]))

    @precondition(lambda self: self.oracle.now > self.latest - BACK)
    @rule()
    def go_back(self) -> None:
        # What has been seen to end stays ended, what nobody saw does not.
        self.look()
        self._go_on(-BACK)

    def _go_on(self, by: timedelta) -> None:
        self.oracle.now += by
        self.latest = max(self.latest, self.oracle.now)
        self.wait(self.house.clock.hold(self.oracle.now))

    def _act(self) -> None:
        """Let the clock go on a little, so that what is made has an order, and the oracle see what has ended."""
        self._go_on(timedelta(milliseconds=1))
        self.oracle.catch_up(self.on_sale.at)

    @rule(zone=st.sampled_from(ZONES))
    def move(self, zone: str) -> None:
        self._act()
        for user in self.users:
            self.wait(self.house.ledger.bring_current([user]))
            self.wait(self.house.db.run("plan_zone_of_user", user_id=user, time_zone=zone))
        self.oracle.next_zone = None if zone == self.oracle.zone else zone

    # Requests.

    @rule(sizes=st.lists(st.sampled_from([1, 2, 3, 5, 8, 30]), min_size=1, max_size=6))
    def start(self, sizes: list[int]) -> None:
        self._act()
        for size in sizes:
            expected = self.oracle.start(size)
            told = [self.wait(self._start(user, size)) for user in self.users]
            assert [refused for refused, _ in told] == [expected, expected]
            if expected is None:
                self.ids.append([id_ for _, id_ in told if id_ is not None])

    async def _start(self, user: UUID, size: int) -> tuple[tuple[str, int, int | None] | None, UUID | None]:
        try:
            started = await self.house.ledger.start(a_request(user, max_tokens=size - 1))
        except LimitReached as refused:
            limits: Limits = refused.fields["limits"]
            return (refused.fields["limit"], *limits.of_limit(refused.fields["limit"])), None
        for limit in ("daily", "monthly", "tokens", "perMinute", "concurrent"):
            used, most = started.limits.of_limit(limit)
            assert used >= 0
            assert most is None or used <= most
        return None, started.id

    @precondition(lambda self: any(not each.is_finished for each in self.oracle.requests))
    @rule(
        data=st.data(), status=st.sampled_from(["completed", "failed"]), used=st.integers(0, 60), trusted=st.booleans()
    )
    def finish(self, data: st.DataObject, status: str, used: int, *, trusted: bool) -> None:
        self._act()
        before = self._used()
        request: Request = data.draw(st.sampled_from([each for each in self.oracle.requests if not each.is_finished]))
        self.oracle.finish(request, status, used, trusted=trusted)
        # Not by what it is equal to: others of the same instant may be.
        place = next(place for place, each in enumerate(self.oracle.requests) if each is request)
        for user, id_ in zip(self.users, self.ids[place], strict=True):
            outcome = an_outcome(user, id_, status, tokens_input=0, tokens_output=used, trusted=trusted)
            self.wait(self.house.ledger.finish(outcome))
        # Within a window requests go down by what was refunded, and by nothing else.
        assert [was - now for was, now in zip(before, self._used(), strict=True)] == [
            request.refunded and request.at >= self.oracle.day.start,
            request.refunded and request.at >= self.oracle.month.start,
        ]

    def _used(self) -> tuple[int, int]:
        limits = self._own(self.users[0]).limits
        return limits.daily_used, limits.monthly_used

    # Plans.

    @rule(
        plan=st.sampled_from(NAMES),
        trial=st.sampled_from([False, False, False, True]),
        cycle=st.sampled_from([None, None, "monthly", "yearly"]),
    )
    def change(self, plan: str, cycle: Cycle | None, *, trial: bool) -> None:
        self._act()
        wish = Wish(plan, cycle, trial)
        first, second = (self.wait(self._change(user, wish)) for user in self.users)
        if first is None or second is None:
            assert first is second
            return
        assert first.decision == second.decision
        self._follow(self.on_sale.now(plan), first)
        self.look()

    async def _change(self, user: UUID, wish: Wish) -> Changed | None:
        """Preview a change and make it: both say the same, byte for byte, and a refusal is the same too."""
        told = list[Changed | str]()
        for way in (changes.preview, changes.change):
            try:
                told.append(await way(self.house.db, user, wish, actor=ME, by_themselves=False))
            except (Contradiction, Invalid) as refused:
                told.append(str(refused))
        assert msgspec.json.encode(told[0]) == msgspec.json.encode(told[1])
        return None if isinstance(told[1], str) else told[1]

    def _follow(self, plan: Plan, made: Changed) -> None:
        """Let the oracle do what was decided, if it is what the rules say."""
        oracle, decided = self.oracle, made.decision
        if decided.kind == "resumed":
            assert oracle.following is not None
            oracle.ends_at, oracle.following = oracle.given_until, None
        elif decided.is_at_once:
            assert plan.rank >= oracle.plan.rank
            assert decided.takes_effect_at == oracle.now
            oracle.take(plan, oracle.now, cycle=decided.cycle, until=decided.until, is_trial=decided.is_trial)
        else:
            assert plan.rank < oracle.plan.rank or decided.kind == "renewed"
            months = 12 if oracle.cycle == "yearly" else 1
            paid_until = period_end(oracle.anchor, months, oracle.month_zone, oracle.now)
            assert decided.takes_effect_at == min(paid_until, oracle.given_until or FOR_EVER)
            oracle.ends_at, oracle.following = decided.takes_effect_at, (plan.name, decided.cycle)
        if decided.is_trial:
            assert plan.name not in self.tried
            self.tried.add(plan.name)

    @rule(plan=st.sampled_from(NAMES), lasts=st.none() | st.sampled_from(ENDS))
    def put_on(self, plan: str, lasts: timedelta | None) -> None:
        self._act()
        until = None if lasts is None else self.oracle.now + lasts
        for user in self.users:
            self.wait(terms.set_plan(self.house.db, user, plan, actor=ME, expires_at=until))
        self.oracle.take(self.on_sale.now(plan), self.oracle.now, until=until)
        self.look()

    @rule()
    def sell_the_team_another_plan(self) -> None:
        # What has ended is followed by what the catalogue had then, though nobody met that end.
        self._act()
        is_old = self.on_sale.now("team").monthly_requests == TEAM.monthly_requests
        sold = replace(TEAM, **NEW_TEAM) if is_old else replace(TEAM)
        self.on_sale.sell(sold, self.oracle.now)
        self.wait(catalogue.apply(self.house.db, [as_in_file(sold)]))

    @rule(source=st.sampled_from(NAMES), to=st.sampled_from(NAMES))
    def migrate(self, source: str, to: str) -> None:
        self._act()
        moved = self.wait(self.house.db.all("migrate_users", user_ids=self.users, plan=source, to=to))
        is_concerned = self.oracle.plan.name == source and self.oracle.plan is not self.on_sale.now(to)
        assert len(moved) == (2 if is_concerned else 0)
        if is_concerned:
            self.oracle.migrate(self.on_sale.now(to))
            self.look()

    # Exceptions.

    @rule(given=st.sampled_from(GIVEN), lasts=st.none() | st.sampled_from(ENDS), priority=st.integers(-1, 1))
    def grant(self, given: tuple[Unit, int], lasts: timedelta | None, priority: int) -> None:
        # Made while the clock is behind what was put in force last, it might burn for what was used before it.
        self._go_on(self.latest - self.oracle.now)
        self._act()
        ends, now = None if lasts is None else self.oracle.now + lasts, self.oracle.now
        made = [
            self.wait(
                exceptions.grant(
                    self.house.db, user, *given, reason="x", expires_at=ends, priority=priority, actor=ME
                )
            )
            for user in self.users
        ]  # fmt: skip
        grant = Grant(*given, priority, ends or FOR_EVER, now)
        self.oracle.add_grant(grant)
        self.grant_ids.append((grant, [each.id for each in made]))

    @precondition(lambda self: self.grant_ids)
    @rule(data=st.data())
    def end_grant(self, data: st.DataObject) -> None:
        self._act()
        grant, ids = data.draw(st.sampled_from(self.grant_ids))
        if not grant.is_over and grant.matters:
            for user, id_ in zip(self.users, ids, strict=True):
                self.wait(exceptions.end_grant(self.house.db, user, id_, actor=ME))
            self.oracle.end_grant(grant)
            self.look()

    @rule(
        limit=st.sampled_from(["daily_requests", "monthly_requests", "monthly_tokens", "concurrent_requests"]),
        most=st.none() | st.integers(0, 12),
        lasts=st.none() | st.sampled_from(ENDS),
    )
    def override(self, limit: str, most: int | None, lasts: timedelta | None) -> None:
        self._act()
        ends, limits = None if lasts is None else self.oracle.now + lasts, {limit: most}
        made = [
            self.wait(exceptions.override(self.house.db, user, limits, reason="x", ends_at=ends, actor=ME))
            for user in self.users
        ]
        override = Override(dict(limits), ends or FOR_EVER)
        self.oracle.add_override(override)
        self.override_ids.append((override, [each.id for each in made]))

    @precondition(lambda self: self.oracle.overrides)
    @rule(data=st.data())
    def end_override(self, data: st.DataObject) -> None:
        self._act()
        held = [each for each in self.override_ids if any(each[0] is one for one in self.oracle.overrides)]
        if held:
            override, ids = data.draw(st.sampled_from(held))
            for user, id_ in zip(self.users, ids, strict=True):
                self.wait(exceptions.end_override(self.house.db, user, id_, actor=ME))
            self.oracle.end_override(override)
            self.look()

    # What is seen of it.

    @rule()
    def look(self) -> None:
        self.oracle.catch_up(self.on_sale.at)
        oracle = self.oracle
        plan = oracle.plan.name, oracle.ends_at
        # Whoever reads by SQL sees the same, and brings nothing current.
        month, day = (
            [oracle.used("requests"), oracle.limit("requests")],
            [oracle.used_today, oracle.allowed("daily_requests")],
        )
        by_sql = [*plan, *month], [month[0], day[0]], [*plan, *month, *day], [[*plan, oracle.is_trial]]
        assert [self.wait(read_by_sql(self.house.owner, user)) for user in self.users] == [by_sql] * 2
        seen = [self._own(user) for user in self.users]
        for own in seen:
            told = own.limits
            assert (own.plan.name, own.expires_at, own.is_trial) == (oracle.plan.name, oracle.ends_at, oracle.is_trial)
            assert (own.next_plan, own.next_cycle) == (oracle.following or (None, None))
            assert (told.daily_used, told.daily_limit) == (oracle.used_today, oracle.allowed("daily_requests"))
            assert (told.monthly_used, told.monthly_limit) == (oracle.used("requests"), oracle.limit("requests"))
            assert (told.tokens_used, told.tokens_limit) == (oracle.used("tokens"), oracle.limit("tokens"))
            assert (told.pending, told.concurrent_limit) == (oracle.pending, oracle.allowed("concurrent_requests"))
            assert (told.day_ends_at, told.month_ends_at) == (oracle.day.end, oracle.month.end)
        burned = [(each.unit, each.amount, each.burned) for each in oracle.grants]
        assert self.wait(self._kept(self.users[0])) == self.wait(self._kept(self.users[1]))
        for user in self.users:
            kept = self.wait(exceptions.grants(self.house.db, user))
            assert sorted((each.unit, each.amount, each.burned) for each in kept) == sorted(burned)

    def _own(self, user: UUID) -> own_plan.OwnPlan:
        return self.wait(own_plan.read(self.house.db, self.house.ledger, user))

    async def _kept(self, user: UUID) -> list[object]:
        """All that is kept of a user but names, and when somebody last wrote."""
        usage = {**await usage_of(self.house.owner, user)}
        for column in ("user_id", "plan_terms_id", "due_at", "updated_at"):
            del usage[column]
        assert usage["total_requests"] == len(self.oracle.requests)
        assert usage["total_tokens_used"] == sum(each.tokens for each in self.oracle.requests)
        had = await own_plan.history(self.house.db, user, limit=1000, after=None)
        assert [each.is_in_force for each in had] == [True] + [False] * (len(had) - 1)
        grants = await exceptions.grants(self.house.db, user)
        nameless = UUID(int=0)
        return [
            usage,
            [replace(each, id=nameless) for each in had],
            sorted((replace(each, id=nameless) for each in grants), key=repr),
        ]

    def teardown(self) -> None:
        if hasattr(self, "users"):
            assert [self.wait(differences_of(self.house.db, each)) for each in self.users] == [[]] * len(self.users)


@pytest.fixture
def house(dsns: Addresses) -> Generator[House]:
    with a_house(dsns) as house:
        yield house


EXAMPLES, LENGTH = (2000, 80) if os.environ.get("TORTURE") else (30, 40)


@pytest.mark.timeout(0 if os.environ.get("TORTURE") else 400)
def test_whatever_happens_plans_hold_what_the_oracle_says_and_need_no_job(house: House) -> None:
    class Machine(PlanMachine):
        pass

    Machine.house = house
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=LENGTH,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
