"""What plans, grants and overrides make of a user: plain Python that goes through time event by event.

Written from docs/plans.md and not from the SQL. It settles grants whenever anything happens, and the SQL hardly ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from tests.metering.making import PENDING_FOR

Unit: TypeAlias = Literal["requests", "tokens"]
UNITS: tuple[Unit, ...] = ("requests", "tokens")
FOR_EVER = datetime.max.replace(tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
A_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One version of a plan; None is unlimited. Another version is another object."""

    name: str
    rank: int
    daily_requests: int | None = None
    monthly_requests: int | None = None
    monthly_tokens: int | None = None
    requests_per_minute: int | None = None
    concurrent_requests: int | None = None
    rollover: int = 0
    anniversary: bool = False
    refunds: bool = True
    trial_days: int = 0


@dataclass(slots=True)
class Grant:
    unit: Unit
    amount: int
    priority: int
    expires_at: datetime
    made_at: datetime
    burned: int = 0
    burned_before: int = 0
    is_over: bool = False

    @property
    def matters(self) -> bool:
        """Whether something is left of it, or may be given back to it."""
        return self.burned < self.amount or self.burned > self.burned_before

    @property
    def order(self) -> tuple[int, datetime, datetime]:
        return self.priority, self.expires_at, self.made_at


@dataclass(slots=True, eq=False)
class Override:
    limits: dict[str, int | None]
    ends_at: datetime


@dataclass(slots=True)
class Request:
    at: datetime
    minute: datetime
    expires_at: datetime
    held: int
    status: str = "pending"
    is_finished: bool = False
    refunded: bool = False
    tokens: int = 0

    @property
    def counted(self) -> int:
        return self.held if self.status == "pending" else self.tokens


@dataclass(slots=True)
class Window:
    start: datetime
    end: datetime


def months_after(anchor: datetime, months: int, zone: str) -> datetime:
    """The anchor's day and hour so many months later, or that month's last day."""
    if not months:
        return anchor
    local = anchor.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    first = local.replace(year=year, month=month + 1, day=1)
    last = ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    return instant(first.replace(day=min(local.day, last)), zone)


def instant(local: datetime, zone: str) -> datetime:
    """When clocks show it; the later one where they show it twice, an hour later where never."""
    return max(local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))


def period_end(anchor: datetime, months: int, zone: str, at: datetime) -> datetime:
    """When the period around an instant ends, counted from an anchor, forwards and backwards."""
    count = 0
    while months_after(anchor, months * count, zone) > at:
        count -= 1
    while months_after(anchor, months * count, zone) <= at:
        count += 1
    return months_after(anchor, months * count, zone)


