"""Who signed in a while ago confirms in the page who they are, and goes on; somebody else does not go on as them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.web.hands import address_of, age, button, console_code, dialog, shown_key
from tests.web.test_passkeys import Device
from tests.web.visitors import Served, Visitor, visiting

CONFIRM = "Confirm it is you"


@pytest.fixture
async def shared(chromium: Browser, served: Served) -> AsyncGenerator[tuple[Visitor, str, str]]:
    """Ada's page in a browser that has a passkey of hers no more, but one of Bob's; and both their addresses."""
    bob, ada = await served.newcomer(), await served.newcomer()
    async with visiting(chromium, served) as visitor:
        device = await Device.beside(visitor.page)
        for email in (ada, bob):
            await visitor.sign_in(email)
            await _add_passkey(visitor)
            if email == ada:
                await device.forget_its_passkeys()
        await visitor.sign_out()
        await visitor.sign_in(ada)
        yield visitor, ada, bob


async def _add_passkey(visitor: Visitor) -> None:
    await visitor.open("/settings/security")
    await button(visitor, "Add a passkey").click()
    await button(dialog(visitor, "Add a passkey"), "Continue").click()
    await expect(visitor.page.get_by_role("button", name="Remove")).to_have_count(1)


async def _asked_for_a_key(visitor: Visitor, email: str) -> None:
    """Ask for a key so late that the page asks who it is."""
    await visitor.open("/settings/keys")
    await age(visitor.served, email)
    await button(visitor, "New key").click()
    form = dialog(visitor, "New API key")
    await form.get_by_role("textbox", name="Name").fill("of whom")
    await button(form, "Create key").click()


async def _keys(visitor: Visitor) -> Any:
    return (await visitor.fetch("/api/account/keys"))["items"]


@pytest.mark.parametrize("is_told", [True, False], ids=["it is told who it is", "it cannot be told"])
async def test_somebody_else_who_signs_in_there_does_nothing_that_was_begun(
    shared: tuple[Visitor, str, str], *, is_told: bool
) -> None:
    visitor, ada, bob = shared
    await _asked_for_a_key(visitor, ada)
    if not is_told:
        away = {"title": "Not available right now", "detail": "the database is away", "status": 503}
        await visitor.page.route("**/api/account", lambda route: route.fulfill(status=503, json=away), times=1)
    await button(dialog(visitor, CONFIRM), "Use a passkey").click()
    await visitor.page.wait_for_url(f"{visitor.served.url}/")
    await visitor.at_dashboard()
    assert await address_of(visitor) == bob
    assert bob in await visitor.named()
    await expect(dialog(visitor, "New API key")).to_have_count(0)
    assert await _keys(visitor) == []
    await visitor.sign_out()
    await visitor.sign_in(ada)
    assert await _keys(visitor) == []


async def test_who_confirms_by_the_code_of_the_console_goes_on(ada: Visitor) -> None:
    email = await address_of(ada)
    await _asked_for_a_key(ada, email)
    asks = dialog(ada, CONFIRM)
    await button(asks, "Send me a code").click()
    await expect(asks).to_contain_text("It stands on the console of the service")
    await asks.get_by_label("Code").fill(await console_code(ada.served, email))
    await button(asks, "Confirm").click()
    assert await shown_key(ada, "of whom")
    assert [each["name"] for each in await _keys(ada)] == ["of whom"]


async def test_variables_are_downloaded_with_their_secrets_once_it_is_confirmed(ada: Visitor) -> None:
    email = await address_of(ada)
    for says in (
        {"key": "PLAIN", "value": "two words"},
        {"key": "TOKEN", "value": "a-secret-0123456789", "type": "secret"},
    ):
        await ada.served.call("POST", "/api/user/variables", user=email, says=says)
    await ada.open("/variables")

    async def exported(how: str, *, confirms: bool = False) -> str:
        async with ada.page.expect_download() as started:
            await button(ada, ".env").click()
            await ada.page.get_by_role("menuitem", name=how).click()
            if confirms:
                asks = dialog(ada, CONFIRM)
                await button(asks, "Send me a code").click()
                await asks.get_by_label("Code").fill(await console_code(ada.served, email))
                await button(asks, "Confirm").click()
        download = await started.value
        assert download.suggested_filename == "tollkeeper.env"
        return await asyncio.to_thread(Path(await download.path()).read_text)

    await age(ada.served, email)
    without = await exported("Export without secrets")
    assert "PLAIN='two words'" in without
    assert "a-secret" not in without
    assert "TOKEN=a-secret-0123456789" in await exported("Export with secrets", confirms=True)
    (noted,) = (await ada.fetch("/api/account/activity?action=variables.revealed"))["items"]
    assert noted["detail"]["keys"] == ["TOKEN"]

    await age(ada.served, email)
    await button(ada, ".env").click()
    await ada.page.get_by_role("menuitem", name="Export with secrets").click()
    await button(dialog(ada, CONFIRM), "Cancel").click()
    await expect(ada.page.get_by_role("dialog")).to_have_count(0)
