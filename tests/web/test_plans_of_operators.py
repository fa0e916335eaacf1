"""What operators do in the browser with the plan of one user, and what is excepted from it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.web.selling import refused, selling
from tests.web.visitors import Served, Visitor, visiting

CATALOGUE = """
[plans.team]
rank = 15
daily_requests = 500
monthly_requests = 1000
monthly_tokens = 5_000_000
monthly_cost_cents = 4_000
max_tokens_per_request = 32_000
requests_per_minute = 60
concurrent_requests = 8
features = ["chat"]
price_per_month = 2_900
price_per_year = 29_000
currency = "eur"
trial_days = 14
"""
_CELLS = "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"


@pytest.fixture(scope="module")
async def shop(open_dir: Path) -> AsyncGenerator[Served]:
    """A service of its own, with a plan of every limit."""
    async with selling(open_dir / "exceptions", CATALOGUE) as served:
        yield served


@pytest.fixture
async def operator(chromium: Browser, shop: Served) -> AsyncGenerator[Visitor]:
    """An operator's browser, on a phone: what fits there fits everywhere."""
    async with visiting(chromium, shop, width=390) as visitor:
        await visitor.sign_in(await shop.operator())
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def look_at(operator: Visitor, email: str) -> str:
    """Open the plan of a user; gives where the API has them."""
    (found,) = (await operator.fetch(f"/api/admin/users?{urlencode({'q': email})}"))["items"]
    await operator.open(f"/admin/users/{found['id']}/plan")
    return f"/api/admin/users/{found['id']}"


def plan_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Plan", exact=True)


async def limited(page: Page, label: str, limit: int) -> None:
    """Wait until the user's plan has a limit."""
    await expect(plan_of(page).get_by_role("meter", name=label)).to_have_attribute("max", str(limit))


async def choose(page: Page, plan: str) -> Locator:
    """Open the change of a plan and choose one; gives the dialog."""
    await page.get_by_role("button", name="Change plan").click()
    dialog = page.get_by_role("dialog", name="Change the plan")
    await dialog.get_by_role("combobox", name="Plan").click()
    await page.get_by_role("option", name=plan).click()
    return dialog


async def test_a_users_plan_is_shown_with_all_its_limits(operator: Visitor, shop: Served) -> None:
    email = await shop.user("team")
    say = {"prompt": "x", "model": "gpt-4o", "requestId": "one"}
    await shop.call("POST", "/api/chat/track", user=email, says=say)
    await look_at(operator, email)
    figures = await plan_of(operator.page).get_by_role("figure").all_inner_texts()
    shown = {name: number for name, number, *_ in (text.split("\n\n") for text in figures)}
    assert shown["Requests today"] == "1 of 500"
    assert shown["Requests this month"] == "1 of 1,000"
    assert shown["Tokens this month"].endswith("of 5M")
    assert shown["Money this month"].endswith("of $40.00")
    assert shown["Requests at once"] == "1 of 8"
    assert shown["Requests a minute"] == "60 at most"
    for text in ("€29 a month", "Up to 32,000 tokens a request", "Without an end", "version 1"):
        await plan_of(operator.page).get_by_text(text).wait_for()


async def test_a_plan_is_tried_left_and_kept_as_the_preview_says(operator: Visitor, shop: Served) -> None:
    page = operator.page
    await look_at(operator, await shop.newcomer())
    previews: list[str] = []
    page.on("request", lambda request: previews.append(request.url) if "/preview" in request.url else None)

    dialog = await choose(page, "team")
    await dialog.get_by_text("They have Team from now on, for €29 a month. What they have used stays used.").wait_for()
    await dialog.get_by_text("Yearly").click()
    await dialog.get_by_text("They have Team from now on, for €290 a year.").wait_for()
    await dialog.get_by_label("Try it for 14 days first").check()
    await dialog.get_by_text("They have Team from now until").wait_for()
    assert len(previews) == 3
    await dialog.get_by_role("button", name="Change plan").click()
    await expect(dialog).to_have_count(0)
    await plan_of(page).get_by_text("On trial").wait_for()
    await plan_of(page).get_by_text("Ends in 14 days, then Free").wait_for()

    dialog = await choose(page, "team")
    await dialog.get_by_text("They have Team from now on, for €290 a year.").wait_for()
    await dialog.get_by_role("button", name="Change plan").click()
    await expect(dialog).to_have_count(0)
    await plan_of(page).get_by_text("paid by the year").wait_for()

    dialog = await choose(page, "free")
    await dialog.get_by_text("They keep what they have until").wait_for()
    await dialog.get_by_role("button", name="Change plan").click()
    await expect(dialog).to_have_count(0)
    await plan_of(page).get_by_text("then Free").wait_for()

    dialog = await choose(page, "team")
    await dialog.get_by_text("They keep Team; what was arranged is taken back.").wait_for()
    await dialog.get_by_role("button", name="Keep plan").click()
    await expect(dialog).to_have_count(0)
    await plan_of(page).get_by_text("Without an end").wait_for()
    # One for each thing that was chosen, and none once it was done.
    assert len(previews) == 6