@dataclass(slots=True)
class PlanOracle:
    """One user. ``now`` may go back, what has ended stays ended."""

    plan: Plan
    zone: str
    now: datetime
    cycle: str = "monthly"
    is_trial: bool = False
    ends_at: datetime | None = None
    given_until: datetime | None = None
    following: tuple[str, str] | None = None
    requests: list[Request] = field(default_factory=list[Request])
    grants: list[Grant] = field(default_factory=list[Grant])
    overrides: list[Override] = field(default_factory=list[Override])
    minute: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    covered: dict[Unit, int] = field(default_factory=lambda: dict.fromkeys(UNITS, 0))
    next_zone: str | None = None
    moved_at: datetime | None = None
    month_zone: str = field(init=False)
    anchor: datetime = field(init=False)
    day: Window = field(init=False)
    month: Window = field(init=False)

    def __post_init__(self) -> None:
        midnight = self._midnight(self.now)
        self.anchor, self.month_zone = self.now, self.zone
        self.day = Window(instant(midnight, self.zone), instant(midnight + timedelta(days=1), self.zone))
        self.month = Window(instant(midnight.replace(day=1), self.zone), self._calendar_end(self.now))
        self._lengthen_month(None)
        self._put_in_force()

    # What ends by itself.

    def catch_up(self, plan_at: Callable[[str, datetime], Plan]) -> None:
        """Let end what has ended, one thing after another."""
        while (at := self._next_end()) <= self.now:
            for each in self.requests:
                if each.status == "pending" and each.expires_at <= at:
                    each.status = "failed"
            self._burn()
            changes = at in self._ends_of_terms()
            left = self._left_to_roll_over() if self.month.end == at else {}
            if self.ends_at == at:
                self._follow(plan_at, at)
            if self.day.end == at:
                self._move(at)
                self.day = Window(at, instant(self._midnight(at) + timedelta(days=1), self.zone))
            if self.month.end == at:
                self._begin_month(at, left)
            self.overrides = [each for each in self.overrides if each.ends_at > at]
            for each in self.grants:
                each.is_over = each.is_over or each.expires_at <= at
            if changes:
                self._put_in_force()

    def _next_end(self) -> datetime:
        pending = [each.expires_at for each in self.requests if each.status == "pending"]
        return min(self.day.end, *self._ends_of_terms(), *pending)

    def _ends_of_terms(self) -> list[datetime]:
        return [
            self.month.end,
            self.ends_at or FOR_EVER,
            *(each.ends_at for each in self.overrides),
            *(each.expires_at for each in self.grants if not each.is_over and each.matters),
        ]

    def _follow(self, plan_at: Callable[[str, datetime], Plan], at: datetime) -> None:
        name, self.cycle = self.following or ("free", "monthly")
        self.take(plan_at(name, at), at, cycle=self.cycle)

    def _move(self, at: datetime) -> None:
        """Let the zone that was chosen come into force, if none has in this month of UTC."""
        if self.next_zone and (
            self.moved_at is None or (self.moved_at.year, self.moved_at.month) < (at.year, at.month)
        ):
            self.zone, self.next_zone, self.moved_at = self.next_zone, None, at

    def _begin_month(self, at: datetime, left: dict[Unit, int]) -> None:
        self.month_zone = self.zone
        end = period_end(self.anchor, 1, self.zone, at) if self.plan.anniversary else self._calendar_end(at)
        self.month = Window(at, end)
        for each in self.grants:
            each.burned_before = each.burned
        self.grants += [Grant(unit, units, 0, end, at) for unit, units in left.items() if units > 0]
        self.covered = dict.fromkeys(UNITS, 0)

    def _left_to_roll_over(self) -> dict[Unit, int]:
        left = dict.fromkeys(UNITS, 0)
        for unit in UNITS:
            most = self.allowed(f"monthly_{unit}")
            left[unit] = 0 if most is None else (most - self.used(unit)) * self.plan.rollover // 100
        return left

    # What somebody does.

    def take(
        self, plan: Plan, at: datetime, *, cycle: str = "monthly", until: datetime | None = None, is_trial: bool = False
    ) -> None:
        was = self.anchor if self.plan.anniversary else None
        self.plan, self.anchor, self.cycle, self.is_trial = plan, at, cycle, is_trial
        self.ends_at, self.given_until, self.following = until, until, None
        self._lengthen_month(was)
        self._put_in_force()

    def migrate(self, plan: Plan) -> None:
        was = self.anchor if self.plan.anniversary else None
        self.plan = plan
        self._lengthen_month(was)
        self._put_in_force()

    def add_grant(self, grant: Grant) -> None:
        self.grants.append(grant)
        self._put_in_force()

    def end_grant(self, grant: Grant) -> None:
        self._burn()
        grant.is_over = True
        self._put_in_force()

    def add_override(self, override: Override) -> None:
        self.overrides.append(override)
        self._put_in_force()

    def end_override(self, override: Override) -> None:
        self.overrides.remove(override)
        self._put_in_force()

    def start(self, size: int) -> tuple[str, int, int] | None:
        """Admit a request of so many tokens, or say by which limit it is refused, used and allowed."""
        at = max(self.now, self.day.start, self.month.start, self.minute)
        minute = max(self.minute, at.replace(second=0, microsecond=0))
        refusals = [
            ("daily", self.used_today, 1, self.allowed("daily_requests")),
            ("monthly", self.used("requests"), 1, self.limit("requests")),
            ("tokens", self.used("tokens"), size, self.limit("tokens")),
            ("perMinute", sum(r.minute == minute for r in self.requests), 1, self.allowed("requests_per_minute")),
            ("concurrent", self.pending, 1, self.allowed("concurrent_requests")),
        ]
        for name, used, needed, most in refusals:
            if most is not None and used + needed > most:
                return name, used, most
        self.minute = minute
        self.requests.append(Request(at, minute, max(at, self.now) + PENDING_FOR, size))
        self._burn()
        return None

    def finish(self, request: Request, status: str, tokens: int, *, trusted: bool) -> None:
        request.status, request.tokens, request.is_finished = status, tokens, True
        request.refunded = status == "failed" and trusted and self.plan.refunds
        self._burn()

    # What holds.

    @property
    def used_today(self) -> int:
        return sum(each.at >= self.day.start and not each.refunded for each in self.requests)

    @property
    def pending(self) -> int:
        return sum(each.status == "pending" for each in self.requests)

    def used(self, unit: Unit) -> int:
        mine = [each for each in self.requests if each.at >= self.month.start]
        return sum(not each.refunded for each in mine) if unit == "requests" else sum(each.counted for each in mine)

    def allowed(self, limit: str) -> int | None:
        """What the plan allows, or the newest override that names the limit."""
        for each in reversed(self.overrides):
            if limit in each.limits:
                return each.limits[limit]
        return getattr(self.plan, limit)

    def limit(self, unit: Unit) -> int | None:
        """The month's allowance and what grants add: burned this month, or left."""
        most = self.allowed(f"monthly_{unit}")
        added = sum(
            (each.burned if each.is_over else each.amount) - each.burned_before
            for each in self.grants
            if each.unit == unit
        )
        return None if most is None else most + added

    def _put_in_force(self) -> None:
        """Note what was covered so far, for burning went on until now under the limits before."""
        for unit in UNITS:
            self.covered[unit] = self.used(unit) - self._burned(unit)
        self._burn()

    def _burn(self) -> None:
        for unit in UNITS:
            self.covered[unit] = min(self.covered[unit], self.used(unit))
            most = self.allowed(f"monthly_{unit}")
            beyond = 0 if most is None else max(self.used(unit) - max(most, self.covered[unit]), 0)
            self._shift(unit, beyond - self._burned(unit))

    def _burned(self, unit: Unit) -> int:
        return sum(each.burned - each.burned_before for each in self.grants if each.unit == unit)

    def _shift(self, unit: Unit, units: int) -> None:
        """Burn what is more, the first in order first; give back what is less, the last first.

        Those that are over burn no more. What comes back to them, after all others, is gone with them.
        """
        for each in self._in_order(unit, backwards=units < 0):
            room = each.amount - each.burned if units > 0 else each.burned_before - each.burned
            moved = min(units, room) if units > 0 else max(units, room)
            each.burned += moved
            units -= moved

    def _in_order(self, unit: Unit, *, backwards: bool) -> Iterable[Grant]:
        mine = [each for each in self.grants if each.unit == unit and (backwards or not each.is_over)]
        return sorted(mine, key=lambda each: (not each.is_over, each.order), reverse=backwards)

    def _lengthen_month(self, was: datetime | None) -> None:
        if self.plan.anniversary and self.anchor != was:
            self.month.end = period_end(self.anchor, 1, self.month_zone, self.month.end - INSTANT)

    def _midnight(self, at: datetime) -> datetime:
        return at.astimezone(ZoneInfo(self.zone)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)

    def _calendar_end(self, at: datetime) -> datetime:
        first = self._midnight(at).replace(day=1)
        return instant((first + timedelta(days=32)).replace(day=1), self.zone)
