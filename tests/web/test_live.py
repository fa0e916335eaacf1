"""Pages that move by themselves: also through a crash of the service, and in any number of tabs over one stream.

How soon they move is measured: `bench/measures/live.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.faults.nodes import Site, until
from tests.web.visitors import Served, visiting

_MOVES = 20
_TABS = 10
_BETWEEN_TICKS = timedelta(seconds=15)
_STREAMS = re.compile(rb"^tollkeeper_streams_open (\d+)", re.MULTILINE)


@pytest.fixture(scope="module")
async def crashing(open_dir: Path) -> AsyncGenerator[Served]:
    """A service of its own that may be killed, and another of its nodes that apps talk to."""
    site = Site(open_dir / "web-live")
    try:
        shows = await site.start()
        await site.start()
        made = await site.run("key", "create", "--service", "web")
        plans = site.data.with_name("web-live-plans.toml")
        plans.write_text("[plans.watched]\nrank = 1000\ndaily_requests = 1000\n")
        await site.run("plan", "apply", plans, "--yes")
        yield Served(site, f"http://localhost:{shows.port}", made["key"])
    finally:
        await site.close()


async def _track(served: Served, email: str, *, node: int) -> None:
    """Start a request through a node."""
    headers = {"Authorization": f"Bearer {served.key}", "Tollkeeper-User": email}
    async with aiohttp.ClientSession(headers=headers) as client:
        url = f"{served.site.nodes[node].url}/api/chat/track"
        async with client.post(url, json={"prompt": "Look, it moves"}) as answer:
            assert answer.status == 201, await answer.text()


async def _streams(served: Served, *, node: int) -> int:
    """How many readers a node has, as its metrics tell."""
    async with aiohttp.ClientSession() as client, client.get(f"{served.site.nodes[node].url}/metrics") as answer:
        found = _STREAMS.search(await answer.read())
    assert found is not None
    return int(found[1])


async def _shows(page: Page, used: int) -> None:
    await page.wait_for_function("(used) => document.querySelector('main meter')?.value === used", arg=used)


async def test_each_request_tracked_elsewhere_moves_the_meter(chromium: Browser, crashing: Served) -> None:
    email = await crashing.user("watched")
    async with visiting(chromium, crashing) as visitor:
        await visitor.sign_in(email)
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        for used in range(1, _MOVES + 1):
            await _track(crashing, email, node=1)
            await _shows(visitor.page, used)
        # By the stream alone: nobody asked again.
        assert "/api/user/dashboard" not in asked
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


@pytest.mark.parametrize("path", ["/", "/requests"])
async def test_what_begins_between_two_ticks_of_the_pages_clock_began_just_now(
    chromium: Browser, crashing: Served, path: str
) -> None:
    email = await crashing.user("watched")
    async with visiting(chromium, crashing) as visitor:
        await visitor.sign_in(email)
        await visitor.page.clock.install(time=datetime.now(UTC) - _BETWEEN_TICKS)
        await visitor.open(path)
        await visitor.live()
        # The time goes on, and no timer has noticed it.
        await visitor.page.clock.set_system_time(datetime.now(UTC))
        await _track(crashing, email, node=1)
        await expect(visitor.page.locator("main tbody tr time")).to_have_text("just now")
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_ten_tabs_share_a_stream_and_outlive_the_one_that_leads(chromium: Browser, crashing: Served) -> None:
    email = await crashing.user("watched")
    async with visiting(chromium, crashing) as visitor:
        await visitor.sign_in(email)
        await until(lambda: _are_streams(crashing, 1))
        tabs = [visitor.page, *[await visitor.context.new_page() for _ in range(_TABS - 1)]]
        for tab in tabs[1:]:
            await tab.goto(crashing.url)
            await _shows(tab, 0)
        assert await _streams(crashing, node=0) == 1
        await _track(crashing, email, node=1)
        await asyncio.gather(*(_shows(tab, 1) for tab in tabs))

        # The first leads, for it was there before all others.
        await tabs.pop(0).close()
        await until(lambda: _are_streams(crashing, 1))
        await _track(crashing, email, node=1)
        await asyncio.gather(*(_shows(tab, 2) for tab in tabs))
        assert await _streams(crashing, node=0) == 1
        assert (visitor.troubles, visitor.elsewhere) == ([], [])
    await until(lambda: _are_streams(crashing, 0))


async def _are_streams(served: Served, count: int) -> bool:
    return await _streams(served, node=0) == count


async def test_a_page_outlives_a_crash_of_the_service_without_a_reload(chromium: Browser, crashing: Served) -> None:
    email = await crashing.user("watched")
    shows = crashing.site.nodes[0]
    async with visiting(chromium, crashing) as visitor:
        await visitor.sign_in(email)
        live, lost = (visitor.page.locator(f"[role=status]:visible:text-is('{told}')") for told in ("Live", "Offline"))
        await live.wait_for()
        await visitor.page.evaluate("window.isTheSame = true")
        await _track(crashing, email, node=1)
        await _shows(visitor.page, 1)

        await shows.kill()
        await lost.wait_for()
        name = await visitor.page.locator("aside").get_by_role("link", name="tollkeeper").bounding_box()
        sign = await lost.bounding_box()
        assert name is not None
        assert sign is not None
        # Beside each other there is no room for both.
        assert sign["y"] >= name["y"] + name["height"] or sign["x"] >= name["x"] + name["width"] + 8
        await _track(crashing, email, node=1)
        await crashing.site.start(port=shows.port)
        await live.wait_for()
        await _shows(visitor.page, 2)
        await _track(crashing, email, node=1)
        await _shows(visitor.page, 3)
        assert await visitor.page.evaluate("window.isTheSame")
        # The browser itself complains that nobody answered.
        assert [each for each in visitor.troubles if "ERR_" not in each] == []