async def test_a_change_that_cannot_be_made_says_why_before_it_is_asked_for(operator: Visitor, shop: Served) -> None:
    await look_at(operator, await shop.user("pro"))
    dialog = await choose(operator.page, "pro")
    await dialog.get_by_role("alert").get_by_text("The plan is pro already").wait_for()
    await expect(dialog.get_by_role("button", name="Change plan")).to_be_disabled()
    assert all("status of 409" in each for each in operator.troubles)
    operator.troubles.clear()


async def test_a_plan_is_given_at_once_until_a_day_is_over(operator: Visitor, shop: Served) -> None:
    page = operator.page
    at = await look_at(operator, await shop.user("team"))
    dialog = await choose(page, "pro")
    await dialog.get_by_text("At once, until a day").click()
    await dialog.get_by_label("Last day").fill("2020-01-01")
    await dialog.get_by_role("button", name="Change plan").click()
    await dialog.get_by_text("must lie in the future").wait_for()
    await refused(operator)
    last = date.today() + timedelta(days=9)  # noqa: DTZ011 - the browser's zone is UTC
    through = f"through {last:%b} {last.day}, {last.year}"
    await dialog.get_by_label("Last day").fill(last.isoformat())
    await dialog.get_by_text(f"{through}, then Free. What they have used stays used").wait_for()
    await dialog.get_by_role("button", name="Change plan").click()
    await expect(dialog).to_have_count(0)
    await plan_of(page).get_by_text(f"Lasts {through}, then Free").wait_for()
    told = (await operator.fetch(f"{at}/plan"))["plan"]
    assert (told["name"], told["expiresAt"][:10]) == ("pro", (last + timedelta(days=1)).isoformat())


async def test_the_history_tells_each_plan_page_by_page(operator: Visitor, shop: Served) -> None:
    email = await shop.user("free")
    for plan in ("pro", "team") * 6:
        await shop.site.run("plan", "set", email, plan)
    await look_at(operator, email)
    rows = operator.page.get_by_role("region", name="Plans that they had").locator("tbody tr")
    await expect(rows).to_have_count(10)
    await operator.page.get_by_role("button", name="Show more").click()
    await expect(rows).to_have_count(13)
    cells = await rows.evaluate_all(_CELLS)
    assert cells[0][0] == "Team version 1 now"
    assert [row[0].split()[0] for row in cells] == ["Team", "Pro"] * 6 + ["Free"]


