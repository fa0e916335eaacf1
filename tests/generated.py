"""Pages of docs/ that are made from the code: `make docs` writes them, a test compares."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from tollkeeper import settings
from tollkeeper.http.docs.openapi import describe
from tollkeeper.http.routes import ROUTES

ROOT: Final = Path(__file__).parent.parent


def openapi() -> str:
    """Describe the API as `/openapi.json` does, for readers."""
    described = msgspec.json.encode(describe(ROUTES, version("tollkeeper")))
    return msgspec.json.format(described, indent=2).decode() + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/configuration.md": settings.as_markdown,
    "docs/openapi.json": openapi,
}


if __name__ == "__main__":
    for path, page in PAGES.items():
        (ROOT / path).write_text(page(), encoding="utf-8")
