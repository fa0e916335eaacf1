"""Where the browser does not let a page copy, the page says so, and the text is selected for whoever copies by hand."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, expect

from tests.web.hands import address_of, button, dialog
from tests.web.visitors import Served, Visitor, visiting

_DENY = "navigator.clipboard.writeText = () => Promise.reject(new DOMException('denied', 'NotAllowedError'))"


@pytest.fixture
async def ada(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Somebody whose browser lets no page copy."""
    async with visiting(chromium, served) as visitor:
        await visitor.context.add_init_script(_DENY)
        await visitor.sign_in(await served.newcomer())
        yield visitor
        assert visitor.troubles == []


async def test_a_key_that_cannot_be_copied_is_selected(ada: Visitor) -> None:
    await ada.open("/settings/keys")
    await button(ada, "New key").first.click()
    await dialog(ada, "New API key").get_by_label("Name").fill("by hand")
    await button(ada, "Create key").click()
    await button(ada, "Copy key").click()
    await ada.page.get_by_text("The browser does not let this page copy.").wait_for()
    key = await ada.page.get_by_label("The key").inner_text()
    assert (await ada.page.evaluate("() => getSelection().toString()")).strip() == key
    await expect(button(ada, "Copied")).to_have_count(0)


async def test_what_cannot_be_copied_is_shown_to_be_copied_by_hand(ada: Visitor, served: Served) -> None:
    await served.record([{"user": await address_of(ada), "prompt": "Hello there", "model": "m", "status": "completed"}])
    await ada.open("/requests")
    await ada.page.locator("tbody tr a").first.click()
    await button(ada, "Copy the prompt").click()
    by_hand = dialog(ada, "Copy it by hand")
    text = by_hand.get_by_label("The text to copy")
    await expect(text).to_have_value("Hello there")
    await expect(text).to_be_focused()
    assert (
        await text.evaluate("(field) => field.value.slice(field.selectionStart, field.selectionEnd)") == "Hello there"
    )
    await text.press("Escape")
    await by_hand.wait_for(state="hidden")
    await expect(button(ada, "Copy the prompt")).to_be_focused()
