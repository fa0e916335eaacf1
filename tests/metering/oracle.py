"""What a user's ledger should hold: a small model in plain Python, written from the contract and not from the SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

PENDING_FOR = timedelta(minutes=15)
NOTICE = timedelta(days=3)
INPUT_NANOS, OUTPUT_NANOS = 1000, 3000

Payload: TypeAlias = tuple[int, int | None, str | None, str | None]
"""Tokens of the prompt, maxTokens, category, model."""
Ended: TypeAlias = tuple[str, tuple[int, int] | None, int, int | None]
"""Status, tokens in and out, duration, rating."""


@dataclass(slots=True)
class Terms:
    """What a plan allows; None is unlimited."""

    name: str
    daily: int | None = None
    monthly: int | None = None
    per_request: int | None = None
    tokens: int | None = None
    nanos: int | None = None
    models: frozenset[str] | None = None


@dataclass(slots=True)
class Request:
    """One request, with all that its numbers depend on."""

    name: str
    payload: Payload
    at: datetime
    on: date
    expires_at: datetime
    held_tokens: int
    held_nanos: int
    category: str | None
    is_priced: bool
    status: str = "pending"
    expired: bool = False
    late: bool = False
    refunded: bool = False
    tokens: int = 0
    nanos: int | None = None
    duration: int | None = None
    rating: int | None = None
    response: str | None = None
    outcome: Ended | None = None


@dataclass(slots=True)
class Window:
    """A half-open stretch of time that ends at a midnight of its zone."""

    zone: str
    start: datetime
    end: datetime


def window(zone: str, at: datetime, kind: str, *, start: datetime | None = None) -> Window:
    """The day or month of a zone around an instant, begun where the one before ended."""
    local = at.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    first = local if kind == "day" else local.replace(day=1)
    after = first + (timedelta(days=1) if kind == "day" else timedelta(days=32))
    after = after if kind == "day" else after.replace(day=1)
    begins, ends = (each.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for each in (first, after))
    return Window(zone, max(begins, start or begins), ends)


@dataclass(slots=True)
class Oracle:
    """One user. Every method first lets pass what has passed; ``now`` may go back, windows do not."""

    terms: Terms
    fallback: Terms
    now: datetime
    zone: str = "UTC"
    next_zone: str | None = None
    moved_at: datetime | None = None
    plan_ends: datetime | None = None
    # When it is told that the plan is about to end, and since when what holds now holds.
    tells_at: datetime | None = None
    terms_at: datetime = field(init=False)
    requests: dict[str, Request] = field(default_factory=dict[str, Request])
    version: int = 0
    minute: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    day: Window = field(init=False)
    month: Window = field(init=False)

    def __post_init__(self) -> None:
        self.day, self.month = window(self.zone, self.now, "day"), window(self.zone, self.now, "month")
        self.terms_at = self.now

    def catch_up(self) -> None:
        for each in self.requests.values():
            if each.status == "pending" and each.expires_at <= self.now:
                each.status, each.expired = "failed", True
                self.version += 1
        if self.tells_at and self.tells_at <= self.now:
            self._reach(self.tells_at)
            self.terms_at, self.tells_at = max(self.terms_at, self.tells_at), None
            self.version += 1
        if self.plan_ends and self.plan_ends <= self.now:
            self._reach(self.plan_ends)
            self._put_in_force(self.fallback, None, self.plan_ends)
        self._roll(self.now)

    def _reach(self, at: datetime) -> None:
        """Stand just before an instant, then at it: a window may end with it."""
        self._roll(at - timedelta(microseconds=1))
        self._roll(at)

    def _roll(self, at: datetime) -> None:
        """Let end what has ended by an instant: day by day while another zone waits for its own, then all as one."""
        while self.next_zone and self.day.end <= at:
            ended = self.day.end
            self._end_windows(ended - timedelta(microseconds=1))
            if self.moved_at is None or _month(self.moved_at) < _month(ended):
                self.zone, self.next_zone, self.moved_at = self.next_zone, None, ended
            self._end_windows(ended)
        self._end_windows(at)

    def _end_windows(self, at: datetime) -> None:
        if self.day.end <= at:
            self.day = window(self.zone, at, "day", start=self.day.end)
        if self.month.end <= at:
            self.month = window(self.zone, at, "month", start=self.month.end)

    def set_plan(self, terms: Terms, ends: datetime | None) -> None:
        self._put_in_force(terms, ends, self.now)

    def _put_in_force(self, terms: Terms, ends: datetime | None, at: datetime) -> None:
        self.terms, self.plan_ends, self.terms_at = terms, ends, max(self.terms_at, at)
        notice = ends - NOTICE if ends else None
        self.tells_at = notice if notice and notice > self.terms_at else None
        self.version += 1

    def move(self, zone: str) -> None:
        self.next_zone = None if zone == self.zone else zone

    def start(self, name: str, payload: Payload) -> str:
        """Say ``admitted``, ``replayed``, ``reused``, or what refuses."""
        self.catch_up()
        size, most, category, model = payload[0], payload[1] or 0, payload[2], payload[3]
        if name in self.requests:
            return "replayed" if self.requests[name].payload == payload else "reused"
        wanted, is_priced = size + most, model == "house-1"
        nanos = size * INPUT_NANOS + most * OUTPUT_NANOS if is_priced else 0
        if refusal := self._refusal(wanted, nanos, model):
            return refusal
        # A minute is a window too: behind the last one in which something was admitted no time runs back.
        self.minute = max(self.minute, self.now.replace(second=0, microsecond=0))
        at = max(self.now, self.day.start, self.month.start, self.minute)
        on = (self.day.end - timedelta(microseconds=1)).astimezone(ZoneInfo(self.day.zone)).date()
        expires_at = max(at, self.now) + PENDING_FOR
        self.requests[name] = Request(name, payload, at, on, expires_at, wanted, nanos, category, is_priced)
        self.version += 1
        return "admitted"

    def _refusal(self, wanted: int, nanos: int, model: str | None) -> str | None:
        terms = self.terms
        if terms.models is not None and model not in terms.models:
            return "not-in-plan"
        if terms.per_request is not None and wanted > terms.per_request:
            return "too-many-tokens"
        if terms.nanos is not None and model != "house-1":
            return "unpriced-model"
        used = (self.used_today + 1, self.used_this_month + 1, self.month_tokens + wanted, self.month_nanos + nanos)
        allowed = (terms.daily, terms.monthly, terms.tokens, terms.nanos)
        names = ("daily", "monthly", "tokens", "cost")
        return next((n for n, u, most in zip(names, used, allowed, strict=True) if most is not None and u > most), None)

    def finish(self, name: str, outcome: Ended, *, trusted: bool) -> str:
        """Say ``finished``, ``late``, ``replayed`` or ``contradicts``."""
        self.catch_up()
        request = self.requests[name]
        if request.outcome is not None:
            return "replayed" if request.outcome == outcome else "contradicts"
        request.outcome = outcome
        request.status, tokens, request.duration, rating = outcome
        request.late, request.expired = request.expired, False
        request.rating = request.rating if rating is None else rating
        request.refunded = request.status == "failed" and trusted
        request.tokens = sum(tokens or ())
        if tokens and request.is_priced:
            request.nanos = tokens[0] * INPUT_NANOS + tokens[1] * OUTPUT_NANOS
        self.version += 1
        return "late" if request.late else "finished"

    def rate(self, name: str, rating: int | None) -> str:
        self.catch_up()
        request = self.requests[name]
        if request.status == "pending":
            return "pending"
        self.version += request.rating != rating
        request.rating = rating
        return "rated"

    def patch(self, name: str, response: str) -> str:
        self.catch_up()
        request = self.requests[name]
        if request.response not in {None, response}:
            return "contradicts"
        request.response = response
        return "filled"

    @property
    def used_today(self) -> int:
        return sum(each.at >= self.day.start and not each.refunded for each in self.requests.values())

    @property
    def used_this_month(self) -> int:
        return sum(each.at >= self.month.start and not each.refunded for each in self.requests.values())

    @property
    def month_tokens(self) -> int:
        """Used and reserved."""
        return sum(each.held_tokens if each.status == "pending" else each.tokens for each in self._of_month())

    @property
    def month_nanos(self) -> int:
        return sum(each.held_nanos if each.status == "pending" else each.nanos or 0 for each in self._of_month())

    def _of_month(self) -> list[Request]:
        return [each for each in self.requests.values() if each.at >= self.month.start]


def _month(at: datetime) -> tuple[int, int]:
    return at.year, at.month
