"""What somebody does while the service is away is told as not saved, not as tried again, and works once it is back."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.web.hands import button
from tests.web.visitors import Visitor


@pytest.mark.parametrize(
    ("path", "field", "verb"),
    [("/settings", "Name", "Save profile"), ("/variables", "Name", "Create")],
)
async def test_a_save_that_failed_is_told_as_such_until_the_next_one_works(
    ada: Visitor, path: str, field: str, verb: str
) -> None:
    await ada.open(path)
    if path == "/variables":
        await button(ada, "New variable").first.click()
    await ada.page.get_by_role("textbox", name=field, exact=True).fill("AS_TYPED")
    # In one of two ways: the service does not answer, or the browser knows itself that it is offline.
    await ada.context.route("**/api/**", lambda route: route.abort())
    await ada.context.set_offline(path == "/variables")
    await button(ada, verb).click()
    told = ada.page.get_by_text("Nothing is known to be saved. Check your connection, then press again.")
    await told.wait_for()
    await expect(ada.page.get_by_role("main")).not_to_contain_text("tries again by itself")
    await ada.context.unroute("**/api/**")
    await ada.context.set_offline(False)
    await button(ada, verb).click()
    await told.wait_for(state="hidden")
    assert all("ERR_" in each for each in ada.troubles), ada.troubles
