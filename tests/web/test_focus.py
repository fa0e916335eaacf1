"""Whoever comes by keyboard stays where they are: nothing that is saved or narrowed takes the focus away."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.web.hands import address_of, button
from tests.web.visitors import Served, Visitor

_DAYS_AGO = 1


async def _with_a_request(ada: Visitor, served: Served) -> None:
    await served.record([
        {"user": await address_of(ada), "prompt": "Hello", "model": "m", "status": "completed", "cost": 2}
    ])  # fmt: skip


async def test_a_star_keeps_the_focus_and_is_taken_back_by_the_same_key(ada: Visitor, served: Served) -> None:
    await _with_a_request(ada, served)
    await ada.open("/requests?open=first")
    await ada.open("/requests")
    await ada.page.locator("tbody tr a").first.click()
    star = button(ada, "4 of 5")
    await star.focus()
    await ada.page.keyboard.press("Enter")
    await expect(star).to_have_attribute("aria-pressed", "true")
    await expect(star).to_be_enabled()
    await expect(star).to_be_focused()
    await ada.page.keyboard.press("Enter")
    await expect(star).to_have_attribute("aria-pressed", "false")
    await expect(star).to_be_focused()


async def test_a_filter_that_was_typed_keeps_the_focus_and_follows_the_address(ada: Visitor, served: Served) -> None:
    await _with_a_request(ada, served)
    await ada.open("/requests")
    await button(ada, "More").click()
    cost = ada.page.get_by_label("Cost, from")
    await cost.fill("0.010")
    await cost.press("Enter")
    await ada.page.wait_for_url("**/requests?minCost=1")
    await expect(cost).to_be_focused()
    await expect(cost).to_have_value("0.01")


async def test_a_day_of_the_activity_keeps_the_focus(ada: Visitor) -> None:
    await ada.open("/settings/activity")
    day = ada.page.get_by_label("From", exact=True)
    await day.fill("2026-01-02")
    await day.press("Enter")
    await ada.page.wait_for_url("**from=2026-01-02*")
    await expect(day).to_be_focused()
    await ada.page.go_back()
    await expect(day).to_have_value("")


def _slowly(status: HTTPStatus) -> Callable[[Route], Any]:
    async def answer(route: Route) -> None:
        if route.request.method == "GET":
            await route.continue_()
            return
        problem = {"title": "Not available", "detail": "the database is away", "status": status}
        await route.fulfill(status=status, json=problem)

    return answer


@pytest.mark.parametrize(("place", "field", "says", "path"), [("/settings", "Name", "Save profile", "**/api/account")])
async def test_a_save_that_fails_leaves_the_focus_on_its_button(
    ada: Visitor, place: str, field: str, says: str, path: str
) -> None:
    await ada.open(place)
    await ada.page.route(path, _slowly(HTTPStatus.SERVICE_UNAVAILABLE))
    await ada.page.get_by_label(field, exact=True).fill("Ada L")
    save = button(ada, says)
    await save.focus()
    await ada.page.keyboard.press("Enter")
    await ada.page.get_by_text("The database is away.").wait_for()
    await expect(save).to_be_enabled()
    await expect(save).to_be_focused()
