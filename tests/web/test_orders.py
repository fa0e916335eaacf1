"""Requests in another order than by age: chosen by hand, kept in the address, undone by Back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Route, expect

from tests.web.visitors import Served, Visitor, visiting

_SAID: Final = {
    "First": {"cost": 20, "tokensUsed": 8, "duration": 100},
    "Second": {"cost": 1, "tokensUsed": 90, "duration": 200},
    "Third": {"cost": 3, "tokensUsed": 7, "duration": 50},
    "Last": {},
}
ORDERS: Final = {
    "Oldest first": ("order=asc", ["First", "Second", "Third", "Last"]),
    "Highest cost": ("sort=cost", ["First", "Third", "Second", "Last"]),
    "Most tokens": ("sort=tokensUsed", ["Second", "First", "Third", "Last"]),
    "Slowest": ("sort=duration", ["Second", "First", "Third", "Last"]),
}


@pytest.fixture(scope="module")
async def email(served: Served) -> str:
    """Somebody with some requests, of the last of which nothing is known."""
    email = await served.user("enterprise")
    began = datetime.now(UTC) - timedelta(hours=1)
    await served.record([
        {"user": email, "prompt": prompt, "status": "completed", **told,
         "startedAt": (began + timedelta(minutes=place)).isoformat()}
        for place, (prompt, told) in enumerate(_SAID.items())
    ])  # fmt: skip
    return email


@pytest.fixture
async def reader(chromium: Browser, served: Served, email: str) -> AsyncGenerator[Visitor]:
    """Their browser."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _lists(reader: Visitor, prompts: list[str]) -> None:
    await expect(reader.page.locator("main tbody a")).to_have_text(prompts)


@pytest.mark.parametrize("label", ORDERS)
async def test_an_order_is_chosen_stays_in_the_address_and_is_undone_by_back(reader: Visitor, label: str) -> None:
    asked, prompts = ORDERS[label]
    await reader.open("/requests")
    await _lists(reader, ["Last", "Third", "Second", "First"])
    order = reader.page.get_by_role("combobox", name="Order")
    await expect(order).to_have_value("Newest first")
    await order.click()
    await reader.page.get_by_role("option", name=label).click()
    await reader.page.wait_for_url(f"**/requests?{asked}")
    await _lists(reader, prompts)
    # An order is no filter.
    await expect(reader.page.get_by_role("button", name="Clear")).to_have_count(0)
    await reader.page.reload()
    await expect(order).to_have_value(label)
    await _lists(reader, prompts)
    await reader.page.go_back()
    await reader.page.wait_for_url("**/requests")
    await _lists(reader, ["Last", "Third", "Second", "First"])


async def test_a_file_goes_by_age_whatever_is_listed_first(reader: Visitor) -> None:
    for asked, told in (("sort=cost", "q=r&format=csv"), ("order=asc", "q=r&order=asc&format=csv")):
        await reader.open(f"/requests?q=r&{asked}")
        await reader.page.get_by_role("button", name="Download").click()
        item = reader.page.get_by_role("menuitem", name="CSV")
        await expect(item).to_have_attribute("href", f"/api/chat/requests?{told}")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("sort=cost", "Only what started since Mar 1, 12:00 AM is sorted. Choose a time to sort older ones."),
        ("q=needle&order=asc", "Nothing matches yet. Searched up to Mar 1, 12:00 AM."),
    ],
)
async def test_how_much_of_a_long_history_was_looked_at_is_told(reader: Visitor, asked: str, told: str) -> None:
    cut: dict[str, Any] = {
        "success": True,
        "items": [],
        "nextCursor": None if "sort" in asked else "further",
        "searchedTo": f"{datetime.now(UTC).year}-03-01T00:00:00.000Z",
        "matches": {},
    }

    async def answer(route: Route) -> None:
        await route.fulfill(json=cut)

    await reader.page.route("**/api/chat/requests?*", answer)
    await reader.open(f"/requests?{asked}")
    await reader.page.get_by_text(told, exact=True).wait_for()
