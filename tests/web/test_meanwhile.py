"""Two at the same thing: what one of them typed overwrites nothing of the other's before somebody is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.web.hands import address_of, button, dialog
from tests.web.visitors import Served, Visitor, visiting

# The page of a user, and the plans, are asked for again that often; the rest is for a busy machine.
_AGAIN_MS = 30_000


@pytest.fixture(scope="module")
async def operator(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """An operator's browser."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.operator())
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _user_at(operator: Visitor, served: Served) -> str:
    (found,) = (await operator.fetch(f"/api/admin/users?q={await served.newcomer()}"))["items"]
    await operator.open(f"/admin/users/{found['id']}")
    return f"/api/admin/users/{found['id']}"


async def _note_of(operator: Visitor, path: str) -> str | None:
    return (await operator.fetch(path))["user"]["note"]


async def test_a_note_follows_what_others_write(operator: Visitor, served: Served) -> None:
    path = await _user_at(operator, served)
    note = operator.page.get_by_label("Note", exact=True)
    await operator.put(path, {"note": "VIP: do not touch"})
    await expect(note).to_have_value("VIP: do not touch", timeout=_AGAIN_MS)
    await expect(button(operator, "Save")).to_be_disabled()


@pytest.mark.parametrize(("choice", "kept"), [("Take theirs", "VIP"), ("Keep mine", "asked twice")])
async def test_of_two_notes_the_operator_chooses(operator: Visitor, served: Served, choice: str, kept: str) -> None:
    path = await _user_at(operator, served)
    note = operator.page.get_by_label("Note", exact=True)
    await note.fill("asked twice")
    await operator.put(path, {"note": "VIP"})
    # This page does not know it yet; pressing is refused, which the browser itself notes, and keeps nothing.
    await button(operator, "Save").click()
    told = operator.page.get_by_role("alert").filter(has_text="Somebody has changed the note while you typed")
    await told.get_by_text("VIP").wait_for()
    await expect(note).to_have_value("asked twice")
    assert await _note_of(operator, path) == "VIP"
    assert ["status of 409" in each for each in operator.troubles] == [True]
    operator.troubles.clear()
    await button(operator, choice).click()
    await expect(note).to_have_value(kept)
    if choice == "Keep mine":
        async with operator.page.expect_response(lambda answer: answer.request.method == "PUT"):
            await button(operator, "Save").click()
    await expect(button(operator, "Save")).to_be_disabled()
    assert await _note_of(operator, path) == kept


async def _edit_as_text(visitor: Visitor) -> Locator:
    await button(visitor, ".env").click()
    await visitor.page.get_by_role("menuitem", name="Edit all as text").click()
    form = dialog(visitor, "Edit all as text")
    await form.get_by_role("textbox").wait_for()
    return form


async def _values(visitor: Visitor) -> dict[str, Any]:
    return {each["key"]: each["value"] for each in (await visitor.fetch("/api/user/variables"))["variables"]}


async def test_what_came_while_a_text_was_edited_is_left_alone(ada: Visitor, served: Served) -> None:
    email = await address_of(ada)
    await ada.open("/variables")
    form = await _edit_as_text(ada)
    await form.get_by_role("textbox").fill("THEME=light\nNEW=1\n")
    await served.call("POST", "/api/user/variables", user=email, says={"key": "CAME", "value": "meanwhile"})
    # The page itself hears of it, the text does not.
    await ada.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    await expect(form.get_by_role("status")).to_have_text("Changed (1)THEMENew (1)NEW")
    await button(form, "Save").click()
    await form.wait_for(state="hidden")
    assert await _values(ada) == {"CAME": "meanwhile", "NEW": "1", "THEME": "light"}


