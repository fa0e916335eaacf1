"""What a model's tokens cost at a time: the rates that a request's row keeps from its start.

Rates are integer nano-USD per million tokens (2.50 USD a million is 2_500_000_000). They come from ``genai-prices``,
dated and offline. Costs are computed from them in the database, by ``tk_cost``, and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final, TypeAlias

import msgspec
from genai_prices.data_snapshot import find_provider_by_id, get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

__all__ = ["Price", "Rate", "Rates", "Tiers", "document_of", "is_listed", "rates_for"]

Price: TypeAlias = int | Decimal
"""Nano-USD; a ``Decimal`` only where the list is finer than that."""

Tiers: TypeAlias = tuple[tuple[int, Price], ...]
"""``(start, price)``: all tokens cost the last price whose start the total input exceeds, or else the first one."""

Rate: TypeAlias = Price | Tiers

_SOURCE: Final = f"genai-prices {version('genai-prices')}"
_NANOS_PER_USD: Final = 10**9
_REQUESTS_PER_KCOUNT: Final = 1000

# Prices in the list change at midnight or at a quarter of an hour, UTC (a test holds the list to that).
_SECONDS_PER_PERIOD: Final = 15 * 60
_VERSION: Final = re.compile(r"(?:[-@:._]?(?:v?[0-9]{1,8}|latest|preview))*")


@dataclass(frozen=True, slots=True)
class Rates:
    """One model's rates at one time. A kind without a rate (``None``) costs as the whole that it is part of."""

    source: str
    provider: str | None
    model: str
    input: Rate | None = None
    output: Rate | None = None
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    reasoning: Rate | None = None
    per_request: Rate | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the document of ``unit_prices``, without the rates that are not there; a finer rate is a string."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: _plain(value) for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Listed:
    provider: Provider
    model: ModelInfo


def rates_for(model: str, at: datetime) -> Rates | None:
    """Find what ``model`` cost at the instant ``at``, or ``None``: unpriced, which is never the same as free.

    ``model`` is the provider's name for it, alone (the provider is inferred) or as ``provider/model`` or
    ``provider:model``. The rates are the standard ones: service tiers and batch discounts are not known here.
    """
    return _rates_in_period(model, int(at.timestamp()) // _SECONDS_PER_PERIOD)


def document_of(model: str, at: datetime) -> msgspec.Raw | None:
    """Find the same rates as the JSON document of ``unit_prices``."""
    return _document_in_period(model, int(at.timestamp()) // _SECONDS_PER_PERIOD)


def is_listed(model: str) -> bool:
    """Whether a name is the list's own, perhaps with a date or version behind it: so that it tells of nobody."""
    listed = _find(model.lower())
    _, _, alone = model.lower().rpartition("/")
    return listed is not None and (
        alone.startswith(listed.model.id.lower()) and _VERSION.fullmatch(alone[len(listed.model.id) :]) is not None
    )


@lru_cache(maxsize=8192)
def _document_in_period(model: str, period: int) -> msgspec.Raw | None:
    rates = _rates_in_period(model, period)
    return rates and msgspec.Raw(msgspec.json.encode(rates.as_json()))


@lru_cache(maxsize=8192)
def _rates_in_period(model: str, period: int) -> Rates | None:
    listed = _find(model.lower())
    if listed is None:
        return None
    at = datetime.fromtimestamp(period * _SECONDS_PER_PERIOD, UTC)
    prices = listed.model.get_prices(at)
    rates = Rates(
        source=_SOURCE,
        provider=listed.provider.id,
        model=listed.model.id,
        input=_per_million(prices, "input_mtok"),
        output=_per_million(prices, "output_mtok"),
        cache_read=_per_million(prices, "cache_read_mtok"),
        cache_write=_per_million(prices, "cache_write_mtok"),
        reasoning=_per_million(prices, "output_reasoning_mtok"),
        per_request=_rate(prices.requests_kcount, _NANOS_PER_USD // _REQUESTS_PER_KCOUNT),
    )
    # A model priced by the hour, page or character only, or with an empty price, would look free by its tokens.
    return None if rates.input is rates.output is rates.per_request is None else rates


# The look-up of genai-prices itself remembers every name it was ever asked for, and callers choose the names.
@lru_cache(maxsize=4096)
def _find(model: str) -> _Listed | None:
    providers = get_snapshot().providers
    named = _split(model)
    if named is not None:
        provider = find_provider_by_id(providers, named[0])
        found = provider.find_model(named[1], all_providers=providers) if provider else None
        if provider and found:
            return _Listed(provider, found)
    inferred = next((each for each in providers if each.model_match and each.model_match.is_match(model)), None)
    found = inferred.find_model(model, all_providers=providers) if inferred else None
    return _Listed(inferred, found) if inferred and found else None


def _split(model: str) -> tuple[str, str] | None:
    for at, letter in enumerate(model):
        if letter in "/:":
            return model[:at], model[at + 1 :]
    return None


def _per_million(prices: ModelPrice, kind: str) -> Rate | None:
    return _rate(getattr(prices, kind), _NANOS_PER_USD)


def _rate(price: Decimal | TieredPrices | None, nanos: int) -> Rate | None:
    if price is None:
        return None
    if isinstance(price, TieredPrices):
        return ((0, _whole(price.base * nanos)), *((tier.start, _whole(tier.price * nanos)) for tier in price.tiers))
    return _whole(price * nanos)


def _whole(value: Decimal) -> Price:
    return int(value) if value == value.to_integral_value() else value


def _plain(value: str | Rate) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, tuple):
        return [[start, _plain(price)] for start, price in value]
    return value
