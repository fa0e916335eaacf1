"""What operators do in the browser with the catalogue of plans, and with who is on older terms."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.web.selling import apply, refused, selling
from tests.web.visitors import Served, Visitor, visiting

_CELLS = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"


@pytest.fixture(scope="module")
async def shop(open_dir: Path) -> AsyncGenerator[Served]:
    """A service of its own, whose catalogue these tests change."""
    async with selling(open_dir / "catalogue", "[plans.leaving]\nrank = 200\nprice_per_month = 100\n") as served:
        yield served


@pytest.fixture
async def operator(chromium: Browser, shop: Served) -> AsyncGenerator[Visitor]:
    """An operator's browser, on a phone: what fits there fits everywhere."""
    async with visiting(chromium, shop, width=390) as visitor:
        await visitor.sign_in(await shop.operator())
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _changes(drawer: Locator) -> dict[str, list[str]]:
    rows = await drawer.locator("tbody tr").evaluate_all(_CELLS)
    return {name: values for name, *values in rows}


async def _listed(operator: Visitor, name: str) -> Any:
    plans = (await operator.fetch("/api/admin/plans"))["plans"]
    return next((each for each in plans if each["name"] == name), None)


async def test_what_is_wrong_with_a_plan_is_told_at_its_field(operator: Visitor) -> None:
    page = operator.page
    await operator.open("/admin/plans")
    await page.get_by_role("button", name="New plan").click()
    drawer = page.get_by_role("dialog", name="New plan")
    look = drawer.get_by_role("button", name="See what changes")
    for name, fault in (("", "give it a name"), ("pro", "there is one of that name"), ("Crew", "must have a name of")):
        await drawer.get_by_label("Name").fill(name)
        await look.click()
        await drawer.get_by_text(fault).wait_for()
        await expect(drawer.get_by_label("Name")).to_be_focused()
    await refused(operator)
    await drawer.get_by_label("Name").fill("crew")
    for field, wrong, fault, right in (
        ("Entitlements", "projects: 10", "as name = value", "projects = 10"),
        ("Money a month", "much", "write it as a number", "1"),
        ("Rank", "10", "is the rank of the plan pro", "12"),
    ):
        await drawer.get_by_label(field).fill(wrong)
        await look.click()
        await drawer.get_by_text(fault).wait_for()
        await expect(drawer.get_by_label(field)).to_be_focused()
        await drawer.get_by_label(field).fill(right)
    await refused(operator)
    await look.click()
    await drawer.get_by_text("Crew is new.").wait_for()


async def test_a_plan_is_added_as_its_preview_says(operator: Visitor) -> None:
    page = operator.page
    await operator.open("/admin/plans")
    await page.get_by_role("button", name="New plan").click()
    drawer = page.get_by_role("dialog", name="New plan")
    for field, text in (
        ("Name", "gang"),
        ("Requests a day", "70"),
        ("Money a month", "12.34"),
        ("Price a month", "9.90"),
        ("Features", "chat\nmodel:gpt-4o"),
        ("Entitlements", 'projects = 10\nregions = ["eu", "us"]\nsso = true'),
    ):
        await drawer.get_by_label(field).fill(text)
    await drawer.get_by_role("button", name="See what changes").click()
    await drawer.get_by_text("Gang is new.").wait_for()
    assert await _listed(operator, "gang") is None
    told = await _changes(drawer)
    assert (told["Requests a day"], told["Tokens a month"], told["Price a month"]) == (["70"], ["No limit"], ["$9.90"])
    assert told["Features"] == ["chat, model:gpt-4o"]
    await drawer.get_by_role("button", name="Add plan").click()
    await expect(drawer).to_have_count(0)
    made = await _listed(operator, "gang")
    assert (made["dailyRequests"], made["monthlyCost"], made["pricePerMonth"]) == (70, 1234, 990)
    assert made["entitlements"] == {"projects": 10, "regions": ["eu", "us"], "sso": True}
    await page.get_by_role("button", name="Change Gang").wait_for()


async def test_a_plan_is_changed_and_its_old_users_are_moved(operator: Visitor, shop: Served) -> None:
    page = operator.page
    await apply(shop, "[plans.band]\nrank = 300\ndaily_requests = 70\n")
    users = [await shop.user("band") for _ in range(2)]
    await operator.open("/admin/plans")
    await page.get_by_role("button", name="Change Band").click()
    drawer = page.get_by_role("dialog", name="Change Band")
    look = drawer.get_by_role("button", name="See what changes")
    await look.click()
    await drawer.get_by_text("Nothing would change: Band is so already.").wait_for()
    await drawer.get_by_role("button", name="Back").click()
    await drawer.get_by_label("Requests a day").fill("90")
    await drawer.get_by_label("Trial, in days").fill("7")
    await look.click()
    await drawer.get_by_text("The 2 who have it keep their terms until you move them.").wait_for()
    assert await _changes(drawer) == {"Requests a day": ["70", "90"], "Trial": ["None", "7 days"]}
    await drawer.get_by_role("button", name="Save changes").click()
    await expect(drawer).to_have_count(0)
    await page.get_by_role("link", name="Band").get_by_text("2 on older terms").wait_for()

    await page.get_by_role("button", name="Move 2 users of Band").click()
    dialog = page.get_by_role("dialog", name="Move the users of Band")
    await dialog.get_by_text("Version 1: 2 users").wait_for()
    assert await _changes(dialog) == {"Requests a day": ["70", "90"]}
    assert (await _listed(operator, "band"))["outdatedUsers"] == 2
    await dialog.get_by_role("button", name="Move 2 users").click()
    await dialog.get_by_text("Done: 2 users moved to Band.").wait_for()
    await dialog.get_by_role("button", name="Done").click()
    await expect(page.get_by_text("on older terms")).to_have_count(0)
    for email in users:
        own = await shop.call("GET", "/api/user/plan", user=email)
        assert (own["plan"]["version"], own["limits"]["dailyLimit"]) == (2, 90)


async def test_users_are_moved_to_another_plan(operator: Visitor, shop: Served) -> None:
    email = await shop.user("leaving")
    page = operator.page
    await operator.open("/admin/plans")
    await page.get_by_role("button", name="Move users of Leaving").click()
    dialog = page.get_by_role("dialog", name="Move the users of Leaving")
    await dialog.get_by_text("Nobody has other terms than Leaving has now.").wait_for()
    await expect(dialog.get_by_role("button", name="Move", exact=True)).to_be_disabled()
    await dialog.get_by_role("combobox", name="To").click()
    await page.get_by_role("option", name="Enterprise").click()
    await dialog.get_by_text("Version 1: 1 user").wait_for()
    await dialog.get_by_role("button", name="Move 1 user").click()
    await dialog.get_by_text("Done: 1 user moved to Enterprise.").wait_for()
    assert (await shop.call("GET", "/api/user/plan", user=email))["plan"]["name"] == "enterprise"
