"""The documents tell the truth."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath
from posixpath import normpath

import pytest

from tests import generated
from tests.tidy.checkout import Checkout, read_checkout


@pytest.fixture(scope="module")
def checkout() -> Checkout:
    return read_checkout()


def _code(markdown: str) -> str:
    """The fenced blocks and code spans of a page."""
    return "\n".join(re.findall(r"^```.*?^```|`[^`\n]+`", markdown, re.DOTALL | re.MULTILINE))


def _anchors(markdown: str) -> set[str]:
    """What GitHub makes of the headings of a page, and what the page marks itself."""
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    marked = set(re.findall(r'<a id="([\w-]+)">', markdown))
    return marked | {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _dead_links(checkout: Checkout) -> Iterator[str]:
    folders = {str(folder) for path in checkout.files for folder in PurePosixPath(path).parents}
    for path, text in checkout.matching(r"(?!web/node_modules).*\.md"):
        prose = re.sub(r"^```.*?^```|`[^`\n]+`", "", text, flags=re.DOTALL | re.MULTILINE)
        for link in re.findall(r"\]\(([^)\s]+)[^)]*\)", prose):
            if re.match(r"[a-z]+:", link):
                continue
            to, _, anchor = link.partition("#")
            target = normpath(PurePosixPath(path).parent / to) if to else path
            known = target in checkout.files or target in folders
            if not known or (anchor and anchor not in _anchors(checkout.files.get(target, ""))):
                yield f"{path}: ({link}) leads nowhere"


def test_links_between_pages_lead_somewhere(checkout: Checkout) -> None:
    dead = list(_dead_links(checkout))
    assert not dead, "\n" + "\n".join(dead)


@pytest.mark.parametrize("link", ["gone.md", "../gone.md", "#gone", "b.md#gone", "../docs/b.md#the-n"])
def test_a_dead_link_is_seen(link: str) -> None:
    b = "# The *n*th\n```\n# gone\n```\n"
    assert list(_dead_links(Checkout({"docs/a.md": f"[a]({link})", "docs/b.md": b})))
    assert not list(_dead_links(Checkout({"docs/a.md": "# A\n[a](b.md#the-nth) [](#a) [](../docs)", "docs/b.md": b})))


def test_the_readme_fits_a_screen_and_a_half(checkout: Checkout) -> None:
    assert len(checkout.files["README.md"].splitlines()) <= 90, "move what only some readers need to docs/"


def test_every_make_target_that_a_page_names_exists(checkout: Checkout) -> None:
    targets = set(re.findall(r"^([a-z-]+):", checkout.files["Makefile"], re.MULTILINE))
    named = {
        (path, target)
        for path, text in checkout.matching(r".*\.md")
        for target in re.findall(r"\bmake ([a-z][a-z-]*)", _code(text))
    }
    missing = {(path, target) for path, target in named if target not in targets}
    assert not missing
    assert ("README.md", "demo") in named


def test_every_make_target_that_a_person_calls_is_listed(checkout: Checkout) -> None:
    makefile = checkout.files["Makefile"]
    listed = set(re.findall(r"^([a-z-]+):.* ## \w", makefile, re.MULTILINE))
    called = set(re.findall(r"\bmake ([a-z-]+)", checkout.files[".ci/run"])) | {
        "demo",
        "serve",
        "bench",
        "format",
        "lock",
    }
    assert called <= listed


@pytest.mark.parametrize("path", generated.PAGES)
def test_a_generated_page_is_what_the_code_says(checkout: Checkout, path: str) -> None:
    assert checkout.files[path] == generated.PAGES[path](), "run `make docs`"


def _unheld(checkout: Checkout) -> Iterator[str]:
    """Promises of security.md that no test holds, and tests named there that are gone."""
    promises = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", checkout.files.get("docs/security.md", ""), re.MULTILINE)
    if [int(number) for number, _ in promises] != list(range(1, 51)):
        yield "docs/security.md: the promises are not those from 1 to 50, each once and in order"
    for number, held_by in promises:
        tests = re.findall(r"`([\w/]+\.py)::(\w+)`", held_by)
        if not tests:
            yield f"docs/security.md: no test holds promise {number}"
        for path, name in tests:
            if f"def {name}(" not in checkout.files.get(f"tests/{path}", ""):
                yield f"docs/security.md: promise {number} is held by tests/{path}::{name}, which is not there"


def test_every_promise_of_security_is_held_by_a_test(checkout: Checkout) -> None:
    assert list(_unheld(checkout)) == []


def test_a_promise_that_nothing_holds_is_seen() -> None:
    rows = [f"| {number} | x | `http/test_x.py::test_x` |" for number in range(1, 51)]
    files = {"tests/http/test_x.py": "async def test_x() -> None:\n"}
    for line, bad in ((0, "| 1 | x | nothing |"), (4, "| 5 | x | `http/test_x.py::test_y` |"), (49, ""), (1, rows[2])):
        page = "\n".join([*rows[:line], bad, *rows[line + 1 :]])
        assert list(_unheld(Checkout(files | {"docs/security.md": page}))), bad
    assert list(_unheld(Checkout(files | {"docs/security.md": "\n".join(rows)}))) == []


def test_the_changelog_knows_this_version(checkout: Checkout) -> None:
    version = tomllib.loads(checkout.files["pyproject.toml"])["project"]["version"]
    headings = re.findall(r"^## \[?([^\]\s]+)", checkout.files["CHANGELOG.md"], re.MULTILINE)
    assert {version, "Unreleased"} & set(headings)
