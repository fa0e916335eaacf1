from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.accounts.secrets.values import Type, json_of, text_of, type_of
from tollkeeper.errors import Invalid

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


class Wire(msgspec.Struct):
    value: msgspec.Raw


@given(NESTED)
def test_what_is_given_back_can_be_sent_again_and_means_the_same(value: Any) -> None:
    kind = type_of(value)
    text = text_of(value, kind, field="value")
    wire = msgspec.json.encode({"value": json_of(text, kind)})
    assert json.loads(wire) == {"value": value}
    sent_again = msgspec.json.decode(wire, type=Wire).value
    assert type_of(sent_again) == kind
    assert text_of(sent_again, kind, field="value") == text


@pytest.mark.parametrize(
    "digits",
    [
        "0",
        "-0",
        "-1",
        "1e2",
        "1.7976931348623157e308",
        "1e-400",
        "0.1000000000000000055511151231257827",
        "1" * 100,
        "1.10",
        "-0.0",
        "1E+5",
    ],
)
def test_a_number_keeps_every_digit_however_it_is_sent(digits: str) -> None:
    for sent in (digits, msgspec.Raw(digits.encode()), msgspec.Raw(b" " + digits.encode())):
        assert text_of(sent, "number", field="value") == digits
    assert bytes(msgspec.json.encode([json_of(digits, "number")])) == f"[{digits}]".encode()


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("", "string", ""),
        ("true", "boolean", "true"),
        (False, "boolean", "false"),
        (Decimal("1.50"), "number", "1.50"),
        (2**70, "number", str(2**70)),
        ({"a": [1, None]}, "json", '{"a":[1,null]}'),
        ('{"a": 1.0}', "json", '{"a": 1.0}'),
        ("null", "json", "null"),
        (7, "json", "7"),
        (msgspec.Raw(b'"x\\u00fc"'), "string", "xü"),
    ],
)
def test_values_are_kept_as_text(value: Any, kind: Type, text: str) -> None:
    assert text_of(value, kind, field="value") == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, "string"),
        (None, "string"),
        (True, "secret"),
        ({}, "string"),
        ("twelve", "number"),
        (True, "number"),
        ("01", "number"),
        ("1.", "number"),
        ("+1", "number"),
        ("1" * 101, "number"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "number"),
        ("NaN", "number"),
        pytest.param(10**5000, "number", id="a long number"),
        (float("inf"), "number"),
        ("1e400", "number"),
        (msgspec.Raw(b"-1.8e308"), "number"),
        (1, "boolean"),
        ("True", "boolean"),
        (None, "boolean"),
        ("hello", "json"),
        ('"hello"', "json"),
        ("{'a': 1}", "json"),
        ("NaN", "json"),
        ("[Infinity]", "json"),
        ("1e309", "json"),
        ('{"a": [0, -1E+400]}', "json"),
        pytest.param(f"[{'9' * 309}]", "json", id="an integer beyond every double"),
        ('{"a": 1, "a": 2}', "json"),
        ('{"a": "\\u0000"}', "json"),
        ('{"\\ud800": 1}', "json"),
        ("[" * 33 + "]" * 33, "json"),
        ("[" * 20000 + "]" * 20000, "json"),
        ("a\0b", "string"),
        ("\udfff", "secret"),
        ("x" * 65537, "string"),
        ("ü" * 32769, "secret"),
        (object(), "json"),
        (msgspec.Raw(b'"\\ud800 and more"'), "string"),
    ],
)
def test_what_does_not_fit_its_type_is_refused_by_name(value: Any, kind: Type) -> None:
    with pytest.raises(Invalid, match=r"^value: "):
        text_of(value, kind, field="value")


def test_64_kib_fit() -> None:
    assert len(text_of("ü" * 32768, "secret", field="value")) == 32768
    assert text_of("[" * 32 + "]" * 32, "json", field="value")
