"""What every reader shares: the record that it gives, and the rows of a file with what can be wrong in them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Literal, cast
from uuid import UUID

import msgspec

from tollkeeper.bounds import MOST_COUNT
from tollkeeper.errors import Invalid
from tollkeeper.wording import unread

__all__ = ["RELATIVE_START", "PastRequest", "Row", "Source", "Table", "count_lines", "json_rows", "named", "raw_rows"]

RELATIVE_START: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""Where a trace without a calendar begins, unless the caller says otherwise."""

LONGEST_NAME: Final = 200

_GZIP: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_MICROSECONDS: Final = 10**6
_MILLISECONDS: Final = 10**3

Status = Literal["pending", "completed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRequest:
    """One request as a foreign record tells it; ``None`` and empty is what the record does not tell."""

    row: int
    """Counted from 1, without header and blank lines."""
    fingerprint: bytes
    """SHA-256 of format, row number and the row's bytes: with the user this identifies a row, real twins stay two.

    A row of our own export is identified by its ``id``, whatever became of it since and wherever it stands.
    """
    started_at: datetime
    status: Status
    duration_ms: int | None = None
    completed_at: datetime | None = None
    model: str | None = None
    tokens_used: int | None = None
    """Only where the record has a total and no split."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_nanos: int | None = None
    """As it stood, in our own export."""
    cost_source: Literal["computed", "reported", "unpriced"] | None = None
    reported_cost_nanos: int | None = None
    session_id: str | None = None
    id: UUID | None = None
    """What our own export says that it is called where it was made."""
    request_id: str | None = None
    request_type: str = "chat"
    category: str | None = None
    complexity: Literal["low", "medium", "high"] | None = None
    prompt: str = ""
    response: str | None = None
    error_message: str | None = None
    error_code: str | None = None
    late: bool = False
    refunded: bool | None = None
    """Whether a failure gave its unit of the plan back, in our own export."""
    rating: int | None = None
    user: str | None = None
    """An e-mail address; only our own export has one."""
    ip_address: str | None = None
    user_agent: str | None = None
    metadata: Mapping[str, Any] | None = None
    unit_prices: Mapping[str, Any] | None = None
    """The rates that stood on the row, where they did; else the importer finds those of ``started_at``."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file in a format."""

    format: str
    path: Path

    def lines(self) -> Iterator[bytes]:
        """Give the lines that are not blank, without their ends and without a byte order mark before the first."""
        try:
            with self.path.open("rb") as file:
                packed = file.peek(len(_GZIP)).startswith(_GZIP)
                mark = _BYTE_ORDER_MARK
                for line in gzip.GzipFile(fileobj=file) if packed else file:
                    if stripped := line.removeprefix(mark).rstrip(b"\r\n"):
                        yield stripped
                    mark = b""
        except (EOFError, OSError, zlib.error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise self.faulty("file", f"cannot be read: {why}") from error

    def faulty(self, name: str, message: str) -> Invalid:
        """Word what is wrong with the whole file."""
        return Invalid(
            f"{self.path.name}: {name}: {message}",
            errors=[{"field": name, "message": message}],
            file=self.path.name,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file, its values by name. What a getter cannot read it refuses by the field's name."""

    source: Source
    number: int
    content: bytes
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def fingerprint(self) -> bytes:
        """Identify this row among all of its user's rows, once the user is added."""
        return hashlib.sha256(b"%s\0%d\0%s" % (self.source.format.encode(), self.number, self.content)).digest()

    def faulty(self, name: str, message: str) -> Invalid:
        """Word what is wrong with one field."""
        return Invalid(
            f"{self.source.path.name}, row {self.number}: {name}: {message}",
            errors=[{"field": name, "message": message}],
            file=self.source.path.name,
            row=self.number,
        )

    def unread(self, error: Exception) -> Invalid:
        """Word why it is not JSON. Of what is not UTF-8 the library tells a place within one text only."""
        try:
            self.content.decode()
        except UnicodeDecodeError as of_the_row:
            return self.faulty("row", unread(of_the_row))
        return self.faulty("row", unread(error))

    def refuse_doubled_names(self) -> None:
        """Refuse an object in which, at whatever depth, a name is given twice: readers would keep the last silently."""
        try:
            _NAMES.decode(self.content.decode())
        except _Doubled as doubled:
            raise self.faulty(named(doubled.name), "is given more than once") from None
        except (ValueError, RecursionError) as error:
            raise self.unread(error) from error

    def count(self, name: str) -> int:
        """Read a whole number from 0 to 10^12."""
        value = self._value(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(MOST_COUNT)):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_COUNT:
            raise self.faulty(name, f"must be a whole number from 0 to {MOST_COUNT}")
        return value

    def text(self, name: str) -> str | None:
        """Read up to 200 characters of text; blank is none."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or len(value) > LONGEST_NAME or not value.isprintable():
            raise self.faulty(name, f"must be text of up to {LONGEST_NAME} printable characters")
        return value

    def milliseconds(self, name: str) -> int | None:
        """Read seconds, fractions half up, as milliseconds; blank is none."""
        if self.values.get(name) in {None, ""}:
            return None
        return self._scaled_seconds(name, _MILLISECONDS)

    def after(self, start: datetime, name: str) -> datetime:
        """Read seconds counted from ``start``, fractions half up to the microsecond."""
        return self.later(start, name, timedelta(microseconds=self._scaled_seconds(name, _MICROSECONDS)))

    def later(self, start: datetime, name: str, passed: timedelta) -> datetime:
        """Add, as long as the calendar reaches."""
        try:
            return start + passed
        except OverflowError:
            raise self.faulty(name, "is after the end of the calendar") from None

    def _scaled_seconds(self, name: str, scale: int) -> int:
        value = self._value(name)
        try:
            seconds = Decimal(value) if isinstance(value, str | int) and not isinstance(value, bool) else Decimal("NaN")
        except InvalidOperation:
            seconds = Decimal("NaN")
        if not (seconds.is_finite() and 0 <= seconds <= MOST_COUNT):
            raise self.faulty(name, f"must be seconds from 0 to {MOST_COUNT}")
        return int((seconds * scale).to_integral_value(ROUND_HALF_UP))

    def _value(self, name: str) -> Any:
        if name not in self.values:
            raise self.faulty(name, "is missing")
        return self.values[name]


class Table:
    """A CSV file whose columns are found by their header names; other columns may stand between and behind."""

    def __init__(self, source: Source, *needed: str) -> None:
        self._source = source
        self._lines = source.lines()
        header = Row(source, 0, _in_utf_8(source, next(self._lines, b"")))
        self._columns = [column.strip() for column in _split(header)]
        for column, times in Counter(self._columns).items():
            if column and times > 1:
                raise source.faulty(named(column), "is the name of more than one column")
        for column in needed:
            if column not in self._columns:
                raise source.faulty(column, f"is not among the columns ({', '.join(self._columns)})")

    def rows(self) -> Iterator[Row]:
        """Give the rows; the call after a bad one goes on behind it."""
        return map(self._row, enumerate(self._lines, start=1))

    def _row(self, numbered: tuple[int, bytes]) -> Row:
        row = Row(self._source, *numbered)
        values = _split(row)
        if len(values) != len(self._columns):
            raise row.faulty("columns", f"must be {len(self._columns)}, are {len(values)}")
        return replace(row, values=dict(zip(self._columns, values, strict=True)))


def raw_rows(source: Source) -> Iterator[Row]:
    """Give the rows of a file without a header, as bytes."""
    return (Row(source, number, line) for number, line in enumerate(source.lines(), start=1))


def json_rows(source: Source) -> Iterator[Row]:
    """Give the objects of a file with one JSON object a line; the call after a bad one goes on behind it."""
    return map(_json_row, raw_rows(source))


def count_lines(path: Path) -> int:
    """Count the lines that are not blank."""
    return sum(1 for _ in Source("", path).lines())


def named(name: str) -> str:
    """Make a name fit to be repeated: it may be anything that somebody calls a field."""
    return (name if name.isprintable() else repr(name))[:LONGEST_NAME] or "row"


class _Doubled(Exception):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def _once_each(pairs: list[tuple[str, Any]]) -> None:
    names = Counter(name for name, _ in pairs)
    if len(names) != len(pairs):
        raise _Doubled(next(name for name, times in names.items() if times > 1))


# Of what is JSON it wants to know the names alone.
_NAMES: Final = json.JSONDecoder(object_pairs_hook=_once_each, parse_int=len, parse_float=len, strict=False)


def _json_row(row: Row) -> Row:
    try:
        value: object = msgspec.json.decode(row.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise row.unread(error) from error
    if not isinstance(value, dict):
        raise row.faulty("row", "must be a JSON object")
    row.refuse_doubled_names()
    return replace(row, values=cast("dict[str, Any]", value))


def _in_utf_8(source: Source, header: bytes) -> bytes:
    """Refuse what is another encoding; one of UTF-16 may be found by its zeros only."""
    try:
        header.decode()
        place = header.find(0)
    except UnicodeDecodeError as error:
        place = error.start
    if place >= 0:
        raise source.faulty("file", f"is not UTF-8 (byte {place + 1} of the header)")
    return header


def _split(row: Row) -> list[str]:
    # Bytes that are no UTF-8 become lone surrogates here, which no getter takes.
    text = row.content.decode("utf-8", "surrogateescape")
    try:
        return next(csv.reader([text]), list[str]())
    except csv.Error as error:
        raise row.faulty("row", f"is not CSV: {error}") from error
