"""Operators add an endpoint, test it, see what was sent, send it again, and take it away."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from playwright.async_api import expect

from tests.faults.nodes import connected
from tests.receivers import Receiver, receiving
from tests.web.hands import button, dialog, row_with
from tests.web.visitors import Served, Visitor
from tests.webhooks.making import tell

PATH = "/admin/webhooks"


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def choose(operator: Visitor, name: str) -> None:
    """Choose what stands under More."""
    await button(operator, "More").click()
    await operator.page.get_by_role("menuitem", name=name).click()


async def add(operator: Visitor, receiver: Receiver) -> str:
    """Add an endpoint and go to its page; gives its secret."""
    await operator.open(PATH)
    await button(operator, "Add an endpoint").click()
    form = dialog(operator, "Add an endpoint")
    await expect(form.get_by_label("Address")).to_be_focused()
    await form.get_by_label("Address").fill("http://169.254.169.254/")
    await button(form, "Add").click()
    await expect(form).to_contain_text("which is not on the public Internet")
    await form.get_by_label("Address").fill(receiver.url)
    await form.get_by_label("What it is for").fill("The shop's backend")
    await button(form, "Add").click()
    shown = dialog(operator, "The endpoint's secret")
    secret = await shown.get_by_label("The secret", exact=True).inner_text()
    await button(shown, "Done").click()
    await expect(row_with(operator, receiver.url)).to_contain_text("Well")
    await operator.follow(operator.page.locator("main").get_by_role("link", name=receiver.url))
    return secret


async def remove(operator: Visitor, receiver: Receiver) -> None:
    """Take it away again."""
    await choose(operator, "Remove")
    await button(dialog(operator, "Remove this endpoint?"), "Remove").click()
    await operator.page.wait_for_url(f"**{PATH}")
    await expect(operator.page.get_by_role("link", name=receiver.url)).to_have_count(0)
    # The page that was left may have asked once more for what is gone.
    assert all("status of 422" in each or "status of 404" in each for each in operator.troubles), operator.troubles
    assert operator.elsewhere == []


async def test_what_is_sent_to_an_endpoint_is_seen_and_sent_again(
    operator: Visitor, served: Served, receiver: Receiver
) -> None:
    page, secret = operator.page, await add(operator, receiver)
    await button(operator, "Send a test").click()
    await expect(page.get_by_label("What came back")).to_contain_text("Status 204, after")
    assert receiver.got[0].is_signed_with(secret)

    receiver.mood = "wait 503 3600"
    await button(operator, "Send a test").click()
    refused = page.get_by_label("What came back")
    await expect(refused).to_contain_text("The test was not taken")
    await expect(refused).to_contain_text(re.compile(r"Status 503, after [\d.]+m?s$"))

    # Not tried again before this has been looked at.
    receiver.mood = "wait 503 3600"
    async with connected(served.site, "owner") as owner:
        user_id = await owner.fetchval("SELECT id FROM accounts WHERE role = 'admin' LIMIT 1")
        (name,) = await tell(owner, user_id, kind="plan.changed")
        await expect(row_with(operator, "plan.changed")).to_contain_text("1: Status 503")
        await owner.execute("UPDATE webhook_deliveries SET state = 'failed', due_at = NULL WHERE state = 'waiting'")
    await expect(row_with(operator, "plan.changed")).to_contain_text("Failed")
    receiver.mood = "well"
    await button(operator, "Replay all that failed").click()
    await expect(row_with(operator, "plan.changed")).to_contain_text("Delivered")
    await button(operator, "Deliver plan.changed once more").click()
    await expect(row_with(operator, "plan.changed")).to_contain_text("3: Status 204")
    assert receiver.ids[name] == 3
    await remove(operator, receiver)


async def test_an_endpoint_is_changed_and_its_secret_rotated(operator: Visitor, receiver: Receiver) -> None:
    page, secret = operator.page, await add(operator, receiver)
    await choose(operator, "Show the secret")
    shown = dialog(operator, "The endpoint's secret")
    assert await shown.get_by_label("The secret", exact=True).inner_text() == secret
    await button(shown, "Done").click()
    await choose(operator, "Rotate the secret")
    await button(dialog(operator, "Rotate the secret?"), "Rotate").click()
    rotated = dialog(operator, "The endpoint's secret")
    await expect(rotated).to_contain_text("The old secret signs along until")
    assert await rotated.get_by_label("The secret", exact=True).inner_text() != secret
    await button(rotated, "Done").click()
    await choose(operator, "Change")
    form = dialog(operator, "Change the endpoint")
    await form.get_by_label("a plan changed").check()
    await button(form, "Save").click()
    await form.wait_for(state="hidden")
    await expect(page.locator("main")).to_contain_text("Told when a plan changed.")
    await choose(operator, "Switch off")
    await button(dialog(operator, "Switch this endpoint off?"), "Switch off").click()
    await expect(page.locator("main")).to_contain_text("Switched off")
    await button(operator, "Switch on").click()
    await expect(page.locator("main")).to_contain_text("Well")
    await remove(operator, receiver)


async def test_without_endpoints_and_without_an_answer_the_page_says_so(operator: Visitor) -> None:
    nothing: dict[str, Any] = {"success": True, "items": []}
    await operator.page.route("**/api/admin/webhooks", lambda route: route.fulfill(json=nothing))
    await operator.open(PATH)
    await operator.page.get_by_role("heading", name="No other system is told").wait_for()
    await operator.page.unroute_all()
    away = {"title": "Not available right now", "detail": "the database is away", "status": 503}
    await operator.page.route("**/api/admin/webhooks", lambda route: route.fulfill(status=503, json=away))
    await operator.go(PATH)
    await operator.page.get_by_role("heading", name="Not available right now").wait_for()
