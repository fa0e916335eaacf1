"""How soon a page moves by itself: from a request tracked through another process until its meter shows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import aiohttp
from playwright.async_api import Page

from bench.course import Course, Served, Wishes, course
from bench.figures import Comparison, Measure, Measured
from bench.histogram import Histogram
from bench.programs import Failed
from bench.turns import Figure, at_percentile, contend, in_turn
from tests import browser
from tests.faults.nodes import Site
from tests.web import visitors

_MOVES: Final = 100
_PATIENCE_MS: Final = 10_000
_LINE: Final = "p95, a request tracked elsewhere moves the page"
# Notes when the number of today's requests was first there.
_NOTE_MOVES: Final = """() => {
  const limits = document.querySelector("main figure strong").closest("section");
  window.moved = {};
  const note = () => { window.moved[limits.querySelector("figure strong").textContent] ??= Date.now(); };
  new MutationObserver(note).observe(limits, { subtree: true, childList: true, characterData: true });
}"""
_IS_MOVED: Final = "(used) => window.moved[used] !== undefined"


async def run(wishes: Wishes) -> Measured:
    """Show a dashboard by one process, and track its user's requests through another, one after the other."""
    try:
        async with (
            course(wishes, "live", users=wishes.rounds + 1) as here,
            here.service() as shows,
            here.service() as tracks,
            browser.started() as chromium,
        ):
            emails = iter(here.users)
            site = visitors.Served(Site(here.data), f"http://localhost:{shows.port}", here.key)

            async def followed() -> Figure:
                email = next(emails)
                async with visitors.visiting(chromium, site, is_watched=False) as visitor:
                    await visitor.sign_in(email)
                    return at_percentile(await _moves(visitor.page, here, tracks, email), 95)

            turn = contend(_LINE, "ms", followed)
            failures = await in_turn([turn], wishes.rounds)
            version = chromium.version
    except browser.NoBrowser as missing:
        raise Failed(str(missing)) from None
    line = Comparison(_LINE, "(ms, from the send to the document)", "<=", 500, _LINE)
    settings = {"moves": _MOVES, "processes": 2, "browser": f"Chromium {version}"}
    return Measured("A page that moves", [turn.contender], [line], settings, failures)


async def _moves(page: Page, here: Course, tracks: Served, email: str) -> Histogram:
    await page.evaluate(_NOTE_MOVES)
    sent: dict[str, float] = {}
    headers = {"Authorization": f"Bearer {here.key}", "Tollkeeper-User": email}
    async with aiohttp.ClientSession(headers=headers) as client:
        for used in range(1, _MOVES + 1):
            sent[str(used)] = time.time() * 1_000
            await _track(client, tracks)
            await page.wait_for_function(_IS_MOVED, arg=str(used), timeout=_PATIENCE_MS)
    moved: Mapping[str, float] = await page.evaluate("() => window.moved")
    return Histogram.of(int(1_000 * (moved[used] - at)) for used, at in sent.items())


async def _track(client: aiohttp.ClientSession, tracks: Served) -> None:
    url = f"http://127.0.0.1:{tracks.port}/api/chat/track"
    async with client.post(url, json={"prompt": "Look, it moves"}) as answer:
        if answer.status != 201:
            raise Failed(await answer.text())


MEASURE: Final = Measure("live", "how soon a page moves when a request is tracked by another process", run)
