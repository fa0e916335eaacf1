"""Rules on all files: size, words, decision records, locks."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.tidy.checkout import Checkout


def a_python_file_has_less_than_400_lines(checkout: Checkout) -> Iterator[str]:
    """What does not fit is two things."""
    yield from _longer(checkout, r".*\.py", 399, "split it by what changes together")


def a_web_file_has_less_than_250_lines(checkout: Checkout) -> Iterator[str]:
    """`XPage` composes, `XTable` shows, `useX` fetches: each its own file."""
    yield from _longer(checkout, r"web/(?!.*\.gen\.ts$).*\.(ts|tsx|css)", 249, "move a component or a hook out")


def _longer(checkout: Checkout, pattern: str, most: int, way_out: str) -> Iterator[str]:
    for path, text in checkout.matching(pattern):
        lines = len(text.splitlines())
        if lines > most:
            yield f"{path}: {lines} lines, at most {most}; {way_out}"


def the_source_makes_no_promises(checkout: Checkout) -> Iterator[str]:
    """What is to be done is an issue."""
    for path, text in checkout.matching(r"(src|web/src|sdk)/.*"):
        for number, line in enumerate(text.splitlines(), 1):
            if promise := re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                yield f"{path}:{number}: {promise[0]}; do it, or file an issue and delete the line"


# Places that only one workshop knows. Put together here, so that this file does not name them itself.
_ELSEWHERE = re.compile(
    "|".join(
        [r"(?<![\w.-])/wo" + "rk/", "/opt/py" + "pi", "py" + "thonhosted", r"registry\.np" + "mjs", "issues " + "show"]
    )
)
_BESIDE = re.compile(r"\.\./sha" + "red/")


def nothing_names_the_place_where_it_was_written(checkout: Checkout) -> Iterator[str]:
    """A stranger's clone must make sense by itself."""
    for path, text in checkout.files.items():
        for number, line in enumerate(text.splitlines(), 1):
            found = _ELSEWHERE.search(line) or (None if path.startswith(("web/", "sdk/")) else _BESIDE.search(line))
            if found:
                yield f"{path}:{number}: names {found[0]!r}, which no stranger has; say it without"


def a_decision_record_is_indexed_and_short(checkout: Checkout) -> Iterator[str]:
    """One page each, all in the index, no number twice."""
    index = checkout.files.get("docs/decisions/README.md", "")
    records = dict(checkout.matching(r"docs/decisions/\d{4}-.*\.md"))
    times = Counter(PurePosixPath(path).name[:4] for path in records)
    for path, text in records.items():
        name = PurePosixPath(path).name
        if f"({name})" not in index:
            yield f"{path}: not in docs/decisions/README.md; link it there"
        if len(text.splitlines()) > 70:
            yield f"{path}: {len(text.splitlines())} lines; a record is one page, at most 70"
        if times[name[:4]] > 1:
            yield f"{path}: its number is taken; use the next free one"


def a_lock_pins_by_hash_and_names_no_address(checkout: Checkout) -> Iterator[str]:
    """Any registry may serve the files, for their hashes say whether they are the right ones."""
    for path, text in checkout.matching(r"requirements[\w-]*\.txt"):
        for number, line in enumerate(text.splitlines(), 1):
            if "://" in line or "file:" in line or line.startswith("-"):
                yield f"{path}:{number}: an address or an option; write it anew with `make lock`"
        for entry in re.split(r"\n(?=\S)", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
            if entry.strip() and not re.match(r"[\w.-]+==\S+( ;[^\\]+)? \\\n +--hash=sha256:[0-9a-f]{64}", entry):
                yield f"{path}: {entry.split()[0]} is not pinned by hash; write it anew with `make lock`"
    for path, text in checkout.matching(r"(.*/)?package-lock\.json"):
        if '"resolved"' in text:
            yield f"{path}: has download addresses; write it with omit-lockfile-registry-resolved"


def the_locks_hold_what_pyproject_asks_for(checkout: Checkout) -> Iterator[str]:
    """Else a fresh clone runs on other versions than were tested."""
    for _, text in checkout.matching(r"pyproject\.toml"):
        project = tomllib.loads(text)
        groups = project.get("dependency-groups", {})
        run = project["project"]["dependencies"] + groups.get("build", [])
        for lock, asked in (("requirements.txt", run), ("requirements-dev.txt", run + groups.get("dev", []))):
            pinned = re.findall(r"^([\w.-]+==\S+)", checkout.files.get(lock, ""), re.MULTILINE)
            for requirement in asked:
                wanted = re.sub(r"\[.*?\]|\s*;.*", "", requirement)
                if wanted.lower().replace("_", "-") not in pinned:
                    yield f"{lock}: lacks {wanted} of pyproject.toml; run `make lock`"
        for requirement in project["build-system"]["requires"]:
            if requirement not in groups.get("build", []):
                yield f"pyproject.toml: {requirement} of build-system is not in the group build; say it in both"
