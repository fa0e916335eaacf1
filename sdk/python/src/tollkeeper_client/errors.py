"""What a call may come to, other than a yes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

_OF_KEYS: Final = frozenset({"not-signed-in", "not-allowed"})


class TollkeeperError(Exception):
    """The base of all errors of this client."""


class Unavailable(TollkeeperError):
    """The service could not be asked in time. Nothing is known to have happened; the same may be asked again."""


class Refused(TollkeeperError):
    """The service said no, and will say no again. ``problem`` is its whole answer (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{problem.get('title', 'Refused')}: {problem.get('detail', status)}")
        self.status = status
        self.problem = problem

    @property
    def kind(self) -> str:
        """Which problem it is, such as ``not-in-plan``."""
        return str(self.problem.get("type", "")).rpartition("/")[2]

    @property
    def is_of_key(self) -> bool:
        """Tell whether it is the key that is not taken, which another would mend."""
        return self.kind in _OF_KEYS


class LimitReached(Refused):
    """A limit of the user's plan is reached: show them which, and when or with which plan they can go on."""

    @property
    def limit(self) -> str:
        """Which limit, such as ``daily`` or ``tokens``."""
        return str(self.problem.get("limit", ""))

    @property
    def resets_at(self) -> datetime | None:
        """When there is more of it, if time brings it."""
        at = self.problem.get("resetsAt")
        return None if at is None else datetime.fromisoformat(at)

    @property
    def upgrade_to(self) -> str | None:
        """The next plan under which the request would have been admitted."""
        return self.problem.get("upgradeTo")
