"""What the JSON library has against a value, in the words of who sent it: of JSON, never of Python's types.

The tables have all that msgspec 0.22 and Python's own reader of JSON say of what is read here. Of a sentence that is in
no table nothing is lost: it stays as it is.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import inspect

__all__ = ["KINDS", "told", "unread"]

KINDS: Final = {
    "any": "anything",
    "array": "a list",
    "bool": "true or false",
    "bytes": "a text in Base64",
    "date": "a date such as 2026-01-01",
    "datetime": "an instant such as 2026-01-01T00:00:00Z",
    "decimal": "a number",
    "duration": "a duration such as PT90S",
    "float": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "an object",
    "str": "a text",
    "time": "a time of day such as 08:00:00",
    "uuid": "a UUID",
}
"""What the names of types mean, each with its article."""

_WITH_FRACTIONS: Final = frozenset({"float", "decimal"})
_PARTS: Final = {"array": "item", "bytes": "byte", "object": "key", "str": "character"}
_BOUNDS: Final = {
    ">=": "must be at least",
    ">": "must be more than",
    "<=": "must be at most",
    "<": "must be less than",
    "that's a multiple of": "must be a multiple of",
}
_FORMS: Final = {r"^[^@\s]+@[^@\s]+$": "must be an e-mail address"}
_SENTENCES: Final = {
    "Duration is out of range": "is out of bounds",
    "Expected `datetime` with a timezone component": "must name its time zone, as 2026-01-01T00:00:00Z does",
    "Expected `datetime` with no timezone component": "must name no time zone, as 2026-01-01T00:00:00",
    "Expected `time` with a timezone component": "must name its time zone, as 08:00:00Z does",
    "Expected `time` with no timezone component": "must name no time zone, as 08:00:00",
    "Integer value out of range": "is out of bounds",
    "Invalid ISO8601 duration": f"must be {KINDS['duration']}",
    "Invalid RFC3339 encoded date": f"must be {KINDS['date']}",
    "Invalid RFC3339 encoded datetime": f"must be {KINDS['datetime']}",
    "Invalid RFC3339 encoded time": f"must be {KINDS['time']}",
    "Invalid UUID": f"must be {KINDS['uuid']}",
    "Invalid UUID bytes": f"must be {KINDS['uuid']}",
    "Invalid base64 encoded string": f"must be {KINDS['bytes']}",
    "Invalid decimal string": f"must be {KINDS['decimal']}",
    "Invalid epoch timestamp": "is out of bounds",
    "Number out of range": "is out of bounds",
    "Only units 'D', 'H', 'M', and 'S' are supported when parsing ISO8601 durations": (
        "must be a duration in days, hours, minutes and seconds, such as P1DT12H"
    ),
    "Timestamp is out of range": "is out of bounds",
}
_SYNTAX: Final = {
    "Expecting ',' delimiter": "a comma is wanted",
    "Expecting ':' delimiter": "a colon is wanted",
    "Expecting property name enclosed in double quotes": "a name in double quotes is wanted",
    "Expecting value": "a value is wanted",
    "Extra data": "something comes after its end",
    "Illegal trailing comma before end of array": "nothing follows the comma",
    "Illegal trailing comma before end of object": "nothing follows the comma",
    "Input data was truncated": "it ends too early",
    "Invalid \\escape": "a backslash begins no escape",
    "Invalid \\uXXXX escape": "four hexadecimal digits are wanted after \\u",
    "Invalid control character at": "a control character stands in a text without an escape",
    "Number out of range": "a number is out of bounds",
    "Unterminated string starting at": "a text begins and does not end",
}
_MALFORMED: Final = "JSON is malformed: "
_AT: Final = re.compile(r"(.*?)(?: - at `(key` in `)?\$([^`]*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[]+)|\[[^\]]*\]")
_OF_A_FIELD: Final = {
    re.compile("Object missing required field `(.*)`", re.DOTALL): "is missing",
    re.compile("Object contains unknown field `(.*)`", re.DOTALL): "is not known here",
}

_Place: TypeAlias = tuple[str, ...]
"""The steps to a value from without: names of fields, and nothing for an item of a list or a value of a map."""


def told(error: msgspec.ValidationError, kind: Any) -> tuple[str, str]:
    """Say which field of a value of some type is at fault, "" for the value itself, and what it should be."""
    matched = _AT.fullmatch(str(error))
    text, key, steps = matched.groups() if matched else (str(error), None, None)
    place = tuple(step[1] or "" for step in _STEP.finditer(steps or ""))
    for pattern, message in _OF_A_FIELD.items():
        if field := pattern.fullmatch(text):
            return _named((*place, field[1]), message)
    message = _worded(text.rstrip(), () if key else _choices(kind, place))
    if message is None:
        return (place[0] if place else ""), str(error)
    return _named((*place, "") if key else place, message, item="each key " if key else "each ")


def unread(error: Exception) -> str:
    """Say why bytes or a text could not be read as JSON."""
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8: {error.reason} at byte {error.start}"
    if isinstance(error, RecursionError):
        return "is nested too deep"
    if isinstance(error, json.JSONDecodeError):
        where = f" at line {error.lineno}, column {error.colno}"
        return f"is not JSON: {_SYNTAX.get(error.msg, error.msg)}{where}"
    text = str(error).removeprefix(_MALFORMED)
    return f"is not JSON: {_SYNTAX.get(text.partition(' - at `')[0], text)}"


def _named(place: _Place, message: str, *, item: str = "each ") -> tuple[str, str]:
    """Part the field from what is within it, of which only the innermost is told."""
    field, within = (place[0], place[1:]) if place and place[0] else ("", place)
    if not within:
        return field, message
    return field, f"its {within[-1]} {message}" if within[-1] else item + message


def _worded(text: str, choices: Sequence[str]) -> str | None:
    if text in _SENTENCES:
        return _SENTENCES[text]
    for pattern, say in _PATTERNS:
        if matched := pattern.fullmatch(text):
            return say(matched, choices)
    return None


def _bound(matched: re.Match[str], _: Sequence[str]) -> str:
    return f"{_BOUNDS[matched[1]]} {_number(matched[2])}"


def _number(text: str) -> str:
    number = Decimal(text)
    return f"{int(number):,}" if number == int(number) else text


def _at_least(matched: re.Match[str], _: Sequence[str]) -> str:
    return "must not be empty" if matched[2] == "1" else f"must have at least {_counted(matched[2], matched[1])}"


def _at_most(matched: re.Match[str], _: Sequence[str]) -> str:
    return "must be empty" if matched[2] == "0" else f"must have at most {_counted(matched[2], matched[1])}"


def _exactly(matched: re.Match[str], _: Sequence[str]) -> str:
    kind, least, most = matched.groups()
    return f"must have {least} to {_counted(most, kind)}" if most else f"must have {_counted(least, kind)}"


def _counted(count: str, kind: str) -> str:
    return f"{int(count):,} {_PARTS[kind]}{'' if count == '1' else 's'}"


def _form(matched: re.Match[str], _: Sequence[str]) -> str:
    pattern: str = ast.literal_eval(matched[1])
    return _FORMS.get(pattern, f"must match the pattern {pattern}")


def _choice(_: re.Match[str], choices: Sequence[str]) -> str:
    if not choices:
        return "is none of the values that it can be"
    return f"must be {'one of ' if len(choices) > 1 else ''}{', '.join(choices)}"


def _kind(matched: re.Match[str], choices: Sequence[str]) -> str:
    wanted, got = matched[1].split(" | "), matched[2]
    if choices and set(wanted) <= {"str", "int", "null"}:
        return _choice(matched, choices)
    has_fractions = not _WITH_FRACTIONS.isdisjoint(wanted)
    kinds = [KINDS.get(each, each) for each in wanted if each != "int" or not has_fractions]
    message = f"must be {_either(kinds)}"
    if got is None:
        return message
    if got in _WITH_FRACTIONS and "int" in wanted:
        return f"{message}, not one with a fraction or an exponent"
    return f"{message}, not {KINDS.get(got, got)}"


def _either(kinds: Iterable[str]) -> str:
    parts = list(dict.fromkeys(part for each in kinds for part in each.split(" or ")))
    return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


_PATTERNS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Sequence[str]], str]], ...]] = (
    (re.compile(r"Expected `(\w+(?: \| \w+)*)`(?:, got `([^`]+)`)?"), _kind),
    (re.compile(r"Expected `(?:int|float)` (>=|>|<=|<|that's a multiple of) (\S+)"), _bound),
    (
        re.compile(r"Expected `(array|bytes|object|str)` of (?:at least length|length >=) (\d+)(?:, got \d+)?"),
        _at_least,
    ),
    (re.compile(r"Expected `(array|bytes|object|str)` of (?:at most length|length <=) (\d+)(?:, got \d+)?"), _at_most),
    (re.compile(r"Expected `(array)` of length (\d+)(?: to (\d+))?(?:, got \d+)?"), _exactly),
    (re.compile(r"Expected `str` matching regex (.+)", re.DOTALL), _form),
    (re.compile(r"Invalid (?:enum )?value .+", re.DOTALL), _choice),
)


@lru_cache
def _understood(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _choices(kind: Any, place: _Place) -> list[str]:
    found: list[str] = []
    for each in _at(_understood(kind), place):
        if isinstance(each, inspect.LiteralType):
            found += map(_shown, each.values)
        elif isinstance(each, inspect.EnumType):
            found += [_shown(member.value) for member in each.cls]
    return found


def _shown(choice: Any) -> str:
    return choice if isinstance(choice, str) else json.dumps(choice)


def _at(kind: inspect.Type, place: _Place) -> Iterator[inspect.Type]:
    """Give the types that a value at a place may have."""
    if isinstance(kind, inspect.Metadata):
        yield from _at(kind.type, place)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _at(each, place)
    elif not place:
        yield kind
    elif isinstance(kind, inspect.StructType):
        for field in kind.fields:
            if field.encode_name == place[0]:
                yield from _at(field.type, place[1:])
    elif isinstance(kind, inspect.ListType) and not place[0]:
        yield from _at(kind.item_type, place[1:])
    elif isinstance(kind, inspect.DictType) and not place[0]:
        yield from _at(kind.value_type, place[1:])
