r"""Variables as a ``.env`` file: written so that shells and the common readers understand it, and read as they do.

.. code-block:: text

    # a comment; a description is written as one, and so is the mask of a secret
    PLAIN=value            # up to the end of the line or a comment
    export QUOTED='taken as it is, over several lines if need be'
    ESCAPED="\\ \" \$ \` \n \r \t mean what they mean in most languages"

Nothing is put in for ``$NAME``: a value is what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tollkeeper.accounts.secrets.variables import Variable
from tollkeeper.errors import Invalid

_EMPTY: Final = re.compile(r"[^\S\n]*+(?:#[^\n]*+)?(?:\n|\Z)")
_NAME: Final = re.compile(r"[^\S\n]*+(?:export[^\S\n]++)?([^\s=#'\"]++)[^\S\n]*+=")
_SINGLE: Final = re.compile(r"[^\S\n]*+'([^']*+)'")
_DOUBLE: Final = re.compile(r'[^\S\n]*+"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_PLAIN: Final = re.compile(r"[^\n]*+")
_COMMENT: Final = re.compile(r"\s#.*")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANT: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$", "`": "`"}
_NEEDS_NO_QUOTES: Final = re.compile(r"[A-Za-z0-9_./:@%+,-]*")
_NEEDS_ESCAPE: Final = re.compile(r'[\\"$`]')


@dataclass(frozen=True, slots=True)
class Entry:
    """One variable, and in which line it begins, counted from 1."""

    line: int
    key: str
    value: str


def read(text: str) -> list[Entry]:
    """Read all entries; ``Invalid`` names the first line that is none and never quotes it."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    entries: list[Entry] = []
    place, line = 0, 1
    while place < len(text):
        if empty := _EMPTY.match(text, place):
            end = empty.end()
        else:
            key, value, end = _entry(text, place, line)
            entries.append(Entry(line, key, value))
        line += text.count("\n", place, end)
        place = end
    return entries


def written(variables: Sequence[Variable], *, revealed: bool) -> str:
    """Write a file; a secret that was not revealed is a comment with its mask, so that reading it back leaves it."""
    return "".join(line + "\n" for each in variables for line in _lines(each, revealed=revealed))


def _entry(text: str, place: int, line: int) -> tuple[str, str, int]:
    name = _NAME.match(text, place)
    if name is None:
        raise Invalid.field(f"line {line}", "must be NAME=value, or a comment after #, or empty")
    start = name.end()
    if quoted := _SINGLE.match(text, start):
        value = quoted[1]
    elif quoted := _DOUBLE.match(text, start):
        value = _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[0]), quoted[1])
    else:
        plain = _PLAIN.match(text, start)
        value = _COMMENT.sub("", plain[0] if plain else "").strip()
        if value.startswith(("'", '"')):
            raise Invalid.field(f"line {line}", "begins with a quote that is not closed")
        return name[1], value, min(len(text), (plain.end() if plain else start) + 1)
    rest = _EMPTY.match(text, quoted.end())
    if rest is None:
        raise Invalid.field(f"line {line}", "has something behind its closing quote")
    return name[1], value, rest.end()


def _lines(variable: Variable, *, revealed: bool) -> Iterator[str]:
    yield from (f"# {line}" for line in (variable.description or "").splitlines())
    if variable.type == "secret" and not revealed:
        # A hint may hold the end of a line, and would end the comment.
        yield f"# {variable.key}={' '.join(variable.text.split())}  (a secret, which this file does not tell)"
    else:
        yield f"{variable.key}={_quoted(variable.text)}"


def _quoted(text: str) -> str:
    if _NEEDS_NO_QUOTES.fullmatch(text):
        return text
    if "'" not in text and "\r" not in text:
        return f"'{text}'"
    return '"' + _NEEDS_ESCAPE.sub(r"\\\g<0>", text).replace("\r", r"\r") + '"'
