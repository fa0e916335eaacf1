"""Pictures of the web app for the README and docs/, taken of the demo's sample data: `make screenshots`."""

from __future__ import annotations

import asyncio
import base64
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from playwright.async_api import Browser, Page, StorageState, expect

from tests import browser
from tests.demo import Demo, demo

INTO: Final = Path(__file__).parent.parent / "docs" / "screenshots"
_PHONE: Final = 390
# WebP keeps letters sharp at a third of the size of a PNG.
_QUALITY: Final = 88
_MOST_BYTES: Final = 160_000


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: which page, how wide, how much of it, in which theme."""

    name: str
    path: str
    height: int = 900
    width: int = 1440
    scheme: Literal["light", "dark"] = "light"
    opens: str = ""
    """The text of a link that is followed first."""


# Before the one who signs in is made an operator, so that the navigation is a user's.
USERS: Final = (
    Shot("overview", "/", height=1000),
    Shot("overview-dark", "/", height=1000, scheme="dark"),
    Shot("overview-phone", "/", width=_PHONE, height=844),
    Shot("overview-phone-dark", "/", width=_PHONE, height=844, scheme="dark"),
    Shot("requests", "/requests"),
    Shot("requests-phone", "/requests", width=_PHONE, height=844),
    Shot("requests-phone-dark", "/requests", width=_PHONE, height=844, scheme="dark"),
    Shot("request", "/requests", height=1300, opens="Should we use microservices?"),
    Shot("sessions", "/sessions"),
    Shot("plan", "/plan", height=820),
)
OPERATORS: Final = (
    Shot("all-usage", "/admin", height=1000),
    Shot("users", "/admin/users", height=600),
    Shot("models", "/admin/models"),
)


async def take() -> None:
    """Serve the demo from a directory of its own, sign in, and write all pictures anew."""
    INTO.mkdir(parents=True, exist_ok=True)
    for old in INTO.glob("*.webp"):
        old.unlink()
    with tempfile.TemporaryDirectory() as directory:
        async with demo(Path(directory) / "demo") as shown, browser.started() as chromium:
            kept = await shown.signed_in(chromium)
            await _take(chromium, shown, kept, USERS)
            await shown.make_operator()
            await _take(chromium, shown, kept, OPERATORS)


async def _take(chromium: Browser, shown: Demo, kept: StorageState, shots: Sequence[Shot]) -> None:
    for shot in shots:
        context = await chromium.new_context(
            viewport={"width": shot.width, "height": shot.height},
            device_scale_factor=2 if shot.width == _PHONE else 1,
            color_scheme=shot.scheme,
            reduced_motion="reduce",
            locale="en-US",
            timezone_id="UTC",
            storage_state=kept,
        )
        page = await context.new_page()
        await page.goto(shown.served.url + shot.path)
        await _settled(page)
        if shot.opens:
            await page.get_by_role("link", name=shot.opens).first.click()
            drawer = page.get_by_role("dialog")
            await drawer.get_by_role("heading", name="Timeline").wait_for()
            await _settled(page)
        picture = await _picture(page)
        (INTO / f"{shot.name}.webp").write_bytes(picture)
        print(f"{shot.name:22} {len(picture) / 1000:6.1f} KB")  # noqa: T201 - a command tells what it did
        assert len(picture) <= _MOST_BYTES, f"{shot.name} is too large for a page"
        await context.close()


async def _settled(page: Page) -> None:
    """Wait until all that was asked for is shown, charts and fonts too."""
    await page.get_by_role("heading", level=1).wait_for()
    # The name is set by the page's own script: without it there is only the frame around it.
    await expect(page).to_have_title(re.compile(" \N{MIDDLE DOT} tollkeeper$"))
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    await page.evaluate("document.fonts.ready")
    # What is drawn when it comes into view, and the sign that says "Live".
    await page.wait_for_timeout(1000)


async def _picture(page: Page) -> bytes:
    """Take what is in the window. Playwright itself writes no WebP; the browser does."""
    asked = {"format": "webp", "quality": _QUALITY}
    session: Any = await page.context.new_cdp_session(page)
    taken = await session.send("Page.captureScreenshot", asked)
    return base64.b64decode(taken["data"])


if __name__ == "__main__":
    asyncio.run(take())
