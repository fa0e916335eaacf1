"""Requests and conversations as one reads them: in one form, one after the other, and with their sums."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.async_api import Locator, expect

from tests.web.hands import address_of, button
from tests.web.visitors import Served, Visitor

_BEGAN: Final = datetime.now(UTC) - timedelta(hours=3)
_PROMPTS: Final = ("First", "Second", "Third")


def _ended(email: str, number: int, **says: Any) -> dict[str, Any]:
    at = (_BEGAN + timedelta(minutes=number)).isoformat()
    told = {"user": email, "prompt": _PROMPTS[number], "response": "It is **bold**.", "sessionId": "talk"}
    ended = {"model": "of-our-own", "status": "completed", "tokensInput": 1_000, "tokensOutput": 234, "cost": 25}
    return told | ended | {"startedAt": at, "completedAt": at} | says


@pytest.fixture
async def reader(served: Served, ada: Visitor) -> Visitor:
    """Somebody with a conversation of three requests, the last of which failed."""
    email = await address_of(ada)
    failed = _ended(email, 2, status="failed", metadata={"app": "notes"}, complexity="high")
    await served.record([_ended(email, 0), _ended(email, 1), failed])
    return ada


def _request(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("dialog", name="Request")


async def test_in_which_form_texts_are_read_is_chosen_once_and_remembered(reader: Visitor) -> None:
    await reader.open("/sessions/talk")
    choice = reader.page.get_by_role("radiogroup", name="Show texts as")
    await expect(choice.get_by_role("radio")).to_have_count(2)
    await expect(choice.get_by_role("radio").first).to_be_checked()
    await expect(reader.page.locator("main strong", has_text="bold")).to_have_count(3)
    await choice.get_by_text("Text", exact=True).click()
    await expect(reader.page.get_by_text("It is **bold**.")).to_have_count(3)
    await reader.page.get_by_role("link", name="Details").first.click()
    await expect(_request(reader).get_by_text("It is **bold**.")).to_be_visible()
    choice = _request(reader).get_by_role("radiogroup")
    await expect(choice).to_have_count(1)
    await expect(choice.get_by_role("radio")).to_have_count(2)
    await choice.get_by_text("Markdown", exact=True).click()
    await expect(_request(reader).locator("strong", has_text="bold")).to_be_visible()
    await reader.page.reload()
    await expect(_request(reader).locator("strong", has_text="bold")).to_be_visible()
    assert reader.troubles == []


async def test_of_a_request_only_what_is_known_is_told(reader: Visitor) -> None:
    await reader.open("/requests")
    await reader.page.get_by_role("link", name="Third").click()
    await expect(_request(reader).get_by_role("term").filter(has_text="Complexity")).to_have_count(1)
    await expect(_request(reader).get_by_role("heading", name="Metadata")).to_be_visible()
    await button(_request(reader), "Next").click()
    about = _request(reader).locator("section", has=reader.page.get_by_role("heading", name="About"))
    await expect(_request(reader).get_by_text("Second")).to_be_visible()
    await expect(about.get_by_role("term").filter(has_text="Complexity")).to_have_count(0)
    await expect(about.get_by_text("\N{EN DASH}", exact=True)).to_have_count(0)
    await expect(_request(reader).get_by_role("heading", name="Metadata")).to_have_count(0)


async def test_one_goes_from_request_to_request_by_key_and_by_button(reader: Visitor) -> None:
    await reader.open("/requests?status=completed")
    await reader.page.get_by_role("link", name="Second").click()
    opened = _request(reader)
    await expect(opened.get_by_text("Second", exact=True)).to_be_visible()
    await expect(button(opened, "Previous")).to_have_attribute("aria-disabled", "true")
    await reader.page.keyboard.press("j")
    await expect(opened.get_by_text("First", exact=True)).to_be_visible()
    await expect(button(opened, "Next")).to_have_attribute("aria-disabled", "true")
    await reader.page.keyboard.press("j")
    await expect(opened.get_by_text("First", exact=True)).to_be_visible()
    await reader.page.keyboard.press("k")
    await expect(opened.get_by_text("Second", exact=True)).to_be_visible()
    await button(opened, "Next").click()
    await expect(opened.get_by_text("First", exact=True)).to_be_visible()
    await expect(button(opened, "Next")).to_be_focused()
    # All of that is one step.
    await reader.page.keyboard.press("Escape")
    await expect(opened).to_have_count(0)
    await expect(reader.page).to_have_url(f"{reader.served.url}/requests?status=completed")
    await reader.page.keyboard.press("j")
    await expect(opened).to_have_count(0)
    assert reader.troubles == []


async def test_a_conversation_tells_its_sums_as_the_list_does(reader: Visitor) -> None:
    (session,) = (await reader.fetch("/api/chat/sessions"))["items"]
    assert (session["requests"], session["failed"], session["tokensUsed"], session["cost"]) == (3, 1, 3_702, 75)
    await reader.open("/sessions/talk")
    told = reader.page.get_by_role("main").locator(".frame-head p")
    await expect(told).to_contain_text("3 requests · 1 failed · 3,702 tokens · $0.75")
