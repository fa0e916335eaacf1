"""Giving a parsed body or a query string its shape, or naming every field that does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, TypeVar, cast, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from tollkeeper.errors import NotUnderstood
from tollkeeper.http.body import Fault, inner, invalid
from tollkeeper.wording import KINDS, told


class Said(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a caller may say: camelCase outside, and nothing that is not listed."""

    def faults(self) -> Iterable[Fault]:
        """Name fields that are out of bounds although they have the right type."""
        return ()

    def contradictions(self) -> Iterable[Fault]:
        """Name fields that do not go together."""
        return ()


Shape = TypeVar("Shape", bound=Said)

_MOST_PARAMETERS: Final = 20
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_TRUTH: Final = {"true": True, "false": False}


def shaped(value: Any, shape: type[Shape]) -> Shape:
    """Give a decoded body its shape: no value becomes another type. ``Invalid`` names every field at fault."""
    try:
        said = msgspec.convert(value, shape, builtin_types=(Decimal,))
    except msgspec.ValidationError:
        faults = list(_faults_of_object(value, shape, ""))
        raise invalid(faults + _faults_of_the_rest(value, shape, faults)) from None
    if faults := [*_faults_of_instants(said), *said.faults(), *said.contradictions()]:
        raise invalid(faults)
    return said


def _faults_of_instants(said: Said) -> Iterator[Fault]:
    for name, shown in _instants(type(said)):
        at = getattr(said, name)
        if isinstance(at, datetime) and not _has_a_name_in_utc(at):
            yield Fault(shown, "must lie in a year that UTC can name, 1 to 9999")


def _has_a_name_in_utc(at: datetime) -> bool:
    try:
        at.astimezone(UTC)
    except OverflowError:
        return False
    return True


@lru_cache
def _instants(shape: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """Name the fields that may be instants, by their names inside and outside."""
    found: list[tuple[str, str]] = []
    for field in _fields(shape):
        kind = inspect.type_info(field.type)
        if any(isinstance(each, inspect.DateTimeType) for each in getattr(kind, "types", (kind,))):
            found.append((field.name, field.encode_name))
    return tuple(found)


def asked(query: bytes, shape: type[Shape]) -> Shape:
    """Read a query string; ``Invalid`` names every parameter that is unknown, repeated or out of range."""
    if not query and not _needs_any(shape):
        return shape()
    given = _parameters(query)
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    for name, text in given:
        kind = _kinds(shape).get(name)
        if kind is None:
            faults.append(Fault(name, "is not a parameter of this call"))
        elif name in values:
            faults.append(Fault(name, "is given more than once"))
        elif "\0" in text:
            faults.append(Fault(name, "contains U+0000"))
        else:
            values[name] = _read_parameter(text, kind)
    faults += [
        Fault(name, f"must be {kind.wanted}") for name, kind in _kinds(shape).items() if values.get(name) is _UNREADABLE
    ]
    if faults:
        raise invalid(faults)
    return shaped(values, shape)


def _parameters(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
            separator="&",
        )
    except UnicodeDecodeError:
        raise NotUnderstood("the query string is not UTF-8") from None
    except ValueError:
        raise NotUnderstood(f"the query string has more than {_MOST_PARAMETERS} parameters") from None


class _Kind(NamedTuple):
    wanted: str
    of: type


_UNREADABLE: Final = object()


def _read_parameter(text: str, kind: _Kind) -> Any:
    if kind.of is bool:
        return _TRUTH.get(text, _UNREADABLE)
    if kind.of is int:
        return int(text) if _INTEGER.fullmatch(text) else _UNREADABLE
    return text


@lru_cache
def _fields(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Look at a shape once: to understand its annotations takes a hundred times as long as to find a fault."""
    return msgspec.structs.fields(shape)


@lru_cache
def _needs_any(shape: type[msgspec.Struct]) -> bool:
    return any(field.required for field in _fields(shape))


@lru_cache
def _kinds(shape: type[msgspec.Struct]) -> dict[str, _Kind]:
    kinds: dict[str, _Kind] = {}
    for field in _fields(shape):
        kind = inspect.type_info(field.type)
        if isinstance(kind, inspect.UnionType):
            kind = next(each for each in kind.types if not isinstance(each, inspect.NoneType))
        if isinstance(kind, inspect.BoolType):
            kinds[field.encode_name] = _Kind(KINDS["bool"], bool)
        elif isinstance(kind, inspect.IntType):
            kinds[field.encode_name] = _Kind(KINDS["int"], int)
        else:
            kinds[field.encode_name] = _Kind(KINDS["str"], str)
    return kinds


def _faults_of_object(value: Any, shape: type[msgspec.Struct], path: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(path or "body", f"must be {KINDS['object']}")
        return
    given = cast("dict[str, Any]", value)
    fields = {field.encode_name: field for field in _fields(shape)}
    for name in given.keys() - fields.keys():
        yield Fault(inner(path, name), "is not a field of this call")
    for name, field in fields.items():
        if name in given:
            yield from _faults_of(given[name], field.type, inner(path, name))
        elif field.required:
            yield Fault(inner(path, name), "is missing")


def _faults_of_the_rest(value: Any, shape: type[Said], faults: list[Fault]) -> list[Fault]:
    """Look at the bounds of fields that have the right type as well: a caller hears of all faults at once."""
    if not isinstance(value, dict):
        return []
    faulty = {re.split(r"[.\[]", fault.field, maxsplit=1)[0] for fault in faults}
    given = {name: each for name, each in cast("dict[str, Any]", value).items() if name not in faulty}
    required = {field.encode_name: "" for field in _fields(shape) if field.required}
    try:
        rest = msgspec.convert(required | given, shape, builtin_types=(Decimal,))
    except msgspec.ValidationError:
        return []
    return list(rest.faults())


def _faults_of(value: Any, kind: Any, path: str) -> Iterator[Fault]:
    bare = _choice_for(value, get_args(kind)[0] if get_origin(kind) is Annotated else kind)
    if _is_struct(bare):
        yield from _faults_of_object(value, bare, path)
        return
    if get_origin(bare) is list and isinstance(value, list):
        items = enumerate(cast("list[Any]", value))
        faults = [fault for place, each in items for fault in _faults_of(each, get_args(bare)[0], inner(path, place))]
        if faults:
            yield from faults
            return
    try:
        msgspec.convert(value, kind, builtin_types=(Decimal,))
    except msgspec.ValidationError as error:
        name, message = told(error, kind)
        yield Fault(inner(path, name) if name else path, message)


def _choice_for(value: Any, kind: Any) -> Any:
    """Of several types, take the one that a list or an object is meant for: what is in it is looked at one by one."""
    choices = get_args(kind) if isinstance(kind, UnionType) else ()
    if isinstance(value, dict):
        return next(filter(_is_struct, choices), kind)
    return next((each for each in choices if isinstance(value, list) and get_origin(each) is list), kind)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
