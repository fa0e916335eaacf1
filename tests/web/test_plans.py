"""Changing one's plan in the app: what it would do is said before it is done, and it can be taken back."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.web.selling import selling
from tests.web.visitors import Served, visiting

CATALOGUE = """
[plans.solo]
rank = 3
daily_requests = 20
concurrent_requests = 2
price_per_month = 500
price_per_year = 5000
currency = "eur"
self_service = true
"""


@pytest.fixture
async def shop(open_dir: Path) -> AsyncGenerator[Served]:
    """A service of its own, whose catalogue has a plan for taking."""
    async with selling(open_dir / "selling", CATALOGUE) as served:
        yield served


async def test_a_plan_is_taken_left_and_kept(chromium: Browser, shop: Served) -> None:
    async with visiting(chromium, shop, width=390) as visitor:
        page = visitor.page
        await visitor.sign_in(await shop.newcomer())
        await visitor.go("/plan")
        await visitor.settled()
        # What is not for taking has no button.
        await expect(page.get_by_role("button", name="Change to")).to_have_count(1)
        await page.get_by_role("button", name="Change to Solo").click()
        dialog = page.get_by_role("dialog", name="Change to Solo?")
        await dialog.get_by_text("You have Solo from now on, for €5 a month.").wait_for()
        await dialog.get_by_text("Yearly").click()
        await dialog.get_by_text("You have Solo from now on, for €50 a year.").wait_for()
        await dialog.get_by_role("button", name="Change plan").click()
        await expect(dialog).to_have_count(0)
        await page.get_by_role("paragraph").filter(has_text="of 20").wait_for()
        await page.get_by_role("button", name="Change to Free").click()
        dialog = page.get_by_role("dialog", name="Change to Free?")
        await dialog.get_by_text("You keep what you have until").wait_for()
        await dialog.get_by_role("button", name="Change plan").click()
        await expect(page.get_by_text(re.compile("^Ends "))).to_have_text(re.compile("then Free$"))
        await expect(page.get_by_role("columnheader", name="Free")).to_contain_text(
            re.compile("From [A-Z][a-z]{2} [0-9]")
        )
        await expect(page.get_by_role("button", name="Change to Free")).to_have_count(0)
        await page.get_by_role("button", name="Keep Solo").click()
        dialog = page.get_by_role("dialog", name="Keep Solo?")
        await dialog.get_by_text("You keep Solo; what was arranged is taken back.").wait_for()
        await dialog.get_by_role("button", name="Keep plan").click()
        await expect(page.get_by_role("button", name="Keep Solo")).to_have_count(0)
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_what_a_change_takes_and_gives_is_told_before(chromium: Browser, shop: Served) -> None:
    async with visiting(chromium, shop) as visitor:
        email = await shop.newcomer()
        await shop.record([{"user": email, "prompt": "Hello", "status": "completed"}] * 21)
        await visitor.sign_in(email)
        await visitor.open("/plan")
        await visitor.page.get_by_role("button", name="Change to Solo").click()
        dialog = visitor.page.get_by_role("dialog", name="Change to Solo?")
        rows = dialog.get_by_role("row")
        await expect(rows.first).to_have_text("FreeSolo")
        await expect(rows.filter(has_text="Requests a day")).to_have_text(re.compile(r"Requests a day[0-9,]+20$"))
        await expect(rows.filter(has_text="Requests at once")).to_have_text("Requests at onceNo limit2")
        told = "By what Solo allows, 21 of 20 requests are used today: requests are refused until that resets"
        await expect(dialog.get_by_text(told)).to_be_visible()
        await dialog.get_by_role("button", name="Change plan").click()
        await expect(dialog).to_have_count(0)
        assert not (await visitor.fetch("/api/user/plan"))["limits"]["canMakeRequest"]
        assert (visitor.troubles, visitor.elsewhere) == ([], [])
