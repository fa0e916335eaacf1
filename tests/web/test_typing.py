"""What somebody types: it is kept until they let it go, read as they mean it, and refused in words they understand."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.web.hands import button, dialog
from tests.web.visitors import Served, Visitor, visiting

_COMPOSED = """(field) => field.dispatchEvent(
  new KeyboardEvent("keydown", {key: "Escape", bubbles: true, isComposing: true, keyCode: 229}))"""


@pytest.fixture(scope="module")
async def operator(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """An operator's browser."""
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(await served.operator())
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _asks(visitor: Visitor, *, to_discard: bool) -> None:
    """It asks; answers that."""
    question = dialog(visitor, "Discard what you typed?")
    await button(question, "Discard" if to_discard else "Keep editing").click()
    await question.wait_for(state="hidden")


async def test_an_escape_of_something_else_leaves_the_variable_open(ada: Visitor) -> None:
    await ada.open("/variables")
    await button(ada, "New variable").first.click()
    value = ada.page.get_by_label("Value", exact=True)
    await value.fill("precious")
    await ada.page.get_by_role("combobox", name="Type").or_(ada.page.get_by_label("Type", exact=True)).first.click()
    await ada.page.get_by_role("option", name="JSON").wait_for()
    await ada.page.keyboard.press("Escape")
    await ada.page.get_by_role("option", name="JSON").wait_for(state="hidden")
    await expect(value).to_have_value("precious")
    await value.evaluate(_COMPOSED)
    await expect(value).to_have_value("precious")
    await expect(ada.page.get_by_role("dialog")).to_have_count(0)


async def test_an_escape_asks_before_it_takes_a_variable_that_was_typed(ada: Visitor) -> None:
    await ada.open("/variables")
    await button(ada, "New variable").first.click()
    value = ada.page.get_by_label("Value", exact=True)
    await ada.page.get_by_label("Name", exact=True).press("Escape")
    await value.wait_for(state="hidden")
    await button(ada, "New variable").first.click()
    await value.fill("precious")
    await value.press("Escape")
    await _asks(ada, to_discard=False)
    await expect(value).to_have_value("precious")
    await expect(value).to_be_focused()
    await value.press("Escape")
    await _asks(ada, to_discard=True)
    await value.wait_for(state="hidden")


async def test_an_escape_asks_before_it_takes_all_as_text(ada: Visitor) -> None:
    await ada.open("/variables")
    await button(ada, ".env").click()
    await ada.page.get_by_role("menuitem", name="Edit all as text").click()
    form = dialog(ada, "Edit all as text")
    text = form.get_by_role("textbox")
    await text.fill("A=1")
    await text.press("Escape")
    await _asks(ada, to_discard=False)
    await expect(text).to_have_value("A=1")
    await expect(text).to_be_focused()
    await button(form, "Cancel").click()
    await form.wait_for(state="hidden")
    await expect(button(ada, ".env")).to_be_focused()


async def test_neither_an_escape_nor_a_click_beside_it_takes_a_plan_that_was_typed(operator: Visitor) -> None:
    await operator.open("/admin/plans")
    await button(operator, "New plan").click()
    editor = dialog(operator, "New plan")
    name, price = editor.get_by_label("Name", exact=True), editor.get_by_label("Price a month")
    await name.fill("precious")
    await price.press("Escape")
    await _asks(operator, to_discard=False)
    await expect(price).to_be_focused()
    await operator.page.mouse.click(300, 450)
    await _asks(operator, to_discard=False)
    await expect(name).to_have_value("precious")
    await name.press("Escape")
    await _asks(operator, to_discard=True)
    await editor.wait_for(state="hidden")


async def _grant(operator: Visitor, served: Served) -> Locator:
    (found,) = (await operator.fetch(f"/api/admin/users?q={await served.newcomer()}"))["items"]
    await operator.open(f"/admin/users/{found['id']}/plan")
    await button(operator, "Grant units").click()
    form = dialog(operator, "Grant units beyond the plan")
    await form.get_by_label("Reason").fill("as typed")
    return form


async def test_a_number_of_two_meanings_is_none(operator: Visitor, served: Served) -> None:
    form = await _grant(operator, served)
    amount, grant = form.get_by_label("How much"), button(form, "Grant")
    for typed, told in (
        ("1.000", "write it without a point, as 1000"),
        ("12,50", "write it as a whole number, without a comma"),
        ("many", "write it as a number"),
    ):
        await amount.fill(typed)
        await form.get_by_text(told, exact=True).wait_for()
        await expect(grant).to_be_disabled()
    await form.get_by_text("Money", exact=True).click()
    await amount.fill("12,50")
    await form.get_by_text("can be read in two ways: write 1250 or 12.50", exact=True).wait_for()
    for typed, is_fine in (("1.000", False), ("2.5", True), ("$2.50", True), ("1 000", True), ("0.125", True)):
        await amount.fill(typed)
        await (expect(grant).to_be_enabled() if is_fine else expect(grant).to_be_disabled())
    await button(form, "Cancel").click()


