"""What was looked for stands in the list where it was found, marked, with the words around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.web.visitors import Served, Visitor, visiting

_FAR = "One word after the other stands here until the word that is looked for"
_SAID = {
    "Soon the needle comes": "Nothing.",
    f"{_FAR}: NEEDLE, and goes on.": None,
    "Is it there?": f"{_FAR}: needle <b onclick=x>&amp;",
    "Neither": "nor",
}

# Of each row, whether a mark in it lies within all that would cut it off.
_SEEN = """(rows) => rows.map((row) => [...row.querySelectorAll("mark")].some((mark) => {
  const shown = mark.getBoundingClientRect();
  if (shown.width === 0) return false;
  for (let each = mark.parentElement; each !== row; each = each.parentElement) {
    if (getComputedStyle(each).overflow === "visible") continue;
    const room = each.getBoundingClientRect();
    if (shown.right > room.right + 1 || shown.bottom > room.bottom + 1) return false;
  }
  return true;
}))"""


@pytest.fixture
async def reader(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Somebody with requests of which three say a word."""
    email = await served.user("pro")
    told = {"user": email, "status": "completed"}
    await served.record([
        told | {"prompt": prompt} | ({"response": response} if response else {}) for prompt, response in _SAID.items()
    ])  # fmt: skip
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


def _row(reader: Visitor, prompt: str) -> Locator:
    return reader.page.locator("main tbody tr").filter(has_text=prompt)


async def test_a_match_is_marked_where_it_is_seen_first(reader: Visitor) -> None:
    await reader.open("/requests?q=needle")
    await expect(reader.page.locator("main tbody mark:visible")).to_have_count(3)
    soon = _row(reader, "Soon")
    await expect(soon.get_by_role("link")).to_have_text("Soon the needle comes")
    await expect(soon.get_by_role("link").locator("mark")).to_have_text("needle")
    await expect(soon.locator("p")).to_be_hidden()
    far = _row(reader, "goes on")
    await expect(far.locator("p")).to_have_text("… until the word that is looked for: NEEDLE, and goes on.")
    await expect(far.locator("p mark")).to_have_text("NEEDLE")
    await expect(far.get_by_role("link").locator("mark")).to_have_count(0)
    # What is code elsewhere is the text that it is.
    await expect(_row(reader, "Is it there?").locator("p")).to_have_text(
        "In the response: … until the word that is looked for: needle <b onclick=x>&amp;"
    )


@pytest.mark.parametrize("width", [1440, 900, 390])
async def test_a_mark_is_seen_whatever_the_width(reader: Visitor, width: int) -> None:
    await reader.page.set_viewport_size({"width": width, "height": 900})
    await reader.open("/requests?q=needle")
    assert await reader.page.locator("main tbody tr").evaluate_all(_SEEN) == [True] * 3


async def test_nothing_is_marked_where_nothing_is_looked_for(reader: Visitor) -> None:
    await reader.open("/requests?status=completed")
    await expect(reader.page.locator("main tbody tr")).to_have_count(4)
    await expect(reader.page.locator("main mark, main tbody p")).to_have_count(0)
