"""Getting about in the app: by click and by keyboard, by address, and what can be done there."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from playwright.async_api import Browser, StorageState, expect

from tests.web.visitors import OPERATORS_PAGES, PAGES, SETTINGS, Served, Visitor, visiting

_MODELS = ("gpt-4o", "gpt-4o-mini")


@pytest.fixture(scope="module")
async def signed_in(chromium: Browser, served: Served) -> StorageState:
    """What the browser of an operator keeps, who has requests of their own."""
    email = await served.operator()
    for number in range(6):
        says: dict[str, Any] = {"prompt": f"Number {number}", "model": _MODELS[number % 2], "sessionId": "talk"}
        answer = await served.call("POST", "/api/chat/track", user=email, says=says)
        outcome = {"status": "failed" if number == 5 else "completed", "tokensInput": 10, "tokensOutput": 20}
        says = {"requestId": answer["requestId"], "response": "**Bold** [link](https://example.com)"} | outcome
        await served.call("PUT", "/api/chat/track", user=email, says=says)
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        return await visitor.context.storage_state()


@pytest.fixture
async def operator(chromium: Browser, served: Served, signed_in: StorageState) -> AsyncGenerator[Visitor]:
    """Their browser."""
    async with visiting(chromium, served, signed_in=signed_in) as visitor:
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_every_page_is_a_click_away(operator: Visitor) -> None:
    await operator.open("/settings")
    links = operator.page.get_by_role("navigation", name="Main").get_by_role("link")
    paths = [await link.get_attribute("href") for link in await links.all()]
    assert paths == [path for path in (*PAGES, *OPERATORS_PAGES) if path not in SETTINGS[1:]]
    titles: set[str] = set()
    for place, path in enumerate(paths):
        await operator.follow(links.nth(place))
        assert operator.page.url == f"{operator.served.url}{path}"
        titles.add(await operator.page.title())
    assert len(titles) == len(paths)


async def test_every_page_can_be_reached_by_keyboard(operator: Visitor) -> None:
    await operator.open("/")
    await operator.page.keyboard.press("Tab")
    assert await operator.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(20):
        await operator.page.keyboard.press("Tab")
        if await operator.page.evaluate("document.activeElement.getAttribute('href')") == "/requests":
            break
    await operator.page.keyboard.press("Enter")
    await operator.page.get_by_role("heading", name="Requests", level=1).wait_for()
    assert await operator.page.evaluate("document.activeElement.id") == "main"


async def test_on_a_phone_the_navigation_is_behind_a_button(
    chromium: Browser, served: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, served, signed_in=signed_in, width=390) as visitor:
        await visitor.open("/")
        await visitor.page.get_by_role("button", name="Menu").click()
        await visitor.page.get_by_role("dialog").get_by_role("link", name="Sessions").click()
        await visitor.page.get_by_role("heading", name="Sessions", level=1).wait_for()
        await visitor.page.get_by_role("dialog").wait_for(state="hidden")


async def test_filters_stand_in_the_address_and_narrow_the_list(operator: Visitor) -> None:
    await operator.open("/requests")
    rows = operator.page.locator("main tbody tr")
    assert await rows.count() == 6
    await operator.page.get_by_role("combobox", name="Model").fill(_MODELS[0])
    await operator.page.keyboard.press("Enter")
    await operator.page.wait_for_url("**/requests?model=gpt-4o")
    await expect(rows).to_have_count(3)

    await operator.page.get_by_label("Search in prompts and responses").fill("number 2")
    await operator.page.wait_for_url("**q=number+2*")
    await expect(rows).to_have_count(1)
    await operator.open("/requests?status=failed")
    assert await rows.count() == 1
    await operator.page.get_by_role("button", name="Clear filter").click()
    await operator.page.wait_for_url("**/requests")
    await expect(rows).to_have_count(6)


async def test_a_request_opens_beside_the_list_and_can_be_rated(operator: Visitor) -> None:
    await operator.open("/requests?model=gpt-4o")
    await operator.page.get_by_role("link", name="Number 4").click()
    drawer = operator.page.get_by_role("dialog")
    await drawer.get_by_role("heading", name="Timeline").wait_for()
    assert "open=" in operator.page.url
    link = drawer.get_by_role("link", name="link")
    assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
    await drawer.get_by_role("button", name="4 of 5").click()
    await drawer.get_by_text("4 of 5", exact=True).wait_for()
    await operator.page.keyboard.press("Escape")
    await drawer.wait_for(state="hidden")
    assert operator.page.url.endswith("/requests?model=gpt-4o")


async def test_a_variable_is_made_edited_hidden_and_deleted(operator: Visitor) -> None:
    await operator.open("/variables")
    page = operator.page
    await page.get_by_role("button", name="New variable").first.click()
    form = page.get_by_role("form", name="New variable")
    await form.get_by_label("Name").fill("API_TOKEN")
    await form.get_by_role("combobox", name="Type").click()
    await page.get_by_role("option", name="Secret").click()
    await form.get_by_label("Value").fill("very-secret-1234")
    await form.get_by_role("button", name="Create").click()
    await page.get_by_text("••••1234").wait_for()
    assert "very-secret" not in await page.content()
    await page.get_by_role("button", name="Reveal API_TOKEN").click()
    await page.get_by_text("very-secret-1234").wait_for()
    await page.get_by_role("button", name="Delete API_TOKEN").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await page.get_by_text("No variables yet").wait_for()


async def test_variables_are_edited_as_one_text(operator: Visitor) -> None:
    await operator.open("/variables")
    page = operator.page
    await page.get_by_role("button", name=".env").click()
    await page.get_by_role("menuitem", name="Edit all as text").click()
    field = page.get_by_label("Variables as text")
    await field.fill('A=1\n# a comment\nB="two words"\nnonsense')
    await page.get_by_text("Line 4 is not KEY=value.").wait_for()
    await field.fill('A=1\n# a comment\nB="two words"\n')
    await page.get_by_text("New (2)").wait_for()
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("dialog").wait_for(state="hidden")
    told = (await operator.fetch("/api/user/variables"))["variables"]
    assert {each["key"]: each["value"] for each in told} == {"A": "1", "B": "two words"}


async def test_who_is_no_operator_sees_no_pages_of_operators(visitor: Visitor) -> None:
    await visitor.sign_in(await visitor.served.newcomer())
    links = visitor.page.get_by_role("navigation", name="Main").get_by_role("link")
    assert [await link.get_attribute("href") for link in await links.all()] == [
        path for path in PAGES if path not in SETTINGS[1:]
    ]
    await visitor.go("/admin/users")
    await visitor.page.get_by_role("heading", name="This page is for operators").wait_for()
