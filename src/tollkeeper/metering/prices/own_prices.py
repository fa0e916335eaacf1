"""The operator's own prices as the database keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tollkeeper import activity
from tollkeeper.activity import Actor
from tollkeeper.errors import NotFound
from tollkeeper.metering.prices.price_file import OwnPrice
from tollkeeper.store.database import Database, Statements

__all__ = ["KeptPrice", "listed", "of_model", "put", "remove", "remove_one"]


@dataclass(frozen=True, slots=True)
class KeptPrice:
    """What a model costs from an instant on; rates in nano-USD for each million tokens."""

    model: str
    effective_from: datetime
    rates: dict[str, Any]


async def put(database: Database, prices: Sequence[OwnPrice], *, actor: Actor) -> None:
    """Set prices, all or none. They count for requests that start from now on: rows keep the prices they began with."""
    async with database.transaction() as tx:
        await tx.all(
            "put_model_prices",
            models=[each.model for each in prices],
            effective_from=[each.effective_from for each in prices],
            rates=[each.rates.as_json() for each in prices],
        )
        await activity.note(
            tx,
            user_id=None,
            actor=actor,
            action="prices.set",
            detail={"models": sorted({each.model for each in prices})},
        )


async def listed(database: Statements) -> list[KeptPrice]:
    """Show all own prices, by model and time."""
    return [KeptPrice(**row) for row in await database.all("model_prices")]


async def remove(database: Database, model: str, *, actor: Actor) -> int:
    """Take a model's own prices away, so that the public list counts again; ``NotFound`` if it has none."""
    async with database.transaction() as tx:
        removed = await tx.all("remove_model_prices", model=model)
        if not removed:
            raise NotFound(f"{model!r} has no price of yours")
        await activity.note(tx, user_id=None, actor=actor, action="prices.removed", detail={"models": [model]})
    return len(removed)


async def of_model(database: Statements, model: str) -> list[KeptPrice]:
    """Show the own prices of a model over time."""
    return [KeptPrice(**row) for row in await database.all("prices_of_model", model=model)]


async def remove_one(database: Database, model: str, effective_from: datetime, *, actor: Actor) -> None:
    """Take one price away, so that the one before it counts on; ``NotFound`` if there is none of that instant."""
    async with database.transaction() as tx:
        if await tx.value("remove_model_price", model=model, effective_from=effective_from) is None:
            raise NotFound(f"{model!r} has no price of yours from that instant on")
        await activity.note(tx, user_id=None, actor=actor, action="prices.removed", detail={"models": [model]})
