"""Operators let people sign up, see what came of it, and take it back."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser, Locator, expect

from tests.faults.nodes import connected
from tests.web.hands import button, console_code, dialog, row_with
from tests.web.visitors import Served, Visitor, visiting

PATH = "/admin/invitations"


async def _invite(operator: Visitor, email: str) -> Locator:
    """Fill the form in; gives it."""
    await button(operator, "Invite somebody").click()
    form = dialog(operator, "Invite somebody")
    await form.get_by_label("E-mail address").fill(email)
    await button(form, "Invite").click()
    return form


async def _invited(operator: Visitor, email: str) -> None:
    await _invite(operator, email)
    await button(dialog(operator, "Invited"), "Done").click()
    await expect(row_with(operator, email)).to_contain_text("Open")


async def test_somebody_is_invited_by_keyboard_told_where_and_signs_up(
    operator: Visitor, chromium: Browser, served: Served
) -> None:
    email, page = "guest-one@example.com", operator.page
    await operator.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await operator.open("/admin/users")
    await operator.follow(page.locator("main").get_by_role("link", name="Invitations"))
    await button(operator, "Invite somebody").focus()
    await page.keyboard.press("Enter")
    form = dialog(operator, "Invite somebody")
    await expect(form.get_by_label("E-mail address")).to_be_focused()
    await page.keyboard.type(email)
    await form.get_by_role("combobox", name="Plan").click()
    await page.get_by_role("option", name="Pro").click()
    await form.get_by_label("E-mail address").focus()
    await page.keyboard.press("Enter")
    told = dialog(operator, "Invited")
    await expect(told).to_contain_text("There is no mail server: send them this address.")
    assert await told.get_by_label("Where they sign in").inner_text() == served.url
    await button(told, "Copy the link").click()
    assert await page.evaluate("navigator.clipboard.readText()") == served.url
    await expect(button(told, "Done")).to_be_visible()
    await page.keyboard.press("Escape")
    await told.wait_for(state="hidden")
    await expect(button(operator, "Invite somebody")).to_be_focused()
    await expect(row_with(operator, email)).to_contain_text("Open")
    await expect(row_with(operator, email)).to_contain_text("Pro")
    await page.evaluate("navigator.clipboard.writeText('')")
    await button(operator, f"Copy the link for {email}").click()
    assert await page.evaluate("navigator.clipboard.readText()") == served.url

    async with visiting(chromium, served) as guest:
        await guest.go("/")
        await guest.page.get_by_label("E-mail address").fill(email)
        await button(guest, "Continue with e-mail").click()
        await guest.page.get_by_label("Code").fill(await console_code(served, email))
        await guest.at_dashboard()
        assert (await guest.fetch("/api/account"))["account"]["plan"] == "pro"
    await operator.open(PATH)
    await expect(row_with(operator, email)).to_contain_text("Used")
    await expect(row_with(operator, email).get_by_role("button")).to_have_count(0)
    assert (operator.troubles, operator.elsewhere) == ([], [])


async def test_an_invitation_is_revoked_expires_and_is_made_again(operator: Visitor, served: Served) -> None:
    revoked, expired = "guest-two@example.com", "guest-three@example.com"
    await operator.open(PATH)
    for email in (revoked, expired):
        await _invited(operator, email)
    await button(operator, f"Revoke the invitation of {revoked}").click()
    asks = dialog(operator, "Revoke this invitation?")
    await button(asks, "Cancel").click()
    await expect(row_with(operator, revoked)).to_contain_text("Open")
    await button(operator, f"Revoke the invitation of {revoked}").click()
    await button(asks, "Revoke").click()
    await expect(row_with(operator, revoked)).to_contain_text("Revoked")
    async with connected(served.site) as owner:
        await owner.execute("UPDATE invitations SET expires_at = tk_now() WHERE address = $1", expired)
    await operator.open(PATH)
    await expect(row_with(operator, expired)).to_contain_text("Expired")
    await button(operator, f"Invite {revoked} again").click()
    form = dialog(operator, "Invite somebody")
    assert await form.get_by_label("E-mail address").input_value() == revoked
    await button(form, "Invite").click()
    await button(dialog(operator, "Invited"), "Done").click()
    await expect(row_with(operator, revoked)).to_contain_text("Open")
    assert operator.troubles == []


async def test_who_cannot_be_invited_is_told_where_it_was_typed(operator: Visitor, served: Served) -> None:
    member = await served.newcomer()
    await operator.open(PATH)
    # Browsers take it for an address, and we do not.
    form = await _invite(operator, f"{65 * 'a'}@nowhere.example")
    await form.locator("[aria-invalid=true]").wait_for()
    await form.get_by_label("E-mail address").fill(member)
    await button(form, "Invite").click()
    await expect(form.get_by_role("alert")).to_contain_text(f"There is a user {member} already.")
    assert all("status of 4" in each for each in operator.troubles)


async def test_without_invitations_and_without_an_answer_the_page_says_so(operator: Visitor) -> None:
    nobody: dict[str, Any] = {"items": [], "nextCursor": None, "url": operator.served.url, "isMailed": True}
    await operator.page.route("**/api/admin/invitations*", lambda route: route.fulfill(json=nobody))
    await operator.open(PATH)
    await operator.page.get_by_role("heading", name="Nobody is invited").wait_for()
    await operator.page.unroute_all()
    away = {"title": "Not available right now", "detail": "the database is away", "status": 503}
    await operator.page.route("**/api/admin/invitations*", lambda route: route.fulfill(status=503, json=away))
    await operator.go(PATH)
    await operator.page.get_by_role("heading", name="Not available right now").wait_for()
    await operator.page.unroute_all()
    await button(operator, "Try again").click()
    await operator.page.get_by_role("heading", name="Not available right now").wait_for(state="hidden")
