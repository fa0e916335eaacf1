"""The operator's own prices, which go before the list: a TOML file in USD per million tokens.

.. code-block:: toml

    [prices."my-model"]
    input = 2.50
    output = 10
    cache_read = 0.25              # left out: these tokens cost what the input costs
    cache_write = 3.125
    reasoning = 10                 # left out: these tokens cost what the output costs
    per_request = 0.005            # USD for each request
    effective_from = 2026-01-01    # left out: since ever. A time without a zone is UTC

A model whose price changed has several tables, ``[[prices."my-model"]]``, each with its own ``effective_from``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final, cast

from tollkeeper.errors import Faults, Invalid
from tollkeeper.instants import EPOCH, LAST_YEAR
from tollkeeper.metering.pricing import Rates
from tollkeeper.metering.toml_file import document_of, table_of

__all__ = ["KINDS", "WHOLES", "OwnPrice", "may_begin", "nanos_of_usd", "own_price", "own_rates"]

_SOURCE: Final = "operator"
_LONGEST_NAME: Final = 200
_NANO: Final = Decimal("1E-9")
_EXACT: Final = Context(traps=[Inexact, InvalidOperation])
# With the largest counts of tokens a cost still fits a bigint.
_HIGHEST_USD: Final = 1000
KINDS: Final = ("input", "output", "cache_read", "cache_write", "reasoning", "per_request")
WHOLES: Final = ("input", "output", "per_request")


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """What the operator says a model costs, from an instant on and until the next one of the same model."""

    model: str
    effective_from: datetime
    rates: Rates


def own_rates(toml: str) -> tuple[OwnPrice, ...]:
    """Read a price file; ``Invalid`` names all that is not right by its place, as ``prices."my-model".input``.

    Of several tables of a model a place says which, as ``prices."my-model"[0].input`` for the first of them.
    """
    document = document_of(toml, "prices")
    faults = Faults()
    for name in sorted(document.keys() - {"prices"}):
        faults.add(name, 'is not known here; models stand under [prices."NAME"]')
    models = faults.of(table_of, document.get("prices"), "prices")
    found = [faults.of(_prices_of, model, tables) for model, tables in (models or {}).items()]
    prices = tuple(price for of_model in found for price in of_model or ())
    if models is not None and all(of_model == [] for of_model in found):
        faults.add("prices", "names no model")
    faults.refuse()
    return prices


def _prices_of(model: str, given: Any) -> list[OwnPrice]:
    field = f'prices."{model}"'
    if not 0 < len(model) <= _LONGEST_NAME:
        raise Invalid.field(field, f"must be a name of 1 to {_LONGEST_NAME} characters")
    if not isinstance(given, list):
        return [_price(model, given, field)]
    faults = Faults()
    prices: list[OwnPrice] = []
    for place, table in enumerate(cast("list[Any]", given)):
        price = faults.of(_price, model, table, f"{field}[{place}]")
        if price is None:
            continue
        if any(price.effective_from == each.effective_from for each in prices):
            faults.add(f"{field}[{place}].effective_from", "is the same in two tables of this model")
        prices.append(price)
    faults.refuse()
    return prices


def _price(model: str, given: Any, field: str) -> OwnPrice:
    table = table_of(given, field)
    faults = Faults()
    for name in sorted(table.keys() - {*KINDS, "effective_from"}):
        faults.add(f"{field}.{name}", f"is not known here; known are {', '.join(KINDS)}, effective_from")
    if not any(kind in table for kind in WHOLES):
        faults.add(field, f"needs at least one of {', '.join(WHOLES)}")
    rates: Any = {kind: faults.of(_nanos, table[kind], f"{field}.{kind}") for kind in KINDS if kind in table}
    effective_from: Any = faults.of(_instant, table.get("effective_from", EPOCH), f"{field}.effective_from")
    faults.refuse()
    return own_price(model, effective_from, rates)


def own_price(model: str, effective_from: datetime, rates: Mapping[str, int]) -> OwnPrice:
    """Make a price of rates by their kinds, in nano-USD."""
    return OwnPrice(model, effective_from, Rates(source=_SOURCE, provider=None, model=model, **rates))


def may_begin(at: datetime) -> bool:
    """Whether a price may count from an instant on: in the years from 1970 to 9998, which every zone can name."""
    return EPOCH <= at < LAST_YEAR


def _nanos(usd: Any, field: str) -> int:
    if isinstance(usd, bool) or not isinstance(usd, int | Decimal):
        raise Invalid.field(field, "must be a number of USD")
    return nanos_of_usd(Decimal(usd), field=field)


def nanos_of_usd(given: Decimal, *, field: str) -> int:
    """Read USD as nano-USD, exactly; ``Invalid`` names the field if it is negative, too large or too fine."""
    if not (given.is_finite() and 0 <= given <= _HIGHEST_USD):
        raise Invalid.field(field, f"must be from 0 to {_HIGHEST_USD} USD")
    try:
        return int(given.quantize(_NANO, context=_EXACT).scaleb(9))
    except Inexact:
        raise Invalid.field(field, "must have no more than 9 decimals") from None


def _instant(given: Any, field: str) -> datetime:
    if not isinstance(given, date):
        raise Invalid.field(field, "must be a date or a time, written without quotes")
    at = given if isinstance(given, datetime) else datetime.combine(given, time())
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if not may_begin(at):
        raise Invalid.field(field, "must lie in the years from 1970 to 9998")
    return at.astimezone(UTC)
