"""A real browser before the real service, which runs on a data directory of these tests' own."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.faults.nodes import Site
from tests.web.visitors import Served, Visitor, visiting

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MISSING = (
    f"The browser tests need Chromium: none of {', '.join(_NAMES)} is on the PATH. On Debian: "
    "sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium"
)
_OPTIONS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    # A name that is no localhost, to see what a page does that came over plain HTTP.
    "--host-resolver-rules=MAP plain.test 127.0.0.1",
    # Chromium's own sandbox refuses to run as root.
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
)


@pytest.fixture(scope="session")
async def chromium() -> AsyncGenerator[Browser]:
    """The Chromium of this machine."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.fail(_MISSING, pytrace=False)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=_OPTIONS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def served(open_dir: Path) -> AsyncGenerator[Served]:
    """The service, serving until the last of these tests is done."""
    site = Site(open_dir / "web")
    try:
        node = await site.start()
        made = await site.run("key", "create", "--service", "web")
        yield Served(site, f"http://localhost:{node.port}", made["key"])
        assert not [line for line in site.said() if line["level"] in {"error", "critical"}]
    finally:
        await site.close()


@pytest.fixture
async def visitor(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Someone who has just opened a browser."""
    async with visiting(chromium, served) as visitor:
        yield visitor
