"""What more limits cost a start: the time that PostgreSQL needs for one, under a plan with all of them and with two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from bench.bodies import real_requests
from bench.course import Course, Served, Wishes, asked, course
from bench.figures import Comparison, Measure, Measured
from bench.turns import Figure, contend, in_turn
from tollkeeper.metering.pricing import rates_for

UNIT: Final = "us a start"
ALL_LIMITS: Final = "a plan with all limits"
TWO_LIMITS: Final = "a plan with two limits"
_MOST: Final = 10**12
_PLAN: Final = (
    "INSERT INTO plans (name, rank, features, daily_requests, monthly_requests, max_tokens_per_request, monthly_tokens,"
    " monthly_cost_nanos, requests_per_minute, concurrent_requests)"
    " VALUES ($1, $2, '[\"*\"]', $3, $3, $4, $4, $4, $4, $4)"
)
_MOVE: Final = (
    "SELECT tk_put_in_force(u.user_id, tk_new_terms(u.user_id, $1, 'given', tk_now()), tk_now())"
    " FROM usage AS u WHERE u.user_id = ANY (ARRAY(SELECT tk_user_of(e) FROM unnest($2::text[]) AS e))"
)
# A plan that limits money admits no model without a price.
_PRICE: Final = "INSERT INTO model_prices (model, effective_from, rates) VALUES ($1, '-infinity', $2::text::jsonb)"
_RATES: Final = {"source": "own", "provider": None, "input": 1_000_000_000, "output": 3_000_000_000}
_SPENT: Final = "SELECT coalesce(sum(total_time), 0) FROM pg_stat_user_functions WHERE funcname = 'tk_start'"


async def run(wishes: Wishes) -> Measured:
    """Half of the users are on each plan, in the same database, and nobody comes near a limit."""
    async with course(wishes, "limits") as here:
        half = len(here.users) // 2
        groups = {TWO_LIMITS: here.users[:half], ALL_LIMITS: here.users[half:]}
        await _prepare(here, groups)
        async with here.service() as served:
            turns = [
                contend(name, UNIT, lambda users=users: _one(here, served, users))
                for name, users in reversed(groups.items())
            ]
            failures = await in_turn(turns, wishes.rounds)
    line = Comparison("the start statement with all limits", "with two", "<=", 1.3, ALL_LIMITS, TWO_LIMITS)
    settings = {"connections": wishes.connections, "users": half, "seconds": wishes.seconds}
    return Measured("More limits", [each.contender for each in turns], [line], settings, failures)


async def _prepare(here: Course, groups: dict[str, list[str]]) -> None:
    await here.all(_PLAN, "two", 100, _MOST, None)
    await here.all(_PLAN, "all", 101, _MOST, _MOST)
    for plan, users in zip(("two", "all"), groups.values(), strict=True):
        await here.all(_MOVE, plan, users)
    models = {real.model for real in real_requests()}
    for model in sorted(each for each in models if rates_for(each, datetime.now(UTC)) is None):
        await here.all(_PRICE, model, msgspec.json.encode(_RATES | {"model": model}).decode())
    await asked(here.admin, "ALTER ROLE tollkeeper_service SET track_functions = 'pl'")


async def _one(here: Course, served: Served, users: list[str]) -> Figure:
    before = await here.value(_SPENT)
    result = await here.checked(served, kind="starts", users=users, table="chat_requests")
    # Statistics of a backend come half a second late at the most; verifying took longer.
    return Figure((await here.value(_SPENT) - before) * 1000 / result.done)


MEASURE: Final = Measure("limits", "PostgreSQL's time for a start under all limits, beside one under two", run)
