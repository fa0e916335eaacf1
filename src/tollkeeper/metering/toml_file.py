"""Files in TOML that operators write: their tables, in which numbers are exact."""

from __future__ import annotations

import tomllib
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from tollkeeper.errors import Invalid

__all__ = ["document_of", "table_of"]


def document_of(toml: str, field: str) -> dict[str, Any]:
    """Read a file; ``Invalid`` names the field if it is not TOML, or has a number that no machine can hold."""
    try:
        return tomllib.loads(toml, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise Invalid.field(field, f"is not TOML: {error}") from error
    except (ValueError, InvalidOperation) as error:
        raise Invalid.field(field, "has a number with too many digits") from error


def table_of(given: Any, field: str) -> dict[str, Any]:
    """Take a table for one; ``Invalid`` names the field of what is none."""
    if not isinstance(given, dict):
        raise Invalid.field(field, "must be a table")
    return cast("dict[str, Any]", given)
