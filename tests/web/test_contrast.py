"""Whoever asks for more contrast has it: texts at 7 to 1, edges and lines at 3 to 1, and a focus that is seen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Browser, expect

from tests.web.visitors import Served, Visitor, visiting

# Of two colours, how much the lighter one is lighter, as WCAG counts it.
_RATIO: Final = """([first, second]) => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const probe = document.body.appendChild(document.createElement("i"));
  const [one, other] = [first, second].map((name) => {
    probe.style.color = `var(--${name})`;
    return light(getComputedStyle(probe).color);
  });
  probe.remove();
  return Math.max(one, other) / Math.min(one, other);
}"""
_EDGE: Final = """() => {
  document.body.style.outlineColor = "var(--edge)";
  return getComputedStyle(document.body).outlineColor;
}"""
TEXTS: Final = (
    *(("soft", ground) for ground in ("card", "paper", "raised")),
    *((tone, ground) for tone in ("accent", "warn", "bad") for ground in ("card", f"{tone}-soft")),
    ("on-accent", "accent"), ("on-bad", "bad"), ("ink", "bar"),
)  # fmt: skip
SEEN: Final = tuple((each, "card") for each in ("line", "edge", "accent", "warn-bar", "bad-bar"))


async def _visitor_with_usage(served: Served) -> str:
    email = await served.user("pro")
    at = datetime.now(UTC).isoformat()
    told: dict[str, Any] = {"user": email, "prompt": "Hello", "status": "completed", "duration": 900}
    await served.record([told | {"model": "of-our-own", "startedAt": at, "completedAt": at}])
    return email


async def _ratios(visitor: Visitor, pairs: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], float]:
    return {pair: await visitor.page.evaluate(_RATIO, list(pair)) for pair in pairs}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_colours_keep_apart_as_far_as_is_asked_for(
    chromium: Browser, served: Served, scheme: Literal["light", "dark"]
) -> None:
    async with visiting(chromium, served, scheme=scheme, contrast="more") as visitor:
        await visitor.go("/")
        outside = (("soft", "card"), ("soft", "paper"), ("accent", "card"), ("bad", "card"), ("on-accent", "accent"))
        assert min((await _ratios(visitor, outside)).values()) >= 7
        assert min((await _ratios(visitor, (("line", "card"), ("edge", "card")))).values()) >= 3
        await visitor.sign_in(await served.user("pro"))
        assert {pair: ratio for pair, ratio in (await _ratios(visitor, TEXTS)).items() if ratio < 7} == {}
        assert {pair: ratio for pair, ratio in (await _ratios(visitor, SEEN)).items() if ratio < 3} == {}
        await visitor.page.emulate_media(contrast="no-preference")
        assert min((await _ratios(visitor, SEEN)).values()) < 2


async def test_what_has_the_focus_and_what_is_chosen_is_outlined(chromium: Browser, served: Served) -> None:
    async with visiting(chromium, served, contrast="more") as visitor:
        await visitor.sign_in(await _visitor_with_usage(served))
        await visitor.page.keyboard.press("Tab")
        await visitor.page.keyboard.press("Tab")
        assert await visitor.page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        bar = visitor.page.get_by_role("region", name="By model").locator("[style*=width]").first
        await expect(bar).to_have_css("border-left-width", "1px")
        place = visitor.page.get_by_role("navigation", name="Main").get_by_role("link", name="Overview")
        await expect(place).not_to_have_css("box-shadow", "none")
        line = visitor.page.locator(".recharts-line-curve").first
        await expect(line).to_have_css("stroke-width", "2.5px")
        await visitor.open("/settings")
        edge = await visitor.page.evaluate(_EDGE)
        for field in (visitor.page.get_by_role("textbox", name="Name"), visitor.page.get_by_role("combobox").first):
            await expect(field).to_have_css("border-top-color", edge)
        await expect(visitor.page.get_by_role("button", name="Save profile")).to_have_css("border-top-style", "dashed")
        await expect(visitor.page.locator(".mantine-Switch-track").first).to_have_css("outline-width", "1px")
        assert visitor.troubles == []


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_charts_are_seen_on_the_ground_that_the_system_has_whichever_theme_is_chosen(
    chromium: Browser, served: Served, theme: Literal["light", "dark"]
) -> None:
    async with visiting(chromium, served, scheme="dark", forced_colors="active") as visitor:
        await visitor.sign_in(await _visitor_with_usage(served))
        await visitor.page.evaluate(
            "(theme) => { document.documentElement.dataset.mantineColorScheme = theme; }", theme
        )
        ratios = await _ratios(visitor, (("accent", "card"), ("warn-bar", "card"), ("bad-bar", "card")))
        assert min(ratios.values()) > 6
        tick = visitor.page.locator(".recharts-wrapper text").first
        await expect(tick).to_have_css("fill", "rgb(255, 255, 255)")
