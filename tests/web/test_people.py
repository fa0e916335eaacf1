"""What people do with their own accounts, and operators with those of others."""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.faults.nodes import connected
from tests.web.hands import (
    address_of,
    age,
    answer_to,
    button,
    console_code,
    dialog,
    has_device,
    make_key,
    picture,
    row_with,
    shown_key,
)
from tests.web.visitors import Served, Visitor, visiting


async def test_a_key_is_made_used_rotated_and_revoked(ada: Visitor) -> None:
    served = ada.served
    await ada.open("/settings/keys")
    await ada.page.get_by_text("No keys", exact=True).wait_for()
    old = await make_key(ada, "nightly report")
    assert old.startswith("tk_user_")
    assert await answer_to(served, old) == 200
    assert old not in await ada.page.content()

    await button(ada, "Rotate nightly report").click()
    await button(dialog(ada, "Rotate “nightly report”?"), "Rotate").click()
    new = await shown_key(ada, "nightly report")
    assert new != old
    await expect(row_with(ada, "Replaced")).to_have_count(1)
    assert [await answer_to(served, key) for key in (old, new)] == [200, 200]

    for key, row in ((old, "Replaced"), (new, "Active")):
        await button(row_with(ada, row), "Revoke nightly report").click()
        await button(dialog(ada, "Revoke “nightly report”?"), "Revoke").click()
        await expect(row_with(ada, row)).to_have_count(0)
        await asyncio.sleep(1)
        assert await answer_to(served, key) == 401
    await ada.page.get_by_role("switch", name="Show 2 ended").click()
    await expect(row_with(ada, "Revoked")).to_have_count(2)
    assert ada.troubles == []


async def test_a_key_may_do_what_was_ticked_and_from_where_it_was_said(ada: Visitor) -> None:
    await ada.open("/settings/keys")
    await button(ada, "New key").click()
    form = dialog(ada, "New API key")
    await form.get_by_role("textbox", name="Name").fill("elsewhere")
    for scope in ("Track requests", "Read variables", "Change variables"):
        await form.get_by_role("checkbox", name=scope).uncheck()
    await form.get_by_label("Only from these addresses").fill("203.0.113.0/24, nonsense")
    await button(form, "Create key").click()
    await form.get_by_label("Only from these addresses").and_(form.locator("[aria-invalid=true]")).wait_for()
    await form.get_by_label("Only from these addresses").fill("203.0.113.0/24")
    await button(form, "Create key").click()
    assert await answer_to(ada.served, await shown_key(ada, "elsewhere")) in {401, 403}
    (kept,) = (await ada.fetch("/api/account/keys"))["items"]
    assert (kept["scopes"], kept["addresses"]) == (["dashboard:read"], ["203.0.113.0/24"])
    assert kept["expiresAt"] is not None
    await row_with(ada, "Read usage · only from 203.0.113.0/24").wait_for()


async def test_another_browser_is_signed_out_from_here(ada: Visitor, chromium: Browser) -> None:
    email = await address_of(ada)
    async with visiting(chromium, ada.served) as lost, visiting(chromium, ada.served) as third:
        for other in (lost, third):
            await other.sign_in(email)
        await ada.open("/settings/security")
        await expect(row_with(ada, "this browser")).to_have_count(1)
        signs_out = ada.page.get_by_role("button", name=re.compile("^Sign out Chrome"))
        await expect(signs_out).to_have_count(2)
        await signs_out.last.click()
        await expect(signs_out).to_have_count(1)
        # It notices by itself: its stream is over, and the page is loaded anew.
        await lost.page.get_by_role("heading", name="Sign in").wait_for()
        assert (await lost.fetch("/api/account"))["status"] == 401

        await button(ada, "Sign out all others …").click()
        await button(dialog(ada, "Sign out all other browsers?"), "Sign out all others").click()
        await expect(signs_out).to_have_count(0)
        await third.page.get_by_role("heading", name="Sign in").wait_for()
        assert (await third.fetch("/api/account"))["status"] == 401
    await ada.open("/")
    assert ada.troubles == []


