"""Values of variables: kept as text, lossless, and given back as the JSON that they are.

================ ====================================================== ===============================================
type             accepted                                               given back
================ ====================================================== ===============================================
string, secret   a string                                               the string (a secret masked)
number, boolean  that JSON value, or a string that spells one           the JSON value, digit for digit as it was given
json             any JSON value but a string, or a string that spells   the JSON value, as it was given
                 one of those
================ ====================================================== ===============================================

So what is given back can be sent again and means the same. A JSON text that is itself a string would not (``"1"`` could
be meant as the number): it is refused, and the type ``string`` is what it wants. Numbers keep more digits than a double
does; one that is beyond every double is refused, for most programs would read it as infinite and send back nothing.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from math import isinf
from typing import Any, Final, Literal, cast, get_args

import msgspec

from tollkeeper.accounts.text import storable
from tollkeeper.errors import Invalid
from tollkeeper.wording import unread

Type = Literal["string", "number", "boolean", "json", "secret"]

TYPES: Final[tuple[Type, ...]] = get_args(Type)
MOST_BYTES: Final = 65536

_DEEPEST: Final = 32
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER: Final = 100
_WITHIN: Final = "between -1.8e308 and 1.8e308"
_encoder = msgspec.json.Encoder(decimal_format="number")


def type_of(value: Any) -> Type:
    """Tell the type that a value has by itself, where nobody named one."""
    match _understood(value):
        case bool():
            return "boolean"
        case int() | float() | Decimal():
            return "number"
        case str():
            return "string"
        case _:
            return "json"


def text_of(value: Any, kind: Type, *, field: str) -> str:
    """Write a JSON value (Python's, or ``msgspec.Raw`` to keep every digit) as the text that is kept.

    ``Invalid`` names the field if the value does not fit its type or is longer than 64 KiB.
    """
    meant = _understood(value)
    text = meant if isinstance(meant, str) else _spelled(value, field)
    storable(text, field=field)
    if len(text.encode()) > MOST_BYTES:
        raise Invalid.field(field, f"must have at most {MOST_BYTES} bytes")
    match kind:
        case "string" | "secret":
            if not isinstance(meant, str):
                raise Invalid.field(field, f"must be a string, as the type is {kind}")
        case "number":
            if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
                raise Invalid.field(field, f"must be a number of at most {_LONGEST_NUMBER} characters")
            if isinf(float(text)):
                raise Invalid.field(field, f"must be {_WITHIN}")
        case "boolean":
            if text not in {"true", "false"}:
                raise Invalid.field(field, "must be true or false")
        case "json":
            _refuse_unless_json(text, field)
    return text


def json_of(text: str, kind: Type) -> str | msgspec.Raw:
    """Give a kept text back as its JSON value: a string, or the JSON itself, which msgspec writes as it is."""
    return text if kind in {"string", "secret"} else msgspec.Raw(text.encode())


def _understood(value: Any) -> Any:
    if not isinstance(value, msgspec.Raw):
        return value
    first = bytes(value).lstrip()[:1]
    match first:
        case b'"':
            return _string(value)
        case b"t" | b"f":
            return first == b"t"
        case b"{" | b"[" | b"n":
            return None
        case _:
            return 0


def _string(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.DecodeError as error:
        raise Invalid.field("value", f"must be a JSON string, and {unread(error)}") from None


def _spelled(value: Any, field: str) -> str:
    try:
        if isinstance(value, msgspec.Raw):
            return bytes(value).decode().strip()
        # Beyond 64 bits the encoder refuses what JSON allows.
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else _encoder.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise Invalid.field(field, "must be a JSON value") from None


def _refuse_unless_json(text: str, field: str) -> None:
    try:
        parsed: Any = json.loads(
            text,
            object_pairs_hook=_without_twins,
            parse_constant=_refuse_word,
            # The digits stay in the text; made into integers here, long ones would cost time or be refused.
            parse_int=_refuse_beyond,
            parse_float=_refuse_beyond,
        )
    except RecursionError:
        raise Invalid.field(field, f"must not be nested deeper than {_DEEPEST}") from None
    except json.JSONDecodeError as error:
        raise Invalid.field(field, unread(error)) from None
    except ValueError as error:
        raise Invalid.field(field, f"must be JSON: {error}") from None
    if isinstance(parsed, str):
        raise Invalid.field(field, "must not be a JSON string: the type string is for those")
    _refuse_unstorable(parsed, field, _DEEPEST)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _refuse_word(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _refuse_beyond(number: str) -> Any:
    if isinf(float(number)):
        raise ValueError(f"a number must be {_WITHIN}")


def _refuse_unstorable(parsed: Any, field: str, levels: int) -> None:
    """Walk what the parser found: texts that are escaped in JSON are texts when somebody reads them."""
    if isinstance(parsed, str):
        storable(parsed, field=field)
    elif isinstance(parsed, dict | list):
        if levels == 0:
            raise Invalid.field(field, f"must not be nested deeper than {_DEEPEST}")
        held = cast("dict[str, Any] | list[Any]", parsed)
        for each in [*held, *held.values()] if isinstance(held, dict) else held:
            _refuse_unstorable(each, field, levels - 1)
