"""The one reader of JSON bodies: what it lets through is UTF-8, JSON, each key once, and no number but a plain one.

Most bodies are parsed once, in C. Whatever looks unusual (an escape that may hide U+0000, many brackets, a minus zero)
is parsed once more with a closer look, which names every fault with its field.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final, NamedTuple, cast

from tollkeeper.errors import Invalid, NotUnderstood, TollkeeperError, TooLarge
from tollkeeper.wording import unread

MOST_BYTES: Final = 8 * 2**20
DEEPEST: Final = 32
MOST_KEYS: Final = 1_000

# Bounds on large bodies and on the closer look, which is slower: no shape that is read here has as many values.
_MOST_VALUES: Final = 20_000
_LARGE: Final = 2**14
_MOST_FAULTS: Final = 50
_LONGEST_NAME: Final = 200
_LONGEST_INTEGER: Final = 20
_MOST_BYTES_OF_A_CHARACTER: Final = 4
_ODD_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
# Dates and names are full of -0, so what is before it decides.
_MINUS_ZERO: Final = re.compile(r"-0(?<=[:\[, \n\t\r]-0)")


class Fault(NamedTuple):
    """One field that is not right, and what it should be."""

    field: str
    message: str


class _Unusual(Exception):
    pass


class _Refused(NamedTuple):
    """Stands in a parsed body where a value was not acceptable."""

    why: str


class _Repeating(dict[str, Any]):
    """An object in which some keys came more than once."""

    repeated: frozenset[str]


def decode(raw: bytes) -> Any:
    """Read a JSON body. Numbers with a fraction or an exponent become ``Decimal``.

    Raises ``NotUnderstood`` for what is not UTF-8 or not JSON (or too deep, or too wide), ``Invalid`` for what JSON
    allows and we do not.
    """
    if len(raw) > _LARGE:
        refuse_crowds(raw)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise NotUnderstood(f"the body {unread(error)}") from None
    try:
        value = _FAST.decode(text)
    except json.JSONDecodeError as error:
        raise not_json(error) from None
    except RecursionError:
        raise _too_deep() from None
    except (_Unusual, ValueError, ArithmeticError):
        return _look_closely(text)
    return _checked(value, text)


def refuse_crowds(raw: bytes) -> None:
    """Refuse more keys or values than are read, before any is made: to find them by parsing takes seconds.

    Only what stands outside of texts counts, so that a part of a body may be looked at as well.
    """
    if _crowd_in(raw) is None:
        return
    bare = raw.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in raw else raw
    if bare.count(b'"') > 2 * (MOST_KEYS + _MOST_VALUES):
        raise _too_many_values()
    if crowd := _crowd_in(b"".join(bare.split(b'"')[::2])):
        raise crowd


def _crowd_in(raw: bytes) -> NotUnderstood | None:
    if raw.count(b":") > MOST_KEYS:
        return _too_wide()
    return _too_many_values() if max(map(raw.count, (b",", b"[", b"{"))) > _MOST_VALUES else None


def value_at(text: str, start: int) -> tuple[Any, int]:
    """Read the value that begins at a place of a longer text, as ``decode`` does, and say where it ends.

    Instead of a value that is not acceptable its error is given. ``JSONDecodeError``: no value ends within the text.
    """
    judge: Callable[[str], Any]
    try:
        try:
            value, end = _FAST.raw_decode(text, start)
            judge = partial(_checked, value)
        except json.JSONDecodeError:
            raise
        except (_Unusual, ValueError, ArithmeticError):
            end = _LENIENT.raw_decode(text, start)[1]
            judge = _look_closely
    except RecursionError:
        raise _too_deep() from None
    if (end - start) * _MOST_BYTES_OF_A_CHARACTER > MOST_BYTES and len(text[start:end].encode()) > MOST_BYTES:
        return too_large(MOST_BYTES), end
    try:
        return judge(text[start:end]), end
    except TollkeeperError as error:
        return error, end


def _checked(value: Any, text: str) -> Any:
    if _may_hide_something(text):
        return _look_closely(text)
    if text.count("{") + text.count("[") > DEEPEST or text.count(":") > MOST_KEYS:
        _refuse_too_deep_or_wide(value)
    return value


def invalid(faults: list[Fault]) -> Invalid:
    """Name every faulty field."""
    told = faults[:_MOST_FAULTS]
    first = told[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    errors = [{"field": shown(fault.field), "message": fault.message} for fault in told]
    return Invalid(f"{shown(first.field)}: {first.message}{more}", errors=errors)


def shown(name: str) -> str:
    """Make a name that came from outside fit to be repeated: short, and without halves of characters."""
    return name[:_LONGEST_NAME].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def inner(path: str, name: str | int) -> str:
    """Give the path of a field within another: ``variables[0].key``."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unusual
    return found


