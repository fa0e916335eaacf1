"""Texts of others that are blank or long or turn what is beside them; and what shows in colours of the system."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.web.hands import address_of
from tests.web.visitors import Served, Visitor, visiting

_TURNS = "gpt\u202etxt"
# Whether words stand from left to right, one after the other, where a part shows them.
_IN_ORDER = """(part, words) => {
  const whole = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
  const places = [];
  for (let text = whole.nextNode(); text; text = whole.nextNode())
    for (const word of words) {
      const at = text.data.indexOf(word);
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + word.length);
      places.push([words.indexOf(word), range.getBoundingClientRect().left]);
    }
  places.sort(([one], [other]) => one - other);
  return places.length === words.length && places.every(([, left], place) => !place || left > places[place - 1][1]);
}"""
_GROUND = "(part) => getComputedStyle(part).backgroundColor"
_EDGES = """() => [...document.querySelectorAll("main table")].map((table) =>
  Math.round(table.parentElement.getBoundingClientRect().right - table.rows[0].getBoundingClientRect().right))"""
_SCROLLS = """() => { const { scrollWidth, clientWidth } = document.querySelector("main table").parentElement;
  return scrollWidth > clientWidth; }"""


def _ended(email: str, **says: Any) -> dict[str, Any]:
    told = {"user": email, "prompt": "Hello", "model": "of-our-own", "sessionId": "talk", "status": "completed"}
    return told | {"tokensInput": 10, "tokensOutput": 5} | says


@pytest.mark.parametrize("width", [1440, 390])
async def test_a_prompt_in_which_nothing_can_be_seen_is_called_blank(
    chromium: Browser, served: Served, width: int
) -> None:
    email = await served.user("pro")
    texts = ("   ", "\n\t\u200b\u202e", "  spaced  ")
    await served.record([_ended(email, prompt=text, response=text) for text in texts])
    async with visiting(chromium, served, width=width) as visitor:
        await visitor.sign_in(email)
        await visitor.open("/requests")
        links = visitor.page.locator("main tbody a")
        assert sorted(await links.all_inner_texts()) == ["Blank", "Blank", "spaced"]
        await visitor.open("/sessions/talk")
        await expect(visitor.page.locator("main").get_by_text("Blank.", exact=True)).to_have_count(4)
        assert visitor.troubles == []


async def test_a_long_error_is_shortened_in_a_conversation_as_prompts_are(served: Served, ada: Visitor) -> None:
    email = await address_of(ada)
    error = "It went wrong. " * 300 + "The very end."
    await served.record([_ended(email, status="failed", errorMessage=error)])
    await ada.open("/sessions/talk")
    item = ada.page.get_by_role("listitem").filter(has_text="It went wrong")
    box = await item.bounding_box()
    assert box is not None
    assert box["height"] < 600
    await item.get_by_role("button", name="Show all 4,513 characters").click()
    await expect(item).to_contain_text("The very end.")
    assert ada.troubles == []


async def test_marks_of_direction_in_names_turn_nothing_beside_them(served: Served, ada: Visitor) -> None:
    email = await address_of(ada)
    await served.record([_ended(email, model=_TURNS)])
    await ada.open("/alerts")
    title = ada.page.locator("main li p").filter(has_text="has no price").first
    assert await title.evaluate(_IN_ORDER, ["The", "model", "has", "no", "price"])
    await ada.open("/sessions/talk")
    figures = ada.page.locator("main li p").filter(has_text="Details")
    assert await figures.evaluate(_IN_ORDER, ["Completed", "15", "tokens", "Details"])
    assert ada.troubles == []


@pytest.mark.parametrize(("name", "letter"), [("\u200b\u202e\u2003élan", "É"), ("\u200b\u2060", "V")])
async def test_a_portrait_is_of_the_first_letter_that_can_be_seen(ada: Visitor, name: str, letter: str) -> None:
    changed = await ada.context.request.patch(
        f"{ada.served.url}/api/account", data={"name": name}, headers={"Origin": ada.served.url}
    )
    assert changed.ok, await changed.text()
    await ada.open("/")
    portrait = ada.page.get_by_role("button", name="Account of").locator("span[aria-hidden]").first
    await expect(portrait).to_have_text(letter)


async def _differs(chosen: Locator, other: Locator) -> None:
    """See that one is told from another by its ground, as borders and texts are the same."""
    assert await chosen.first.evaluate(_GROUND) != await other.first.evaluate(_GROUND)


async def test_what_is_chosen_shows_where_the_system_chooses_the_colours(chromium: Browser, served: Served) -> None:
    email = await served.user("pro")
    await served.record([_ended(email, duration=100)])
    async with visiting(chromium, served, forced_colors="active") as visitor:
        await visitor.sign_in(email)
        label = ".mantine-SegmentedControl-label"
        page = visitor.page
        await _differs(page.locator(f"{label}[data-active]"), page.locator(f"{label}:not([data-active])"))
        places = page.get_by_role("navigation", name="Main").get_by_role("link")
        await _differs(places.and_(page.locator("[aria-current=page]")), places.filter(has_text="Plan"))
        legend = page.get_by_role("region", name="Response time").locator("dt i")
        assert len({await each.evaluate(_GROUND) for each in await legend.all()}) == 3
        bar = page.get_by_role("region", name="By model").locator("[style*=width]").first
        assert await bar.evaluate("(part) => getComputedStyle(part).borderLeftWidth") == "1px"
        await visitor.open("/settings")
        track = page.locator(".mantine-Switch-track")
        await _differs(page.locator(":checked + .mantine-Switch-track"), page.locator("body"))
        assert await track.first.evaluate("(part) => getComputedStyle(part).borderLeftWidth") == "1px"
        tabs = page.locator("main nav").get_by_role("link")
        edges = [await each.evaluate("(part) => getComputedStyle(part).borderBottomWidth") for each in await tabs.all()]
        assert edges[0] not in edges[1:]
        assert visitor.troubles == []


async def test_tables_of_the_system_reach_the_edge_of_their_card_on_a_phone(chromium: Browser, served: Served) -> None:
    async with visiting(chromium, served, width=390) as visitor:
        await visitor.sign_in(await served.operator())
        await visitor.open("/admin/system")
        edges = await visitor.page.evaluate(_EDGES)
        assert (len(edges), [edge for edge in edges if edge > 0], visitor.troubles) == (3, [], [])


@pytest.mark.parametrize("width", [1024, 768])
async def test_the_list_of_users_fits_or_says_that_it_scrolls(chromium: Browser, served: Served, width: int) -> None:
    email = await served.user("enterprise")
    await served.record([_ended(email, model="dear", cost=123_456_789, tokensInput=123_456_789)])
    async with visiting(chromium, served, width=width) as visitor:
        await visitor.sign_in(await served.operator())
        await visitor.open(f"/admin/users?q={email}")
        row = visitor.page.get_by_role("row").filter(has_text=email)
        await expect(row).to_contain_text(re.compile(r"\$1\.23M"))
        assert await row.locator("td[title*='$1,234,567.89']").count() == 1
        assert not await visitor.page.evaluate(_SCROLLS)
        # Whatever else is in it, an edge with more beyond it is in shadow.
        wrap = visitor.page.locator("main table").locator("..")
        ground = await wrap.evaluate("(part) => getComputedStyle(part).backgroundAttachment")
        assert ground == "local, local, scroll, scroll"