async def test_what_both_have_changed_is_told_before_it_is_overwritten(ada: Visitor, served: Served) -> None:
    email = await address_of(ada)
    for key in ("A", "B", "GONE"):
        await served.call("POST", "/api/user/variables", user=email, says={"key": key, "value": "0"})
    await ada.open("/variables")
    form = await _edit_as_text(ada)
    await form.get_by_role("textbox").fill("THEME=dark\nA=mine\nB=0\n")
    await expect(form.get_by_role("status")).to_have_text("Deleted (1)GONEChanged (1)A")
    for key in ("A", "B"):
        await served.call("POST", "/api/user/variables", user=email, says={"key": key, "value": "theirs"})
    await served.call("DELETE", "/api/user/variables/GONE", user=email)
    await button(form, "Save").click()
    await form.get_by_text("Changed elsewhere, too, since you opened this: A.").wait_for()
    assert (await _values(ada))["A"] == "theirs"
    await button(form, "Save mine").click()
    await form.wait_for(state="hidden")
    assert await _values(ada) == {"A": "mine", "B": "theirs", "THEME": "dark"}


async def _plan(operator: Visitor, name: str) -> Any:
    (found,) = [each for each in (await operator.fetch("/api/admin/plans"))["plans"] if each["name"] == name]
    return found


async def _change(operator: Visitor, name: str, **says: Any) -> None:
    """What another operator changes of a plan."""
    plan = await _plan(operator, name)
    leave = {"name", "version", "users", "outdatedUsers", "maxTokensPerRequestInForce"}
    await operator.put(f"/api/admin/plans/{name}", {k: v for k, v in plan.items() if k not in leave} | says)


async def _open_plan(operator: Visitor, name: str) -> Locator:
    rank = 1 + max(each["rank"] for each in (await operator.fetch("/api/admin/plans"))["plans"])
    await operator.put(f"/api/admin/plans/{name}", {"rank": rank, "dailyRequests": 10, "requestsPerMinute": 5})
    await operator.open("/admin/plans")
    await button(operator, f"Change {name.capitalize()}").click()
    return dialog(operator, f"Change {name.capitalize()}")


async def test_of_two_operators_at_a_plan_the_second_sees_what_the_first_did(operator: Visitor) -> None:
    editor = await _open_plan(operator, "shared")
    await editor.get_by_label("Requests a minute").fill("60")
    await button(editor, "See what changes").click()
    await button(editor, "Save changes").wait_for()
    await _change(operator, "shared", dailyRequests=77)
    await button(editor, "Save changes").click()
    await editor.get_by_text("Somebody has changed Shared meanwhile, so nothing was saved.").wait_for()
    # What it would take back is shown, and nothing is lost of what was typed.
    await expect(editor.get_by_role("row").filter(has_text="Requests a day")).to_have_text("Requests a day7710")
    assert (await _plan(operator, "shared"))["dailyRequests"] == 77
    await button(editor, "Back").click()
    await expect(editor.get_by_label("Requests a minute")).to_have_value("60")
    await editor.get_by_label("Requests a day").fill("77")
    await button(editor, "See what changes").click()
    await button(editor, "Save changes").click()
    await editor.wait_for(state="hidden")
    plan = await _plan(operator, "shared")
    assert (plan["dailyRequests"], plan["requestsPerMinute"]) == (77, 60)
    # The browser itself notes the refusal.
    assert all("status of 409" in each for each in operator.troubles)
    operator.troubles.clear()


async def test_an_open_editor_tells_that_the_plan_is_another_by_now(operator: Visitor) -> None:
    editor = await _open_plan(operator, "moving")
    await editor.get_by_label("Requests a minute").fill("60")
    await _change(operator, "moving", dailyRequests=77)
    told = editor.get_by_role("alert").filter(
        has_text="Somebody has changed this plan since you opened it: Requests a day."
    )
    await told.wait_for(timeout=_AGAIN_MS)
    await expect(editor.get_by_label("Requests a day")).to_have_value("10")
    await button(editor, "Begin anew from how it is").click()
    await expect(editor.get_by_label("Requests a day")).to_have_value("77")
    await expect(editor.get_by_label("Requests a minute")).to_have_value("5")
    await expect(told).to_be_hidden()