def _constant(_: str) -> Any:
    raise _Unusual


_FAST: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant)
# Finds the end of a value whose inside is not acceptable.
_LENIENT: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def _may_hide_something(text: str) -> bool:
    has_odd_escape = "\\u" in text and _ODD_ESCAPE.search(text) is not None
    return has_odd_escape or ("-0" in text and _MINUS_ZERO.search(text) is not None)


def _look_closely(text: str) -> Any:
    try:
        value = _Noting().decode(text)
    except json.JSONDecodeError as error:
        raise not_json(error) from None
    except RecursionError:
        raise _too_deep() from None
    _refuse_too_deep_or_wide(value)
    faults = list(_faults(value, ""))
    if faults:
        raise invalid(faults)
    return value


class _Noting:
    """Parses and leaves a note wherever something is not acceptable."""

    def __init__(self) -> None:
        self._numbers = 0

    def decode(self, text: str) -> Any:
        return json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._decimal,
            parse_constant=lambda name: _Refused(f"{name} is not a number of JSON"),
        ).decode(text)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        if len(pairs) > MOST_KEYS:
            raise _too_wide()
        repeating = _Repeating(found)
        repeating.repeated = frozenset(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return repeating

    def _integer(self, digits: str) -> Any:
        self._count()
        if digits == "-0":
            return _Refused("-0 is not accepted, write 0")
        return int(digits) if len(digits) <= _LONGEST_INTEGER else _Refused("is out of bounds")

    def _decimal(self, digits: str) -> Any:
        self._count()
        try:
            number = Decimal(digits)
        except InvalidOperation:
            return _Refused("is out of bounds")
        return _Refused("-0 is not accepted, write 0") if number.is_signed() and not number else number

    def _count(self) -> None:
        self._numbers += 1
        if self._numbers > _MOST_VALUES:
            raise _too_many_values()


def _refuse_too_deep_or_wide(value: Any) -> None:
    """Go down level by level, so that no depth can exhaust the stack."""
    keys = values = 0
    level = [value]
    for _ in range(DEEPEST + 1):
        containers: list[Any] = [each for each in level if isinstance(each, dict | list)]
        if not containers:
            return
        keys += sum(len(cast("dict[str, Any]", each)) for each in containers if isinstance(each, dict))
        values += sum(map(len, containers))
        if keys > MOST_KEYS:
            raise _too_wide()
        if values > _MOST_VALUES:
            raise _too_many_values()
        level = [child for each in containers for child in _children(each)]
    raise _too_deep()


def _children(container: Any) -> Iterable[Any]:
    return cast("dict[str, Any]", container).values() if isinstance(container, dict) else cast("list[Any]", container)


def _faults(value: Any, path: str) -> Iterator[Fault]:
    if isinstance(value, str):
        if why := _why_not_text(value):
            yield Fault(path or "body", why)
    elif isinstance(value, _Refused):
        yield Fault(path or "body", value.why)
    elif isinstance(value, dict):
        for name, each in cast("dict[str, Any]", value).items():
            if isinstance(value, _Repeating) and name in value.repeated:
                yield Fault(inner(path, name), "is given more than once")
            if why := _why_not_text(name):
                yield Fault(inner(path, name), f"its name {why}")
            yield from _faults(each, inner(path, name))
    elif isinstance(value, list):
        for place, each in enumerate(cast("list[Any]", value)):
            yield from _faults(each, inner(path, place))


def _why_not_text(text: str) -> str | None:
    if "\0" in text:
        return "contains U+0000"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains half of a surrogate pair"
    return None


def too_large(most: int) -> TooLarge:
    """Refuse more bytes than are read."""
    return TooLarge(f"a body has at most {most} bytes", limit=most)


def not_json(error: json.JSONDecodeError) -> NotUnderstood:
    """Refuse what is not JSON, and say where."""
    return NotUnderstood(f"the body {unread(error)}")


def _too_deep() -> NotUnderstood:
    return NotUnderstood(f"the body is nested more than {DEEPEST} levels deep")


def _too_wide() -> NotUnderstood:
    return NotUnderstood(f"the body has more than {MOST_KEYS:,} keys")


def _too_many_values() -> NotUnderstood:
    return NotUnderstood(f"the body has more than {_MOST_VALUES:,} values")
