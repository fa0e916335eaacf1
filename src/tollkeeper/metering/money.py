"""Money is integer nano-USD inside and cents outside: the two exact translations."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation
from typing import Final

from tollkeeper.bounds import MOST_CENTS
from tollkeeper.errors import Invalid

__all__ = ["cents_of", "nanos_of_cents"]

_NANOS_PER_CENT: Final = 10**7
_DECIMALS_OF_A_NANO: Final = 7
_FINEST_CENTS: Final = Decimal("1E-9")
_EXACT: Final = Context(prec=40, traps=[Inexact, InvalidOperation])
_ROUNDING: Final = Context(prec=40, rounding=ROUND_HALF_UP)


def nanos_of_cents(cents: Decimal | int, *, field: str = "cost") -> int:
    """Read cents as nano-USD, rounded half up; ``Invalid`` names the field if it is negative, too large or too fine.

    A cost may have 9 decimals and a nano-USD is the 7th, so the last two round.
    """
    given = Decimal(cents)
    if not (given.is_finite() and 0 <= given <= MOST_CENTS):
        raise Invalid.field(field, f"must be from 0 to {MOST_CENTS} cents")
    try:
        fine = given.quantize(_FINEST_CENTS, context=_EXACT)
    except Inexact:
        raise Invalid.field(field, "must have no more than 9 decimals") from None
    return int((fine * _NANOS_PER_CENT).to_integral_value(context=_ROUNDING))


def cents_of(nanos: int) -> int | Decimal:
    """Give nano-USD as cents, exactly: an ``int`` where whole, else a ``Decimal`` without trailing zeros.

    An encoder writes it as a JSON number with ``decimal_format="number"``.
    """
    whole, rest = divmod(nanos, _NANOS_PER_CENT)
    if rest == 0:
        return whole
    digits = f"{rest:0{_DECIMALS_OF_A_NANO}d}".rstrip("0")
    return Decimal(f"{whole}.{digits}")
