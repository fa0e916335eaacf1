"""What the rules read."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SOURCE = "src/tollkeeper"


@dataclass(frozen=True, slots=True)
class Checkout:
    """The text of all files that git keeps or would keep, by path."""

    files: Mapping[str, str]

    def matching(self, pattern: str) -> Iterator[tuple[str, str]]:
        """Files whose whole path fits the regular expression."""
        return ((path, text) for path, text in sorted(self.files.items()) if re.fullmatch(pattern, path))

    def python(self, under: str = r"(src|tests|bench)") -> Iterator[tuple[str, ast.Module]]:
        """Python files below a folder, parsed."""
        return ((path, ast.parse(text)) for path, text in self.matching(rf"{under}/.*\.py"))


Rule = Callable[[Checkout], Iterator[str]]


def read_checkout(root: Path = ROOT) -> Checkout:
    """Read what git knows of, and what is new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    there = [path for path in listed.split("\0") if path and (root / path).is_file()]
    return Checkout({path: (root / path).read_text(encoding="utf-8", errors="replace") for path in there})
