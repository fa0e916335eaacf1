"""Texts that would be code if a page let them: shown as the texts that they are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import Browser

from tests.web.visitors import Served, Visitor, visiting

_TEXTS = (Path(__file__).parent / "nasty_texts.txt").read_text().splitlines()
_SHOWN_AT_ONCE = 10
_MADE_OF_TEXT = "(table) => [...table.querySelectorAll('tbody *')].map((each) => each.localName)"
_CELLS = "(all) => all.map((row) => [...row.cells].map((cell) => cell.textContent))"
_RUNS = "main :is(script, iframe, img, object, embed, base, link, meta, math)"


async def _track(served: Served, email: str, text: str) -> None:
    """Say a text in every field that takes one."""
    told = dict.fromkeys(("prompt", "sessionId", "model", "category"), text)
    start = told | {"metadata": {"said": text, text: "said"}}
    answer = await served.call("POST", "/api/chat/track", user=email, says=start)
    finish = {"requestId": answer["requestId"], "status": "failed", "response": text, "errorMessage": text}
    await served.call("PUT", "/api/chat/track", user=email, says=finish)


async def _are_shown_as_text(visitor: Visitor, texts: list[str]) -> None:
    await visitor.page.reload()
    await visitor.at_dashboard()
    table = visitor.page.get_by_role("region", name="Newest requests").get_by_role("table")
    rows = await table.locator("tbody tr").evaluate_all(_CELLS)
    assert {row[0] for row in rows} == {row[1] for row in rows} == set(texts)
    assert set(await table.evaluate(_MADE_OF_TEXT)) <= {"tr", "td", "a", "span", "time"}
    assert await visitor.page.locator(_RUNS).count() == 0


async def _is_shown_whole(visitor: Visitor, text: str) -> None:
    """Open the newest request: its texts as they are and as Markdown, and its conversation."""
    await visitor.page.get_by_role("region", name="Newest requests").locator("tbody a").first.click()
    drawer = visitor.page.get_by_role("dialog")
    await drawer.get_by_text("Timeline").wait_for()
    assert text in await drawer.evaluate("(drawer) => drawer.textContent")
    for form in ("Markdown", "Text"):
        for choice in await drawer.get_by_text(form, exact=True).all():
            await choice.click()
    assert await drawer.locator("script, iframe, img, object, embed, base, link").count() == 0


async def test_nothing_said_about_a_request_is_run(visitor: Visitor) -> None:
    served = visitor.served
    email = await served.user("enterprise")
    await visitor.sign_in(email)
    assert len(set(_TEXTS)) == 60
    for begin in range(0, len(_TEXTS), _SHOWN_AT_ONCE):
        texts = _TEXTS[begin : begin + _SHOWN_AT_ONCE]
        await asyncio.gather(*(_track(served, email, text) for text in texts))
        await _are_shown_as_text(visitor, texts)
        newest = (await visitor.fetch("/api/user/dashboard"))["recentRequests"][0]
        await _is_shown_whole(visitor, newest["prompt"])
        await visitor.open("/sessions")
        await visitor.open("/")

    sessions = await served.call("GET", "/api/chat/sessions?limit=100", user=email)
    assert {each["sessionId"] for each in sessions["items"]} == set(_TEXTS)
    assert (await served.call("GET", "/api/user/dashboard", user=email))["requestsByModel"].keys() == set(_TEXTS)
    assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_nothing_that_a_user_is_called_is_run(chromium: Browser, served: Served) -> None:
    name = "</script><img src=x onerror=alert(1)>"
    email = "'+alert`1`+'{{alert`1`}}${alert`1`}&#60b@example.com"
    await served.site.run("user", "add", email, "--name", name)
    async with visiting(chromium, served) as visitor:
        await visitor.sign_in(email)
        told = await visitor.named()
        assert name in told
        assert email in told
        assert await visitor.page.locator("img, script:not([nonce])").count() == 0
        assert (visitor.troubles, visitor.elsewhere) == ([], [])


async def test_nothing_in_an_address_is_run(visitor: Visitor) -> None:
    for text in _TEXTS[::3]:
        assert await visitor.go(f"/problems/{quote(text, safe='')}?{quote(text)}#{quote(text)}") in {200, 404}
        assert await visitor.page.locator("img, iframe, svg, object, embed, base, form").count() == 0
    told = [each for each in visitor.troubles if "status of 404" not in each]
    assert (told, visitor.elsewhere) == ([], [])
