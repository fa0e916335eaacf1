"""What people do with their own accounts, and operators with those of others."""

from __future__ import annotations

import asyncio
import json
import re
import struct
import zlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Locator, expect

from tests.faults.nodes import PATIENCE, connected
from tests.web.visitors import Served, Visitor, visiting

_CODE = re.compile(r"[A-Z0-9]{4}-[A-Z0-9]{4}")
_DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}


def _picture() -> bytes:
    """A PNG of two pixels by one, red and blue."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\xff\0\0\0\0\xff")),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(told)) + name + told + struct.pack(">I", zlib.crc32(name + told)) for name, told in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture
async def ada(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Somebody who has just signed in."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.newcomer())
        yield visitor


@pytest.fixture
async def operator(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """Somebody with the role admin who has just signed in."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.operator())
        yield visitor


async def _email(visitor: Visitor) -> str:
    return (await visitor.fetch("/api/account"))["account"]["email"]


def _button(visitor: Visitor | Locator, name: str) -> Locator:
    within = visitor.page if isinstance(visitor, Visitor) else visitor
    return within.get_by_role("button", name=name, exact=True)


def _dialog(visitor: Visitor, title: str) -> Locator:
    return visitor.page.get_by_role("dialog", name=title)


def _row(visitor: Visitor, text: str) -> Locator:
    return visitor.page.get_by_role("row").filter(has_text=text)


async def _status(served: Served, key: str) -> int:
    """What the API answers to whoever comes with a key."""
    by = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=by) as client, client.get(f"{served.url}/api/account") as answer:
        return answer.status


async def _age(served: Served, email: str, by: timedelta = timedelta(minutes=16)) -> None:
    """Let a user's sign-ins be as old as that; nodes know a session for less than a second."""
    async with connected(served.site) as owner:
        await owner.execute(
            "UPDATE sessions AS s SET created_at = s.created_at - $2::interval"
            " FROM users AS u WHERE u.id = s.user_id AND u.email = $1",
            email,
            by,
        )
    await asyncio.sleep(1.1)


async def _mailed_code(served: Served) -> str:
    """The code that the service has just told its console, as it has no mail server."""
    console = served.site.nodes[0].process.stdout
    assert console is not None
    async with asyncio.timeout(PATIENCE):
        while not (found := _CODE.search((await console.readline()).decode())):
            pass
    return found[0]


async def _has_device(visitor: Visitor) -> None:
    """Give the browser a device that makes and uses passkeys without a question."""
    session: Any = await visitor.context.new_cdp_session(visitor.page)
    await session.send("WebAuthn.enable")
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": _DEVICE})


async def _make_key(visitor: Visitor, name: str) -> str:
    """Make a key as the dialog has it; gives the key itself."""
    await _button(visitor, "New key").click()
    form = visitor.page.get_by_role("dialog", name=re.compile("New .* key"))
    await form.get_by_role("textbox", name="Name").fill(name)
    await _button(form, "Create key").click()
    return await _shown_key(visitor, name)


async def _shown_key(visitor: Visitor, name: str) -> str:
    shown = _dialog(visitor, f"Key “{name}”")
    key = await shown.get_by_label("The key").inner_text()
    await _button(shown, "Done").click()
    await shown.wait_for(state="hidden")
    return key


async def test_a_key_is_made_used_rotated_and_revoked(ada: Visitor) -> None:
    served = ada.served
    await ada.open("/settings/keys")
    await ada.page.get_by_text("No keys", exact=True).wait_for()
    old = await _make_key(ada, "nightly report")
    assert old.startswith("tk_user_")
    assert await _status(served, old) == 200
    assert old not in await ada.page.content()

    await _button(ada, "Rotate nightly report").click()
    await _button(_dialog(ada, "Rotate “nightly report”?"), "Rotate").click()
    new = await _shown_key(ada, "nightly report")
    assert new != old
    await expect(_row(ada, "Replaced")).to_have_count(1)
    assert [await _status(served, key) for key in (old, new)] == [200, 200]

    for key, row in ((old, "Replaced"), (new, "Active")):
        await _button(_row(ada, row), "Revoke nightly report").click()
        await _button(_dialog(ada, "Revoke “nightly report”?"), "Revoke").click()
        await expect(_row(ada, row)).to_have_count(0)
        await asyncio.sleep(1)
        assert await _status(served, key) == 401
    await ada.page.get_by_role("switch", name="Show 2 ended").click()
    await expect(_row(ada, "Revoked")).to_have_count(2)
    assert ada.troubles == []


