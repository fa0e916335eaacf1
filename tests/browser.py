"""The Chromium of this machine, as tests, screenshots and benchmarks start it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, async_playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MISSING: Final = (
    f"This needs Chromium: none of {', '.join(_NAMES)} is on the PATH. On Debian: "
    "sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium"
)
_OPTIONS: Final = (
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


class NoBrowser(Exception):
    """There is no Chromium here; says how to install one."""


@asynccontextmanager
async def started() -> AsyncGenerator[Browser]:
    """Have a browser for as long as the block lasts."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise NoBrowser(_MISSING)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=_OPTIONS)
        try:
            yield browser
        finally:
            await browser.close()
