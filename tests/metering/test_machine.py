"""Any sequence of what callers, operators and clocks may do ends where the oracle says, and every number agrees.

With TORTURE=1 in the environment the runs are longer and many more.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Coroutine, Generator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.metering.house import House, a_house
from tests.metering.making import OWN_MODEL, a_plan, a_request, a_user, an_outcome, differences_of, price_own_model
from tests.metering.oracle import Ended, Oracle, Payload, Request, Terms
from tollkeeper.activity import Actor
from tollkeeper.errors import TollkeeperError
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.plans import terms
from tollkeeper.store.embedded import Addresses

T = TypeVar("T")

PLANS = {
    "machine-none": Terms("machine-none", daily=0),
    "machine-few": Terms("machine-few", daily=3, monthly=5),
    "machine-tokens": Terms("machine-tokens", monthly=30, tokens=60, per_request=30),
    "machine-money": Terms("machine-money", daily=20, nanos=90_000),
    "machine-model": Terms("machine-model", models=frozenset({OWN_MODEL})),
    "machine-open": Terms("machine-open"),
}
FREE = Terms("free", daily=10, monthly=100, per_request=8000)
ZONES = ["UTC", "Asia/Kathmandu", "Pacific/Kiritimati", "America/New_York", "Pacific/Honolulu"]
# Shortly before the end of a day, a month, a leap day, and nights whose hours are 23 and 25.
BEGINNINGS = [
    datetime(2026, 5, 13, 12, tzinfo=UTC),
    datetime(2026, 5, 31, 23, 50, tzinfo=UTC),
    datetime(2028, 2, 28, 23, 50, tzinfo=UTC),
    datetime(2026, 3, 8, 4, 50, tzinfo=UTC),
    datetime(2026, 10, 31, 9, 50, tzinfo=UTC),
    datetime(2026, 12, 31, 18, 10, tzinfo=UTC),
]
STEPS = [
    timedelta(seconds=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=23),
    timedelta(days=1),
    timedelta(days=31),
    timedelta(days=400),
    timedelta(minutes=-10),
    timedelta(days=-2),
]
SLUGS = {  # of the oracle's verdicts that have another name
    "reused": "key-reused", "contradicts": "already-finished", "pending": "still-pending",
}  # fmt: skip

PAYLOADS = st.tuples(
    st.integers(1, 12),
    st.none() | st.integers(0, 25),
    st.sampled_from([None, "nft", "token"]),
    st.sampled_from([OWN_MODEL] * 6 + [None, "unheard-of"]),
)
OUTCOMES = st.tuples(
    st.sampled_from(["completed", "completed", "failed"]),
    st.none() | st.tuples(st.integers(0, 30), st.integers(0, 30)),
    st.integers(0, 100_000),
    st.none() | st.integers(1, 5),
)


class LedgerMachine(RuleBasedStateMachine):
    """One user of a ledger beside the oracle."""

    house: ClassVar[House]

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.house.run(coroutine)

    def told(self, coroutine: Coroutine[Any, Any, object]) -> str:
        """Hear the limit or else the slug of an error, or nothing."""
        try:
            self.wait(coroutine)
        except TollkeeperError as error:
            return str(error.fields.get("limit", error.slug))
        return ""

    @initialize(now=st.sampled_from(BEGINNINGS), zone=st.sampled_from(ZONES), plan=st.sampled_from([*PLANS]))
    def sign_up(self, now: datetime, zone: str, plan: str) -> None:
        self.wait(self.house.clock.hold(now))
        email = f"{next(self.house.numbers)}@example.com"
        self.user: UUID = self.wait(a_user(self.house.db, plan, zone=zone, email=email))
        self.oracle = Oracle(PLANS[plan], FREE, now, zone)
        self.oracle.version = 1
        self.ids = dict[str, UUID]()

    @rule(payload=PAYLOADS, count=st.integers(1, 4))
    def start_some(self, payload: Payload, count: int) -> None:
        for _ in range(count):
            self._start(f"r{len(self.oracle.requests)}", payload)

    @precondition(lambda self: self.oracle.requests)
    @rule(data=st.data(), other=st.none() | PAYLOADS)
    def start_again(self, data: st.DataObject, other: Payload | None) -> None:
        known = self.pick(data)
        self._start(known.name, other or known.payload)

    def _start(self, name: str, payload: Payload) -> None:
        size, most, category, model = payload
        expected = self.oracle.start(name, payload)
        given = {"max_tokens": most, "category": category, "model": model, "client_id": name, "session_id": name[:2]}
        request = a_request(self.user, "four" * size, **given)
        if expected not in {"admitted", "replayed"}:
            assert self.told(self.house.ledger.start(request)) == SLUGS.get(expected, expected)
            return
        started = self.wait(self.house.ledger.start(request))
        self.ids[name] = started.id
        assert ("replayed" if started.replayed else "admitted") == expected
        assert started.expires_at == self.oracle.requests[name].expires_at
        assert started.replayed or started.limits.version == self.oracle.version

    @precondition(lambda self: self.oracle.requests)
    @rule(data=st.data(), outcome=OUTCOMES, trusted=st.booleans())
    def finish(self, data: st.DataObject, outcome: Ended, *, trusted: bool) -> None:
        self._finish(self.pick(data).name, outcome, trusted=trusted)

    @precondition(lambda self: any(each.outcome for each in self.oracle.requests.values()))
    @rule(data=st.data(), trusted=st.booleans())
    def finish_again(self, data: st.DataObject, *, trusted: bool) -> None:
        known = data.draw(st.sampled_from([each for each in self.oracle.requests.values() if each.outcome]))
        assert known.outcome is not None
        self._finish(known.name, known.outcome, trusted=trusted)

    def _finish(self, name: str, ended: Ended, *, trusted: bool) -> None:
        status, tokens, duration, rating = ended
        expected = self.oracle.finish(name, ended, trusted=trusted)
        given = {} if tokens is None else {"tokens_input": tokens[0], "tokens_output": tokens[1]}
        rated = {} if rating is None else {"rated": True, "rating": rating}
        # By our id as well as by theirs.
        reference = self.ids[name] if duration % 2 else name
        outcome = an_outcome(self.user, reference, status, duration_ms=duration, trusted=trusted, **given, **rated)
        if expected in SLUGS:
            assert self.told(self.house.ledger.finish(outcome)) == SLUGS[expected]
            return
        settled = self.wait(self.house.ledger.finish(outcome))
        mine = self.oracle.requests[name]
        assert (settled.status, settled.late, settled.cost_nanos) == (mine.status, mine.late, mine.nanos)
        assert expected == "replayed" or settled.limits.version == self.oracle.version

    @precondition(lambda self: self.oracle.requests)
    @rule(data=st.data(), rating=st.none() | st.integers(1, 5))
    def rate(self, data: st.DataObject, rating: int | None) -> None:
        name = self.pick(data).name
        expected = self.oracle.rate(name, rating)
        outcome = an_outcome(self.user, name, None, rated=True, rating=rating)
        assert self.told(self.house.ledger.finish(outcome)) == SLUGS.get(expected, "")

    @precondition(lambda self: self.oracle.requests)
    @rule(data=st.data(), response=st.sampled_from(["one", "other"]))
    def patch(self, data: st.DataObject, response: str) -> None:
        name = self.pick(data).name
        expected = self.oracle.patch(name, response)
        outcome = an_outcome(self.user, name, None, response=response)
        assert self.told(self.house.ledger.finish(outcome)) == SLUGS.get(expected, "")

    @rule()
    def mistake_the_id(self) -> None:
        for outcome in (an_outcome(self.user, "nobody"), an_outcome(self.user, "nobody", None, rated=True, rating=1)):
            assert self.told(self.house.ledger.finish(outcome)) == "not-found"

    def pick(self, data: st.DataObject) -> Request:
        """Take one request, most often one that waits to be finished."""
        known = list(self.oracle.requests.values())
        open_ones = [each for each in known if each.outcome is None]
        return data.draw(st.sampled_from((open_ones or known) + known[-2:]))

    @rule(step=st.sampled_from(STEPS))
    def let_time_pass(self, step: timedelta) -> None:
        self.oracle.now += step
        self.wait(self.house.clock.hold(self.oracle.now))

    @rule()
    def sweep(self) -> None:
        self.wait(self.house.ledger.expire())

    @rule(plan=st.sampled_from([*PLANS]), lasts=st.none() | st.sampled_from(STEPS[1:7]))
    def change_plan(self, plan: str, lasts: timedelta | None) -> None:
        self.oracle.catch_up()
        ends = None if lasts is None else self.oracle.now + lasts
        self.oracle.set_plan(PLANS[plan], ends)
        self.wait(terms.set_plan(self.house.db, self.user, plan, actor=Actor("machine"), expires_at=ends))

    @rule(zone=st.sampled_from(ZONES))
    def move(self, zone: str) -> None:
        # As the operator does it: what has ended is brought current first.
        self.oracle.catch_up()
        self.oracle.move(zone)
        self.wait(self.house.ledger.bring_current([self.user]))
        self.wait(self.house.db.run("plan_zone_of_user", user_id=self.user, time_zone=zone))

    @invariant()
    def the_dashboard_shows_what_the_oracle_says(self) -> None:
        oracle = self.oracle
        oracle.catch_up()
        seen = self.wait(dashboard.read(self.house.db, self.house.ledger, self.user))
        limits = seen.limits
        assert (limits.daily_used, limits.monthly_used) == (oracle.used_today, oracle.used_this_month)
        assert (limits.tokens_used, limits.nanos_used) == (oracle.month_tokens, oracle.month_nanos)
        assert (limits.day_ends_at, limits.month_ends_at) == (oracle.day.end, oracle.month.end)
        assert (limits.plan_name, limits.version) == (oracle.terms.name, oracle.version)
        assert (limits.daily_limit, limits.monthly_limit) == (oracle.terms.daily, oracle.terms.monthly)
        mine = oracle.requests.values()
        by_status = Counter(each.status for each in mine)
        assert (seen.total_requests, seen.pending) == (len(mine), by_status["pending"])
        assert (seen.completed, seen.failed) == (by_status["completed"], by_status["failed"])
        assert seen.total_tokens_used == sum(each.tokens for each in mine)
        assert seen.total_cost_nanos == sum(each.nanos or 0 for each in mine)
        assert seen.by_category == dict(Counter(each.category or "uncategorized" for each in mine))
        took = [each.duration for each in mine if each.status == "completed" and each.duration is not None]
        assert seen.average_response_ms == ((2 * sum(took) + len(took)) // (2 * len(took)) if took else None)
        ratings = [each.rating for each in mine if each.rating is not None]
        assert seen.average_rating == (sum(ratings) / len(ratings) if ratings else None)
        on = Counter(each.on for each in mine)
        assert {day.on: day.requests for day in seen.series if day.requests} == {
            day.on: on[day.on] for day in seen.series if on[day.on]
        }

    def teardown(self) -> None:
        if hasattr(self, "user"):
            assert self.wait(differences_of(self.house.db, self.user)) == []


@pytest.fixture
def house(dsns: Addresses) -> Generator[House]:
    with a_house(dsns) as house:
        house.run(price_own_model(house.owner))
        for name, terms in PLANS.items():
            features = '["chat", "model:house-1"]' if terms.models else '["chat"]'
            house.run(
                a_plan(
                    house.owner, name, features=features, daily_requests=terms.daily, monthly_requests=terms.monthly,
                    max_tokens_per_request=terms.per_request, monthly_tokens=terms.tokens,
                    monthly_cost_nanos=terms.nanos,
                )
            )  # fmt: skip
        yield house


EXAMPLES, LENGTH = (2000, 100) if os.environ.get("TORTURE") else (40, 50)


@pytest.mark.timeout(0 if os.environ.get("TORTURE") else 400)
def test_whatever_happens_the_ledger_holds_what_the_oracle_says(house: House) -> None:
    class Machine(LedgerMachine):
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
