"""Whoever presses twice has it done once: a second click or Enter comes before the button is drawn busy."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from playwright.async_api import Browser, Locator, Request, expect

from tests.web.hands import button, dialog, row_with
from tests.web.visitors import Served, Visitor, visiting

_SUBMIT_THRICE = "(form) => { for (let time = 0; time < 3; time++) form.requestSubmit(); }"
_CLICK_TWICE = "(button) => { button.click(); button.click(); }"


@pytest.fixture(scope="module")
async def operator(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """An operator's browser."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.operator())
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _said(visitor: Visitor, method: str, act: Callable[[], Awaitable[object]]) -> list[str]:
    """What the page says to the service with a method while something is done and a moment after."""
    said: list[str] = []

    def hear(request: Request) -> None:
        if request.method == method:
            said.append(request.url.removeprefix(visitor.served.url))

    visitor.page.on("request", hear)
    await act()
    await visitor.page.wait_for_timeout(300)
    visitor.page.remove_listener("request", hear)
    return said


async def _once(visitor: Visitor, form: Locator, gone: Locator) -> list[str]:
    """What comes of submitting a form thrice at once, until something is no longer there."""

    async def submit() -> None:
        await form.locator("form").evaluate(_SUBMIT_THRICE)
        await gone.wait_for(state="hidden")

    return await _said(visitor, "POST", submit)


async def test_units_are_granted_once_and_the_grant_is_ended_once(operator: Visitor, served: Served) -> None:
    user = await served.newcomer()
    (found,) = (await operator.fetch(f"/api/admin/users?q={user}"))["items"]
    at = f"/api/admin/users/{found['id']}/grants"
    await operator.open(f"/admin/users/{found['id']}/plan")
    await button(operator, "Grant units").click()
    form = dialog(operator, "Grant units beyond the plan")
    await form.get_by_label("How much").fill("7")
    await form.get_by_label("Reason").fill("once")
    assert await _once(operator, form, form) == [at]
    (grant,) = (await operator.fetch(at))["items"]
    await button(operator, "End the grant of 7 requests").click()

    async def end() -> None:
        await button(operator, "End it").last.evaluate(_CLICK_TWICE)
        await operator.page.get_by_role("dialog").wait_for(state="hidden")

    assert await _said(operator, "DELETE", end) == [f"{at}/{grant['id']}"]


async def test_limits_are_overridden_once(operator: Visitor, served: Served) -> None:
    user = await served.newcomer()
    (found,) = (await operator.fetch(f"/api/admin/users?q={user}"))["items"]
    await operator.open(f"/admin/users/{found['id']}/plan")
    await button(operator, "Override limits").click()
    form = dialog(operator, "Override limits of the plan")
    await form.get_by_label("Requests a day", exact=True).fill("7")
    await form.get_by_label("Reason").fill("once")
    assert len(await _once(operator, form, form)) == 1
    await expect(row_with(operator, "once")).to_have_count(1)


async def test_somebody_is_invited_once(operator: Visitor) -> None:
    await operator.open("/admin/invitations")
    await button(operator, "Invite somebody").first.click()
    form = dialog(operator, "Invite somebody")
    await form.get_by_label("E-mail address").fill("once@example.com")
    assert await _once(operator, form, form) == ["/api/admin/invitations"]
    await dialog(operator, "Invited").get_by_text("once@example.com").wait_for()


async def test_a_key_is_made_once_and_shown(operator: Visitor) -> None:
    await operator.open("/admin/keys")
    await button(operator, "New key").first.click()
    form = dialog(operator, "New service key")
    await form.get_by_label("Name").fill("made once")
    assert await _once(operator, form, form) == ["/api/admin/keys"]
    await dialog(operator, "Key “made once”").get_by_label("The key").wait_for()
    await button(operator, "Done").click()
    await expect(row_with(operator, "made once")).to_have_count(1)


async def test_each_price_is_taken_away_once(operator: Visitor, served: Served) -> None:
    await served.record(
        [{"user": await served.newcomer(), "prompt": "x", "model": "two-prices", "status": "completed"}]
    )
    for day in ("2026-01-01", "2026-02-01"):
        price = {"input": "1", "output": "2", "effectiveFrom": f"{day}T00:00:00Z"}
        await operator.put("/api/admin/models/two-prices/prices", price)
    await operator.open("/admin/models?open=two-prices")
    drawer = dialog(operator, "two-prices")
    await expect(button(drawer, "Take away")).to_have_count(2)

    async def take_away() -> None:
        asked = dialog(operator, "Take away the price that holds from")
        await button(asked, "Take away").evaluate(_CLICK_TWICE)
        await asked.wait_for(state="hidden")

    for left in (1, 0):
        await button(drawer, "Take away").first.click()
        assert len(await _said(operator, "DELETE", take_away)) == 1
        await expect(button(drawer, "Take away")).to_have_count(left)