async def test_a_key_may_do_what_was_ticked_and_from_where_it_was_said(ada: Visitor) -> None:
    await ada.open("/settings/keys")
    await _button(ada, "New key").click()
    form = _dialog(ada, "New API key")
    await form.get_by_role("textbox", name="Name").fill("elsewhere")
    for scope in ("Track requests", "Read variables", "Change variables"):
        await form.get_by_role("checkbox", name=scope).uncheck()
    await form.get_by_label("Only from these addresses").fill("203.0.113.0/24, nonsense")
    await _button(form, "Create key").click()
    await form.get_by_label("Only from these addresses").and_(form.locator("[aria-invalid=true]")).wait_for()
    await form.get_by_label("Only from these addresses").fill("203.0.113.0/24")
    await _button(form, "Create key").click()
    assert await _status(ada.served, await _shown_key(ada, "elsewhere")) in {401, 403}
    (kept,) = (await ada.fetch("/api/account/keys"))["items"]
    assert (kept["scopes"], kept["addresses"]) == (["dashboard:read"], ["203.0.113.0/24"])
    assert kept["expiresAt"] is not None
    await _row(ada, "Read usage · only from 203.0.113.0/24").wait_for()


async def test_another_browser_is_signed_out_from_here(ada: Visitor, chromium: Browser) -> None:
    email = await _email(ada)
    async with visiting(chromium, ada.served) as lost, visiting(chromium, ada.served) as third:
        for other in (lost, third):
            await other.sign_in(email)
        await ada.open("/settings/security")
        await expect(_row(ada, "this browser")).to_have_count(1)
        signs_out = ada.page.get_by_role("button", name=re.compile("^Sign out Chrome"))
        await expect(signs_out).to_have_count(2)
        await signs_out.last.click()
        await expect(signs_out).to_have_count(1)
        # It notices by itself: its stream is over.
        await lost.page.get_by_role("heading", name="Sign in").wait_for()

        await _button(ada, "Sign out all others …").click()
        await _button(_dialog(ada, "Sign out all other browsers?"), "Sign out all others").click()
        await expect(signs_out).to_have_count(0)
        await third.page.get_by_role("heading", name="Sign in").wait_for()
    await ada.open("/")
    assert ada.troubles == []


