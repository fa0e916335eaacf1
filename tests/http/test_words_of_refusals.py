"""What is said of bodies and queries speaks of JSON: no type of Python's, in no field of any route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args
from urllib.parse import quote

import msgspec
import pytest

from tollkeeper.errors import Invalid
from tollkeeper.http.routes import ROUTES
from tollkeeper.http.shapes import Said, asked, shaped
from tollkeeper.http.tracking.batch_wire import BatchItem

LIBRARYS = re.compile(r"`|\b(?:str|int|array|bool|decimal|RFC ?3339|regex|datetime|Expected|Invalid|got)\b")
BODIES = {route.operation.takes for route in ROUTES if route.operation.takes}
QUERIES = {route.operation.query for route in ROUTES if route.operation.query}
_PLAIN: tuple[Any, ...] = (
    *(None, True, -(10**19), -2000, -1, 0, 1, 101, 10**13, 10**19, Decimal("1.5"), Decimal("1E+400")),
    *("", "x", "x" * 60, "x" * 700, "x" * 40_000, "x" * (2**20 + 1), "2026-01-01", "2026-01-01T00:00:00", "\0"),
    *("2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "018f0000-0000-7000-8000-00000000000g"),
)
VALUES: tuple[Any, ...] = (
    *_PLAIN,
    *([each] for each in _PLAIN),
    *({"x": each} for each in _PLAIN),
    *([], {}, [[]], [{}], {"x": []}, {"x": {}}, {"x": ["a", 1]}, [1] * 60, ["x"] * 60),
)


def within(shape: type[msgspec.Struct], value: Any) -> Iterator[dict[str, Any]]:
    """A value in each field of a shape, and of the shapes within it."""
    for field in msgspec.structs.fields(shape):
        yield {field.encode_name: value}
        for inner in shapes_in(field.type):
            for each in within(inner, value):
                yield {field.encode_name: each}
                yield {field.encode_name: [each]}


def shapes_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for each in get_args(kind):
        yield from shapes_in(each)


def by_name(shapes: set[type[Said]]) -> list[type[Said]]:
    return sorted(shapes, key=lambda shape: shape.__qualname__)


def faults(said: Any, shape: type[Said]) -> Iterator[tuple[str, str]]:
    """Fields and what is said of them; a query if it is bytes."""
    try:
        asked(said, shape) if isinstance(said, bytes) else shaped(said, shape)
    except Invalid as refused:
        yield "", refused.detail
        yield from ((each["field"], each["message"]) for each in refused.fields["errors"])


@pytest.mark.parametrize("shape", by_name(BODIES | {BatchItem}))
def test_no_body_is_refused_in_words_of_the_library(shape: type[Said]) -> None:
    for value in VALUES:
        for said in (value, {"xy": value}, *within(shape, value)):
            for field, message in faults(said, shape):
                assert not LIBRARYS.search(message), (said, field, message)
                assert not message.rstrip().endswith(("one of", "be")), (said, field, message)


@pytest.mark.parametrize("shape", by_name(QUERIES))
def test_no_query_is_refused_in_words_of_the_library(shape: type[Said]) -> None:
    for field in msgspec.structs.fields(shape):
        for value in (each for each in _PLAIN if isinstance(each, str) and len(each) < 10**5):
            for _, message in faults(f"{field.encode_name}={quote(value)}".encode(), shape):
                assert not LIBRARYS.search(message), (field.encode_name, value, message)


@pytest.mark.parametrize(
    ("said", "field", "message"),
    [
        ({"maxTokens": "5"}, "maxTokens", "must be a whole number or null, not a text"),
        ({"maxTokens": -1}, "maxTokens", "must be at least 0"),
        ({"model": ""}, "model", "must not be empty"),
        ({"model": "x" * 201}, "model", "must have at most 200 characters"),
        ({"complexity": "extreme"}, "complexity", "must be one of high, low, medium"),
        ({"complexity": 5}, "complexity", "must be one of high, low, medium"),
        ({"metadata": []}, "metadata", "must be an object or null, not a list"),
        ({"cost": "5"}, "cost", "must be a number or null, not a text"),
        ({"userRating": 4.5}, "userRating", "must be a whole number or null, not one with a fraction or an exponent"),
        ({"startedAt": "now"}, "startedAt", "must be an instant such as 2026-01-01T00:00:00Z"),
        ({"promt": "x"}, "promt", "is not a field of this call"),
    ],
)
def test_a_fault_says_what_is_wanted(said: dict[str, Any], field: str, message: str) -> None:
    said = {name: Decimal(str(each)) if isinstance(each, float) else each for name, each in said.items()}
    assert (field, message) in list(faults({"prompt": "x", "user": "a@example.com"} | said, BatchItem))
