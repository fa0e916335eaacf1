"""Dashboards as they were answered last, kept for as long as nothing that they show has changed.

Whether something has is asked of the database each time, so that what another node changes is seen at once; but for all
who wait at the same time together, which costs a hundredth of reading a dashboard.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self
from uuid import UUID

from tollkeeper.http.backend import Backend
from tollkeeper.http.dashboards.shown import DashboardShown, enveloped
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.tracking.lane import Bounds, Lane

_MOST_BYTES: Final = 32 * 2**20
_BOUNDS: Final = Bounds(set_items=512, waiting_items_each=20_000)


class Kept(NamedTuple):
    """A dashboard and what tells whether it is still the same."""

    stamp: str
    body: bytes


class Dashboards:
    """The bodies of ``GET /api/user/dashboard``."""

    def __init__(self, backend: Backend, *, most_bytes: int = _MOST_BYTES) -> None:
        self._backend = backend
        self._stamps = Lane[UUID, str | None](
            lambda users, _: self._ask(users), is_again=lambda _: False, bounds=_BOUNDS
        )
        self._kept: OrderedDict[UUID, Kept] = OrderedDict()
        self._most_bytes = most_bytes
        self._bytes = 0

    async def __aenter__(self) -> Self:
        await self._stamps.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stamps.__aexit__(kind, error, traceback)

    async def of(self, user_id: UUID) -> bytes:
        """Answer one user's dashboard as it stands now; ``NotFound`` if there is no such user."""
        return (await self.found(user_id)).body

    async def found(self, user_id: UUID) -> Kept:
        """Find the same with its stamp."""
        stamp = await self._stamps.put(user_id, owner=user_id, size=1) if user_id in self._kept else None
        return await self.at(user_id, stamp)

    async def at(self, user_id: UUID, stamp: str | None) -> Kept:
        """Find the same where the stamp has just been asked; ``None`` fits nothing that is kept."""
        kept = self._kept.get(user_id)
        if kept is not None and kept.stamp == stamp:
            self._kept.move_to_end(user_id)
            return kept
        found = await dashboard.read(self._backend.database, self._backend.ledger, user_id)
        kept = Kept(found.stamp, enveloped(DashboardShown.of(found)))
        self._keep(user_id, kept)
        return kept

    def _keep(self, user_id: UUID, kept: Kept) -> None:
        """Keep it, and forget those who were not asked for the longest time."""
        self._forget(self._kept.pop(user_id, None))
        self._kept[user_id] = kept
        self._bytes += len(kept.body)
        while self._bytes > self._most_bytes:
            self._forget(self._kept.popitem(last=False)[1])

    def _forget(self, kept: Kept | None) -> None:
        self._bytes -= len(kept.body) if kept else 0

    async def _ask(self, user_ids: Sequence[UUID]) -> Sequence[str | None]:
        found = await dashboard.stamps(self._backend.database, list(set(user_ids)))
        return [found.get(user_id) for user_id in user_ids]
