"""The models that requests named: what they used, and how they are priced now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from tollkeeper.metering.prices.price_file import KINDS
from tollkeeper.metering.pricing import rates_for
from tollkeeper.store.database import Record, Statements

PriceSource = Literal["list", "own", "none"]

_NAMELESS: Final = "unknown"


@dataclass(frozen=True, slots=True)
class SeenModel:
    """One model, summed over all users since the beginning. Money in nano-USD.

    ``rates`` are those of now, as on a request's row: nano-USD for each million tokens, or tiers of them.
    ``last_hour_at`` is the hour in which a finished request of it began last.
    """

    model: str
    requests: int
    tokens_used: int
    cost_nanos: int
    unpriced: int
    last_hour_at: datetime | None
    price_source: PriceSource
    rates: dict[str, Any] | None

    @property
    def provider(self) -> str | None:
        """Who makes it, as far as the public list knows."""
        return (self.rates or {}).get("provider")


async def seen(database: Statements) -> list[SeenModel]:
    """List every model that was used or has a price of the operator's, the most used first."""
    now: datetime = await database.value("database_instant")
    return [_model(row, now) for row in await database.all("models_seen")]


def rates_by_kind(rates: dict[str, Any]) -> dict[str, str | None]:
    """Give the rate of each kind as a decimal text; where there are tiers, the first one."""
    return {kind: _text(rates.get(kind)) for kind in KINDS}


def has_tiers(rates: dict[str, Any]) -> bool:
    """Whether a rate depends on how long the input is."""
    return any(isinstance(rates.get(kind), list) for kind in KINDS)


def _model(row: Record, now: datetime) -> SeenModel:
    source: PriceSource = "own"
    rates = row["own_rates"]
    if rates is None:
        listed = None if row["model"] == _NAMELESS else rates_for(row["model"], now)
        source = "none" if listed is None else "list"
        rates = None if listed is None else listed.as_json()
    return SeenModel(
        model=row["model"],
        requests=row["requests"],
        tokens_used=row["tokens_used"],
        cost_nanos=int(row["cost_nanos"]),
        unpriced=row["unpriced"],
        last_hour_at=row["last_hour_at"],
        price_source=source,
        rates=rates,
    )


def _text(rate: Any) -> str | None:
    if isinstance(rate, list):
        return _text(rate[0][1])
    return None if rate is None else str(rate)
