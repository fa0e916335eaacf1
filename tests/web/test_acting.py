"""An operator who acts as a user, in the browser: told on every page, noted as theirs, and over when they say so."""

from __future__ import annotations

from urllib.parse import urlencode

from playwright.async_api import Browser, expect

from tests.web.hands import address_of, button, dialog, row_with
from tests.web.visitors import Served, Visitor, visiting


async def test_all_tabs_become_the_users(operator: Visitor, served: Served) -> None:
    email = await served.newcomer()
    (user,) = (await operator.fetch(f"/api/admin/users?{urlencode({'q': email})}"))["items"]
    await operator.open(f"/admin/users/{user['id']}")
    beside = await operator.context.new_page()
    await beside.goto(f"{served.url}/variables")
    await beside.get_by_role("link", name="All usage").wait_for()
    await button(operator, "Act as …").click()
    await button(dialog(operator, f"Act as {email}?"), "Act as them").click()
    for page in (operator.page, beside):
        await page.get_by_role("region", name="Acting as somebody else").wait_for()
        await expect(page.get_by_role("link", name="All usage")).to_have_count(0)
    await button(operator.page.get_by_role("region", name="Acting as somebody else"), "Stop").click()
    await beside.get_by_role("link", name="All usage").wait_for()
    assert (operator.troubles, operator.elsewhere) == ([], [])


async def test_an_operator_acts_as_a_user_sets_something_right_and_stops(
    operator: Visitor, chromium: Browser, served: Served
) -> None:
    email, own = await served.newcomer(), await address_of(operator)
    secret = {"key": "TOKEN", "value": "a-secret-of-theirs-0123456789", "type": "secret"}
    await served.call("POST", "/api/user/variables", user=email, says=secret)
    (user,) = (await operator.fetch(f"/api/admin/users?{urlencode({'q': email})}"))["items"]
    await operator.open(f"/admin/users/{user['id']}")
    await button(operator, "Act as …").click()
    await button(dialog(operator, f"Act as {email}?"), "Act as them").click()
    banner = operator.page.get_by_role("region", name="Acting as somebody else")
    await expect(banner).to_contain_text(f"You act as {email}. What you do is noted as yours.")
    await expect(operator.page.get_by_role("link", name="All usage")).to_have_count(0)

    await operator.open("/settings")
    await expect(banner).to_be_visible()
    await operator.page.get_by_role("textbox", name="Name").fill("Grace Hopper")
    await button(operator, "Save profile").click()
    await operator.page.get_by_text("Saved.", exact=True).wait_for()

    await operator.open("/variables")
    await button(operator, ".env").click()
    await operator.page.get_by_role("menuitem", name="Export with secrets").click()
    refused = dialog(operator, "Not exported")
    await expect(refused).to_contain_text("for the user alone, and not for an operator who acts as them")
    assert all("status of 403" in each for each in operator.troubles)
    operator.troubles.clear()
    await refused.get_by_role("button", name="Close").click()

    await button(banner, "Stop").click()
    await operator.page.wait_for_url(f"**/admin/users/{user['id']}")
    await expect(operator.page.get_by_role("heading", level=1)).to_have_text("Grace Hopper")
    await expect(banner).to_have_count(0)
    assert await address_of(operator) == own

    await operator.open(f"/admin/activity?{urlencode({'user': email})}")
    changed = row_with(operator, "Account changed")
    await expect(changed).to_contain_text(f"{own}, acting as the user")
    await row_with(operator, "The operator stopped acting as the user").wait_for()
    async with visiting(chromium, served) as theirs:
        await theirs.sign_in(email)
        await theirs.open("/settings/activity")
        await expect(row_with(theirs, "Account changed")).to_contain_text("An operator")
        assert own not in await theirs.page.content()
        assert theirs.troubles == []
    assert (operator.troubles, operator.elsewhere) == ([], [])


async def test_what_is_for_the_user_alone_is_not_offered_to_who_acts_as_them(operator: Visitor, served: Served) -> None:
    email = await served.newcomer()
    (user,) = (await operator.fetch(f"/api/admin/users?{urlencode({'q': email})}"))["items"]
    await operator.open(f"/admin/users/{user['id']}")
    await button(operator, "Act as …").click()
    await button(dialog(operator, f"Act as {email}?"), "Act as them").click()
    await operator.page.get_by_role("region", name="Acting as somebody else").wait_for()
    for path, panel, name in (
        ("/settings/keys", "API keys", "New key"),
        ("/settings/data", "Download everything", "Download"),
        ("/settings/data", "Delete your account", "Delete account …"),
    ):
        await operator.open(path)
        await expect(button(operator, name)).to_be_disabled()
        await expect(operator.page.get_by_role("region", name=panel)).to_contain_text("for the user alone")
    await operator.open("/settings/security")
    await expect(button(operator, "Add a passkey")).to_be_disabled()
    logins = operator.page.get_by_role("region", name="Where they are signed in")
    await expect(logins).to_contain_text("The user is signed in nowhere.")
    await expect(logins.get_by_role("table")).to_have_count(0)

    await operator.open("/admin/users")
    await operator.page.get_by_role("heading", name="You act as somebody else").wait_for()
    await button(operator, "Stop acting").click()
    await operator.page.wait_for_url(f"**/admin/users/{user['id']}")
    assert (operator.troubles, operator.elsewhere) == ([], [])
