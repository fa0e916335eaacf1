"""Quick ranges of the list of requests: days by the calendar of who looks, kept in the address, also by keyboard."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.web.visitors import Served, Visitor, visiting

# Far ahead of UTC, and of the browser: for most of its day it is yesterday there.
_HERE: Final = ZoneInfo("Pacific/Kiritimati")
_TODAY: Final = datetime.now(_HERE).date() - timedelta(days=3)
_NOON: Final = datetime.combine(_TODAY, time(12), _HERE)
_FIRST: Final = _TODAY.replace(day=1)


def _ago(days: int) -> date:
    return _TODAY - timedelta(days=days)


# The first and the last instants of days at which some range begins or ends.
_DAYS: Final = sorted(
    {_TODAY, _ago(1), _ago(2), _ago(6), _ago(7), _ago(29), _ago(30), _FIRST, _FIRST - timedelta(days=1)}
)
_INSTANTS: Final = [datetime.combine(day, at, _HERE) for day in _DAYS for at in (time(0), time(23, 59, 59))]
RANGES: Final = {
    "today": ("Today", _TODAY, _TODAY),
    "yesterday": ("Yesterday", _ago(1), _ago(1)),
    "7d": ("7 days", _ago(6), _TODAY),
    "30d": ("30 days", _ago(29), _TODAY),
    "month": ("This month", _FIRST, _TODAY),
}


def _said(email: str, at: datetime) -> dict[str, Any]:
    began = at.astimezone(UTC).isoformat()
    return {"user": email, "prompt": f"{at:%Y-%m-%d %H:%M}", "status": "completed", "startedAt": began}


@pytest.fixture(scope="module")
async def reader(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Somebody at noon of a day, with requests at the edges of days."""
    email = await served.user("enterprise", timezone=str(_HERE))
    await served.record([_said(email, at) for at in _INSTANTS])
    async with visiting(chromium, served, timezone_id="America/New_York") as visitor:
        await visitor.sign_in(email)
        await visitor.page.clock.set_fixed_time(_NOON)
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _lists(reader: Visitor, first: date, last: date) -> None:
    prompts = [f"{at:%Y-%m-%d %H:%M}" for at in reversed(_INSTANTS) if first <= at.date() <= last]
    await expect(reader.page.locator("main tbody a")).to_have_text(prompts)


def _button(reader: Visitor, told: str) -> Locator:
    return reader.page.get_by_role("button", name=f"Started: {told}", exact=True)


@pytest.mark.parametrize("name", RANGES)
async def test_a_range_lists_its_days_by_the_zone_of_the_account_and_stays_in_the_address(
    reader: Visitor, name: str
) -> None:
    label, first, last = RANGES[name]
    await reader.open("/requests")
    await _lists(reader, _DAYS[0], _TODAY)
    await _button(reader, "Any time").click()
    ranges = reader.page.get_by_role("radiogroup", name="Started, in short")
    await ranges.get_by_text(label, exact=True).click()
    await reader.page.wait_for_url(f"**/requests?range={name}")
    await _lists(reader, first, last)
    await expect(reader.page.get_by_label("Started, from")).to_have_value(f"{first}")
    await expect(reader.page.get_by_label("Started, to")).to_have_value(f"{last}")

    await reader.page.reload()
    await _lists(reader, first, last)
    await _button(reader, label).click()
    await expect(ranges.get_by_role("radio", name=label)).to_be_checked()
    await ranges.get_by_text("Any time", exact=True).click()
    await reader.page.wait_for_url("**/requests")
    await _lists(reader, _DAYS[0], _TODAY)


async def test_a_range_is_chosen_by_keyboard(reader: Visitor) -> None:
    await reader.open("/requests")
    await _button(reader, "Any time").focus()
    await reader.page.keyboard.press("Enter")
    await expect(reader.page.get_by_role("radio", name="Any time")).to_be_focused()
    await reader.page.keyboard.press("ArrowDown")
    await reader.page.keyboard.press("ArrowDown")
    await reader.page.wait_for_url("**/requests?range=yesterday")
    await _lists(reader, _ago(1), _ago(1))
    await reader.page.keyboard.press("Tab")
    await expect(reader.page.get_by_label("Started, from")).to_be_focused()
    await reader.page.keyboard.press("Escape")
    await expect(_button(reader, "Yesterday")).to_be_focused()


async def test_days_of_ones_own_begin_with_those_of_the_range(reader: Visitor) -> None:
    await reader.open("/requests?range=7d")
    await _button(reader, "7 days").click()
    begin = reader.page.get_by_label("Started, from")
    await begin.fill(f"{_ago(1)}")
    await begin.press("Enter")
    await reader.page.wait_for_url("**/requests?from=*&to=*")
    await _lists(reader, _ago(1), _TODAY)
    await expect(reader.page.get_by_role("radio", checked=True)).to_have_count(0)
    await expect(reader.page.get_by_role("button", name=f"Started: {_ago(1):%b} {_ago(1).day} to")).to_be_visible()
    await reader.page.get_by_role("button", name="Clear 2 filters").click()
    await reader.page.wait_for_url("**/requests")


async def test_a_range_counts_as_one_filter_and_one_that_is_none_as_no_filter(reader: Visitor) -> None:
    await reader.open("/requests?range=30d")
    await reader.page.get_by_role("button", name="Clear filter").click()
    await reader.page.wait_for_url("**/requests")
    await reader.open("/requests?range=century")
    await _lists(reader, _DAYS[0], _TODAY)
    await expect(_button(reader, "Any time")).to_be_visible()
