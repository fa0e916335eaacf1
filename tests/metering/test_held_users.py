"""A user whose row is held elsewhere is told so, and keeps nobody else."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import pytest

from tests.metering.making import PENDING_FOR, a_plan, a_request, a_user, an_outcome
from tollkeeper.errors import Unavailable
from tollkeeper.metering.ledger import Ledger
from tollkeeper.metering.verify import verify
from tollkeeper.store.database import Database

_OTHERS = 12


async def test_others_are_decided_while_one_is_held(db: Database, owner: asyncpg.Connection) -> None:
    await a_plan(owner, "ample")
    held, *others = [await a_user(db, "ample", email=f"u{n}@example.com") for n in range(_OTHERS + 1)]
    told: list[Unavailable] = []

    async with Ledger(db, pending_for=PENDING_FOR) as ledger:
        under_way = (await ledger.start(a_request(held))).id

        async def refused() -> None:
            with pytest.raises(Unavailable, match="lock timeout") as error:
                await asyncio.gather(ledger.start(a_request(held)), ledger.finish(an_outcome(held, under_way)))
            told.append(error.value)

        async def track(user: UUID) -> int:
            pairs = 0
            while not told:
                started = await ledger.start(a_request(user))
                await ledger.finish(an_outcome(user, started.id))
                pairs += 1
            return pairs

        await owner.execute("BEGIN")
        await owner.execute("SELECT FROM usage WHERE user_id = $1 FOR UPDATE", held)
        waiting = asyncio.create_task(refused())
        # Within the second after which the one who is held hears of it.
        assert min(await asyncio.gather(*map(track, others))) > 1
        await waiting
        await owner.execute("ROLLBACK")
        # Whatever became of what was asked meanwhile: afterwards all is as ever.
        assert (await ledger.start(a_request(held))).limits.pending >= 1
    assert (await verify(db)).differences == []