async def test_a_name_and_a_picture_of_ones_own(ada: Visitor) -> None:
    await ada.open("/settings")
    await ada.page.get_by_role("textbox", name="Name").fill("Ada Lovelace")
    await _button(ada, "Save profile").click()
    await ada.page.get_by_text("Saved.", exact=True).wait_for()
    assert "Ada Lovelace" in await ada.named()

    chosen = ada.page.get_by_label("A picture of you")
    await chosen.set_input_files({"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    await ada.page.get_by_role("alert").get_by_text("no picture").wait_for()
    await chosen.set_input_files({"name": "me.png", "mimeType": "image/png", "buffer": _picture()})
    await _button(ada, "Use this picture").click()
    await _button(ada, "Remove").wait_for()
    kept = (await ada.fetch("/api/account"))["account"]
    assert kept["image"].startswith("data:image/jpeg;base64,")
    await ada.page.reload()
    await expect(ada.page.locator("img[src^='data:image/jpeg']")).to_have_count(2)
    await _button(ada, "Remove").click()
    await _button(ada, "Choose a file …").wait_for()
    assert (await ada.fetch("/api/account"))["account"]["image"] is None
    assert ada.troubles == []


async def test_what_was_done_is_told_in_words_narrowed_and_downloaded(ada: Visitor) -> None:
    await ada.open("/settings/keys")
    await _make_key(ada, "program")
    await ada.open("/settings/activity")
    row = _row(ada, "API key created")
    told = await row.inner_text()
    assert all(word in told for word in ("Track requests", "You", "Chrome on", "127.0.0.1"))
    await _row(ada, "Signed in").filter(has_text="by a link of the operator").wait_for()

    await (
        ada.page.get_by_role("combobox", name="What was done").or_(ada.page.get_by_label("What was done")).first.click()
    )
    await ada.page.get_by_role("option", name="API key created").click()
    await ada.page.wait_for_url("**/settings/activity?action=key.created")
    await expect(_row(ada, "Signed in")).to_have_count(0)
    await expect(row).to_have_count(1)
    await _button(ada, "Download").click()
    async with ada.page.expect_download() as started:
        await ada.page.get_by_role("menuitem", name="JSON lines").click()
    written = await asyncio.to_thread(Path(await (await started.value).path()).read_text)
    (act,) = written.splitlines()
    assert json.loads(act)["action"] == "key.created"

    await ada.page.get_by_label("From").fill("2099-01-01")
    await ada.page.keyboard.press("Enter")
    await ada.page.get_by_text("Nothing of the kind was done").wait_for()
    assert ada.troubles == []


async def test_an_account_is_deleted_once_its_address_is_typed(ada: Visitor) -> None:
    email = await _email(ada)
    await ada.open("/settings/data")
    await _button(ada, "Delete account …").click()
    asks = _dialog(ada, "Delete your account?")
    for typed, fits in (("somebody@example.com", False), (email.upper(), True)):
        await asks.get_by_role("textbox").fill(typed)
        assert await _button(asks, "Delete my account for good").is_enabled() == fits
    await _button(asks, "Delete my account for good").click()
    await ada.page.get_by_role("heading", name="Sign in").wait_for()
    async with connected(ada.served.site) as owner:
        assert await owner.fetchval("SELECT count(*) FROM users WHERE email = $1", email) == 0


async def test_after_a_while_one_is_asked_who_one_is_and_goes_on(ada: Visitor) -> None:
    email = await _email(ada)
    await ada.open("/settings/keys")
    before = (await ada.context.cookies())[0].get("value")
    await _age(ada.served, email)
    await _button(ada, "New key").click()
    form = _dialog(ada, "New API key")
    await form.get_by_role("textbox", name="Name").fill("late")
    await _button(form, "Create key").click()

    asks = _dialog(ada, "Confirm it is you")
    await asks.wait_for()
    await ada.page.keyboard.press("Escape")
    await asks.wait_for(state="hidden")
    await form.get_by_role("alert").wait_for()
    assert await form.get_by_role("textbox", name="Name").input_value() == "late"

    await _button(form, "Create key").click()
    await _button(asks, "Send me a code").click()
    code = await _mailed_code(ada.served)
    await asks.get_by_label("Code").fill("AAAA-AAAA")
    await _button(asks, "Confirm").click()
    await asks.locator("[aria-invalid=true]").wait_for()
    await asks.get_by_label("Code").fill(code)
    await _button(asks, "Confirm").click()
    assert await _status(ada.served, await _shown_key(ada, "late")) == 200
    (kept,) = (await ada.fetch("/api/account/keys"))["items"]
    assert kept["name"] == "late"
    assert before not in [cookie.get("value") for cookie in await ada.context.cookies()]


async def test_a_passkey_is_made_renamed_asked_for_and_removed(ada: Visitor) -> None:
    await _has_device(ada)
    await ada.open("/settings/security")
    await _button(ada, "Add a passkey").click()
    asks = _dialog(ada, "Add a passkey")
    await asks.get_by_role("textbox", name="Name").fill("work laptop")
    await _button(asks, "Continue").click()
    await _row(ada, "work laptop").wait_for()
    await _button(ada, "Rename work laptop").click()
    asks = _dialog(ada, "Rename “work laptop”")
    await asks.get_by_role("textbox", name="Name").fill("home laptop")
    await _button(asks, "Rename").click()
    await _row(ada, "home laptop").wait_for()
    assert ada.troubles == []

    await _age(ada.served, await _email(ada))
    await _button(ada, "Remove home laptop").click()
    await _button(_dialog(ada, "Remove “home laptop”?"), "Remove").click()
    await _button(_dialog(ada, "Confirm it is you"), "Use a passkey").click()
    await expect(_row(ada, "home laptop")).to_have_count(0)
    assert (await ada.fetch("/api/account"))["account"]["passkeys"] == 0


async def test_operators_make_service_keys_see_all_that_was_done_and_delete_users(
    operator: Visitor, served: Served
) -> None:
    await operator.open("/admin/keys")
    key = await _make_key(operator, "backend")
    assert key.startswith("tk_service_")
    await _row(operator, "backend").wait_for()

    email = await served.newcomer()
    listed = await operator.fetch(f"/api/admin/users?q={email}")
    await operator.open(f"/admin/users/{listed['items'][0]['id']}")
    await _button(operator, "Delete user …").click()
    asks = _dialog(operator, "Delete this user?")
    await asks.get_by_role("textbox").fill(email)
    await _button(asks, "Delete for good").click()
    await operator.page.wait_for_url("**/admin/users")

    await operator.open("/admin/activity")
    own = await _email(operator)
    gone = await _row(operator, "Account deleted").first.inner_text()
    assert all(word in gone for word in ("Somebody deleted", own))
    assert email not in await operator.page.content()
    await operator.page.get_by_label("Who did it").fill(own)
    await operator.page.wait_for_url("**actor=*")
    await expect(_row(operator, "Account added")).to_have_count(0)
    await _row(operator, "Account deleted").first.wait_for()
