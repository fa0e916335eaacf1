"""The longest names and the largest numbers: no page is wider than a phone, and every figure can be read whole."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, StorageState, expect

from tests.faults.nodes import connected
from tests.web.selling import selling
from tests.web.visitors import Served, Visitor, visiting

_PLAN = "p" * 50
_CATALOGUE = f"""
[plans.{_PLAN}]
rank = 1000
daily_requests = 1_000_000_000
monthly_requests = 1_000_000_000_000
monthly_tokens = 1_000_000_000_000
monthly_cost_cents = 1_000_000_000
max_tokens_per_request = 1_000_000_000_000
requests_per_minute = 1_000_000_000
concurrent_requests = 1_000_000_000
features = ["{"f" * 100}"]
price_per_month = 123_456_789
price_per_year = 987_654_321
currency = "usd"
trial_days = 1
self_service = true
"""
_OF_EACH: Final = 3
_LARGEST: Final = 123_456_789_012
_ENDED = {"status": "completed", "tokensInput": _LARGEST, "tokensOutput": _LARGEST, "duration": 86_399_999}
# As much as is written out.
_MODEST_END = {
    "status": "completed",
    "tokensInput": 999_999,
    "tokensOutput": 0,
    "duration": 86_399_999,
    "cost": 9_999_999,
}


def _email(kind: str) -> str:
    """As long as mail servers let one be."""
    return f"{kind:x<64}@{'d' * 56}.com"


_OPERATOR, _USER, _MODEST = map(_email, ("operator", "user", "modest"))
_WIDER = "() => document.scrollingElement.scrollWidth - innerWidth"
# Numbers that are wider than the part of the page in which they stand.
_CUT = r"""() => {
  const figure = /^[$~]?[\d.,]+[KMBT]?(\s?(%|ms|s|m|h|d|\/ 5))?$/;
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const cut = [];
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    let part = text.parentElement;
    if (!figure.test(text.data.trim()) || part.closest("svg, .visually-hidden, [data-wide]")) continue;
    while (getComputedStyle(part).display === "inline") part = part.parentElement;
    const range = document.createRange();
    range.selectNode(text);
    const end = part.getBoundingClientRect().right - parseFloat(getComputedStyle(part).paddingRight);
    if (range.getBoundingClientRect().right > end + 0.5) cut.push(`${text.data} in ${part.outerHTML.slice(0, 80)}`);
  }
  return cut;
}"""

# One of something that is called as several are; what a cell counts stands behind it on phones.
_ONE_AS_MANY = r"""() => {
  const main = document.querySelector("main");
  const cells = [...main.querySelectorAll("td[data-unit]")].map((cell) => `${cell.innerText} ${cell.dataset.unit}`);
  const many = /(?<![\d.,])1 (requests|tokens|days|users|sets|kinds|numbers)\b/g;
  return [main.innerText, ...cells].join("\n").match(many) ?? [];
}"""
_ONE: Final = re.compile(r"(?<![\d.,])1 (request|token|day|user|set|kind)\b")
# Tables in which one has to scroll to see the last column; and what is said under the pointer in the middle of a part.
_SCROLLED = """() => [...document.querySelectorAll("main table")].filter(({ parentElement: wrap }) =>
  wrap.scrollWidth > wrap.clientWidth).map(({ tHead }) => tHead.innerText)"""
_SAID_ON_HOVER = """(part) => {
  const { x, y, width, height } = part.getBoundingClientRect();
  return document.elementFromPoint(x + width / 2, y + height / 2).closest("[title]").title;
}"""


@pytest.fixture(scope="module")
async def world(open_dir: Path) -> AsyncGenerator[Served]:
    """A service in which everything is as long and as much as it may be."""
    async with selling(open_dir / "web-extremes", _CATALOGUE) as served:
        await _fill(served)
        yield served


async def _fill(served: Served) -> None:
    run = served.site.run
    await run("user", "add", _OPERATOR, "--plan", _PLAN, "--admin", "--name", "Operator " + "n" * 190)
    await run("user", "add", _USER, "--plan", _PLAN, "--name", "Adelheid " + "n" * 190)
    for email in (_OPERATOR, _USER):
        await _use_much(served, email)
    await run("user", "add", _MODEST)
    await served.record([{"user": _MODEST, "prompt": "Hello", "model": "gpt-4o", **_MODEST_END}])
    await run("key", "create", "--user", _OPERATOR, "--name", "k" * 200)
    await run("key", "create", "--service", "s" * 200)
    await run("user", "invite", _email("guest"))
    await run("override", "add", _USER, f"daily_requests={_LARGEST}", "--reason", "r" * 1000)
    await run("grant", "add", _USER, str(_LARGEST), "requests", "--reason", "r" * 1000)
    home = {"TOLLKEEPER_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32"}
    await run("webhook", "add", f"http://127.0.0.1:1025/{'h' * 900}", environment=home)
    async with connected(served.site, "owner") as owner:
        await owner.execute("UPDATE accounts SET note = $1", "o" * 4000)


async def _use_much(served: Served, email: str) -> None:
    names = {name: name[0] * 200 for name in ("model", "category", "requestType", "sessionId")}
    told = {"user": email, "prompt": "w" * 500, "response": "w" * 500, **names}
    items: list[dict[str, Any]] = [told | _ENDED | {"cost": 987_654_321.98} for _ in range(_OF_EACH)]
    items += [told | _ENDED | {"model": f"{number}{'m' * 199}"} for number in range(_OF_EACH)]
    items.append(told | {"sessionId": "talk", "status": "failed", "errorMessage": "e" * 500})
    await served.record(items)
    long: dict[str, Any] = {"value": "v" * 2000, "description": "v" * 2000}
    await served.call("POST", "/api/user/variables", user=email, says={"key": "K" * 128, **long})


@pytest.fixture(scope="module")
async def signed_in(chromium: Browser, world: Served) -> StorageState:
    """What the browser of the operator keeps."""
    async with visiting(chromium, world) as visitor:
        await visitor.sign_in(_OPERATOR)
        return await visitor.context.storage_state()


async def _id_of(visitor: Visitor, email: str) -> str:
    (found,) = (await visitor.fetch(f"/api/admin/users?{urlencode({'q': email})}"))["items"]
    return found["id"]


async def _everywhere(visitor: Visitor) -> list[str]:
    """All pages, those of one's own with what is there when one looks at others, too."""
    await visitor.open("/settings")
    users = [f"/admin/users/{await _id_of(visitor, email)}" for email in (_USER, _MODEST)]
    more = [f"{users[0]}/plan", f"/sessions/{'s' * 200}", "/?measure=cost"]
    return [*(await visitor.everywhere()), *users, *more]


