"""All users at a glance: today, yesterday, and right now."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Literal

from tollkeeper.http.dashboards.analytics_shown import MeasuresShown
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant
from tollkeeper.metering.admin import overview
from tollkeeper.metering.admin.nodes import Second
from tollkeeper.metering.admin.overview import Now, Totals
from tollkeeper.store.database import Database

# For how many times as long as reading the totals took they are kept.
KEPT_TIMES = 20


class ActiveUsersShown(Heard, frozen=True, kw_only=True):
    """How many users have used anything: today, in the last seven days, in the last thirty."""

    today: int
    week: int
    month: int


class UsersCounted(Heard, frozen=True, kw_only=True):
    """How many users there are, how many of them are not switched off, and how many are on each plan."""

    total: int
    active: int
    by_plan: dict[str, int]


class LiveSecond(Heard, frozen=True, kw_only=True):
    """One second of all nodes."""

    at: Instant
    starts: int
    finishes: int

    @classmethod
    def of(cls, second: Second) -> LiveSecond:
        """Show a second."""
        return cls(at=instant(second.at), starts=second.starts, finishes=second.finishes)


class LiveShown(Heard, frozen=True, kw_only=True):
    """What is admitted and settled in the last minute, second by second, up to three seconds ago."""

    starts_per_minute: int
    finishes_per_minute: int
    pending: int
    series: list[LiveSecond]


class OverviewShown(Heard, frozen=True, kw_only=True):
    """All users at a glance."""

    success: Literal[True] = True
    as_of: Instant
    today: MeasuresShown
    yesterday: MeasuresShown
    active_users: ActiveUsersShown
    users: UsersCounted
    live: LiveShown

    @classmethod
    def of(cls, totals: Totals, now: Now) -> OverviewShown:
        """Show it all."""
        plans = totals.by_plan
        return cls(
            as_of=instant(now.as_of),
            today=MeasuresShown.of(totals.today),
            yesterday=MeasuresShown.of(totals.yesterday),
            active_users=ActiveUsersShown(
                today=sum(each.today for each in plans),
                week=sum(each.week for each in plans),
                month=sum(each.month for each in plans),
            ),
            users=UsersCounted(
                total=sum(each.users for each in plans),
                active=sum(each.active for each in plans),
                by_plan={each.plan: each.users for each in plans},
            ),
            live=LiveShown(
                starts_per_minute=sum(each.starts for each in now.live),
                finishes_per_minute=sum(each.finishes for each in now.live),
                pending=now.pending,
                series=[LiveSecond.of(each) for each in now.live],
            ),
        )


class Overviews:
    """Reads what moves every second each time, and keeps the totals for a while.

    What took long to read is kept for twenty times as long: so however many look, and however much there is to sum,
    it keeps one connection busy for a twentieth of the time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = asyncio.Lock()
        self._totals: Totals | None = None
        self._until = 0.0

    async def show(self) -> OverviewShown:
        """Answer all of it."""
        # First: what has finished by then is part of the totals, or comes with the next ones.
        now = await overview.now(self._database)
        return OverviewShown.of(await self._kept(), now)

    async def _kept(self) -> Totals:
        async with self._reading:
            began = time.monotonic()
            if self._totals is None or began >= self._until:
                self._totals = await overview.totals(self._database)
                ended = time.monotonic()
                self._until = ended + KEPT_TIMES * (ended - began)
            return self._totals


SHOW: Final = Operation("admin", summary="Show all users at a glance", query=Said, gives={200: OverviewShown})


@get("/api/admin/overview", SHOW)
async def show_overview(request: Exchange) -> Answer:
    """Days are days of UTC, since all users have no other one in common.

    `live` is of this very instant. Where there is much to sum, the other numbers may be some seconds older.
    """
    request.asked(Said)
    return Answer.of(await request.the(Overviews).show())
