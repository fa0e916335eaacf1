"""The reader of JSON bodies, by itself: it agrees with JSON wherever it lets something through."""

from __future__ import annotations

import contextlib
import json
import timeit
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tollkeeper.errors import Invalid, NotUnderstood
from tollkeeper.http.body import decode

TEXT = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(10**19) + 1, 10**19)
    | some.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda each: some.lists(each, max_size=4) | some.dictionaries(TEXT, each, max_size=4),
    max_leaves=20,
)


def as_float(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: as_float(each) for name, each in cast("dict[str, Any]", value).items()}
    return [as_float(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


@given(VALUES, some.booleans())
def test_json_is_read_as_json_is(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    if "-0.0" in text:
        return
    assert as_float(decode(text.encode())) == value


@given(some.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(NotUnderstood, Invalid):
        decode(raw)


@given(some.text(alphabet='{}[]",:\\u0dD8-.eE1 NaIn\n', max_size=60))
def test_what_is_almost_json_is_read_or_refused(text: str) -> None:
    try:
        value = decode(text.encode())
    except (NotUnderstood, Invalid):
        return
    assert as_float(value) == json.loads(text)


@pytest.mark.parametrize(
    "text", ['{"a": "-0"}', '{"a": "x: -0"}', '"[-0"', '{"a": 10.0, "b": -0.5}', r'"\\u0000"', r'"\ud83d\ude00"']
)
def test_what_only_looks_unusual_is_read(text: str) -> None:
    assert as_float(decode(text.encode())) == json.loads(text)


def test_numbers_keep_every_digit() -> None:
    assert decode(b'{"a": 0.1000000000000000055}') == {"a": Decimal("0.1000000000000000055")}


def test_a_small_body_costs_microseconds() -> None:
    raw = json.dumps(
        {"prompt": "Create an NFT contract", "sessionId": "session-123", "maxTokens": 5, "cost": 1.5}
    ).encode()
    assert min(timeit.repeat(lambda: decode(raw), number=1000, repeat=5)) / 1000 < 50e-6
