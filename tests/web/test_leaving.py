"""Whoever leaves a page on which something is typed is asked first, whichever way they go; not once it is saved."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, expect

from tests.web.hands import button, dialog, make_key, picture
from tests.web.visitors import Served, Visitor

_QUESTION = "Discard what you typed?"


async def _stays_then_leaves(visitor: Visitor, field: Locator, way: Locator | None, to: str) -> None:
    """Leave by a link, or else by *Back*: first think better of it, then go."""
    typed, here, question = await field.input_value(), visitor.page.url, dialog(visitor, _QUESTION)
    for verb in ("Keep editing", "Discard"):
        await (visitor.page.evaluate("history.back()") if way is None else way.click())
        await button(question, verb).click()
        await question.wait_for(state="hidden")
        if verb == "Keep editing":
            await expect(visitor.page).to_have_url(here)
            await expect(field).to_have_value(typed)
    await visitor.page.wait_for_url(f"**{to}")
    await field.wait_for(state="hidden")
    await visitor.settled()
    await expect(question).to_have_count(0)
    assert visitor.troubles == []


def _link(visitor: Visitor, name: str) -> Locator:
    return visitor.page.get_by_role("link", name=name, exact=True)


async def _at_note(operator: Visitor, served: Served) -> Locator:
    (found,) = (await operator.fetch(f"/api/admin/users?q={await served.newcomer()}"))["items"]
    await operator.open(f"/admin/users/{found['id']}")
    return operator.page.get_by_role("textbox", name="Note")


async def test_back_asks_before_it_takes_a_plan_that_was_typed(operator: Visitor) -> None:
    await operator.open("/admin/users")
    await operator.follow(_link(operator, "Plans"))
    await button(operator, "New plan").click()
    name = dialog(operator, "New plan").get_by_label("Name", exact=True)
    await name.fill("precious")
    await _stays_then_leaves(operator, name, None, "/admin/users")


@pytest.mark.parametrize(("label", "typed"), [("Name", "Ada L"), ("At these percentages", "50, 80")])
async def test_another_tab_of_the_settings_asks_before_it_takes_what_was_typed(
    ada: Visitor, label: str, typed: str
) -> None:
    await ada.open("/settings")
    if label != "Name":
        await ada.page.get_by_role("checkbox", name=re.compile("As the plan says")).uncheck()
    field = ada.page.get_by_role("textbox", name=label)
    await field.fill(typed)
    await _stays_then_leaves(ada, field, _link(ada, "API keys"), "/settings/keys")


async def test_it_asks_once_for_all_that_was_typed_on_a_page(ada: Visitor) -> None:
    await ada.open("/settings")
    name = ada.page.get_by_role("textbox", name="Name")
    await name.fill("Ada L")
    await ada.page.get_by_role("checkbox", name=re.compile("As the plan says")).uncheck()
    await _stays_then_leaves(ada, name, _link(ada, "Security"), "/settings/security")


async def test_a_link_asks_before_it_takes_a_variable_that_was_typed(ada: Visitor) -> None:
    await ada.open("/variables")
    await button(ada, "New variable").first.click()
    value = ada.page.get_by_label("Value", exact=True)
    await value.fill("precious")
    await _stays_then_leaves(ada, value, _link(ada, "Requests"), "/requests")


async def test_a_note_that_was_typed_is_asked_about_and_stays_on_its_page(operator: Visitor, served: Served) -> None:
    note = await _at_note(operator, served)
    await note.fill("precious")
    await operator.page.get_by_text("7 days", exact=True).click()
    await operator.page.wait_for_url("**days=7")
    await expect(note).to_have_value("precious")
    await _stays_then_leaves(operator, note, _link(operator, "Plan and exceptions"), "/plan")


async def test_what_is_saved_is_left_without_a_question(operator: Visitor, served: Served) -> None:
    note = await _at_note(operator, served)
    await note.fill("  kept ")
    await button(operator, "Save").click()
    await expect(button(operator, "Save")).to_be_disabled()
    await operator.follow(_link(operator, "Settings"))
    await operator.page.get_by_role("textbox", name="Name").fill("Grace")
    await button(operator, "Save profile").click()
    await operator.page.get_by_text("Saved.", exact=True).wait_for()
    await operator.follow(_link(operator, "Variables"))
    await button(operator, "New variable").first.click()
    await operator.page.get_by_label("Name", exact=True).fill("KEPT")
    await button(operator, "Create").click()
    await operator.page.get_by_role("row").filter(has_text="KEPT").wait_for()
    await operator.follow(_link(operator, "Requests"))
    await expect(dialog(operator, _QUESTION)).to_have_count(0)
    assert operator.troubles == []


async def test_the_browser_asks_before_a_window_is_closed_on_what_was_typed(ada: Visitor) -> None:
    ada.leaves = False
    await ada.open("/variables")
    await button(ada, "New variable").first.click()
    value = ada.page.get_by_label("Value", exact=True)
    await value.fill("precious")
    await ada.page.close(run_before_unload=True)
    await expect(value).to_have_value("precious")
    assert ada.troubles == ["dialog: "]


async def test_a_sign_in_that_has_ended_takes_along_what_was_typed(ada: Visitor) -> None:
    ada.leaves = False
    await ada.open("/variables")
    await button(ada, "New variable").first.click()
    await ada.page.get_by_label("Value", exact=True).fill("precious")
    other = await ada.context.new_page()
    await other.goto(ada.served.url)
    await other.get_by_role("button", name="Account of").click()
    await other.get_by_role("menuitem", name="Sign out").click()
    await ada.page.get_by_role("heading", name="Sign in").wait_for()
    assert "dialog: " not in ada.troubles


async def _model(operator: Visitor, served: Served) -> Locator:
    """Open a model beside the list of models, and type a price for it."""
    await served.record([{"user": await served.newcomer(), "prompt": "x", "model": "of-mine", "status": "completed"}])
    await operator.open("/admin/models")
    await operator.page.locator("main").get_by_role("link", name="of-mine").click()
    price = dialog(operator, "of-mine").get_by_label("Input")
    await price.fill("1.5")
    return price


@pytest.mark.parametrize("way", ["Back", "Escape", "Close the model", "a link"])
async def test_a_price_that_was_typed_is_asked_about_however_its_model_is_closed(
    operator: Visitor, served: Served, way: str
) -> None:
    price = await _model(operator, served)
    question = dialog(operator, _QUESTION)
    for verb in ("Keep editing", "Discard"):
        if way == "Back":
            await operator.page.evaluate("history.back()")
        elif way == "Escape":
            await price.press("Escape")
        elif way == "Close the model":
            await button(operator, way).click()
        else:
            # As somebody does who has it under their fingers.
            await _link(operator, "Users").dispatch_event("click")
        await button(question, verb).click()
        await question.wait_for(state="hidden")
        if verb == "Keep editing":
            await expect(operator.page).to_have_url(re.compile("open=of-mine"))
            await expect(price).to_have_value("1.5")
    await price.wait_for(state="hidden")
    await expect(operator.page).to_have_url(re.compile("/admin/users$" if way == "a link" else "/admin/models$"))
    await expect(question).to_have_count(0)
    assert operator.troubles == []


async def test_a_price_that_is_set_is_asked_about_no_more(operator: Visitor, served: Served) -> None:
    price = await _model(operator, served)
    drawer = dialog(operator, "of-mine")
    await drawer.get_by_label("Output").fill("2")
    await button(drawer, "Set").click()
    await drawer.get_by_text("Set. It counts for new requests.").wait_for()
    await button(operator, "Close the model").click()
    await price.wait_for(state="hidden")
    await expect(dialog(operator, _QUESTION)).to_have_count(0)


@pytest.mark.parametrize("way", ["Back", "a link"])
async def test_a_key_that_is_shown_once_is_not_left_without_a_question(ada: Visitor, way: str) -> None:
    await ada.open("/settings")
    await ada.follow(_link(ada, "API keys"))
    await button(ada, "New key").click()
    form = ada.page.get_by_role("dialog", name="New API key")
    await form.get_by_role("textbox", name="Name").fill("mine")
    await button(form, "Create key").click()
    shown = dialog(ada, "Key “mine”").get_by_label("The key")
    key, question = await shown.inner_text(), dialog(ada, "Leave without the key?")
    for verb in ("Stay", "Leave"):
        if way == "Back":
            await ada.page.evaluate("history.back()")
        else:
            await _link(ada, "Requests").dispatch_event("click")
        await button(question, verb).click()
        await question.wait_for(state="hidden")
        if verb == "Stay":
            await expect(shown).to_have_text(key)
    await ada.page.wait_for_url("**/settings" if way == "Back" else "**/requests")
    await shown.wait_for(state="hidden")
    assert ada.troubles == []


async def test_a_key_that_one_has_done_with_is_left_without_a_question(ada: Visitor) -> None:
    await ada.open("/settings/keys")
    await make_key(ada, "mine")
    await ada.follow(_link(ada, "Requests"))
    await expect(ada.page.get_by_role("dialog")).to_have_count(0)


async def test_a_picture_that_was_chosen_is_asked_about(ada: Visitor) -> None:
    await ada.open("/settings")
    chosen = ada.page.get_by_label("A picture of you")
    await chosen.set_input_files({"name": "me.png", "mimeType": "image/png", "buffer": picture()})
    use, question = button(ada, "Use this picture"), dialog(ada, "Discard the picture?")
    await use.wait_for()
    for verb in ("Stay", "Discard"):
        await _link(ada, "Variables").click()
        await button(question, verb).click()
        await question.wait_for(state="hidden")
        if verb == "Stay":
            await expect(use).to_be_visible()
    await ada.page.wait_for_url("**/variables")


async def test_signing_out_asks_before_it_takes_what_was_typed(ada: Visitor) -> None:
    ada.leaves = False
    await ada.open("/settings")
    name = ada.page.get_by_role("textbox", name="Name")
    await name.fill("Ada L")
    question = dialog(ada, _QUESTION)
    for verb in ("Keep editing", "Discard"):
        await ada.page.get_by_role("button", name="Account of").click()
        await ada.page.get_by_role("menuitem", name="Sign out").click()
        await button(question, verb).click()
        await question.wait_for(state="hidden")
        if verb == "Keep editing":
            await expect(name).to_have_value("Ada L")
            assert (await ada.fetch("/api/account"))["success"]
            await expect(ada.page.get_by_role("button", name="Account of")).to_be_focused()
    await ada.page.get_by_role("heading", name="Sign in").wait_for()
    assert ada.troubles == []


async def test_whoever_acts_and_stops_is_asked_before_what_was_typed_goes(operator: Visitor, served: Served) -> None:
    note = await _at_note(operator, served)
    await note.fill("precious")
    await button(operator, "Act as …").click()
    await button(operator, "Act as them").click()
    await button(dialog(operator, _QUESTION), "Keep editing").click()
    await expect(note).to_have_value("precious")
    await button(operator, "Act as them").click()
    await button(dialog(operator, _QUESTION), "Discard").click()
    banner = operator.page.get_by_role("region", name="Acting as somebody else")
    await banner.wait_for()
    await operator.open("/settings")
    name = operator.page.get_by_role("textbox", name="Name")
    await name.fill("Ada L")
    await button(banner, "Stop").click()
    await button(dialog(operator, _QUESTION), "Keep editing").click()
    await expect(name).to_have_value("Ada L")
    await button(banner, "Stop").click()
    await button(dialog(operator, _QUESTION), "Discard").click()
    await _link(operator, "All usage").wait_for()
