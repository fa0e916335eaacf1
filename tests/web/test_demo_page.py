"""The demo as whoever tries it sees it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from playwright.async_api import Browser

from tests.cli.conftest import Tollkeeper
from tests.faults.nodes import Site
from tests.web.visitors import Served, Visitor, visiting
from tollkeeper.traces.sample import sample

_PATIENCE = 60
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@asynccontextmanager
async def _demo(data: Path) -> AsyncGenerator[Any]:
    """Start the demo; gives what it says."""
    process = Tollkeeper(data).started("demo", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        yield msgspec.json.decode(await asyncio.to_thread(process.stdout.readline))
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(process.wait, _PATIENCE)


async def _photograph(visitor: Visitor, into: Path) -> None:
    """Take pictures for whoever wants to look: pytest keeps them for three runs."""
    for scheme in _SCHEMES:
        await visitor.page.emulate_media(color_scheme=scheme)
        for width in (1440, 390):
            await visitor.page.set_viewport_size({"width": width, "height": 900})
            await visitor.page.screenshot(path=into / f"demo-{width}-{scheme}.png", full_page=True)


async def test_the_demos_link_leads_to_the_numbers_of_its_user(
    chromium: Browser, open_dir: Path, tmp_path: Path
) -> None:
    data = open_dir / "web-demo"
    async with _demo(data) as told, visiting(chromium, Served(Site(data), told["url"], "")) as visitor:
        await visitor.page.goto(told["signInUrl"])
        await visitor.page.get_by_role("button", name="Sign in").click()
        await visitor.at_dashboard()
        assert told["email"] in await visitor.named()

        given = [each.request for each in sample(datetime.now(UTC)) if each.email == told["email"]]
        dashboard = await visitor.fetch("/api/user/dashboard")
        assert dashboard["metrics"]["totalRequests"] == len(given)
        limits = dashboard["limits"]
        meters = visitor.page.get_by_role("region", name="Limits").locator("meter")
        assert await meters.evaluate_all("(all) => all.map((each) => each.value)") == [
            limits["dailyUsed"],
            limits["monthlyUsed"],
        ]
        newest = max(given, key=lambda request: request.started_at)
        region = visitor.page.get_by_role("region", name="Newest requests")
        assert await region.locator("tbody a").first.inner_text() == newest.prompt

        await _photograph(visitor, tmp_path)
        assert (visitor.troubles, visitor.elsewhere) == ([], [])
