"""What a command says and how: one JSON document with ``--json``, else lines for a reader; an error on one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, BinaryIO, ClassVar, Final, cast

import msgspec
from cyclopts import Parameter, Token

from tollkeeper.errors import TollkeeperError
from tollkeeper.names import camel

__all__ = [
    "DEFAULTS",
    "FIRST_PAGE",
    "Answer",
    "Common",
    "Email",
    "Flag",
    "Misused",
    "Nowhere",
    "Paged",
    "Unheard",
    "Whole",
    "beside",
    "complain",
    "counted",
    "not_empty",
    "remark",
    "shown",
    "speak",
    "standard_output",
    "table",
    "told_at",
]

Email = Annotated[str, Parameter(help="Whose e-mail address it is.")]
Flag = Parameter(negative="", show_default=False)
_DIGITS: Final = re.compile(r"[+-]?[0-9]+")

FAILED: Final = 1
MISUSED: Final = 2

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Misused(TollkeeperError):
    """The command line cannot mean anything; ``detail`` says what to write instead."""

    status: ClassVar[int] = HTTPStatus.BAD_REQUEST
    slug: ClassVar[str] = "usage"
    title: ClassVar[str] = "The command line is not understood"


class Nowhere(Misused):
    """There is no service where the command line or a setting says: ``detail`` tells which, and what makes one."""

    slug: ClassVar[str] = "no-service"
    title: ClassVar[str] = "There is no service"


class Unheard(TollkeeperError):
    """Standard output takes no answer; ``detail`` tells why, beside it."""


def not_empty(_: Any, tokens: Sequence[Token]) -> str:
    """Take a text as it was typed, but for none: what a variable of a script was to say is not the default."""
    if not tokens[0].value:
        raise ValueError("it is empty")
    return tokens[0].value


def _whole(_: Any, tokens: Sequence[Token]) -> int:
    if not _DIGITS.fullmatch(tokens[0].value):
        raise ValueError(f'"{tokens[0].value}" is not a whole number.')
    return int(tokens[0].value)


def _directory(_: Any, tokens: Sequence[Token]) -> Path:
    return Path(not_empty(_, tokens))


# As it is written: the library takes 1.5 for a whole number, too.
Whole = Parameter(converter=_whole)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Common:
    """What every command takes."""

    data: Annotated[Path | None, Parameter(help="The data directory (else TOLLKEEPER_DATA).", converter=_directory)] = (
        None
    )
    json: Annotated[bool, Parameter(help="Print one JSON document.", negative="", show_default=False)] = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Paged:
    """What a command that lists takes."""

    limit: Annotated[int, Whole, Parameter(help="At most so many.")] = 50
    after: Annotated[str | None, Parameter(help="Go on behind this id.")] = None


DEFAULTS: Final = Common()
FIRST_PAGE: Final = Paged()


@dataclass(frozen=True, slots=True)
class Answer:
    """``text`` and ``document`` say the same to a reader and to a program; a ``note`` is for the reader's eyes only.

    Not ``ok`` is an exit code of 1.
    """

    document: Any
    text: str
    note: str = ""
    ok: bool = True


def speak(answer: Answer, *, as_json: bool) -> int:
    """Print an answer; gives the exit code."""
    with standard_output() as output:
        output.write(_json(answer.document) if as_json else _text(answer.text))
    if answer.note and not as_json:
        beside(answer.note)
    return 0 if answer.ok else FAILED


def remark(text: str) -> None:
    """Say something beside the answer, on standard error."""
    beside(f"tollkeeper: {text}")


@contextmanager
def standard_output() -> Generator[BinaryIO]:
    """Give where answers go, and see that they get there; else ``Unheard``, or ``BrokenPipeError``."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unheard(f"standard output: {error.strerror or error}") from error


def complain(error: TollkeeperError, *, as_json: bool) -> int:
    """Tell an error: on one line and one more for each of several faults, or as a problem document; gives the code."""
    if as_json:
        problem = {"type": f"/problems/{error.slug}", "title": error.title, "status": int(error.status)}
        document = problem | {"detail": error.detail} | error.fields
        with standard_output() as output:
            output.write(_json(document))
    else:
        lines = "\n  ".join(" ".join(line.split()) for line in _lines(error))
        remark(lines)
    return MISUSED if isinstance(error, Misused) else FAILED


def _lines(error: TollkeeperError) -> Iterator[str]:
    faults: Sequence[Mapping[str, str]] = error.fields.get("errors", ())
    if len(faults) <= 1:
        yield error.detail
        return
    where = f"{error.fields['file']}: " if "file" in error.fields else ""
    yield f"{where}{len(faults)} faults"
    yield from (f"{each['field']}: {each['message']}" for each in faults)


def counted(count: int, one: str) -> str:
    """Say how many there are of something."""
    return f"{count:,} {one}{'s'[: count != 1]}"


def shown(value: Any) -> dict[str, Any]:
    """Give the fields of a dataclass under their names on the wire."""
    return {camel(each.name): getattr(value, each.name) for each in fields(value)}


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Put rows under a header, in columns."""
    lines = [[str(cell) for cell in header], *([_cell(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def told_at(at: datetime) -> str:
    """Say an instant to a reader."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return told_at(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def beside(text: str) -> None:
    """Say it on standard error; where that takes nothing the exit code has to do."""
    with suppress(OSError):
        print(_harmless(text), file=sys.stderr, flush=True)


def _text(text: str) -> bytes:
    """Write lines as the terminal reads them; what it has no letters for is escaped."""
    return f"{_harmless(text)}\n".encode(sys.stdout.encoding, "backslashreplace")


def _json(document: Any) -> bytes:
    """Write a document and its line's end."""
    try:
        return _encode(document) + b"\n"
    except UnicodeEncodeError:
        return _encode(_in_utf_8(msgspec.to_builtins(document, builtin_types=(Decimal,)))) + b"\n"


def _in_utf_8(value: Any) -> Any:
    r"""Show the bytes of names that are not UTF-8, of files and of arguments, as ``\xfc``."""
    match value:
        case str():
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        case list() | tuple():
            return [_in_utf_8(each) for each in cast("Iterable[Any]", value)]
        case dict():
            return {name: _in_utf_8(each) for name, each in cast("dict[Any, Any]", value).items()}
        case _:
            return value


def _harmless(text: str) -> str:
    """Let nothing that users wrote control the terminal that shows it."""
    return "".join(each if each.isprintable() or each == "\n" else f"\\x{ord(each):02x}" for each in _in_utf_8(text))
