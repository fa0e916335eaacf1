"""Judging a history of starts by the version that each answer carries: sorting it is all that a check takes.

``witness`` knows nothing of how admission works. It takes what many callers saw and says where that cannot have come
from deciding one start after another.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from tollkeeper.metering.tracking.limits import Limits

__all__ = ["Attempt", "witness"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of one user as its caller saw it, between two instants of the machine's monotonic clock.

    ``id`` is None for a refusal, and ``refused_by`` the limit that it named. ``tokens`` and ``nanos`` are what it
    wanted to reserve.
    """

    key: str
    called: float
    returned: float
    limits: Limits
    id: UUID | None
    refused_by: str | None = None
    tokens: int = 0
    nanos: int = 0


@dataclass(frozen=True, slots=True)
class _Used:
    """What the windows held at a version, and when they end."""

    day: int
    month: int
    tokens: int
    nanos: int
    day_ends_us: int
    month_ends_us: int

    @classmethod
    def told_by(cls, limits: Limits) -> _Used:
        return cls(
            limits.daily_used,
            limits.monthly_used,
            limits.tokens_used,
            limits.nanos_used,
            limits.day_ends_us,
            limits.month_ends_us,
        )

    def rolled_to(self, later: _Used) -> _Used:
        """The same at the beginning of a later day or month, if ``later`` stands in one."""
        is_new_day, is_new_month = later.day_ends_us > self.day_ends_us, later.month_ends_us > self.month_ends_us
        return _Used(
            0 if is_new_day else self.day,
            0 if is_new_month else self.month,
            0 if is_new_month else self.tokens,
            0 if is_new_month else self.nanos,
            max(self.day_ends_us, later.day_ends_us),
            max(self.month_ends_us, later.month_ends_us),
        )

    def after(self, attempt: Attempt) -> _Used:
        return _Used(
            self.day + 1,
            self.month + 1,
            self.tokens + attempt.tokens,
            self.nanos + attempt.nanos,
            self.day_ends_us,
            self.month_ends_us,
        )


def witness(history: Sequence[Attempt], *, before: Limits) -> list[str]:
    """Say what is wrong with one user's starts, all that there were since ``before``; nothing, if all is well."""
    admitted = [each for each in history if each.id is not None]
    firsts = sorted(_firsts(admitted), key=lambda each: each.limits.version)
    refused = [each for each in history if each.id is None]
    return [
        *_repeated(admitted),
        *_holes(firsts, before.version),
        *_missteps(firsts, _Used.told_by(before)),
        *_overshoots(firsts),
        *_false_denials(refused, firsts, before),
        *_out_of_time(firsts, refused),
    ]


def _firsts(admitted: Sequence[Attempt]) -> Iterator[Attempt]:
    """One attempt of each key: retries get the answer of the first."""
    known = set[str]()
    for each in sorted(admitted, key=lambda each: each.returned):
        if each.key not in known:
            known.add(each.key)
            yield each


def _repeated(admitted: Sequence[Attempt]) -> Iterator[str]:
    answers = dict[str, Attempt]()
    for each in admitted:
        first = answers.setdefault(each.key, each)
        if (first.id, first.limits) != (each.id, each.limits):
            told = f"{first.id} at {first.limits.version}, {each.id} at {each.limits.version}"
            yield f"{each.key} was answered twice: {told}"
    ids = [each.id for each in answers.values()]
    if len(set(ids)) < len(ids):
        yield "two keys share one request"


def _holes(firsts: Sequence[Attempt], base: int) -> Iterator[str]:
    for expected, each in enumerate(firsts, base + 1):
        if each.limits.version != expected:
            yield f"version {expected} is missing or stands twice: {each.key} has {each.limits.version}"
            return


def _missteps(firsts: Sequence[Attempt], used: _Used) -> Iterator[str]:
    for each in firsts:
        told = _Used.told_by(each.limits)
        expected = used.rolled_to(told).after(each)
        if told != expected:
            yield f"{each.key} at version {each.limits.version} was told {told} instead of {expected}"
        used = told


def _overshoots(firsts: Sequence[Attempt]) -> Iterator[str]:
    for each in firsts:
        for limit in ("daily", "monthly", "tokens", "cost"):
            used, allowed = each.limits.of_limit(limit)
            if allowed is not None and used > allowed:
                yield f"{each.key} at version {each.limits.version}: {limit} {used} of {allowed}"


def _false_denials(refused: Sequence[Attempt], firsts: Sequence[Attempt], before: Limits) -> Iterator[str]:
    at_version = {each.limits.version: _Used.told_by(each.limits) for each in firsts}
    at_version[before.version] = _Used.told_by(before)
    for each in refused:
        then, told = at_version.get(each.limits.version), _Used.told_by(each.limits)
        if then is None or told != then.rolled_to(told):
            yield f"the refusal of {each.key} tells {told}, at version {each.limits.version} there was {then}"
        elif _fits(each):
            yield f"{each.key} was refused by {each.refused_by}, and would have fitted: {told}"


def _fits(refusal: Attempt) -> bool:
    if refusal.refused_by is None:
        return True
    used, allowed = refusal.limits.of_limit(refusal.refused_by)
    needed = {"tokens": refusal.tokens, "cost": refusal.nanos}.get(refusal.refused_by, 1)
    return allowed is None or used + needed <= allowed


def _out_of_time(firsts: Sequence[Attempt], refused: Sequence[Attempt]) -> Iterator[str]:
    """What returned before another was called must stand before it. Refusals stand behind the version they saw."""
    order = sorted([*firsts, *refused], key=lambda each: (each.limits.version, each.id is None))
    latest_call = itertools.accumulate((each.called for each in order), max)
    for each, called in zip(order, latest_call, strict=True):
        if each.returned < called and _is_misplaced(each, order):
            yield f"{each.key} returned before an earlier version was called for"


def _is_misplaced(each: Attempt, order: Sequence[Attempt]) -> bool:
    """Two refusals at one version have no order."""
    return any(
        other.called > each.returned and (other.limits.version < each.limits.version or _is_between(other, each))
        for other in order
    )


def _is_between(other: Attempt, each: Attempt) -> bool:
    return other.limits.version == each.limits.version and other.id is not None and each.id is None
