"""What a merge patch says, and what it cannot say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tollkeeper.http.dashboards.merge_patch import merge_patch

from .streaming import applied

NAMES = some.text(alphabet="abc", max_size=1)
SCALARS = (
    some.booleans()
    | some.integers(-2, 2)
    | some.sampled_from([1.0, Decimal("0.1"), ""])
    | some.text(alphabet="aé\u2028", max_size=3)
)


def objects(leaves: some.SearchStrategy[Any]) -> some.SearchStrategy[dict[str, Any]]:
    """Objects that have names in common, so that they are merged and not only replaced."""
    values = some.recursive(
        leaves, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(NAMES, inner, max_size=3), max_leaves=8
    )
    return some.dictionaries(NAMES, values, max_size=3)


def exactly(value: Any) -> Any:
    """Tell 1, 1.0 and True apart, as JSON does."""
    if isinstance(value, dict):
        return {name: exactly(each) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [exactly(each) for each in cast("list[Any]", value)]
    return (type(value), value)


@given(objects(SCALARS), objects(SCALARS))
def test_applied_to_what_was_it_gives_what_is(old: dict[str, Any], new: dict[str, Any]) -> None:
    patch = merge_patch(old, new)
    assert patch is not None
    assert exactly(applied(old, patch)) == exactly(new)


@given(objects(SCALARS | some.none()), objects(SCALARS | some.none()))
def test_with_nulls_it_gives_what_is_or_says_that_it_cannot(old: dict[str, Any], new: dict[str, Any]) -> None:
    patch = merge_patch(old, new)
    if patch is not None:
        assert exactly(applied(old, patch)) == exactly(new)


@given(objects(SCALARS | some.none()))
def test_of_two_that_are_the_same_it_says_nothing(one: dict[str, Any]) -> None:
    assert merge_patch(one, dict(reversed(one.items()))) == {}


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({"a": 1, "b": None}, {"a": 2, "b": None}, {"a": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [None]}, {"a": [None, None]}, {"a": [None, None]}),
        ({"a": 1}, {"a": None}, None),
        ({"a": {"b": 1}}, {"a": {"b": None}}, None),
        ({}, {"a": {"b": {"c": None}}}, None),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": 1}, {"a": {}}, {"a": {}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
    ],
)
def test_what_it_says(old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any] | None) -> None:
    assert merge_patch(old, new) == patch
