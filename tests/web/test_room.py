"""Names are shown whole where there is room for them, and what one looks for has the most of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from playwright.async_api import expect

from tests.web.hands import address_of
from tests.web.visitors import Served, Visitor

# Names that differ at their ends alone, as dated ones do.
_DATED: Final = ("gpt-4.1-nano-2025-04-14", "gpt-4.1-nano-2025-07-28", "claude-3-7-sonnet-20250219-v1:0")
_ENDLESS: Final = "m" * 150
# Options that reach beyond the list in which they stand.
_CUT: Final = """(options) => options.filter((option) => option.getBoundingClientRect().right >
  option.closest("[role=listbox]").getBoundingClientRect().right).map((each) => each.textContent)"""
_WIDTHS: Final = "(headings) => headings.map((each) => each.getBoundingClientRect().width)"
# Where letters stand, and how large they are.
_LETTERS: Final = """(part) => {
  const range = document.createRange();
  range.selectNodeContents(part);
  return [range.getBoundingClientRect().bottom, getComputedStyle(part).fontSize];
}"""
_SHOWN: Final = "(part) => part.closest('[class*=what]').getBoundingClientRect().height"
# How much of a name, or of a part of it, is not to be seen.
_HIDDEN: Final = """(names) => names.map((name) => Math.max(0, ...[name.closest("td"), ...name.children]
  .map((each) => each.scrollWidth - each.clientWidth)))"""
_BEYOND: Final = """(part) => Math.max(part.getBoundingClientRect().right - innerWidth,
  -part.getBoundingClientRect().left)"""


def _ended(email: str, model: str) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    told = {"user": email, "prompt": "A long question. " * 20, "model": model, "status": "completed"}
    return told | {"tokensInput": 10, "tokensOutput": 5, "startedAt": at, "completedAt": at}


@pytest.mark.parametrize("width", [1440, 390])
async def test_suggested_names_can_be_read_whole(served: Served, ada: Visitor, width: int) -> None:
    email = await address_of(ada)
    await served.record([_ended(email, model) for model in (*_DATED, _ENDLESS)])
    await ada.page.set_viewport_size({"width": width, "height": 900})
    await ada.open("/requests")
    await ada.page.get_by_role("combobox", name="Model").click()
    options = ada.page.get_by_role("option")
    await expect(options).to_have_count(4)
    assert await options.evaluate_all(_CUT) == []
    short = options.filter(has_text=_DATED[0])
    assert (await short.bounding_box() or {})["height"] < 30
    assert await ada.page.get_by_role("listbox").evaluate(_BEYOND) <= 0


async def test_suggestions_close_once_something_was_typed_and_taken(served: Served, ada: Visitor) -> None:
    await served.record([_ended(await address_of(ada), model) for model in _DATED])
    await ada.open("/requests")
    field = ada.page.get_by_role("combobox", name="Model")
    await field.fill("gpt-4.1")
    await expect(field).to_have_attribute("aria-expanded", "true")
    await field.press("Enter")
    await ada.page.wait_for_url("**/requests?model=gpt-4.1")
    await expect(field).to_have_attribute("aria-expanded", "false")
    await expect(ada.page.get_by_role("option")).to_have_count(0)
    # And open again for whoever goes on.
    await field.press("ArrowDown")
    await expect(field).to_have_attribute("aria-expanded", "true")


@pytest.mark.parametrize("width", [1024, 1440])
async def test_of_an_act_one_reads_what_was_done_before_all_else(served: Served, operator: Visitor, width: int) -> None:
    email = f"{'somebody.with-a-long-name':x<60}@{width}.department.example.com"
    await served.site.run("user", "add", email)
    reason = "A trial of the new assistant for all of the department until the end of the term"
    await served.site.run("override", "add", email, "daily_requests=3", "--reason", reason)
    await operator.page.set_viewport_size({"width": width, "height": 900})
    await operator.open("/admin/activity")
    table = operator.page.get_by_role("main").get_by_role("table")
    widths = await table.get_by_role("columnheader").evaluate_all(_WIDTHS)
    assert widths[0] == max(widths)
    assert await table.evaluate("(table) => table.scrollWidth - table.parentElement.clientWidth") <= 0
    told = table.get_by_role("row").filter(has_text=email).get_by_text(reason)
    # On two lines; beside longer acts of others the end of it may be cut.
    assert 30 < await told.evaluate(_SHOWN) < 50


@pytest.mark.parametrize("width", [1440, 2560])
async def test_models_are_named_whole_where_there_is_room(served: Served, ada: Visitor, width: int) -> None:
    await served.record([_ended(await address_of(ada), model) for model in _DATED])
    await ada.page.set_viewport_size({"width": width, "height": 900})
    await ada.open("/requests")
    names = ada.page.get_by_role("main").locator("tbody bdi").filter(has_text="-20")
    await expect(names).to_have_text(list(reversed(_DATED)))
    assert await names.evaluate_all(_HIDDEN) == [0] * 3
    if width > 1440:
        assert (await ada.page.locator(".frame-page").bounding_box() or {})["width"] >= 1500


async def test_of_a_name_without_room_the_middle_is_left_out(served: Served, ada: Visitor) -> None:
    email = await address_of(ada)
    await served.record([_ended(email, f"{'a' * 100}-2025-04-14"), _ended(email, f"{'a' * 100}-2025-07-28")])
    await ada.open("/requests")
    cells = ada.page.get_by_role("main").locator("td:has(bdi):nth-child(2)")
    await expect(cells).to_have_count(2)
    for cell in await cells.all():
        assert await cell.evaluate("(cell) => cell.scrollWidth - cell.clientWidth") == 0
        assert len(str(await cell.get_attribute("title"))) == len(await cell.inner_text()) == 111
        assert await cell.locator("span").evaluate("(span) => span.scrollWidth > span.clientWidth")


async def test_a_status_stands_on_the_line_of_its_row(served: Served, ada: Visitor) -> None:
    await served.record([_ended(await address_of(ada), "of-our-own")])
    await ada.open("/requests")
    row = ada.page.get_by_role("main").locator("tbody tr")
    model, status = [await row.get_by_text(each, exact=True).evaluate(_LETTERS) for each in ("of-our-own", "Completed")]
    assert model == status


async def test_a_long_address_and_a_long_title_can_be_read(served: Served, visitor: Visitor) -> None:
    email = f"{'a' * 60}@{'d' * 50}.example.com"
    await served.site.run("user", "add", email)
    await visitor.sign_in(email)
    await visitor.page.get_by_role("button", name="Account of").click()
    address = visitor.page.get_by_role("menu").get_by_text(email)
    assert await address.evaluate("(part) => part.scrollWidth - part.clientWidth") == 0
    assert (await address.bounding_box() or {})["height"] > 60
    await visitor.page.keyboard.press("Escape")
    await visitor.open("/settings/keys")
    await visitor.page.get_by_role("button", name="New key").click()
    title = visitor.page.get_by_role("dialog").get_by_role("heading", level=2)
    assert await title.evaluate("(title) => getComputedStyle(title).lineHeight") == "19.5px"
