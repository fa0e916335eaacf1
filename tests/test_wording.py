"""Everything that the JSON library can say of a value, and what is said in its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Meta

from tollkeeper.wording import KINDS, told, unread

LIBRARYS = re.compile(r"`|\b(?:str|int|array|RFC ?3339|ISO ?8601|regex|datetime|Expected|Invalid)\b")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Inside(msgspec.Struct, forbid_unknown_fields=True):
    a: int
    colour: Literal["red", "blue"] | None = None


class Outside(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    is_here: bool
    all_of_them: list[Inside] = []
    by_name: dict[str, Literal[7, 14]] = {}
    by_number: dict[int, int] = {}


class Cat(msgspec.Struct, tag="cat"):
    pass


class Dog(msgspec.Struct, tag="dog"):
    pass


class Pair(NamedTuple):
    first: int
    second: int = 0


class Listed(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    first: int


AN_INSTANT = "must be an instant such as 2026-01-01T00:00:00Z"
SAID: list[tuple[Any, Any, str]] = [
    (int, "5", "must be a whole number, not a text"),
    (int, True, "must be a whole number, not true or false"),
    (int, None, "must be a whole number, not null"),
    (int, 1.5, "must be a whole number, not one with a fraction or an exponent"),
    (int | None, [], "must be a whole number or null, not a list"),
    (int | float | None, "5", "must be a number or null, not a text"),
    (bool | int | list[str], {}, "must be true, false, a whole number or a list, not an object"),
    (bool, 1, "must be true or false, not a whole number"),
    (str, 5, "must be a text, not a whole number"),
    (str, 1.5, "must be a text, not a number"),
    (None, 5, "must be null, not a whole number"),
    (list[int], {}, "must be a list, not an object"),
    (dict[str, int], [], "must be an object, not a list"),
    (Inside, "x", "must be an object, not a text"),
    (Annotated[int, Meta(ge=0)], -1, "must be at least 0"),
    (Annotated[int, Meta(gt=0)], 0, "must be at least 1"),
    (Annotated[int, Meta(le=5000)], 5001, "must be at most 5,000"),
    (Annotated[int, Meta(multiple_of=50)], 1, "must be a multiple of 50"),
    (Annotated[float, Meta(ge=0.5)], 0.1, "must be at least 0.5"),
    (Annotated[float, Meta(gt=1e3)], 0.1, "must be more than 1,000"),
    (Annotated[float, Meta(le=-1)], 0.1, "must be at most -1"),
    (Annotated[float, Meta(lt=0)], 0.1, "must be less than 0"),
    (Annotated[float, Meta(multiple_of=0.5)], 0.1, "must be a multiple of 0.5"),
    (Annotated[str, Meta(min_length=1)], "", "must not be empty"),
    (Annotated[str, Meta(min_length=3)], "", "must have at least 3 characters"),
    (Annotated[str, Meta(max_length=1)], "xx", "must have at most 1 character"),
    (Annotated[str, Meta(max_length=5000)], "x" * 5001, "must have at most 5,000 characters"),
    (Annotated[str, Meta(pattern=r"^a'\d$")], "b", r"must match the pattern ^a'\d$"),
    (Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$")], "b", "must be an e-mail address"),
    (Annotated[list[int], Meta(min_length=2)], [1], "must have at least 2 items"),
    (Annotated[list[int], Meta(max_length=0)], [1], "must be empty"),
    (Annotated[dict[str, int], Meta(max_length=1)], {"a": 1, "b": 2}, "must have at most 1 key"),
    (Annotated[bytes, Meta(max_length=1)], "QUJD", "must have at most 1 byte"),
    (tuple[int, int], [1], "must have 2 items"),
    (Pair, [], "must have 1 to 2 items"),
    (Listed, [], "must not be empty"),
    (Listed, [1, 2], "must have at most 1 item"),
    (Literal["a", "b"], "c", "must be one of a, b"),
    (Literal["a", "b"] | None, 5, "must be one of a, b"),
    (Literal[7, 14], 5, "must be one of 7, 14"),
    (Literal["a"], "b", "must be a"),
    (Colour, "green", "must be one of red, blue"),
    (Cat | Dog, {"type": "cow"}, "type: is none of the values that it can be"),
    (Cat | Dog, {}, "type: is missing"),
    (datetime, "yesterday", AN_INSTANT),
    (datetime | None, 5, f"{AN_INSTANT} or null, not a whole number"),
    (
        Annotated[datetime, Meta(tz=True)],
        "2026-01-01T00:00:00",
        "must name its time zone, as 2026-01-01T00:00:00Z does",
    ),
    (Annotated[datetime, Meta(tz=False)], "2026-01-01T00:00:00Z", "must name no time zone, as 2026-01-01T00:00:00"),
    (Annotated[time, Meta(tz=True)], "08:00:00", "must name its time zone, as 08:00:00Z does"),
    (Annotated[time, Meta(tz=False)], "08:00:00Z", "must name no time zone, as 08:00:00"),
    (date, "2026-02-30", "must be a date such as 2026-01-01"),
    (time, "25:00", "must be a time of day such as 08:00:00"),
    (timedelta, "long", "must be a duration such as PT90S"),
    (timedelta, "P1Y", "must be a duration in days, hours, minutes and seconds, such as P1DT12H"),
    (UUID, "x", "must be a UUID"),
    (Decimal, "x", "must be a number, not a text"),
    (bytes, "%", "must be a text in Base64"),
    (float, 10**400, "is out of bounds"),
    (Outside, {"isHere": 1}, "isHere: must be true or false, not a whole number"),
    (Outside, {}, "isHere: is missing"),
    (Outside, {"is_here": True}, "is_here: is not known here"),
    (Outside, {"allOfThem": [{}]}, "allOfThem: its a is missing"),
    (Outside, {"allOfThem": [{"a": 1, "b": 1}]}, "allOfThem: its b is not known here"),
    (Outside, {"allOfThem": [{"a": 1, "colour": "green"}]}, "allOfThem: its colour must be one of blue, red"),
    (Outside, {"allOfThem": [5]}, "allOfThem: each must be an object, not a whole number"),
    (Outside, {"byName": {"a": 5}}, "byName: each must be one of 7, 14"),
    (Outside, {"byNumber": {"a": 5}}, "byNumber: each key must be a whole number, not a text"),
]
ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda each: some.lists(each, max_size=3) | some.dictionaries(some.text("ab", max_size=2), each, max_size=3),
    max_leaves=6,
)


def refusals(value: Any, kind: Any) -> Iterator[msgspec.ValidationError]:
    """What the library says of a value: of its JSON, and of what our own decoder makes of that."""
    text = json.dumps(value)
    roads: tuple[Callable[[], Any], ...] = (
        lambda: msgspec.json.decode(text, type=kind),
        lambda: msgspec.convert(json.loads(text, parse_float=Decimal), kind, builtin_types=(Decimal,)),
    )
    for road in roads:
        try:
            road()
        except msgspec.ValidationError as error:
            yield error


@pytest.mark.parametrize(("kind", "value", "said"), SAID, ids=[said for _, _, said in SAID])
def test_each_refusal_is_said_in_words_of_json(kind: Any, value: Any, said: str) -> None:
    found = {": ".join(filter(None, told(error, kind))) for error in refusals(value, kind)}
    assert said in found
    # Where a number may come as text, the one reader takes it for a text and the other for no number.
    assert found - {said} <= ({"must be a number"} if kind is Decimal else set())


@given(some.sampled_from([kind for kind, _, _ in SAID]), ANYTHING)
def test_no_value_is_refused_in_words_of_the_library(kind: Any, value: Any) -> None:
    for error in refusals(value, kind):
        _, message = told(error, kind)
        assert not LIBRARYS.search(message), str(error)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("Nobody says this", ""),
        ("Nobody says this - at `$[0].a`", ""),
        ("Nobody says this - at `$.a[0]`", "a"),
        ("", ""),
    ],
)
def test_what_is_not_known_is_said_as_it_is(said: str, field: str) -> None:
    assert told(msgspec.ValidationError(said), Inside) == (field, said)


def test_a_type_that_is_not_known_is_said_by_its_name() -> None:
    assert told(msgspec.ValidationError("Expected `int`, got `set`"), int) == ("", "must be a whole number, not set")
    assert "set" not in KINDS


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is not JSON: it ends too early"),
        (b'{"a": 1', "is not JSON: it ends too early"),
        (b'{"a": 1,}', "is not JSON: trailing comma in object (byte 8)"),
        (b"{'a': 1}", "is not JSON: object keys must be strings (byte 1)"),
        (b"[1],", "is not JSON: trailing characters (byte 4)"),
        (b"[" * 100_000, "is nested too deep"),
        (b'{"a": 1e400}', "is not JSON: a number is out of bounds"),
    ],
    ids=lambda each: repr(each[:12]),
)
def test_what_the_library_cannot_read_is_said_with_its_place(raw: bytes, said: str) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError, RecursionError)) as caught:
        msgspec.json.decode(raw)
    assert unread(caught.value) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a value is wanted at line 1, column 1"),
        ('{"a": }', "a value is wanted at line 1, column 7"),
        ('{"a" 1}', "a colon is wanted at line 1, column 6"),
        ('{"a": 1\n"b": 2}', "a comma is wanted at line 2, column 1"),
        ("{'a': 1}", "a name in double quotes is wanted at line 1, column 2"),
        ("[1] 2", "something comes after its end at line 1, column 5"),
        ('["a', "a text begins and does not end at line 1, column 2"),
        ('"\t"', "a control character stands in a text without an escape at line 1, column 2"),
        (r'"\x"', "a backslash begins no escape at line 1, column 2"),
        (r'"\u12"', "four hexadecimal digits are wanted after \\u at line 1, column 3"),
    ],
)
def test_what_python_cannot_read_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.JSONDecoder().decode(text)
    assert unread(caught.value) == f"is not JSON: {said}"
