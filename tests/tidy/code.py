"""Rules on Python: what it reads, how long it is, what it is called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.tidy.checkout import SOURCE, Checkout


def a_function_has_at_most_60_lines(checkout: Checkout) -> Iterator[str]:
    """Most have less than 10."""
    for path, tree in checkout.python():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 60:
                    yield f"{path}:{node.lineno}: {node.name} has {lines} lines; name its steps and call them"


_CLOCK = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "time.ctime",
    "time.gmtime",
    "time.localtime",
    "time.strftime",
    "time.time",
    "time.time_ns",
    "uuid.uuid1",
}
_ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}
_TOP = rf"{SOURCE}/(__main__\.py|(app|cli|http|jobs|settings)(\.py|/.*))"
_STARTS_POSTGRESQL = rf"{SOURCE}/store/(embedded|migrate)\w*(\.py|/.*)"


def what_decides_reads_no_clock_and_no_environment(checkout: Checkout) -> Iterator[str]:
    """The instants that decide are the database's, and settings are read at the top and passed down."""
    for path, tree in checkout.python(SOURCE):
        if re.fullmatch(_TOP, path):
            continue
        forbidden = _CLOCK if re.fullmatch(_STARTS_POSTGRESQL, path) else _CLOCK | _ENVIRONMENT
        for line, used in sorted(_outside_names(tree)):
            if used in forbidden:
                yield f"{path}:{line}: reads {used}; take the instant from the database, the setting as an argument"


def nothing_runs_text_as_code(checkout: Checkout) -> Iterator[str]:
    """What comes from outside is read as data."""
    for path, tree in checkout.python():
        for line, used in sorted(_outside_names(tree)):
            if used.split(".")[0] in {"pickle", "marshal", "shelve", "dill"} or used in {"eval", "exec", "yaml.load"}:
                yield f"{path}:{line}: {used} can run what it reads; use json or msgspec"


_SECRET = re.compile(r"(^|_)(token|secret|signature|password|pepper|hash|mac|cookie|fingerprint)$")


def a_secret_is_compared_in_constant_time(checkout: Checkout) -> Iterator[str]:
    """`==` ends at the first byte that differs, and how soon it does tells which."""
    for path, tree in checkout.python(SOURCE):
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
                for name in map(_last_name, (node.left, *node.comparators)):
                    if _SECRET.search(name):
                        yield f"{path}:{node.lineno}: compares {name}; look it up by its hash or use compare_digest"


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return (_dotted(node) or "").rpartition(".")[2]


def _outside_names(tree: ast.Module) -> set[tuple[int, str]]:
    """Every use of a name with its line, imported ones under their full names: (3, "datetime.datetime.now")."""
    full: dict[str, str] = {}
    used: set[tuple[int, str]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            used.update((node.lineno, alias.name) for alias in node.names)
            full.update({alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom):
            used.update((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
            full.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (dotted := _dotted(node)):
            first, *rest = dotted.split(".")
            used.add((node.lineno, ".".join([full.get(first, first), *rest])))
    return used


def _dotted(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return None


_EMPTY_NAMES = {"data", "helper", "info", "manager", "service", "util", "utility"}


def a_name_says_what_it_is(checkout: Checkout) -> Iterator[str]:
    """Modules are nouns of the field, classes are what they hold."""
    for path, tree in checkout.python():
        modules = [(1, part, part.split("_")) for part in PurePosixPath(path).with_suffix("").parts[1:]]
        classes = [
            (node.lineno, node.name, re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", node.name))
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
        ]
        for line, name, words in (*modules, *classes):
            last = words[-1].lower() if words else ""
            if {last, last.removesuffix("s"), last.replace("ies", "y")} & _EMPTY_NAMES:
                yield f"{path}:{line}: the name {name} says nothing; name what it is or does"
