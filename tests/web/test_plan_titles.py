"""A plan is called the same everywhere in the app: by its title. Its bare name stands in addresses and the API."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.web.selling import selling
from tests.web.visitors import Served, Visitor, visiting

_CATALOGUE = """
[plans.octet]
rank = 15
daily_requests = 2
price_per_month = 2_900
self_service = true
"""
# All that can be read, be it by a screen reader or on hover.
_READ = """() => [document.body.innerText, ...["title", "aria-label", "placeholder"].flatMap((name) =>
  [...document.querySelectorAll(`[${name}]`)].map((each) => each.getAttribute(name)))].join()"""
_WHERE = {
    "/", "/plan", "/alerts", "/settings/activity", "/admin", "/admin/users", "/admin/users/{user}",
    "/admin/users/{user}/plan", "/admin/invitations", "/admin/plans", "/admin/alerts", "/admin/activity",
}  # fmt: skip


@pytest.fixture
async def shop(open_dir: Path) -> AsyncGenerator[Served]:
    """A service of its own, with a plan whose name is no word of the app."""
    async with selling(open_dir / "titles", _CATALOGUE) as served:
        yield served


async def test_no_page_calls_a_plan_by_its_bare_name(chromium: Browser, shop: Served) -> None:
    email = await shop.operator()
    await shop.site.run("plan", "set", email, "octet")
    await shop.site.run("user", "invite", "ada@example.com", "--plan", "octet")
    for _ in range(2):
        await shop.call("POST", "/api/chat/track", user=email, says={"prompt": "Hello", "sessionId": "talk"})
    async with visiting(chromium, shop) as visitor:
        await visitor.sign_in(email)
        places = await visitor.everywhere()
        (one, *_) = (await visitor.fetch("/api/chat/requests"))["items"]
        titled = {path for path in places if "Octet" in await _read(visitor, path)}
        user = (await visitor.looked_at()).rpartition("/")[2]
        assert {path.format(user=user) for path in _WHERE} <= titled
        assert "Octet" in await _read(visitor, f"/requests?open={one['id']}")
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _read(visitor: Visitor, path: str) -> Any:
    await visitor.open(path)
    await visitor.page.wait_for_load_state("networkidle")
    read = await visitor.page.evaluate(_READ)
    assert "octet" not in read, path
    return read


async def test_a_choice_of_plans_has_their_titles_and_the_address_their_names(chromium: Browser, shop: Served) -> None:
    async with visiting(chromium, shop) as visitor:
        await visitor.sign_in(await shop.operator())
        page = visitor.page
        await visitor.open("/admin/users")
        await page.get_by_role("combobox", name="Plan").click()
        assert await page.get_by_role("option").all_inner_texts() == ["Free", "Pro", "Octet", "Enterprise"]
        await page.get_by_role("option", name="Octet").click()
        await page.wait_for_url("**/admin/users?plan=octet")
        assert (visitor.troubles, visitor.elsewhere) == ([], [])
