"""The file of variables, and that others read it as we do."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.accounts.secrets import dotenv
from tollkeeper.accounts.secrets.values import Type
from tollkeeper.accounts.secrets.variables import Variable
from tollkeeper.errors import Invalid

AT = datetime(2026, 5, 10, tzinfo=UTC)
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ODD = [
    "", " ", "a b", " padded ", "#no comment", "a # b", "'", '"', "it's", 'say "hi"', "it's \"both\"", "$HOME ${HOME}",
    "`id`", "$(id)", "\\", "\\n", "a\\'b", "line 1\nline 2", "it's\nlong", "tab\there", "=", "a=b", "export X=1",
    "ü 🎈", "\nA=1", "'\nA=1\n'", '"\nA=1',
]  # fmt: skip


def a_variable(text: str, *, key: str = "K", kind: Type = "string", description: str | None = None) -> Variable:
    return Variable(key, kind, text, description, AT, AT)


def values(text: str) -> dict[str, str]:
    return {each.key: each.value for each in dotenv.read(text)}


@given(st.lists(TEXTS, max_size=5), TEXTS)
def test_what_is_written_is_read_as_it_was(texts: list[str], description: str) -> None:
    kept = [a_variable(text, key=f"K{n}", description=description) for n, text in enumerate(texts)]
    assert values(dotenv.written(kept, revealed=True)) == {f"K{n}": text for n, text in enumerate(texts)}


@given(st.text())
def test_any_text_is_read_or_its_line_is_named(text: str) -> None:
    try:
        dotenv.read(text)
    except Invalid as error:
        (fault,) = error.fields["errors"]
        line = int(fault["field"].removeprefix("line "))
        assert 1 <= line <= text.count("\n") + 1


def test_a_shell_reads_it_as_we_do(tmp_path: Path) -> None:
    file = tmp_path / "tollkeeper.env"
    file.write_text(dotenv.written([a_variable(text, key=f"K{n}") for n, text in enumerate(ODD)], revealed=True))
    told = subprocess.run(
        ["bash", "-c", f'set -a; . {file}; for n in {{0..{len(ODD) - 1}}}; do printenv -0 "K$n"; done'],
        env={"HOME": "/nowhere", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert told.stdout.decode().split("\0")[:-1] == ODD


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("K=v", "v"),
        ("K = v ", "v"),
        ("export K=v", "v"),
        ("\ufeffK=v\r\n", "v"),
        ("  K=v # why", "v"),
        ("K=v#1", "v#1"),
        ("K=#1", "#1"),
        ("K= # why", ""),
        ("K=", ""),
        ("K='a # b' # why", "a # b"),
        ("K='a\\nb'", "a\\nb"),
        ('K="a\\nb\\t\\"c\\" \\\\ \\q"', 'a\nb\t"c" \\ \\q'),
        ('K="a\r\nb"', "a\nb"),
        ("K=it's", "it's"),
        ("K=$HOME", "$HOME"),
    ],
)
def test_the_usual_ways_of_writing_are_understood(text: str, value: str) -> None:
    assert values(text) == {"K": value}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\n\nnonsense\nB=2", 3),
        ("=1", 1),
        ("A B=1", 1),
        ("A=1\nB='open\nC=3", 2),
        ('A="open\\"', 1),
        ("A='1' 2", 1),
        ("A='1\n2\n3'\n'B'=1", 4),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_not_quoted(text: str, line: int) -> None:
    with pytest.raises(Invalid) as refused:
        dotenv.read(text)
    assert [each["field"] for each in refused.value.fields["errors"]] == [f"line {line}"]
    assert "nonsense" not in refused.value.detail


def test_an_unclosed_quote_is_seen_at_once() -> None:
    with pytest.raises(Invalid):
        dotenv.read('A="' + "ab\\c" * 500_000)


def test_a_secret_is_a_comment_unless_it_is_revealed() -> None:
    secret = a_variable("****\n=1\n", kind="secret", description="two\nlines")
    told = dotenv.written([secret], revealed=False)
    assert values(told) == {}
    assert "****" in told
    assert values(dotenv.written([a_variable("whole", kind="secret")], revealed=True)) == {"K": "whole"}


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028"])
def test_a_description_sets_nothing(end: str) -> None:
    told = dotenv.written([a_variable("v", description=f"about{end}EVIL=1")], revealed=True)
    assert all(line.startswith(("# ", "K=")) for line in told.splitlines())
