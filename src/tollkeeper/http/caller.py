"""Who calls, once that is known."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

Kind = Literal["person", "user_key", "service_key"]


class Caller(msgspec.Struct, frozen=True):
    """Who calls and as whom. ``credential`` is the id of the key or login session.

    ``is_recent``: a person who signed in within the last 15 minutes. ``acted_by``: the operator who acts as this one.
    A service key that acts for many users has its own id as ``user_id``, which is no user's.
    """

    user_id: UUID
    kind: Kind
    scopes: frozenset[str]
    credential: UUID
    role: Literal["user", "admin"] = "user"
    is_recent: bool = False
    acted_by: UUID | None = None

    @property
    def is_trusted(self) -> bool:
        """Whether reported costs and failures count: a service knows them, a user may wish them."""
        return self.kind == "service_key"
