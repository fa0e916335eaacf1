"""While something is asked for a page shows that it is: it says that there is nothing once it knows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.web.hands import address_of
from tests.web.visitors import Served, Visitor

# In seconds: by then all that the first word of the stream makes a page ask again is answered, or has failed.
_FIRST_NEWS = 4
_BUSY = "[aria-busy=true]"
_NOTHING = re.compile("^No|^Nothing|^Nobody|^All that was used")


@asynccontextmanager
async def _held(page: Page, address: str | re.Pattern[str]) -> AsyncGenerator[asyncio.Event]:
    """Hold back the answers at an address until the block ends; the event says that one was asked for."""
    is_asked, may_come = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        is_asked.set()
        await may_come.wait()
        await route.fallback()

    await page.route(address, hold)
    try:
        yield is_asked
    finally:
        may_come.set()


def _panel(visitor: Visitor, title: str) -> Locator:
    return visitor.page.get_by_role("region", name=title)


async def _is_loading(part: Locator) -> None:
    """See that it shows its outline, and does not say that there is nothing."""
    await expect(part.locator(_BUSY)).to_be_visible()
    await expect(part.get_by_role("heading", level=2, name=_NOTHING)).to_have_count(0)


@pytest.fixture
async def used(served: Served, operator: Visitor) -> AsyncGenerator[Visitor]:
    """The browser of an operator where somebody has used something."""
    one = {"prompt": "Hello", "model": "gpt-4o", "status": "completed", "tokensInput": 9, "tokensOutput": 9}
    await served.record([one | {"user": await served.newcomer()}])
    yield operator
    assert (operator.troubles, operator.elsewhere) == ([], [])


async def test_a_list_of_the_overview_waits_for_its_own_numbers(used: Visitor) -> None:
    async with _held(used.page, re.compile("/api/admin/analytics.*groupBy=plan")) as is_asked:
        assert await used.go("/admin") == 200
        await is_asked.wait()
        await expect(_panel(used, "By model")).to_contain_text("gpt-4o")
        await _is_loading(_panel(used, "By plan"))
    await expect(_panel(used, "By plan")).to_contain_text("Free")
    await used.settled()


async def test_a_list_of_the_overview_that_could_not_be_loaded_says_so(used: Visitor) -> None:
    plans = re.compile("/api/admin/analytics.*groupBy=plan")

    async def refuse(route: Route) -> None:
        await route.fulfill(status=400, json={"title": "Not that", "detail": "not by plan"})

    await used.page.route(plans, refuse)
    assert await used.go("/admin") == 200
    await expect(_panel(used, "By plan").get_by_role("alert")).to_contain_text("Not by plan.")
    await used.page.unroute(plans, refuse)
    used.troubles.clear()


async def test_the_limits_of_a_user_that_could_not_be_loaded_say_so(used: Visitor) -> None:
    async def refuse(route: Route) -> None:
        await route.fulfill(status=400, json={"title": "Not that", "detail": "not of them"})

    await used.page.route("**/api/admin/users/*/dashboard", refuse)
    assert await used.go(await used.looked_at()) == 200
    await expect(used.page.get_by_role("main").get_by_role("alert")).to_contain_text("Not of them.")
    used.troubles.clear()


@pytest.mark.parametrize(
    ("path", "address", "is_heard"),
    [
        ("/requests", "**/api/chat/requests?*", False),
        ("/", "**/api/user/analytics?*", True),
        ("/alerts", "**/api/user/alerts?*", True),
    ],
)
async def test_what_could_not_be_loaded_for_a_while_comes_by_itself(
    ada: Visitor, served: Served, path: str, address: str, *, is_heard: bool
) -> None:
    await served.record([{"user": await address_of(ada), "prompt": "Hello", "status": "completed"}])

    async def fail(route: Route) -> None:
        if is_heard:
            await route.fulfill(status=503, json={"title": "Not now", "detail": "the database is away"})
        else:
            await route.abort()

    await ada.page.route(address, fail)
    assert await ada.go(path) == 200
    told = ada.page.get_by_role("main").get_by_role("alert")
    await expect(told.first).to_contain_text("The database is away." if is_heard else "tries again by itself")
    await ada.live()
    await asyncio.sleep(_FIRST_NEWS)
    await expect(told.first).to_be_visible()
    await ada.page.unroute(address, fail)
    await expect(told).to_have_count(0)
    await ada.settled()
    await expect(told).to_have_count(0)


async def test_who_used_most_of_something_else_is_waited_for(used: Visitor) -> None:
    async def let_nothing_fail(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        for each in told["items"]:
            each["totals"]["failed"] = 0
        await route.fulfill(json=told)

    await used.page.route("**/api/admin/analytics/users?*", let_nothing_fail)
    await used.open("/admin")
    top = _panel(used, "Top users")
    await expect(top.get_by_role("listitem").first).to_be_visible()
    async with _held(used.page, re.compile("/api/admin/analytics/users.*by=failed")) as is_asked:
        await top.get_by_role("combobox", name="By what").click()
        await used.page.get_by_role("option", name="Failed").click()
        await is_asked.wait()
        await _is_loading(top)
    await expect(top.get_by_role("heading", name="Nothing failed in this time")).to_be_visible()


_LISTS = {
    "/requests": ("q=such+a+thing+was+never+asked", "/api/chat/requests"),
    "/alerts": ("kind=spend.unusual", "/api/user/alerts"),
    "/admin/users": ("q=nobody+is+called+so", "/api/admin/users"),
    "/admin/activity": ("to=2001-01-01T00:00:00Z", "/api/admin/activity"),
}


@pytest.mark.parametrize("path", _LISTS)
async def test_that_nothing_was_found_says_nothing_of_what_is_looked_for_next(used: Visitor, path: str) -> None:
    narrowed, address = _LISTS[path]
    await used.open(f"{path}?{narrowed}")
    main = used.page.locator("main")
    await expect(main.get_by_role("heading", level=2, name=_NOTHING)).to_be_visible()
    whole = re.compile(rf"{address}\?(?!.*{narrowed.partition('=')[0]}=).*limit=50")
    async with _held(used.page, whole) as is_asked:
        await used.page.get_by_role("navigation", name="Main").locator(f"a[href='{path}']").click()
        await is_asked.wait()
        await expect(used.page).to_have_url(f"{used.served.url}{path}")
        await _is_loading(main)
    await used.settled()


@pytest.mark.parametrize("path", ["/alerts", "/admin/alerts"])
async def test_nothing_moves_when_it_turns_out_that_nothing_was_told(operator: Visitor, path: str) -> None:
    async def nothing(route: Route) -> None:
        await route.fulfill(json={"success": True, "items": [], "nextCursor": None, "unseen": 0})

    address = re.compile("/alerts.*limit=50")
    await operator.page.route(address, nothing)
    rows = operator.page.get_by_role("region", name="Alerts").locator("section")
    async with _held(operator.page, address) as is_asked:
        assert await operator.go(path) == 200
        await is_asked.wait()
        before = await rows.bounding_box()
    await operator.settled()
    after = await rows.bounding_box()
    assert before is not None
    assert after is not None
    assert before["y"] == after["y"]
    assert (operator.troubles, operator.elsewhere) == ([], [])


async def test_a_period_without_requests_says_nothing_of_a_longer_one(used: Visitor) -> None:
    async def nothing(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        told["groups"] = []
        told["totals"]["requests"] = 0
        await route.fulfill(json=told)

    await used.page.route("**/api/admin/analytics?*", nothing)
    await used.open("/admin?days=7")
    parts = used.page.locator("main")
    await expect(parts.get_by_role("heading", name="No requests in this time")).to_have_count(2)
    async with _held(used.page, "**/api/admin/analytics?*") as is_asked:
        await used.page.get_by_text("30 days", exact=True).click()
        await is_asked.wait()
        await used.page.wait_for_url("**/admin*")
        await _is_loading(parts)
    await used.settled()
