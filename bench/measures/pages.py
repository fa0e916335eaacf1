"""How soon pages of the web app are there, and what they weigh: each load in a browser that has nothing of it yet."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from playwright.async_api import Browser, StorageState, expect

from bench.course import Wishes, remove
from bench.figures import Comparison, Contender, Measure, Measured
from bench.programs import Failed
from bench.turns import say
from tests import browser
from tests.demo import Demo, demo

PAGES: Final = {"Overview": "/", "Requests": "/requests"}
_LOADS: Final = 7
# What comes later than this after all is shown would be a shift that somebody sees.
_REST_MS: Final = 700
_FIRST: Final = re.compile(r'<(?:script|link)[^>]*?(?:src|href)="(/assets/[^"]+\.js)"')

# Notes what the browser itself says of the page, from its beginning.
_WATCH: Final = """(() => {
  const seen = (window.seen = { fcp: 0, lcp: 0, shift: 0 });
  const watch = (type, note) =>
    new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
  watch("paint", (one) => { if (one.name === "first-contentful-paint") seen.fcp = one.startTime; });
  watch("largest-contentful-paint", (one) => { seen.lcp = one.startTime; });
  watch("layout-shift", (one) => { if (!one.hadRecentInput) seen.shift += one.value; });
})()"""
_TELL: Final = """() => {
  const loaded = { js: 0, css: 0 };
  for (const { name, encodedBodySize } of performance.getEntriesByType("resource")) {
    const kind = new URL(name).pathname.split(".").pop();
    if (kind in loaded) loaded[kind] += encodedBodySize;
  }
  return { ...window.seen, ...loaded };
}"""


class _Figure(NamedTuple):
    key: str
    what: str
    unit: str
    over: int


_FIGURES: Final = (
    _Figure("fcp", "first contentful paint", "s", 1000),
    _Figure("lcp", "largest contentful paint", "s", 1000),
    _Figure("shift", "cumulative layout shift", "", 1),
    _Figure("js", "all JavaScript, as sent", "KB", 1000),
    _Figure("css", "all CSS, as sent", "KB", 1000),
)


async def run(wishes: Wishes) -> Measured:
    """Load each page in turn, with the demo's data, by a browser without a cache."""
    data = wishes.data / "data" / "pages"
    remove(data)
    loads = wishes.rounds if wishes.is_quick else _LOADS
    try:
        async with demo(data) as shown, browser.started() as chromium:
            kept = await shown.signed_in(chromium)
            seen: dict[str, list[Mapping[str, float]]] = {name: [] for name in PAGES}
            # The first of each is for what the service and the browser's own process keep.
            for number in range(loads + 1):
                for name, path in PAGES.items():
                    told = await _load(chromium, shown, kept, path)
                    say(f"{name}: {told}")
                    seen[name] += [told] if number else []
            first = await _first_load(chromium, shown, kept)
            version = chromium.version
    except browser.NoBrowser as missing:
        raise Failed(str(missing)) from None
    finally:
        remove(data)
    contenders = [_contender(name, figure, seen[name]) for name in PAGES for figure in _FIGURES]
    settings = {"loads": loads, "browser": f"Chromium {version}", "width": 1440, "cache": "none"}
    return Measured("The web app", [*contenders, Contender(_FIRST_LOAD, "KB", [first])], _lines(), settings)


_FIRST_LOAD: Final = "JavaScript of the first load, gzip"


def _contender(page: str, figure: _Figure, loads: list[Mapping[str, float]]) -> Contender:
    return Contender(f"{page}: {figure.what}", figure.unit, [each[figure.key] / figure.over for each in loads])


def _lines() -> list[Comparison]:
    lines = [
        Comparison(f"{page}: {what}", told, "<=", bar, f"{page}: {what}")
        for page in PAGES
        for what, told, bar in (
            ("first contentful paint", "(seconds, cold cache)", 1),
            ("largest contentful paint", "(seconds, cold cache)", 1),
            ("cumulative layout shift", "(none)", 0),
        )
    ]
    return [*lines, Comparison(_FIRST_LOAD, "(KB, before anything is seen)", "<=", 250, _FIRST_LOAD)]


async def _load(chromium: Browser, shown: Demo, kept: StorageState, path: str) -> Mapping[str, float]:
    """Load a page in a context of its own, wait until it shows what it asked for, and hear what the browser saw."""
    context = await chromium.new_context(
        viewport={"width": 1440, "height": 900}, locale="en-US", timezone_id="UTC", storage_state=kept
    )
    try:
        await context.add_init_script(_WATCH)
        page = await context.new_page()
        await page.goto(shown.served.url + path)
        await page.locator("main tbody tr").first.wait_for()
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        await page.wait_for_timeout(_REST_MS)
        return await page.evaluate(_TELL)
    finally:
        await context.close()


async def _first_load(chromium: Browser, shown: Demo, kept: StorageState) -> float:
    """Weigh, as gzip, the scripts that the page itself names: what must be there before anything is shown."""
    context = await chromium.new_context(storage_state=kept)
    try:
        page = await context.request.get(f"{shown.served.url}/")
        scripts = [await context.request.get(shown.served.url + path) for path in _FIRST.findall(await page.text())]
        return sum([len(gzip.compress(await each.body())) for each in scripts]) / 1000
    finally:
        await context.close()


MEASURE: Final = Measure("pages", "how soon pages of the web app are painted, and what they weigh", run)
