"""Charts and lists of usage lead to the very requests that they count."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.web.visitors import Served, Visitor, visiting

# Behind UTC: late in its evening it is tomorrow there.
_HERE: Final = ZoneInfo("America/Los_Angeles")
# How many requests on a day so many days ago; the period of 7 days begins six days ago.
_ON_DAYS: Final = {40: 5, 7: 4, 6: 1, 3: 2, 2: 1}


def _late_on(days: int) -> datetime:
    return datetime.combine(datetime.now(_HERE).date() - timedelta(days=days), time(22, 15), _HERE)


def _ended(email: str, at: datetime, **says: Any) -> dict[str, Any]:
    began = at.astimezone(UTC).isoformat()
    told = {"user": email, "prompt": "Hello", "model": "of-our-own", "category": "mail", "status": "completed"}
    return told | {"tokensInput": 10, "tokensOutput": 5, "startedAt": began, "completedAt": began} | says


@pytest.fixture
async def reader(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Somebody in another zone than UTC, with requests on some evenings and two of the last minutes."""
    email = await served.user("enterprise", timezone=str(_HERE))
    late = [_ended(email, _late_on(days)) for days, many in _ON_DAYS.items() for _ in range(many)]
    now = datetime.now(UTC) - timedelta(minutes=1)
    await served.record([*late, _ended(email, now), _ended(email, now, model="another", category="code")])
    async with visiting(chromium, served, timezone_id="Asia/Tokyo") as visitor:
        await visitor.sign_in(email)
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


def _rows(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("main").locator("tbody tr")


@pytest.mark.parametrize(
    ("days", "panel", "name", "many"),
    [(7, "By model", "of-our-own", 5), (7, "By category", "mail", 5), (1, "By model", "of-our-own", 1)],
)
async def test_a_group_leads_to_as_many_requests_as_its_bar_counts(
    reader: Visitor, days: int, panel: str, name: str, many: int
) -> None:
    await reader.open(f"/?days={days}")
    bar = reader.page.get_by_role("region", name=panel).get_by_role("listitem").filter(has_text=name)
    await expect(bar).to_contain_text(str(many))
    await reader.follow(bar.get_by_role("link"))
    await expect(_rows(reader)).to_have_count(many)


async def test_the_days_of_a_period_stand_in_the_filters_of_the_list(reader: Visitor) -> None:
    now = datetime.now(_HERE)
    for days, first in ((7, now - timedelta(days=6)), (1, now - timedelta(hours=23))):
        await reader.open(f"/?days={days}")
        await reader.follow(reader.page.get_by_role("region", name="By model").get_by_role("link").first)
        await reader.page.get_by_role("button", name="Started").click()
        await expect(reader.page.get_by_label("Started, from")).to_have_value(f"{first:%Y-%m-%d}")
        await expect(reader.page.get_by_label("Started, to")).to_have_value(f"{now:%Y-%m-%d}")


async def test_a_bar_of_the_chart_leads_to_the_requests_of_its_day(reader: Visitor) -> None:
    await reader.open("/?days=7")
    panel = reader.page.get_by_role("region", name="Usage over time")
    bars = panel.locator(".recharts-bar").first.locator(".recharts-bar-rectangle path")
    await bars.first.wait_for()
    # Of six, three, two days ago, and of today.
    await expect(bars).to_have_count(4)
    await reader.follow(bars.nth(1))
    await expect(_rows(reader)).to_have_count(2)
    await reader.page.go_back()
    # A day without requests leads nowhere.
    width = (await panel.locator(".recharts-surface").first.bounding_box() or {})["width"]
    await panel.locator(".recharts-surface").first.click(position={"x": width * 0.3, "y": 100})
    assert "/requests" not in reader.page.url


async def test_a_day_leads_to_its_requests_by_keyboard(reader: Visitor) -> None:
    await reader.open("/?days=7")
    panel = reader.page.get_by_role("region", name="Usage over time")
    await panel.get_by_role("button", name="Show as table").press("Enter")
    days = panel.locator("tbody").get_by_role("link")
    await expect(days).to_have_count(4)
    await days.nth(1).focus()
    await reader.page.keyboard.press("Enter")
    await reader.page.wait_for_url("**/requests?*")
    await expect(_rows(reader)).to_have_count(2)


async def test_what_colours_of_the_chart_mean_and_what_is_under_way_is_told(reader: Visitor, served: Served) -> None:
    email = (await reader.fetch("/api/account"))["account"]["email"]
    await served.record([_ended(email, datetime.now(UTC), status="failed")])
    await reader.open("/?days=7")
    panel = reader.page.get_by_role("region", name="Usage over time")
    await expect(panel.get_by_role("definition")).to_have_text(["6", "1"])
    await expect(panel.get_by_role("term")).to_have_text(["Completed", "Failed"])
    tile = reader.page.locator("dl:has(dt:text('Success rate')) > div").first
    await expect(tile).not_to_contain_text("pending")
    await served.call("POST", "/api/chat/track", user=email, says={"prompt": "Still running"})
    await expect(tile).to_contain_text("1 pending")
