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
  option.closest("[role=listbox], [role=presentation]").getBoundingClientRect().right).map((each) => each.textContent)"""
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
