"""``tollkeeper price``: what models cost here, before what the public list says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, counted, shown, table
from tollkeeper.cli.house import blaming, opened, text_of
from tollkeeper.metering.prices import own_prices
from tollkeeper.metering.prices.own_prices import KeptPrice
from tollkeeper.metering.prices.price_file import own_rates

app = App(name="price", help="Your own prices of models: set, list, remove.")

_KINDS = ("input", "output", "cache_read", "cache_write", "reasoning", "per_request")
_NANOS = Decimal(10**9)


@app.command(name="set")
async def set_(
    file: Annotated[Path, Parameter(help='A TOML file with tables [prices."MODEL"], in USD for a million tokens.')],
    /,
    *,
    common: Common = DEFAULTS,
) -> Answer:
    """Set the prices of a file; models that it does not name keep theirs.

    They count for requests that start after now, and for imported ones. Requests keep the prices they began with.
    """
    with blaming(file):
        prices = own_rates(text_of(file))
    async with opened(common, begins=True) as house:
        await own_prices.put(house.database, prices, actor=OPERATOR)
    models = sorted({each.model for each in prices})
    return Answer({"set": len(prices), "models": models}, f"{_prices(len(prices))} set: {', '.join(models)}.")


@app.command(name="list")
async def list_(*, common: Common = DEFAULTS) -> Answer:
    """List your own prices, in USD for a million tokens."""
    async with opened(common) as house:
        prices = await own_prices.listed(house.database)
    header = ("MODEL", "FROM", *(kind.replace("_", " ").upper() for kind in _KINDS))
    return Answer({"items": [shown(each) for each in prices]}, table(header, (_row(each) for each in prices)))


@app.command
async def remove(
    model: Annotated[str, Parameter(help="Its name, as `price list` tells it.")], /, *, common: Common = DEFAULTS
) -> Answer:
    """Remove your own prices of a model, so that the public list counts again."""
    async with opened(common) as house:
        removed = await own_prices.remove(house.database, model, actor=OPERATOR)
    return Answer({"model": model, "removed": removed}, f"{_prices(removed, f' of {model}')} removed.")


def _row(price: KeptPrice) -> tuple[object, ...]:
    return (price.model, price.effective_from, *(_usd(price.rates.get(kind)) for kind in _KINDS))


def _prices(count: int, whose: str = "") -> str:
    return f"{counted(count, 'price')}{whose} {'is' if count == 1 else 'are'}"


def _usd(nanos: Any) -> str | None:
    return None if nanos is None else f"{Decimal(nanos) / _NANOS:f}"