@pytest.mark.parametrize("width", [1440, 1190, 390, 320])
async def test_no_page_is_too_wide_and_every_figure_can_be_read_whole(
    chromium: Browser, world: Served, signed_in: StorageState, width: int
) -> None:
    async with visiting(chromium, world, width=width, signed_in=signed_in) as visitor:
        found: dict[str, Any] = {}
        singles = 0
        for path in await _everywhere(visitor):
            await visitor.open(path)
            wider, cut = await visitor.page.evaluate(_WIDER), await visitor.page.evaluate(_CUT)
            ones = await visitor.page.evaluate(_ONE_AS_MANY)
            singles += await visitor.page.get_by_text(_ONE).count()
            if wider > 0 or cut or ones:
                found[path] = wider, cut, ones
        assert (found, visitor.troubles) == ({}, [])
        assert singles, "nothing stands there once, so nothing shows that one is called one"


async def test_a_plan_of_a_long_name_hides_no_column_of_users(
    chromium: Browser, world: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, world, width=1440, signed_in=signed_in) as visitor:
        await visitor.open("/admin/users")
        assert await visitor.page.evaluate(_SCROLLED) == []
        plan = visitor.page.locator("main tbody").get_by_text(_PLAN).first
        assert _PLAN.capitalize() in await plan.evaluate(_SAID_ON_HOVER)
        await visitor.page.set_viewport_size({"width": 390, "height": 900})
        await expect(visitor.page.locator("main").get_by_text("operator", exact=True)).to_be_in_viewport(ratio=0.9)


async def test_a_short_figure_tells_the_whole_under_the_pointer_and_still_opens_its_row(
    chromium: Browser, world: Served, signed_in: StorageState
) -> None:
    async with visiting(chromium, world, width=1440, signed_in=signed_in) as visitor:
        await visitor.open("/admin/users")
        cell = visitor.page.locator("main tbody td[data-number][data-told]").first
        told = await cell.get_attribute("title")
        assert told
        assert await cell.evaluate(_SAID_ON_HOVER) == told
        async with visitor.context.expect_page() as beside:
            await cell.click(button="middle")
        assert "/admin/users/" in (await beside.value).url
        assert visitor.page.url.endswith("/admin/users")
        await cell.click()
        await visitor.page.wait_for_url("**/admin/users/*")