async def test_a_name_and_a_picture_of_ones_own(ada: Visitor) -> None:
    await ada.open("/settings")
    await ada.page.get_by_role("textbox", name="Name").fill("Ada Lovelace")
    await button(ada, "Save profile").click()
    await ada.page.get_by_text("Saved.", exact=True).wait_for()
    assert "Ada Lovelace" in await ada.named()

    chosen = ada.page.get_by_label("A picture of you")
    await chosen.set_input_files({"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    await ada.page.get_by_role("alert").get_by_text("no picture").wait_for()
    await chosen.set_input_files({"name": "me.png", "mimeType": "image/png", "buffer": picture()})
    await button(ada, "Use this picture").click()
    await button(ada, "Remove").wait_for()
    kept = (await ada.fetch("/api/account"))["account"]
    assert kept["image"].startswith("data:image/jpeg;base64,")
    await ada.page.reload()
    await expect(ada.page.locator("img[src^='data:image/jpeg']")).to_have_count(2)
    await button(ada, "Remove").click()
    await button(ada, "Choose a file …").wait_for()
    assert (await ada.fetch("/api/account"))["account"]["image"] is None
    assert ada.troubles == []


async def test_what_was_done_is_told_in_words_narrowed_and_downloaded(ada: Visitor) -> None:
    await ada.open("/settings/keys")
    await make_key(ada, "program")
    await ada.open("/settings/activity")
    row = row_with(ada, "API key created")
    told = await row.inner_text()
    assert all(word in told for word in ("Track requests", "You", "Chrome on", "127.0.0.1"))
    await row_with(ada, "Signed in").filter(has_text="by a link of the operator").wait_for()

    await (
        ada.page.get_by_role("combobox", name="What was done").or_(ada.page.get_by_label("What was done")).first.click()
    )
    await ada.page.get_by_role("option", name="API key created").click()
    await ada.page.wait_for_url("**/settings/activity?action=key.created")
    await expect(row_with(ada, "Signed in")).to_have_count(0)
    await expect(row).to_have_count(1)
    await button(ada, "Download").click()
    async with ada.page.expect_download() as started:
        await ada.page.get_by_role("menuitem", name="JSON lines").click()
    written = await asyncio.to_thread(Path(await (await started.value).path()).read_text)
    (act,) = written.splitlines()
    assert json.loads(act)["action"] == "key.created"

    await ada.page.get_by_label("From").fill("2099-01-01")
    await ada.page.keyboard.press("Enter")
    await ada.page.get_by_text("Nothing of the kind was done").wait_for()
    assert ada.troubles == []


async def test_a_file_of_variables_comes_back_as_it_went(ada: Visitor) -> None:
    email = await address_of(ada)
    values = {
        "CERTIFICATE": "-----BEGIN-----\nfirst # no comment\n\n-----END-----\n",
        "QUOTES": "it's \"both\"\nand `more` $HERE",
        "EMPTY": "", "HASH": "#1", "PLAIN": "value", "SPACES": " a  b ", "BACKSLASH": "C:\\new\\table",
    }  # fmt: skip
    await ada.served.call("PUT", "/api/user/variables", user=email, says={"variables": values})
    await ada.open("/variables")
    await button(ada, ".env").click()
    async with ada.page.expect_download() as started:
        await ada.page.get_by_role("menuitem", name="Export without secrets").click()
    file = await (await started.value).path()
    for key in values:
        await ada.served.call("DELETE", f"/api/user/variables/{key}", user=email)
    await ada.open("/variables")
    await ada.page.get_by_label("A .env file to import").set_input_files(file)
    asks = dialog(ada, "Import")
    await asks.get_by_text(f"New ({len(values)})").wait_for()
    await button(asks, "Save").click()
    await asks.wait_for(state="hidden")
    kept = (await ada.fetch("/api/user/variables"))["variables"]
    assert {each["key"]: each["value"] for each in kept if each["key"] in values} == values
    assert ada.troubles == []


async def test_everything_about_oneself_is_downloaded_as_one_archive(ada: Visitor) -> None:
    email = await address_of(ada)
    await ada.served.call("POST", "/api/chat/track", user=email, says={"prompt": "Where is the library?"})
    secret = {"key": "TOKEN", "value": "a-secret-of-ada-0123456789", "type": "secret"}
    await ada.served.call("POST", "/api/user/variables", user=email, says=secret)
    await ada.open("/settings/data")
    async with ada.page.expect_download() as started:
        await button(ada, "Download").click()
    download = await started.value
    assert download.suggested_filename == "tollkeeper-account.zip"
    packed = await asyncio.to_thread(Path(await download.path()).read_bytes)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert files["README.txt"]
    assert [each["email"] for each in json.loads(files["profile.json"])] == [email]
    assert [each["prompt"] for each in json.loads(files["requests.json"])] == ["Where is the library?"]
    assert [each["key"] for each in json.loads(files["variables.json"])] == ["THEME", "TOKEN"]
    assert "account.exported" in files["activity.csv"]
    assert secret["value"] not in "".join(files.values())
    assert ada.troubles == []


async def test_an_account_is_deleted_once_its_address_is_typed(ada: Visitor) -> None:
    email = await address_of(ada)
    await ada.open("/settings/data")
    await button(ada, "Delete account …").click()
    asks = dialog(ada, "Delete your account?")
    for typed, fits in (("somebody@example.com", False), (email.upper(), True)):
        await asks.get_by_role("textbox").fill(typed)
        assert await button(asks, "Delete my account for good").is_enabled() == fits
    await button(asks, "Delete my account for good").click()
    await ada.page.get_by_role("heading", name="Sign in").wait_for()
    async with connected(ada.served.site) as owner:
        assert await owner.fetchval("SELECT count(*) FROM users WHERE email = $1", email) == 0


async def test_after_a_while_one_is_asked_who_one_is_and_goes_on(ada: Visitor) -> None:
    email = await address_of(ada)
    await ada.open("/settings/keys")
    before = (await ada.context.cookies())[0].get("value")
    await age(ada.served, email)
    await button(ada, "New key").click()
    form = dialog(ada, "New API key")
    await form.get_by_role("textbox", name="Name").fill("late")
    await button(form, "Create key").click()

    asks = dialog(ada, "Confirm it is you")
    await asks.wait_for()
    await ada.page.keyboard.press("Escape")
    await asks.wait_for(state="hidden")
    await form.get_by_role("alert").wait_for()
    assert await form.get_by_role("textbox", name="Name").input_value() == "late"

    await button(form, "Create key").click()
    await button(asks, "Send me a code").click()
    code = await console_code(ada.served, email)
    await asks.get_by_label("Code").fill("AAAA-AAAA")
    await button(asks, "Confirm").click()
    await asks.locator("[aria-invalid=true]").wait_for()
    await asks.get_by_label("Code").fill(code)
    await button(asks, "Confirm").click()
    assert await answer_to(ada.served, await shown_key(ada, "late")) == 200
    (kept,) = (await ada.fetch("/api/account/keys"))["items"]
    assert kept["name"] == "late"
    assert before not in [cookie.get("value") for cookie in await ada.context.cookies()]


async def test_a_passkey_is_made_renamed_asked_for_and_removed(ada: Visitor) -> None:
    await has_device(ada)
    await ada.open("/settings/security")
    await button(ada, "Add a passkey").click()
    asks = dialog(ada, "Add a passkey")
    await asks.get_by_role("textbox", name="Name").fill("work laptop")
    await button(asks, "Continue").click()
    await row_with(ada, "work laptop").wait_for()
    await button(ada, "Rename work laptop").click()
    asks = dialog(ada, "Rename “work laptop”")
    await asks.get_by_role("textbox", name="Name").fill("home laptop")
    await button(asks, "Rename").click()
    await row_with(ada, "home laptop").wait_for()
    assert ada.troubles == []

    await age(ada.served, await address_of(ada))
    await button(ada, "Remove home laptop").click()
    await button(dialog(ada, "Remove “home laptop”?"), "Remove").click()
    await button(dialog(ada, "Confirm it is you"), "Use a passkey").click()
    await expect(row_with(ada, "home laptop")).to_have_count(0)
    assert (await ada.fetch("/api/account"))["account"]["passkeys"] == 0


async def test_a_passkey_that_was_made_here_is_offered_first_where_one_signs_in(ada: Visitor) -> None:
    email = await address_of(ada)
    first = ada.page.locator(".ways .way:visible").first
    await has_device(ada)
    await ada.open("/settings/security")
    await button(ada, "Add a passkey").click()
    await button(dialog(ada, "Add a passkey"), "Continue").click()
    await expect(ada.page.get_by_role("button", name="Remove")).to_have_count(1)
    await ada.sign_out()
    await expect(first).to_have_text("Continue with a passkey")
    await first.click()
    await ada.at_dashboard()
    assert email in await ada.named()
    assert (ada.troubles, ada.elsewhere) == ([], [])


async def test_operators_make_service_keys_see_all_that_was_done_and_delete_users(
    operator: Visitor, served: Served
) -> None:
    await operator.open("/admin/keys")
    key = await make_key(operator, "backend")
    assert key.startswith("tk_service_")
    await row_with(operator, "backend").wait_for()

    email = await served.newcomer()
    listed = await operator.fetch(f"/api/admin/users?q={email}")
    await operator.open(f"/admin/users/{listed['items'][0]['id']}")
    await button(operator, "Delete user …").click()
    asks = dialog(operator, "Delete this user?")
    await asks.get_by_role("textbox").fill(email)
    await button(asks, "Delete for good").click()
    await operator.page.wait_for_url("**/admin/users")

    await operator.open("/admin/activity")
    own = await address_of(operator)
    gone = await row_with(operator, "Account deleted").first.inner_text()
    assert all(word in gone for word in ("Somebody deleted", own))
    assert email not in await operator.page.content()
    await operator.page.get_by_label("Who did it").fill(own)
    await operator.page.wait_for_url("**actor=*")
    await expect(row_with(operator, "Account added")).to_have_count(0)
    await row_with(operator, "Account deleted").first.wait_for()
