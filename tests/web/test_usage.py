"""Lists and charts of usage add up, say what nobody knows, and fit; a refusal names the plan that would help."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import pytest
from playwright.async_api import Locator, Route, expect

from tests.web.hands import address_of
from tests.web.visitors import Served, Visitor

_DEAR: Final = 1_234_56
_GROUPS: Final = 60
_MEASURES = {"requests": "", "tokensUsed": "", "cost": "$"}
# The parts of what a line is drawn of: a part for each stretch of days without a gap.
_STRETCHES = """(line) => line.getAttribute("d").match(/M/g).length"""
_BEYOND = """(panel) => [...panel.querySelectorAll("svg text")].filter((text) =>
  text.getBoundingClientRect().left < panel.getBoundingClientRect().left).map((text) => text.textContent)"""
_TICKS = """(panel, axis) => [...panel.querySelectorAll(`.recharts-${axis}-tick-labels text`)]
  .map((text) => text.textContent)"""


def _ended(email: str, days: float = 0, **says: Any) -> dict[str, Any]:
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    told = {"user": email, "prompt": "Hello", "model": "of-our-own", "status": "completed", "tokensInput": 10}
    return told | {"tokensOutput": 5, "startedAt": at, "completedAt": at} | says


def _panel(visitor: Visitor, title: str) -> Locator:
    return visitor.page.get_by_role("region", name=title)


async def _sums(part: Locator) -> list[tuple[str, float]]:
    rows = [(await each.inner_text()).split("\n") for each in await part.get_by_role("listitem").all()]
    return [(name, float(told.strip("$").replace(",", ""))) for name, told in rows]


@pytest.fixture
async def many(served: Served, ada: Visitor) -> Visitor:
    """Somebody who used models of many categories; the one that cost most has the fewest requests."""
    email = await address_of(ada)
    # A cent each, so that what is shown is not rounded.
    items = [_ended(email, category=f"c-{number:02}", cost=1) for number in range(_GROUPS) for _ in range(2)]
    await served.record([*items, _ended(email, category="dear", cost=_DEAR, tokensInput=1_000)])
    return ada


@pytest.mark.parametrize("measure", _MEASURES)
async def test_what_a_list_does_not_name_stands_in_it_as_others_and_all_adds_up(many: Visitor, measure: str) -> None:
    await many.open(f"/?measure={measure}")
    totals = (await many.fetch("/api/user/analytics"))["totals"]
    whole = totals[measure] / (100 if measure == "cost" else 1)
    panel = _panel(many, "By category")
    shown = await _sums(panel)
    assert shown[-1][0] == f"{_GROUPS + 1 - 7} others"
    assert round(sum(value for _, value in shown), 2) == whole
    await panel.get_by_role("button", name="Show 43 more").click()
    shown = await _sums(panel)
    assert (len(shown), shown[-1][0]) == (51, "11 others")
    assert round(sum(value for _, value in shown), 2) == whole
    about = await panel.get_by_text("11 others").get_attribute("title")
    assert "they have the fewest requests" in str(about)
    assert many.troubles == []


async def test_costs_that_nobody_knows_are_not_drawn_as_none(served: Served, ada: Visitor) -> None:
    email = await address_of(ada)
    await served.record([_ended(email, days) for days in (0, 2)])
    await ada.open("/?measure=cost")
    panel = _panel(ada, "Usage over time")
    await expect(panel.get_by_role("heading", name="No cost is known")).to_be_visible()
    await expect(panel.locator(".recharts-wrapper")).to_have_count(0)
    await served.record([_ended(email, cost=250), _ended(email, 1, cost=100)])
    await ada.open("/?measure=cost")
    # Today, and the day before yesterday.
    await expect(panel.locator(".recharts-wrapper .partly")).to_have_count(2)
    await expect(panel).to_contain_text("some without a price")
    await panel.get_by_role("button", name="Show as table").click()
    rows = [await each.inner_text() for each in await panel.locator("tbody tr").all()]
    assert [row.split("\t")[-2:] for row in rows[-3:]] == [["\N{EN DASH}", "1"], ["$1.00", "0"], ["$2.50", "1"]]
    assert ada.troubles == []


async def test_a_chart_tells_one_sum_and_that_today_is_not_over(served: Served, ada: Visitor) -> None:
    email = await address_of(ada)
    await served.record([_ended(email), _ended(email, status="failed"), _ended(email, 1)])
    await ada.open("/?days=7")
    panel = _panel(ada, "Usage over time")
    await panel.locator(".recharts-bar-rectangle path").first.wait_for()
    bars = panel.locator(".recharts-bar").first.locator(".recharts-bar-rectangle path")
    fills = [await each.get_attribute("fill") for each in await bars.all()]
    assert fills[-1] != fills[-2]
    await bars.last.hover(force=True)
    today = datetime.now(UTC)
    told = panel.locator(".recharts-tooltip-wrapper")
    await expect(told).to_contain_text(f"{today:%b} {today.day}, so far2 requestsCompleted1Failed1")
    assert ada.troubles == []


async def test_days_without_values_are_gaps_and_an_axis_fits_what_stands_at_it(served: Served, ada: Visitor) -> None:
    email = await address_of(ada)
    long = {"duration": 50 * 24 * 3_600_000, "cost": 987_654_321}
    await served.record([_ended(email, days, **long) for days in (0, 1, 4, 5)])
    await ada.open("/?days=7&measure=cost")
    panel = _panel(ada, "Response time")
    line = panel.locator(".recharts-line-curve").first
    # A level line has no height, which counts as hidden.
    await line.wait_for(state="attached")
    assert await line.evaluate(_STRETCHES) == 2
    await expect(panel.locator("dd").first).to_have_text(re.compile(r"^\d\d(\.\d)?d$"))
    for title in ("Response time", "Usage over time"):
        assert await _panel(ada, title).evaluate(_BEYOND) == []
    assert ada.troubles == []


@pytest.mark.parametrize(("width", "days", "most"), [(1440, 7, 7), (1440, 30, 8), (390, 7, 4), (390, 30, 4)])
async def test_both_charts_name_the_same_days(served: Served, ada: Visitor, width: int, days: int, most: int) -> None:
    await served.record([_ended(await address_of(ada), duration=900)])
    await ada.page.set_viewport_size({"width": width, "height": 900})
    await ada.open(f"/?days={days}")
    named: list[list[str]] = []
    for title in ("Usage over time", "Response time"):
        await _panel(ada, title).locator(".recharts-surface text").first.wait_for()
        named.append(await _panel(ada, title).evaluate(_TICKS, "xAxis"))
    assert named[0] == named[1]
    assert most - 2 <= len(named[0]) <= most
    assert days > 7 or width < 720 or len(named[0]) == days


@pytest.mark.parametrize(
    ("longest", "amounts"),
    [
        (1_950, ["0s", "0.5s", "1s", "1.5s", "2s"]),
        (700, ["0ms", "200ms", "400ms", "600ms", "800ms"]),
        (95_000, ["0m", "0.5m", "1m", "1.5m", "2m"]),
    ],
)
async def test_durations_stand_at_round_steps_of_one_unit(
    served: Served, ada: Visitor, longest: int, amounts: list[str]
) -> None:
    await served.record([_ended(await address_of(ada), duration=longest)])
    await ada.open("/?days=7")
    panel = _panel(ada, "Response time")
    await panel.locator(".recharts-surface text").first.wait_for()
    assert await panel.evaluate(_TICKS, "yAxis") == amounts


async def test_a_chart_whose_code_is_on_its_way_has_its_outline_in_the_same_size(served: Served, ada: Visitor) -> None:
    await served.record([_ended(await address_of(ada))])
    may_come = asyncio.Event()

    async def hold(route: Route) -> None:
        await may_come.wait()
        await route.fallback()

    await ada.page.route(re.compile("/assets/Bars-"), hold)
    await ada.go("/")
    panel = _panel(ada, "Usage over time")
    await expect(panel.locator("[aria-busy=true] .mantine-Skeleton-root")).to_be_visible()
    await expect(_panel(ada, "By model")).to_contain_text("of-our-own")
    await expect(panel.locator("[aria-busy=true] .mantine-Skeleton-root")).to_be_visible()
    before = await panel.bounding_box()
    may_come.set()
    await panel.locator(".recharts-wrapper").wait_for()
    assert await panel.bounding_box() == before


async def _upgrade(served: Served, email: str) -> str:
    """What the service itself says to an app that it refuses."""
    headers = {"Authorization": f"Bearer {served.key}", "Tollkeeper-User": email}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.post(f"{served.url}/api/chat/track", json={"prompt": "One more"}) as answer,
    ):
        assert answer.status == 429
        return (await answer.json())["upgradeTo"]


@pytest.mark.parametrize(
    ("many", "plan", "told"),
    [
        (11, "pro", "The Pro plan allows 50 a day."),
        (60, "enterprise", "The Enterprise plan has no such limit."),
        (181, "enterprise", "The Enterprise plan has no such limits."),
    ],
)
async def test_a_refusal_names_all_limits_that_are_reached_and_a_plan_that_would_admit(
    served: Served, ada: Visitor, many: int, plan: str, told: str
) -> None:
    is_month = many > 100
    title = "Today's requests and this month's requests are used up" if is_month else "Today's requests are used up"
    email = await address_of(ada)
    await served.record([_ended(email)] * many)
    assert await _upgrade(served, email) == plan
    await ada.open("/")
    banner = ada.page.locator("section", has=ada.page.get_by_role("heading", name=title, exact=True)).last
    await expect(banner).to_contain_text(told)
    await expect(banner).to_contain_text(f"{many} of 10 requests are used today")
    resets = (await ada.fetch("/api/user/dashboard"))["limits"]["resetsAt"]
    latest = resets["monthly" if is_month else "daily"]
    assert await banner.locator("time").get_attribute("datetime") == latest
    assert ada.troubles == []


async def test_a_limit_of_none_is_told_as_such(served: Served, ada: Visitor) -> None:
    email = await address_of(ada)
    await served.site.run("override", "add", email, "concurrent_requests=0", "--reason", "closed")
    await ada.open("/")
    banner = ada.page.locator("section", has=ada.page.get_by_role("heading", name="No requests are allowed")).last
    await expect(banner).to_contain_text("The limit is none at a time.")
    assert ada.troubles == []


async def test_an_exception_that_is_used_up_is_told_as_such_and_no_plan_is_offered(
    served: Served, ada: Visitor
) -> None:
    email = await address_of(ada)
    await served.site.run("override", "add", email, "daily_requests=3", "--reason", "a trial")
    await served.record([_ended(email)] * 3)
    await ada.open("/")
    banner = ada.page.locator("section", has=ada.page.get_by_role("heading", name="Today's requests are used up")).last
    await expect(banner).to_contain_text("3 of 3 requests are used today")
    await expect(banner).to_contain_text("An exception of whoever runs this service holds")
    await expect(banner.get_by_role("link", name="Compare plans")).to_have_count(0)
    await ada.open("/plan")
    await expect(ada.page.get_by_role("main")).to_contain_text("not all limits are the plan's")
    assert ada.troubles == []


@pytest.mark.parametrize("path", ["/", "/plan"])
async def test_requests_under_way_are_no_refusal_for_good(served: Served, ada: Visitor, path: str) -> None:
    email = await address_of(ada)
    await served.site.run("override", "add", email, "concurrent_requests=1", "--reason", "one by one")
    await served.call("POST", "/api/chat/track", user=email, says={"prompt": "Hello"})

    async def full(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        told["limits"] |= {"canMakeRequest": False, "reason": "concurrent"}
        await route.fulfill(response=answer, json=told)

    await ada.page.route(re.compile(r"/api/user/(dashboard|plan)$"), full)
    await ada.open(path)
    await expect(ada.page.get_by_role("main")).to_contain_text("until one ends")
    await expect(ada.page.get_by_role("heading", name="No requests are allowed")).to_have_count(0)