async def test_units_are_granted_used_and_ended(operator: Visitor, shop: Served) -> None:
    page, email = operator.page, await shop.user("free")
    await look_at(operator, email)
    panel = page.get_by_role("region", name="Grants")
    await panel.get_by_text("Nothing is granted").wait_for()

    await panel.get_by_role("button", name="Grant units").click()
    dialog = page.get_by_role("dialog", name="Grant units beyond the plan")
    grant = dialog.get_by_role("button", name="Grant", exact=True)
    await dialog.get_by_label("How much").fill("many")
    await dialog.get_by_text("write it as a number").wait_for()
    await dialog.get_by_label("How much").fill("1.5")
    await dialog.get_by_label("Priority").fill("5000")
    await dialog.get_by_label("Reason").fill("The outage of last week")
    await dialog.get_by_label("Last day").fill("2020-01-01")
    await grant.click()
    await expect(dialog.locator("[aria-invalid=true]")).to_have_count(2)
    await dialog.get_by_label("How much").fill("1,000")
    await dialog.get_by_label("Priority").fill("3")
    await grant.click()
    await dialog.get_by_text("must lie in the future").wait_for()
    await dialog.get_by_label("Last day").fill("")
    await grant.click()
    await expect(dialog).to_have_count(0)
    await refused(operator, 2)
    (row,) = await panel.locator("tbody tr").evaluate_all(_CELLS)
    assert row[0].split("\n\n") == ["1,000 requests", "The outage of last week"]
    assert row[1:4] == ["Active", "0", "3"]
    await limited(page, "Requests this month", 1_100)

    await panel.get_by_role("button", name="Grant units").click()
    await dialog.get_by_text("Money").click()
    await dialog.get_by_label("Reason").fill("Bought")
    # Twelve and a half, or more than a thousand?
    for unclear in ("12,50", "1,25", "1,0000"):
        await dialog.get_by_label("How much").fill(unclear)
        await dialog.get_by_text("can be read in two ways").wait_for()
        await expect(grant).to_be_disabled()
    await dialog.get_by_label("How much").fill("0.29")
    await grant.click()
    await expect(panel.locator("tbody tr")).to_have_count(2)
    await panel.get_by_text("$0.29").wait_for()

    await panel.get_by_role("button", name="End the grant of 1,000 requests").click()
    asking = page.get_by_role("dialog", name="End the grant of 1,000 requests?")
    await asking.get_by_role("button", name="Cancel").click()
    await expect(panel.locator("tbody tr")).to_have_count(2)
    await panel.get_by_role("button", name="End the grant of 1,000 requests").click()
    await asking.get_by_role("button", name="End it").click()
    await expect(panel.locator("tbody tr")).to_have_count(1)
    await limited(page, "Requests this month", 100)
    await panel.get_by_text("Show 1 ended").wait_for()
    await panel.get_by_role("switch").check()
    states = [row[1] for row in await panel.locator("tbody tr").evaluate_all(_CELLS)]
    assert states == ["Active", "Ended"]


async def test_limits_are_overridden_and_the_override_is_ended(operator: Visitor, shop: Served) -> None:
    page = operator.page
    at = await look_at(operator, await shop.user("free"))
    panel = page.get_by_role("region", name="Overrides")
    await panel.get_by_role("button", name="Override limits").click()
    dialog = page.get_by_role("dialog", name="Override limits of the plan")
    override = dialog.get_by_role("button", name="Override", exact=True)
    await dialog.get_by_label("Reason").fill("Launch")
    await expect(override).to_be_disabled()
    await dialog.get_by_role("textbox", name="Requests a day").fill("-2")
    await dialog.get_by_role("checkbox", name="No limit: Requests a month").check()
    await dialog.get_by_role("textbox", name="Tokens a request").fill("64000")
    await dialog.get_by_role("textbox", name="Money a month").fill("12.5")
    await override.click()
    await expect(dialog.locator("[aria-invalid=true]")).to_have_count(1)
    await refused(operator)
    await dialog.get_by_role("textbox", name="Requests a day").fill("800")
    await override.click()
    await expect(dialog).to_have_count(0)
    words = "Requests a day: 800 · Requests a month: no limit · Money a month: $12.50 · Tokens a request: 64,000"
    await panel.get_by_text(words).wait_for()
    await panel.get_by_text("Launch").wait_for()
    await limited(page, "Requests today", 800)
    await plan_of(page).get_by_text("Up to 64,000 tokens a request").wait_for()
    assert (await operator.fetch(f"{at}/plan"))["maxTokensPerRequest"] == 64_000
    (told,) = (await operator.fetch(f"{at}/overrides"))["items"]
    assert told["limits"] == {
        "dailyRequests": 800,
        "monthlyRequests": None,
        "monthlyCost": 1250,
        "maxTokensPerRequest": 64_000,
    }
    await panel.get_by_role("button", name="End the override").click()
    await page.get_by_role("dialog", name="End this override?").get_by_role("button", name="End it").click()
    await panel.get_by_text("No limit is overridden").wait_for()
    await limited(page, "Requests today", 10)
    await plan_of(page).get_by_text("Up to 8,000 tokens a request").wait_for()
