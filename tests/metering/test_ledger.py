"""What the ledger admits, refuses and settles, one request after another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from tests.metering.making import OWN_MODEL, a_plan, a_request, a_user, an_outcome, outcomes_of, started, usage_of
from tollkeeper.activity import Actor
from tollkeeper.errors import (
    AccountInactive,
    Invalid,
    LimitReached,
    NotFound,
    NotInPlan,
    StillPending,
    TollkeeperError,
    TooManyTokens,
    UnpricedModel,
)
from tollkeeper.metering.plans import exceptions
from tollkeeper.metering.tracking import records
from tollkeeper.metering.tracking.ledger import Ledger
from tollkeeper.metering.tracking.limits import Limits
from tollkeeper.metering.upkeep.verify import verify
from tollkeeper.store.database import Database

MUCH = 10**12
RECORDED = ["chat_requests", "chat_sessions", "request_keys"]


async def refused(
    ledger: Ledger, user: UUID, kind: type[TollkeeperError] = LimitReached, **given: Any
) -> dict[str, Any]:
    with pytest.raises(kind) as told:
        await started(ledger, user, **given)
    assert type(told.value) is kind
    return told.value.fields


async def test_an_admitted_request_is_counted_and_recorded(ledger: Ledger, db: Database, user: UUID) -> None:
    answer = await started(ledger, user, model="gpt-4", session_id="s", metadata={"a": [1, None]}, max_tokens=9)
    limits = answer.limits
    assert (limits.daily_used, limits.monthly_used, limits.tokens_used, limits.plan_name) == (1, 1, 10, "pro")
    assert (limits.daily_limit, limits.monthly_limit, limits.tokens_limit, limits.nanos_limit) == (50, 1000, None, None)
    request = await records.one(db, user, answer.id)
    assert (request.status, request.metadata, request.max_tokens) == ("pending", {"a": [1, None]}, 9)
    assert request.expires_at == answer.expires_at
    assert request.unit_prices is not None
    assert request.unit_prices["model"] == "gpt-4"


# A plan, and what a second request of the same kind is refused by.
FULL: list[tuple[dict[str, int], dict[str, Any], str, int, int]] = [
    ({"daily_requests": 1}, {}, "daily", 1, 1),
    ({"monthly_requests": 1}, {}, "monthly", 1, 1),
    ({"monthly_tokens": 15}, {"max_tokens": 9}, "tokens", 10, 15),
    ({"monthly_cost_nanos": 50_000}, {"max_tokens": 9, "model": OWN_MODEL}, "cost", 28_000, 50_000),
]


@pytest.mark.parametrize(("terms", "given", "limit", "used", "allowed"), FULL, ids=[row[2] for row in FULL])
@pytest.mark.usefixtures("own_model")
async def test_a_full_limit_refuses_and_says_so_in_the_numbers_of_the_locked_row(
    ledger: Ledger,
    db: Database,
    owner: asyncpg.Connection,
    *,
    terms: dict[str, int],
    given: dict[str, Any],
    limit: str,
    used: int,
    allowed: int,
) -> None:
    user = await a_user(db, await a_plan(owner, "tight", **terms))
    admitted = await started(ledger, user, **given)
    fields = await refused(ledger, user, **given)
    assert (fields["limit"], fields["used"], fields["allowed"], fields["remaining"]) == (
        limit,
        used,
        allowed,
        allowed - used,
    )
    told: Limits = fields["limits"]
    assert msgspec.structs.replace(told, window_starts_us=0, decided_us=0) == admitted.limits
    assert fields["resetsAt"] == admitted.limits.resets_at(limit)
    assert told.window_starts_at < told.decided_at < fields["resetsAt"]
    assert fields["upgradeTo"] is None


@pytest.mark.usefixtures("own_model")
async def test_a_refused_request_consumes_nothing(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    plan = await a_plan(owner, "tight", monthly_tokens=100, monthly_cost_nanos=MUCH, max_tokens_per_request=90)
    user = await a_user(db, plan)
    await started(ledger, user, model=OWN_MODEL, max_tokens=49, session_id="kept")
    await refused(ledger, user, model=OWN_MODEL, max_tokens=60, session_id="lost", client_id="lost")
    # That a limit refuses is told once; from then on not even the row is written.
    before = await usage_of(owner, user)
    assert before["total_requests"] == 1
    await refused(ledger, user, model=OWN_MODEL, max_tokens=60, session_id="lost", client_id="lost")
    await refused(ledger, user, TooManyTokens, model=OWN_MODEL, max_tokens=90)
    await refused(ledger, user, UnpricedModel, model="unheard-of", idempotency_key="lost")
    assert await usage_of(owner, user) == before
    counts = [await owner.fetchval(f"SELECT count(*) FROM {table}") for table in RECORDED]  # noqa: S608 - our own names
    assert counts == [1, 1, 0]
    # And the fifty that are left may still be had, to the last one.
    assert (await started(ledger, user, model=OWN_MODEL, max_tokens=49)).limits.tokens_used == 100


@pytest.mark.usefixtures("own_model")
async def test_a_set_is_decided_as_if_its_members_came_one_after_another(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "tight", monthly_tokens=20, daily_requests=4))
    sizes = [10, 11, 5, 6, 5, 1, 0, 1]  # with one token of the prompt less
    told = await outcomes_of([started(ledger, user, max_tokens=size - 1) for size in sizes if size])
    fits = [not isinstance(each, LimitReached) for each in told]
    assert fits == [True, False, True, False, True, False, False]
    by = [each.fields["limit"] for each in told if isinstance(each, LimitReached)]
    assert by == ["tokens", "tokens", "tokens", "tokens"]
    assert (await usage_of(owner, user))["reserved_tokens"] == 20
    assert ledger.starts.sets == 1


async def test_the_first_full_limit_is_named_and_the_next_plan_that_has_room(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    low = await a_plan(owner, "low", daily_requests=1, monthly_requests=1)
    await a_plan(owner, "middle", daily_requests=9, monthly_requests=1)
    await a_plan(owner, "other", daily_requests=9, features='["analysis"]')
    await a_plan(owner, "high", daily_requests=2, monthly_requests=2)
    user = await a_user(db, low)
    await started(ledger, user)
    assert (await refused(ledger, user))["upgradeTo"] == "high"
    assert (await refused(ledger, user, request_type="chat"))["limit"] == "daily"
    # An override stays with its user, whatever their plan.
    await exceptions.override(db, user, {"daily_requests": 1}, reason="slow", ends_at=None, actor=Actor("test"))
    assert (await refused(ledger, user))["upgradeTo"] is None


@pytest.mark.usefixtures("own_model")
async def test_an_unpriced_model_is_advised_a_plan_without_a_money_limit(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    low = await a_plan(owner, "low", monthly_cost_nanos=MUCH)
    await a_plan(owner, "rich", monthly_cost_nanos=2 * MUCH)
    await a_plan(owner, "free-of-it")
    user = await a_user(db, low)
    assert (await refused(ledger, user, UnpricedModel, model="unheard-of"))["upgradeTo"] == "free-of-it"
    assert (await refused(ledger, user, UnpricedModel))["upgradeTo"] == "free-of-it"
    await started(ledger, user, model=OWN_MODEL)


async def test_what_the_plan_does_not_include_is_refused(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    features = '["chat", "model:gpt-4", "model:house-1"]'
    user = await a_user(db, await a_plan(owner, "narrow", features=features))
    await a_plan(owner, "wide")
    await started(ledger, user, model="gpt-4")
    by_type = await refused(ledger, user, NotInPlan, model="gpt-4", request_type="analysis")
    by_model = await refused(ledger, user, NotInPlan, model="gpt-4o")
    by_no_model = await refused(ledger, user, NotInPlan)
    assert [each["field"] for each in (by_type, by_model, by_no_model)] == ["requestType", "model", "model"]
    assert {each["upgradeTo"] for each in (by_type, by_model, by_no_model)} == {"wide"}


async def test_a_flag_is_no_model_and_a_star_includes_all(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    flagged = await a_user(db, await a_plan(owner, "flagged", features='["chat", "priority"]'), email="f@example.com")
    starred = await a_user(db, await a_plan(owner, "starred", features='["*", "model:gpt-4"]'), email="s@example.com")
    await started(ledger, flagged, model="anything")
    await started(ledger, starred, model="anything", request_type="own")


async def test_tokens_of_one_request_are_bounded(ledger: Ledger, user: UUID) -> None:
    fields = await refused(ledger, user, TooManyTokens, prompt="x" * 5, max_tokens=31_999)
    assert (fields["needed"], fields["allowed"], fields["upgradeTo"]) == (32_001, 32_000, "enterprise")
    assert (await started(ledger, user, prompt="x" * 4, max_tokens=31_999)).limits.tokens_used == 32_000
    # Without maxTokens only the prompt counts, a quarter of its bytes rounded up.
    assert (await started(ledger, user, prompt="é" * 64_000)).limits.tokens_used == 64_000
    await refused(ledger, user, TooManyTokens, prompt="é" * 64_000 + "x")


async def test_null_is_unlimited_and_zero_is_none(ledger: Ledger, db: Database, owner: asyncpg.Connection) -> None:
    for limit in ("daily_requests", "monthly_requests", "monthly_tokens"):
        user = await a_user(db, await a_plan(owner, limit, **{limit: 0}), email=f"{limit}@example.com")
        assert (await refused(ledger, user))["allowed"] == 0
    unlimited = await a_user(db, "enterprise", email="e@example.com")
    told = [await started(ledger, unlimited, prompt="x" * 100_000, max_tokens=MUCH) for _ in range(3)]
    assert told[-1].limits.can_make_request
    assert told[-1].limits.daily_limit is None


async def test_an_inactive_account_starts_nothing_and_may_still_finish(
    ledger: Ledger, db: Database, user: UUID
) -> None:
    pending = await started(ledger, user)
    await db.run("switch_user", user_id=user, is_active=False)
    await refused(ledger, user, AccountInactive)
    settled = await ledger.finish(an_outcome(user, pending.id))
    assert settled.limits.reason == "inactive"


async def test_nobody_known_is_not_found(ledger: Ledger, user: UUID) -> None:
    nobody = UUID(int=1)
    await refused(ledger, nobody, NotFound)
    with pytest.raises(NotFound):
        await ledger.finish(an_outcome(user, UUID(int=1)))


async def test_nobody_is_added_on_an_unknown_plan(db: Database, owner: asyncpg.Connection) -> None:
    with pytest.raises(TollkeeperError):
        await a_user(db, "unheard-of")
    assert await owner.fetchval("SELECT count(*) FROM accounts") == 0


async def test_another_users_request_is_not_found(ledger: Ledger, db: Database, user: UUID) -> None:
    other = await a_user(db, email="eve@example.com")
    theirs = await started(ledger, user, client_id="req-123")
    for reference in (theirs.id, "req-123"):
        for outcome in (an_outcome(other, reference), an_outcome(other, reference, None, rated=True, rating=1)):
            with pytest.raises(NotFound):
                await ledger.finish(outcome)
        with pytest.raises(NotFound):
            await records.one(db, other, reference)
    assert (await records.one(db, user, "req-123")).status == "pending"


async def test_every_change_raises_the_version_by_one(ledger: Ledger, db: Database, user: UUID) -> None:
    base = (await started(ledger, user, client_id="a")).limits.version
    told = [await started(ledger, user, client_id="b")]
    steps = [
        an_outcome(user, "a", tokens_input=1, tokens_output=1),
        an_outcome(user, "a", None, rated=True, rating=4),
        an_outcome(user, "a", None, rated=True, rating=4),  # no change
        an_outcome(user, "a", None, rated=True, rating=None),
        an_outcome(user, "a", None, response="late"),  # nothing that is counted
        an_outcome(user, "b", "failed", trusted=True),
    ]
    settled = [await ledger.finish(each) for each in steps]
    versions = [each.limits.version - base for each in (*told, *settled)]
    assert versions == [1, 2, 3, 3, 4, 4, 5]
    assert (await verify(db)).differences == []


async def test_a_set_of_finishes_tells_each_its_own_place(ledger: Ledger, db: Database, user: UUID) -> None:
    pending = [await started(ledger, user, max_tokens=9) for _ in range(5)]
    base: Limits = pending[-1].limits
    outcomes = [an_outcome(user, each.id, tokens_input=2, tokens_output=2) for each in pending]
    settled = await outcomes_of([ledger.finish(each) for each in outcomes])
    assert [each.limits.version - base.version for each in settled] == [1, 2, 3, 4, 5]
    assert [each.limits.tokens_used for each in settled] == [44, 38, 32, 26, 20]
    assert (await verify(db)).differences == []


@pytest.mark.usefixtures("own_model")
async def test_a_computed_cost_counts_unless_a_service_reports(
    ledger: Ledger, db: Database, owner: asyncpg.Connection, user: UUID
) -> None:
    tokens = {"tokens_input": 10, "tokens_output": 10}
    cases: list[tuple[dict[str, Any], int | None, str]] = [
        ({**tokens}, 40_000, "computed"),
        ({**tokens, "reported_nanos": 7}, 40_000, "computed"),
        ({**tokens, "reported_nanos": 7, "trusted": True}, 7, "reported"),
        ({"tokens_used": 20, "reported_nanos": 7}, 7, "reported"),
        ({"tokens_used": 20}, None, "unpriced"),
        ({**tokens, "model": "unheard-of"}, None, "unpriced"),
    ]
    for given, cost, source in cases:
        pending = await started(ledger, user, model=OWN_MODEL)
        settled = await ledger.finish(an_outcome(user, pending.id, **given))
        assert (settled.cost_nanos, settled.cost_source) == (cost, source), given
    kept = await records.newest(db, user, limit=6)
    assert [(each.reported_nanos, each.computed_nanos) for each in reversed(kept)][:4] == [
        (None, 40_000), (7, 40_000), (7, 40_000), (7, None)]  # fmt: skip
    assert (await usage_of(owner, user))["total_unpriced"] == 2
    assert (await verify(db)).differences == []


async def test_what_became_known_later_is_booked_and_flagged(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "narrow", features='["chat", "model:gpt-4"]'))
    pending = await started(ledger, user, model="gpt-4", max_tokens=10)
    await ledger.finish(an_outcome(user, pending.id, model="gpt-4o", tokens_input=10, tokens_output=10))
    request = await records.one(db, user, pending.id)
    assert (request.model, request.outside_plan, request.over_reserved) == ("gpt-4o", True, True)
    assert request.unit_prices is not None
    assert request.unit_prices["model"] == "gpt-4o"


async def test_a_response_is_filled_in_once_and_a_pending_request_is_not_rated(
    ledger: Ledger, db: Database, user: UUID
) -> None:
    pending = await started(ledger, user)
    with pytest.raises(StillPending):
        await ledger.finish(an_outcome(user, pending.id, None, rated=True, rating=5))
    await ledger.finish(an_outcome(user, pending.id, tokens_input=1, tokens_output=1))
    await ledger.finish(an_outcome(user, pending.id, None, response="hello"))
    await ledger.finish(an_outcome(user, pending.id, None, response="hello"))
    with pytest.raises(TollkeeperError) as told:
        await ledger.finish(an_outcome(user, pending.id, None, response="other", rated=True, rating=5))
    assert told.value.status == 409
    request = await records.one(db, user, pending.id)
    assert (request.response, request.rating) == ("hello", None)


async def test_a_preview_says_what_would_be_and_changes_nothing(
    ledger: Ledger, db: Database, owner: asyncpg.Connection
) -> None:
    user = await a_user(db, await a_plan(owner, "one", daily_requests=1))
    before = await usage_of(owner, user)
    assert (await ledger.preview(a_request(user, client_id="a"))).limits.daily_used == 1
    assert await usage_of(owner, user) == before
    await started(ledger, user, client_id="a")
    assert (await ledger.preview(a_request(user, client_id="a"))).replayed
    with pytest.raises(LimitReached):
        await ledger.preview(a_request(user, client_id="b"))


async def test_totals_that_cannot_be_counted_are_refused_and_hurt_nobody_else(
    ledger: Ledger, db: Database, user: UUID
) -> None:
    dear = {"model": "o1-pro", "tokens_input": 0, "tokens_output": MUCH}
    told: list[Any] = []
    for _ in range(16):
        pending = await started(ledger, user)
        told += await outcomes_of([ledger.finish(an_outcome(user, pending.id, **dear))])
    assert [type(each) for each in told if isinstance(each, Exception)] == [Invalid]
    other = await a_user(db, email="eve@example.com")
    pending = await started(ledger, other)
    await ledger.finish(an_outcome(other, pending.id, **dear))
    assert (await verify(db)).differences == []
