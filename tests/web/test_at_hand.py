"""What one reads and presses: it stands where it belongs, is there once, and is large enough to be touched."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.web.hands import button, dialog, make_key
from tests.web.visitors import Served, Visitor, visiting

_LEAST = 24
_BY_THE_FIELD = """(field) => document.getElementById(field.getAttribute("aria-describedby")?.split(" ")
  .find((id) => id.endsWith("-error")) ?? "")?.textContent ?? field.validationMessage"""


@pytest.fixture
async def phone(chromium: Browser, served: Served) -> AsyncGenerator[Visitor]:
    """An operator with a phone."""
    async with visiting(chromium, served, width=390) as visitor:
        await visitor.sign_in(await served.operator())
        yield visitor
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def _box(part: Locator) -> tuple[float, float, float]:
    """Where it begins, its middle from above, and how high it is."""
    box = await part.bounding_box()
    assert box is not None
    return box["x"], box["y"] + box["height"] / 2, box["height"]


@pytest.mark.parametrize("path", ["/plan", "/admin/plans"])
async def test_buttons_of_plans_can_be_touched(phone: Visitor, path: str) -> None:
    await phone.open(path)
    found = await phone.page.locator("main table button").all()
    assert found
    assert min([(await _box(each))[2] for each in found]) >= _LEAST


async def test_what_is_done_with_an_endpoint_begins_where_the_page_does(phone: Visitor) -> None:
    await phone.open(f"/admin/webhooks/{await phone.served.webhook()}")
    heading = phone.page.get_by_role("heading", level=1)
    assert (await _box(button(phone, "Send a test")))[0] == (await _box(heading))[0]


async def test_a_check_mark_stands_on_the_line_of_its_row(phone: Visitor) -> None:
    await phone.open("/plan")
    row = phone.page.get_by_role("row").filter(has_text="Analysis")
    text = row.get_by_role("rowheader")
    middle = await text.evaluate(
        "(cell) => { const at = document.createRange(); at.selectNodeContents(cell);"
        " const { y, height } = at.getBoundingClientRect(); return y + height / 2; }"
    )
    assert abs((await _box(row.locator("svg").first))[1] - middle) <= 1


async def test_there_is_one_way_to_the_first_variable(operator: Visitor) -> None:
    await operator.open("/variables")
    await expect(operator.page.get_by_role("heading", name="No variables yet")).to_be_visible()
    await expect(button(operator, "New variable")).to_have_count(1)


async def test_deleting_a_user_looks_like_deleting_oneself(operator: Visitor) -> None:
    looks: list[str] = []
    for path, name in ((await operator.looked_at(), "Delete user …"), ("/settings/data", "Delete account …")):
        await operator.open(path)
        looks.append(await button(operator, name).evaluate("(it) => getComputedStyle(it).backgroundColor"))
    assert looks[0] == looks[1]


async def test_what_is_amiss_with_a_price_is_told_at_its_field(operator: Visitor, served: Served) -> None:
    await served.record([{"user": await served.newcomer(), "prompt": "x", "model": "told", "status": "completed"}])
    await operator.open("/admin/models?open=told")
    drawer = operator.page.get_by_role("dialog")
    await drawer.get_by_label("Input").fill("1")
    await button(drawer, "Set").click()
    await expect(drawer.get_by_text("write how much; 0 is free")).to_have_count(1)
    assert await drawer.get_by_label("Output").evaluate(_BY_THE_FIELD) == "write how much; 0 is free"


async def test_an_address_that_is_none_is_told_at_its_field(operator: Visitor) -> None:
    await operator.open("/admin/invitations")
    await operator.page.get_by_role("main").get_by_role("button", name="Invite").first.click()
    form = dialog(operator, "Invite somebody")
    address = form.get_by_label("E-mail address")
    await address.fill("nobody")
    await button(form, "Invite").click()
    await expect(address).to_have_attribute("aria-invalid", "true")
    assert "address" in await address.evaluate(_BY_THE_FIELD)


async def test_who_revokes_the_only_key_stays_beside_it(ada: Visitor) -> None:
    await ada.open("/settings/keys")
    await make_key(ada, "the only one")
    revoke = button(ada, "Revoke the only one")
    await revoke.focus()
    await ada.page.keyboard.press("Enter")
    question = ada.page.get_by_role("dialog", name="Revoke")
    await button(question, "Revoke").focus()
    await ada.page.keyboard.press("Enter")
    await question.wait_for(state="hidden")
    await revoke.wait_for(state="hidden")
    where = "document.activeElement.closest('section')?.querySelector('h2')?.textContent.trim()"
    assert await ada.page.evaluate(where) == "API keys"
