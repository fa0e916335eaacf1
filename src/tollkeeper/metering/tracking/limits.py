"""What a plan allows and what of it is used, as a deciding statement saw it under its lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from tollkeeper.instants import EPOCH


class Limits(msgspec.Struct, frozen=True):
    """Usage and limits of one user at one ``version``. ``None`` as a limit is unlimited, 0 is none.

    Tokens and money (nano-USD) of the month contain what pending requests have reserved, and the month's limits what
    grants add to the plan's allowance. ``minute_used`` counts since a minute before ``minute_ends_us``.
    """

    version: int
    plan_name: str
    daily_used: int
    daily_limit: int | None
    monthly_used: int
    monthly_limit: int | None
    tokens_used: int
    tokens_limit: int | None
    nanos_used: int
    nanos_limit: int | None
    day_ends_us: int
    month_ends_us: int
    is_active: bool
    # Answers that were stored before these were known have none of them.
    minute_used: int = 0
    minute_limit: int | None = None
    minute_ends_us: int = 0
    pending: int = 0
    concurrent_limit: int | None = None
    # Of a refusal by a limit alone.
    window_starts_us: int = 0
    decided_us: int = 0

    @classmethod
    def of(cls, columns: Sequence[Any]) -> Limits:
        """Read what the SQL function ``tk_limits`` wrote."""
        return cls(*columns)

    @property
    def day_ends_at(self) -> datetime:
        """When the day's window ends and its requests count from zero again."""
        return EPOCH + timedelta(microseconds=self.day_ends_us)

    @property
    def month_ends_at(self) -> datetime:
        """When the month's window ends."""
        return EPOCH + timedelta(microseconds=self.month_ends_us)

    @property
    def reason(self) -> str | None:
        """Why no further request is admitted: ``inactive``, or the first limit that is used up.

        That of the minute counts where it has just refused or allows nothing: else it is over before it is read, and
        nothing tells that it is.
        """
        if not self.is_active:
            return "inactive"
        for limit, used, allowed in (
            ("daily", self.daily_used, self.daily_limit),
            ("monthly", self.monthly_used, self.monthly_limit),
            ("tokens", self.tokens_used, self.tokens_limit),
            ("cost", self.nanos_used, self.nanos_limit),
            ("perMinute", self.minute_used if self.decided_us else 0, self.minute_limit),
            ("concurrent", self.pending, self.concurrent_limit),
        ):
            if _is_used_up(used, allowed):
                return limit
        return None

    @property
    def can_make_request(self) -> bool:
        """Whether a small request would be admitted now."""
        return self.reason is None

    @property
    def window_starts_at(self) -> datetime:
        """When the window of the limit that refused began."""
        return EPOCH + timedelta(microseconds=self.window_starts_us)

    @property
    def decided_at(self) -> datetime:
        """By which instant of the database's clock it was refused."""
        return EPOCH + timedelta(microseconds=self.decided_us)

    def resets_at(self, limit: str) -> datetime | None:
        """When the window of a limit ends; ``None`` for ``concurrent``, which ends with a request under way."""
        if limit == "perMinute":
            return EPOCH + timedelta(microseconds=self.minute_ends_us)
        if limit == "concurrent":
            return None
        return self.day_ends_at if limit == "daily" else self.month_ends_at

    def of_limit(self, limit: str) -> tuple[int, int | None]:
        """Used and allowed under one limit: requests, tokens or nano-USD."""
        return {
            "daily": (self.daily_used, self.daily_limit),
            "monthly": (self.monthly_used, self.monthly_limit),
            "tokens": (self.tokens_used, self.tokens_limit),
            "cost": (self.nanos_used, self.nanos_limit),
            "perMinute": (self.minute_used, self.minute_limit),
            "concurrent": (self.pending, self.concurrent_limit),
        }[limit]


def _is_used_up(used: int, limit: int | None) -> bool:
    return limit is not None and used >= limit
