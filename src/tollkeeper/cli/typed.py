"""Refusals speak of what was typed: of options and arguments, not of the fields of the API."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

from cyclopts import CycloptsError, UnusedCliTokensError

from tollkeeper.errors import Invalid
from tollkeeper.wording import KINDS

__all__ = ["as_typed", "plainly", "told_as"]

_TYPED: Final = {
    "addresses": "--address",
    "amount": "AMOUNT",
    "billingCycle": "--billing-cycle",
    "description": "--description",
    "email": "EMAIL",
    "endsAt": "--until",
    "expiresAt": "--until",
    "kinds": "--kind",
    "limits": "LIMITS",
    "name": "--name",
    "scopes": "--scope",
    "timeZone": "--timezone",
    "trial": "--trial",
    "url": "URL",
}
_PLACE: Final = re.compile(r"\[\d+\]$")
_UNCONVERTED: Final = re.compile(r"unable to convert (\".*\") into (\w+)\.", re.DOTALL)


def as_typed(error: Invalid, names: Mapping[str, str] = _TYPED) -> Invalid:
    """Let a refusal name what was typed; what stands in a file is named as it is there."""
    if "file" in error.fields or "errors" not in error.fields:
        return error
    return Invalid.several([each | {"field": _typed(each["field"], names)} for each in error.fields["errors"]])


@contextmanager
def told_as(**names: str) -> Generator[None]:
    """Say for a block what some fields are in this command, where that is not what they are in most."""
    try:
        yield
    except Invalid as error:
        raise as_typed(error, names) from error


def plainly(error: CycloptsError) -> str:
    """Say what the command line library says, without the names of Python's types."""
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f'"{error.unused_tokens[0]}" is more than this command takes.'
    return _UNCONVERTED.sub(_not_of_its_kind, str(error))


def _not_of_its_kind(matched: re.Match[str]) -> str:
    kind = KINDS.get(matched[2].lower())
    return f"{matched[1]} is not {kind}." if kind else matched[0]


def _typed(field: str, names: Mapping[str, str]) -> str:
    return names.get(_PLACE.sub("", field), field)
