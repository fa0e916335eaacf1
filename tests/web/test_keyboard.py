"""The app by keyboard alone: every place can be reached and is seen to be, and what has opened can be left again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal

import pytest
from playwright.async_api import Browser, ElementHandle, StorageState, expect

from tests.web.visitors import Served, Visitor, visiting

# How an element is marked, on its own edge or on that of what it covers or lies in.
_MARK = """(each) => ["", "::before", "::after"].map((part) => getComputedStyle(each, part || null)).map((style) =>
  [style.outlineStyle === "none" ? "" : style.outline, style.boxShadow, style.borderColor, style.transform].join())
  .concat(each.parentElement ? getComputedStyle(each.parentElement).outlineStyle : "").join("|")"""
_FOCUSED = "() => document.activeElement"
_IS_BODY = "(each) => each === document.body || each === document.documentElement"
_CALLED = "(each) => each.getAttribute('aria-label') ?? each.textContent.trim()"
_SLOWEST_MS = """() => Math.max(...[...document.querySelectorAll("*")].flatMap((each) => {
  const { transitionDuration, animationDuration } = getComputedStyle(each);
  return `${transitionDuration},${animationDuration}`.split(",").map((time) => parseFloat(time) * 1000);
}))"""
_NAMES = {
    "/": "Overview", "/requests": "Requests", "/sessions": "Sessions", "/plan": "Plan", "/alerts": "Alerts",
    "/variables": "Variables", "/settings": "Settings", "/admin": "All usage", "/admin/users": "Users",
    "/admin/invitations": "Invitations", "/admin/plans": "Plans", "/admin/models": "Models",
    "/admin/keys": "Service keys", "/admin/alerts": "All alerts", "/admin/webhooks": "Webhooks",
    "/admin/activity": "Activity",
    "/admin/system": "System",
}  # fmt: skip


@pytest.fixture(scope="module")
async def signed_in(chromium: Browser, served: Served) -> StorageState:
    """What the browser of an operator keeps, who has a request and a variable."""
    email = await served.operator()
    # With tokens, and so with a cost: there is nothing to tell, and "Alerts" is called just so.
    done = {"user": email, "prompt": "Hello", "model": "gpt-4o", "status": "completed", "tokensInput": 1}
    await served.record([done])
    await served.call("POST", "/api/user/variables", user=email, says={"key": "PLAIN", "value": "abc"})
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        return await visitor.context.storage_state()


@pytest.fixture
async def operator(chromium: Browser, served: Served, signed_in: StorageState) -> AsyncGenerator[Visitor]:
    """Their browser."""
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _focused(visitor: Visitor) -> ElementHandle:
    found = (await visitor.page.evaluate_handle(_FOCUSED)).as_element()
    assert found is not None
    return found


async def _tabbed_to(visitor: Visitor, name: str) -> None:
    """Press Tab until what is called so has the focus."""
    for _ in range(80):
        await visitor.page.keyboard.press("Tab")
        if await (await _focused(visitor)).evaluate(_CALLED) == name:
            return
    pytest.fail(f"{name} cannot be reached")


async def test_the_first_thing_leads_past_the_navigation(operator: Visitor) -> None:
    await operator.open("/plan")
    skip = operator.page.get_by_role("link", name="Skip to the content")
    await expect(skip).not_to_be_in_viewport()
    await operator.page.keyboard.press("Tab")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await operator.page.keyboard.press("Enter")
    assert await (await _focused(operator)).get_attribute("id") == "main"
    await operator.page.keyboard.press("Tab")
    assert await (await _focused(operator)).evaluate("(each) => each.closest('main') !== null")


async def test_every_place_is_reached_by_keyboard_and_shows_that_it_is(operator: Visitor) -> None:
    await operator.open("/settings")
    for path, name in _NAMES.items():
        await operator.page.evaluate("() => document.querySelector('[href=\"#main\"]').focus()")
        before = await operator.page.title()
        await _tabbed_to(operator, name)
        place = await _focused(operator)
        assert await place.get_attribute("href") == path
        marked = await place.evaluate(_MARK)
        await operator.page.keyboard.press("Enter")
        await operator.page.wait_for_function("(before) => document.title !== before", arg=before)
        await operator.settled()
        assert operator.page.url == operator.served.url + path
        # The new page is read from its beginning.
        assert await (await _focused(operator)).get_attribute("id") == "main"
        assert await place.evaluate(_MARK) != marked, path


@pytest.mark.parametrize("path", ["/", "/requests", "/variables", "/settings", "/admin/users", "/admin/models"])
async def test_whatever_has_the_focus_shows_it(operator: Visitor, path: str) -> None:
    await operator.open(path)
    last: tuple[ElementHandle, str] | None = None
    unmarked: list[str] = []
    seen = 0
    for _ in range(60):
        await operator.page.keyboard.press("Tab")
        # What fades in, or out where the focus was, is looked at when it has come to rest.
        await operator.page.wait_for_timeout(200)
        now = await _focused(operator)
        if last is not None:
            each, marked = last
            if await each.evaluate(_MARK) == marked:
                unmarked.append(await each.evaluate("(each) => each.outerHTML.slice(0, 200)"))
        if await now.evaluate(_IS_BODY):
            break
        seen += 1
        last = now, await now.evaluate(_MARK)
    assert seen > 12
    assert unmarked == []


@pytest.mark.parametrize(
    ("path", "opener", "role"),
    [
        ("/requests", "Hello", "dialog"),
        ("/requests", "Started", "dialog"),
        ("/requests", "More", "dialog"),
        ("/requests", "Download", "menu"),
        ("/variables", "Delete PLAIN", "dialog"),
        ("/variables", ".env", "menu"),
        ("/settings/keys", "New key", "dialog"),
        ("/admin/invitations", "Invite somebody", "dialog"),
        ("/admin/models", "gpt-4o", "dialog"),
        ("/", "Account of", "menu"),
    ],
)
async def test_escape_closes_what_has_opened_and_leads_back(
    operator: Visitor, path: str, opener: str, role: Literal["dialog", "menu"]
) -> None:
    await operator.open(path)
    page = operator.page
    either = page.get_by_role("link", name=opener).or_(page.get_by_role("button", name=opener)).first
    await either.focus()
    await page.keyboard.press("Enter")
    opened = page.get_by_role(role)
    await opened.wait_for()
    await expect(opened.locator(":focus").or_(page.locator(f"[role={role}]:focus"))).to_have_count(1)
    await page.keyboard.press("Escape")
    await opened.wait_for(state="hidden")
    await expect(either).to_be_focused()


async def test_escape_closes_the_navigation_of_a_phone_and_leads_back(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in, width=390) as visitor:
        await visitor.open("/plan")
        menu = visitor.page.get_by_role("button", name="Menu")
        await menu.focus()
        await visitor.page.keyboard.press("Enter")
        drawer = visitor.page.get_by_role("dialog")
        await drawer.get_by_role("link", name="Sessions").wait_for()
        await visitor.page.keyboard.press("Escape")
        await drawer.wait_for(state="hidden")
        await expect(menu).to_be_focused()


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
async def test_who_wants_little_motion_gets_none(operator: Visitor, wish: Literal["reduce", "no-preference"]) -> None:
    await operator.page.emulate_media(reduced_motion=wish)
    await operator.open("/requests")
    await operator.page.get_by_role("link", name="Hello").wait_for()
    slowest = [await operator.page.evaluate(_SLOWEST_MS)]
    await operator.page.get_by_role("link", name="Hello").click()
    await operator.page.get_by_role("dialog").get_by_text("Timeline").wait_for()
    slowest.append(await operator.page.evaluate(_SLOWEST_MS))
    assert [each <= 1 for each in slowest] == [wish == "reduce"] * 2
