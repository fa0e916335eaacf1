"""What makes the app soon there: nothing in it jumps, and little is loaded.

How soon it is painted is measured: `bench/measures/pages.py`.
"""

from __future__ import annotations

import asyncio
import re
import statistics
from contextlib import suppress
from typing import Any

import pytest
from playwright.async_api import Browser, Error, Response, Route

from tests.web.post import Post, somebody
from tests.web.visitors import Served, visiting

_LOADS = 3
_MOST_SCRIPT = 250 * 1_024
# They come when the page stands.
_CHARTS = re.compile(r"/assets/(charts|Bars|Lines)-")
_OBSERVE = """window.seen = { shift: 0, moved: [] };
new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
  if (entry.hadRecentInput) return;
  seen.shift += entry.value;
  seen.moved.push(...entry.sources.map(({ node }) => node?.parentElement?.outerHTML.slice(0, 120)));
})).observe({ type: "layout-shift", buffered: true });"""


# Passkeys of somebody, every other one synced.
_HOLD = """INSERT INTO passkeys (credential_id, user_id, public_key, sign_count, name, transports, is_synced)
SELECT sha256(u.id::text::bytea || each::text::bytea), u.id, 'key', 0, 'My phone', '{}', each % 2 = 0
FROM users AS u, generate_series(1, $2) AS each WHERE u.email = $1"""


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("path", ["/", "/requests", "/plan", "/settings/security"])
async def test_nothing_jumps_while_a_page_is_loaded(
    chromium: Browser, served: Served, *, path: str, width: int
) -> None:
    email = await served.user("pro")
    for number in range(12):
        says: dict[str, Any] = {"prompt": f"Number {number}", "model": "gpt-4o", "requestId": f"{number}"}
        await served.call("POST", "/api/chat/track", user=email, says=says)
        says = {"requestId": f"{number}", "status": "completed", "tokensInput": 9, "tokensOutput": 9}
        await served.call("PUT", "/api/chat/track", user=email, says=says)
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        kept = await visitor.context.storage_state()
    seen: list[dict[str, Any]] = []
    for _ in range(_LOADS):
        # A browser that has nothing in its cache.
        async with visiting(chromium, served, width=width, signed_in=kept, is_watched=False) as visitor:
            await visitor.context.add_init_script(_OBSERVE)
            await visitor.open(path)
            await visitor.page.wait_for_timeout(500)
            seen.append(await visitor.page.evaluate("window.seen"))
    assert statistics.median(each["shift"] for each in seen) == 0, [each["moved"] for each in seen]


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("held", [0, 1, 3])
async def test_nothing_jumps_where_passkeys_come_late(chromium: Browser, post: Post, *, held: int, width: int) -> None:
    email = post.newcomer()
    async with somebody(chromium, post) as visitor:
        await visitor.go("/")
        await visitor.page.get_by_label("E-mail address").fill(email)
        await visitor.page.get_by_role("button", name="Continue with e-mail").click()
        await visitor.page.get_by_label("Code").fill((await post.box.next(email)).code)
        await visitor.at_dashboard()
        kept = await visitor.context.storage_state()
    await post.site.owner.execute(_HOLD, email, held)
    async with visiting(chromium, post.served, width=width, signed_in=kept, is_watched=False) as visitor:
        await visitor.context.add_init_script(_OBSERVE)
        await visitor.context.route("**/api/**", _late)
        await visitor.open("/settings/security")
        await visitor.page.get_by_role("heading", name="GitHub").wait_for()
        await visitor.page.wait_for_timeout(500)
        seen = await visitor.page.evaluate("window.seen")
    assert seen["shift"] == 0, seen["moved"]


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("part", ["", "/plan"])
@pytest.mark.parametrize("plan", ["free", "enterprise"])
async def test_nothing_jumps_where_what_is_known_of_a_user_comes_late(
    chromium: Browser, served: Served, *, plan: str, part: str, width: int
) -> None:
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.operator())
        (found,) = (await visitor.fetch(f"/api/admin/users?q={await served.user(plan)}"))["items"]
        kept = await visitor.context.storage_state()
    async with visiting(chromium, served, width=width, signed_in=kept, is_watched=False) as visitor:
        await visitor.context.add_init_script(_OBSERVE)
        await visitor.context.route("**/api/**", _late)
        await visitor.open(f"/admin/users/{found['id']}{part}")
        await visitor.page.get_by_role("heading", name="History" if part else "Delete this user").wait_for()
        await visitor.page.wait_for_timeout(500)
        seen = await visitor.page.evaluate("window.seen")
    assert seen["shift"] == 0, seen["moved"]


_BELOW = re.compile("/account/sessions|/analytics|/chat/requests|/requests|/history|/overrides")


async def _late(route: Route) -> None:
    """Answer when the page has long been painted; what stands below comes first."""
    await asyncio.sleep(0.3 if _BELOW.search(route.request.url) else 0.6)
    with suppress(Error):
        await route.continue_()


async def test_the_first_page_loads_little_script(chromium: Browser, served: Served) -> None:
    answers: list[Response] = []
    async with visiting(chromium, served, is_watched=False) as visitor:
        # Without brotli, as the promise is about gzip. What Chromium itself would ask for is smaller still.
        await visitor.context.set_extra_http_headers({"Accept-Encoding": "gzip"})
        email = await served.newcomer()
        visitor.page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright marks it
        await visitor.page.goto(await served.link(email))
        await visitor.page.get_by_role("button", name="Sign in").click()
        await visitor.at_dashboard()
        sizes = {each.url: await _size(each) for each in answers if each.request.resource_type == "script"}
    first = sum(size for url, size in sizes.items() if not _CHARTS.search(url))
    print(f"{first / 1_024:.0f} KiB of script gzipped, {sum(sizes.values()) / 1_024:.0f} with charts")  # noqa: T201
    assert 0 < first <= _MOST_SCRIPT


async def _size(script: Response) -> int:
    """Tell the bytes of a script as they came."""
    assert await script.header_value("content-encoding") in {"gzip", None}, script.url
    return (await script.request.sizes())["responseBodySize"]
