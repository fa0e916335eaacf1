"""On paper stands what a page shows, in the light colours and within the sheet, and nothing to press."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Final

import pytest
from playwright.async_api import Browser, expect

from tests.web.visitors import Served, Visitor, visiting

# What is only of use on a screen.
_CONTROLS: Final = ", ".join(
    f"{each}:visible" for each in ("button", "nav", "search", "[role=radiogroup]", "a[href='#main']")
)
# The sheet is narrower than the screen for which charts were drawn, and none is drawn anew.
_BEYOND: Final = """(page) => {
  page.style.width = "700px";
  return [...page.querySelectorAll(".recharts-surface")].map((chart) => {
    const [sheet, drawn] = [page, chart].map((each) => each.getBoundingClientRect());
    return [drawn.width > 500, drawn.right <= sheet.right];
  });
}"""
# Below the chart stands the edge of its card, with no more room than beside it.
_BELOW: Final = """(page) => {
  page.style.width = "700px";
  return [...page.querySelectorAll(".recharts-surface")].map((chart) =>
    chart.closest("section").getBoundingClientRect().bottom - chart.getBoundingClientRect().bottom);
}"""
_COLOURS: Final = """(body) => {
  const known = getComputedStyle(body);
  return [known.backgroundColor, known.color, known.printColorAdjust];
}"""


@pytest.fixture
async def reader(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Somebody who likes it dark, with a conversation of one request."""
    email = await served.user("pro")
    at = datetime.now(UTC).isoformat()
    told = {"user": email, "prompt": "Hello", "response": "Good day.", "model": "of-our-own", "sessionId": "talk"}
    ended = {"status": "completed", "tokensInput": 10, "tokensOutput": 5, "duration": 900}
    await served.record([told | ended | {"startedAt": at, "completedAt": at}])
    async with visiting(chromium, served, scheme="dark") as visitor:
        await visitor.sign_in(email)
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


@pytest.mark.parametrize("path", ["/", "/requests", "/sessions/talk"])
async def test_a_page_is_printed_in_light_colours_and_without_what_is_to_be_pressed(reader: Visitor, path: str) -> None:
    await reader.open(path)
    await reader.page.get_by_text("of-our-own").first.wait_for()
    await reader.page.emulate_media(media="print")
    await expect(reader.page.locator(_CONTROLS)).to_have_count(0)
    await expect(reader.page.get_by_role("heading", level=1)).to_be_visible()
    colours = await reader.page.locator("body").evaluate(_COLOURS)
    assert colours == ["rgb(255, 255, 255)", "rgb(28, 28, 26)", "exact"]


async def test_printed_charts_stay_on_the_sheet(reader: Visitor) -> None:
    await reader.open("/")
    await expect(reader.page.locator(".recharts-wrapper")).to_have_count(2)
    await reader.page.emulate_media(media="print")
    assert await reader.page.locator(".frame-page").evaluate(_BEYOND) == [[True, True]] * 2


async def test_the_card_of_a_printed_chart_ends_below_it(reader: Visitor) -> None:
    await reader.open("/")
    await expect(reader.page.locator(".recharts-wrapper")).to_have_count(2)
    await reader.page.emulate_media(media="print")
    below = await reader.page.locator(".frame-page").evaluate(_BELOW)
    assert [round(each) for each in below if 10 <= each <= 30] == [round(each) for each in below], below


async def test_what_is_chosen_is_printed_in_light_colours_too(reader: Visitor) -> None:
    await reader.open("/settings")
    await reader.page.emulate_media(media="print")
    name = reader.page.get_by_role("textbox", name="Name", exact=True)
    colours = await name.evaluate("(field) => [getComputedStyle(field).backgroundColor, getComputedStyle(field).color]")
    assert colours == ["rgba(0, 0, 0, 0)", "rgb(28, 28, 26)"]


async def test_a_request_that_is_open_is_what_is_printed(reader: Visitor) -> None:
    await reader.open("/requests")
    await reader.page.get_by_role("link", name="Hello").click()
    request = reader.page.get_by_role("dialog", name="Request")
    await expect(request).to_contain_text("Good day.")
    await reader.page.emulate_media(media="print")
    await expect(request.get_by_text("Good day.")).to_be_visible()
    await expect(reader.page.get_by_role("main")).to_be_hidden()
    await expect(request.locator("button:visible")).to_have_count(0)