async def test_prices_are_typed_as_other_money_is(operator: Visitor, served: Served) -> None:
    await served.record([{"user": await served.newcomer(), "prompt": "x", "model": "typed", "status": "completed"}])
    await operator.open("/admin/models?open=typed")
    drawer = operator.page.get_by_role("dialog")
    await drawer.get_by_label("Input").fill("1.000")
    await drawer.get_by_label("Output").fill("$2.50")
    await button(drawer, "Set").click()
    await drawer.get_by_text("can be read in two ways: write 1000 or 1", exact=True).wait_for()
    await drawer.get_by_label("Input").fill("1 000")
    await drawer.get_by_label("Read from the cache").fill("0.075")
    await button(drawer, "Set").click()
    await drawer.get_by_text("Set. It counts for new requests.").wait_for()
    (price,) = (await operator.fetch("/api/admin/models/typed/prices"))["items"]
    of: Any = price["prices"]
    assert [int(of[kind]) for kind in ("input", "output", "cacheRead")] == [10**12, 2_500_000_000, 75_000_000]


@pytest.mark.parametrize(
    ("typed", "zone"),
    [
        ("new york", "America/New_York"),
        ("Kolkata", "Asia/Kolkata"),
        ("calcutta", "Asia/Kolkata"),
        ("Kyiv", "Europe/Kyiv"),
        ("Ho_Chi", "Asia/Ho_Chi_Minh"),
        ("Yangon", "Asia/Yangon"),
        ("Kathm", "Asia/Kathmandu"),
        ("nuuk", "America/Nuuk"),
        ("Faroe", "Atlantic/Faroe"),
    ],
)
async def test_a_time_zone_is_found_by_what_its_city_is_called(ada: Visitor, typed: str, zone: str) -> None:
    await ada.open("/settings")
    field = ada.page.get_by_role("combobox", name="Time zone")
    await field.fill(typed)
    await expect(ada.page.get_by_role("option")).to_have_text([zone])
    await ada.page.get_by_role("option", name=zone).click()
    await button(ada, "Save changes").click()
    await ada.page.get_by_text("Saved.", exact=True).wait_for()
    kept = (await ada.fetch("/api/user/settings"))["settings"]
    assert zone in {kept["timeZone"], kept["nextTimeZone"]}


async def test_a_time_zone_that_is_none_is_told_as_such(ada: Visitor) -> None:
    await ada.open("/settings")
    await ada.page.get_by_role("combobox", name="Time zone").fill("atlantis")
    await ada.page.get_by_text("No zone matches", exact=True).wait_for()


async def test_entitlements_are_called_as_one_likes(operator: Visitor) -> None:
    await operator.open("/admin/plans")
    await button(operator, "New plan").click()
    editor = dialog(operator, "New plan")
    await editor.get_by_label("Name", exact=True).fill("odd-names")
    await editor.get_by_label("Entitlements").fill("constructor = true\ntoString = 3")
    await button(editor, "See what changes").click()
    await editor.get_by_text("constructor = true, toString = 3").wait_for()
    await button(editor, "Add plan").click()
    await editor.wait_for(state="hidden")
    row = operator.page.get_by_role("row").filter(has=operator.page.get_by_role("rowheader", name="constructor"))
    cells = await row.get_by_role("cell").all_inner_texts()
    assert sorted(set(cells)) == ["Yes", "\N{EN DASH}"]


async def test_a_name_loses_its_blanks_and_too_long_a_one_is_told(ada: Visitor) -> None:
    await ada.open("/variables")
    await button(ada, "New variable").first.click()
    name = ada.page.get_by_label("Name", exact=True)
    await name.fill("N" * 140)
    await button(ada, "Create").click()
    await ada.page.get_by_text("It is too long, with 140 characters of at most 128.").wait_for()
    # What was said of the old name is not said of the next one.
    await name.fill("  MY_KEY ")
    await ada.page.get_by_text("It is too long").wait_for(state="hidden")
    await button(ada, "Create").click()
    await ada.page.get_by_role("row").filter(has_text="MY_KEY").wait_for()
    assert ada.troubles == []


async def test_a_file_that_cannot_be_taken_says_where_and_why(ada: Visitor) -> None:
    await ada.open("/variables")
    for file, told in (
        (f"A=1\n{'N' * 140}=1\n", "Line 2: the name is too long, with 140 characters of at most 128."),
        ("".join(f"V{number}=1\n" for number in range(250)), "That would be 251 variables, and there can be 200."),
    ):
        await _import(ada, file)
        await ada.page.get_by_text(told).wait_for()
        await ada.page.reload()
        await ada.settled()
    await _import(ada, f"A=1\nBIG={'x' * 70_000}\n")
    await button(ada, "Save").click()
    await ada.page.get_by_text("BIG: its value must have at most 65536 bytes.").wait_for()
    # The browser itself notes the refusal.
    assert all("status of 4" in each for each in ada.troubles)


async def _import(visitor: Visitor, text: str) -> None:
    file: Any = {"name": ".env", "mimeType": "text/plain", "buffer": text.encode()}
    await visitor.page.get_by_label("A .env file to import").set_input_files(file)
    await dialog(visitor, "Import").wait_for()
